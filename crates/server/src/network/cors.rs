//! Requests of pages of other origins (CORS, <https://fetch.spec.whatwg.org/#http-cors-protocol>).
//!
//! The same origins are allowed as for WebSockets. The exact origin is named in the answer, never `*`. Where clients
//! connect, cookies may come along, as they do with a WebSocket, from pages whose origin is named: `*` in
//! `network.origins` names none. The HTTP API takes a key in a header, and no cookies.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, VARY,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::origin::Standing;
use super::{Denied, Network};

/// What a page may send. A header that is not listed is one that no operation reads.
const HEADERS: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, fanfare-session, idempotency-key, last-event-id, x-api-key, x-csrf-token",
);

const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, DELETE");

/// What a page may read beside the body.
const EXPOSED: HeaderValue = HeaderValue::from_static("retry-after");

/// How long a browser may remember what it is allowed: as long as the briefest of them remember at most anyway.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

const ORIGIN: HeaderValue = HeaderValue::from_static("origin");

/// Whether a page of another origin may send cookies along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// When its origin is named.
    Allowed,
    /// Never.
    Withheld,
}

/// Makes a router answer pages of the allowed origins, and refuse what other pages ask of it. A refusal is answered by
/// `refuse`, in the router's own form.
pub(crate) fn layer<S>(
    router: Router<S>,
    network: Arc<Network>,
    credentials: Credentials,
    refuse: fn(&Denied) -> Response,
) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    router.layer(from_fn_with_state(Rules { network, credentials, refuse }, answer))
}

#[derive(Clone)]
struct Rules {
    network: Arc<Network>,
    credentials: Credentials,
    refuse: fn(&Denied) -> Response,
}

async fn answer(State(rules): State<Rules>, request: Request, next: Next) -> Response {
    let Rules { network, credentials, refuse } = rules;
    let method = request.method().clone();
    let preflight =
        method == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let (head, body) = request.into_parts();
    let standing = network.judge_origin(&head);
    let request = Request::from_parts(head, body);
    let mut response = match &standing {
        Ok(Standing::Cross(_)) if preflight => allowed(),
        Ok(_) => next.run(request).await,
        // What changes nothing is answered; the browser does not let the page read it.
        Err(_) if method == Method::GET || method == Method::HEAD => next.run(request).await,
        Err(denied) => refuse(denied),
    };
    let headers = response.headers_mut();
    // Whoever keeps the answer must not show it to a page of another origin.
    headers.append(VARY, ORIGIN);
    if let Ok(Standing::Cross(origin)) = standing {
        if credentials == Credentials::Allowed && network.names_origin(&origin) {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        expose(headers, origin);
    }
    response
}

fn allowed() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
    headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    response
}

fn expose(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
}
