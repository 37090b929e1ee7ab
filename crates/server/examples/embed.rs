//! Fanfare in an axum application: `cargo run -p fanfare-server --example embed`, then `/live?name=ann`.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use axum::{Router, routing::get};
use fanfare_protocol::{Payload, UserId};
use fanfare_server::handlers::{HandlerError, Identity, Refused};
use fanfare_server::{Fanfare, Node};

static GONE: AtomicUsize = AtomicUsize::new(0);

/// A page of the application's own, and Fanfare beside it.
pub(crate) fn application() -> io::Result<(Node, Router)> {
    let node = Fanfare::builder()
        .on_connect(async |request| {
            let name = request.uri.query().and_then(|query| query.strip_prefix("name="));
            let user = name.and_then(|name| UserId::new(name).ok());
            let user = user.ok_or_else(|| Refused("say who you are: ?name=".to_owned()))?;
            Ok(Identity::of(user).with_roles(["guest"]))
        })
        .on_message("shout", async |_peer, data| {
            let text = std::str::from_utf8(data.bytes()).map_err(|_| HandlerError::new("no text"))?;
            Ok(Some(Payload::Json(text.to_uppercase().into())))
        })
        .on_disconnect(async |_peer| {
            GONE.fetch_add(1, Relaxed);
        })
        .start()?;
    let page = get(async || format!("{} have gone", GONE.load(Relaxed)));
    let router = Router::new().route("/", page).route("/live", node.websocket());
    Ok((node, router))
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let (_node, router) = application()?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, router).await
}
