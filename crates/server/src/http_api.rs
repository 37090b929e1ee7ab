//! The HTTP API: what a backend in any language may do, with one key and JSON.
//!
//! - `operations`: one file for each, all of the same shape; their table is the only list of them
//! - `operation`: that shape, and how an operation becomes a route
//! - `idempotency`: the header with the key of a repeated request
//! - `body`, `query`: from bytes to a request, with errors that name the field or the place
//! - `access`: who may
//! - `schemas`: the form of the members, for the document
//! - `openapi`: the document, made from the same table
//! - `pages`: health, readiness, metrics and the document itself
//! - `snapshot`: a page that is made once and shown to all who ask meanwhile

mod access;
mod body;
mod docs;
mod error;
mod fields;
mod idempotency;
mod openapi;
mod operation;
mod operations;
mod pages;
mod query;
mod reply;
mod schemas;
mod snapshot;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::MethodRouter;
use fanfare_protocol::dialect::excerpt;

use fanfare_protocol::ErrorCode;

use crate::handle::Fanfare;
use crate::metrics::ApiCalls;
use crate::network::cors::{self, Credentials};
use crate::network::{self, Network};
use crate::secrets::KeyRing;
use error::ApiError;
use operation::Route;

pub use pages::MetricsPage;

/// What the API works with.
#[derive(Clone)]
pub struct ApiState {
    /// The node.
    pub fanfare: Fanfare,
    /// What opens the API.
    pub keys: KeyRing,
    /// The largest payload of one message.
    pub message_bytes_max: usize,
    /// The longest page of history.
    pub history_page_max: u32,
    /// How long a body may take to arrive.
    pub body_deadline: Duration,
    /// Whether `/metrics` is served, and to whom.
    pub metrics: MetricsPage,
    /// Whose pages may ask.
    pub network: Arc<Network>,
    /// Whether new clients should be sent here.
    pub is_ready: Arc<dyn Fn() -> bool + Send + Sync>,
}

/// What surrounds a payload in a body: names, labels, punctuation.
const ENVELOPE_BYTES_MAX: usize = 32 * 1024;

/// How many of the largest messages fit the body of a batch.
const BATCH_MESSAGES: usize = 16;

impl ApiState {
    /// The largest body: the payload may be in base64, which is a third longer.
    fn body_bytes_max(&self, route: &Route) -> usize {
        let one = self.message_bytes_max / 3 * 4 + 4 + ENVELOPE_BYTES_MAX;
        if route.many { one * BATCH_MESSAGES } else { one }
    }
}

/// Every route of the API, with answers in JSON also where nothing is.
pub fn router(state: ApiState) -> Router {
    let mut router = pages::router(state.metrics).merge(pages::document_router()).merge(docs::router());
    for route in operations::routes() {
        router = router.route(&route.path(), methods(route));
    }
    with_answers(router, state)
}

/// What the listener for administration serves: health, readiness and metrics. On a loopback address it answers only
/// requests that were sent to this host by a name of its own or by one of `hosts`: a page of the web can make a name of its
/// own lead here (DNS rebinding), and would read the answers.
pub fn admin_router(state: ApiState, loopback: bool, hosts: Vec<String>) -> Router {
    let router = with_answers(pages::router(state.metrics), state);
    if !loopback {
        return router;
    }
    let hosts: Arc<[String]> = hosts.into();
    router.layer(axum::middleware::from_fn(move |request: Request, next: axum::middleware::Next| {
        let hosts = hosts.clone();
        async move {
            match network::origin::is_sent_to(request.headers(), request.uri(), &hosts) {
                true => next.run(request).await,
                false => {
                    let text = "this name is not one of this host: use localhost or a loopback address, or name it in \
                        admin.hosts";
                    ApiError::new(ErrorCode::OriginNotAllowed, text).respond()
                }
            }
        }
    }))
}

/// With an answer in JSON also where nothing is, and for pages of the origins that are allowed.
fn with_answers(router: Router<Arc<ApiState>>, state: ApiState) -> Router {
    let network = state.network.clone();
    let router = router
        .method_not_allowed_fallback(async || ApiError::method_not_allowed().respond())
        .fallback(nothing)
        .with_state(Arc::new(state));
    cors::layer(router, network, Credentials::Withheld, |denied| {
        ApiError::new(denied.code(), denied.text().to_owned()).respond()
    })
}

/// What is answered where nothing is.
pub(crate) async fn nothing(request: Request) -> Response {
    let path = excerpt(request.uri().path());
    ApiError::not_found(format!("nothing is at \"{path}\"")).respond()
}

fn methods(route: &'static Route) -> MethodRouter<Arc<ApiState>> {
    let methods = axum::routing::post(move |state, request| post(state, route, request));
    if route.get { methods.get(move |state, request| get(state, route, request)) } else { methods }
}

async fn post(State(state): State<Arc<ApiState>>, route: &'static Route, request: Request) -> Response {
    let (calls, began) = (state.fanfare.calls.clone(), Instant::now());
    let result = posted(state, route, request).await;
    answer(route, &calls, began, result)
}

async fn posted(
    state: Arc<ApiState>,
    route: &'static Route,
    request: Request,
) -> Result<operation::Answer, ApiError> {
    let (head, body) = request.into_parts();
    if let Err(error) = access::check(&state.keys, &head.headers) {
        body::discard(&head.headers, body).await;
        return Err(error);
    }
    let key = match idempotency::key(&head.headers, route) {
        Ok(key) => key,
        Err(error) => {
            body::discard(&head.headers, body).await;
            return Err(error);
        }
    };
    let bytes_max = state.body_bytes_max(route);
    let bytes = body::read(&head.headers, body, bytes_max, state.body_deadline).await?;
    (route.call)(state, bytes, key).await
}

async fn get(State(state): State<Arc<ApiState>>, route: &'static Route, request: Request) -> Response {
    let (calls, began) = (state.fanfare.calls.clone(), Instant::now());
    let (head, _) = request.into_parts();
    let asked = access::check(&state.keys, &head.headers)
        .and_then(|()| idempotency::key(&head.headers, route))
        .and_then(|_none| Ok(network::head::query(&head.uri)?))
        .and_then(|text| query::to_json(text, route.query));
    let result = match asked {
        Ok(bytes) => (route.call)(state, bytes, None).await,
        Err(error) => Err(error),
    };
    answer(route, &calls, began, result)
}

/// Counts and logs a call, and makes its answer.
fn answer(
    route: &'static Route,
    calls: &ApiCalls,
    began: Instant,
    result: Result<operation::Answer, ApiError>,
) -> Response {
    let operation = route.name;
    let outcome = result.as_ref().map_or_else(|error| error.code().as_str(), |_| "ok");
    calls.record(operation, outcome, began.elapsed());
    match result {
        Ok(answer) => {
            tracing::debug!(operation, "done");
            reply::json(http::StatusCode::OK, answer.get().to_owned())
        }
        Err(error) => {
            tracing::debug!(operation, code = error.code().as_str(), "refused");
            error.respond()
        }
    }
}
