//! WebSockets at `/`, where otherwise a page is: clients that were given a host and no path connect there.

use axum::body::Body;
use axum::middleware::{self, Next};
use axum::routing::MethodRouter;
use http::header::UPGRADE;
use http::{Method, Request};
use hyper::ext::Protocol;

use super::Node;
use crate::handshake::Named;

impl Node {
    /// A route for WebSockets as [`Node::websocket`] is one. Requests that ask for none are left to `page`.
    pub(crate) fn websocket_or<S: Clone + Send + Sync + 'static>(
        &self,
        page: MethodRouter<S>,
    ) -> MethodRouter<S> {
        let door = self.door.clone();
        page.layer(middleware::from_fn(move |request: Request<Body>, next: Next| {
            let door = door.clone();
            async move {
                match asks_for_websocket(&request) {
                    true => door.open(request, Named::default()).await,
                    false => next.run(request).await,
                }
            }
        }))
    }
}

/// Whether a request is for a WebSocket, be it well formed or not: who asks for one has no use for a page.
fn asks_for_websocket(request: &Request<Body>) -> bool {
    if request.method() == Method::CONNECT {
        return request.extensions().get::<Protocol>().is_some();
    }
    let protocols = request
        .headers()
        .get_all(UPGRADE)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let mut names = protocols.map(<[u8]>::trim_ascii);
    names.any(|name| name.eq_ignore_ascii_case(b"websocket"))
}
