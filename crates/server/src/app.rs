//! The composition root: what the binary is made of, in the order it happens. Only here are dialects and
//! brokers chosen by name.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use fanfare_dialect_native::NativeJson;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::Config;
use crate::demo;
use crate::dialects::NamedDialect;
use crate::listen;
use crate::node::{Builder, Node};

/// The names of the dialects that this build speaks.
pub const DIALECTS: &[&str] = &["native"];

/// The dialects that this build speaks.
pub(crate) fn dialects() -> Vec<NamedDialect> {
    vec![NamedDialect { name: "native", subprotocol: "fanfare.native.json", dialect: Arc::new(NativeJson) }]
}

fn node(config: &Config) -> io::Result<Node> {
    Builder::new(dialects())
        .limits(config.limits.clone())
        .deadlines(config.deadlines.clone())
        .namespaces(config.engine_namespaces())
        .shards(usize::from(config.shards))
        .open_user_ids(config.open_user_ids())
        .default_dialect(&config.default_dialect)
        .start()
}

/// Runs a server until it is told to stop: parse has happened; build, bind, announce, run, drain.
///
/// # Errors
/// When an address cannot be bound or the system lacks a resource.
pub async fn serve(config: Config) -> io::Result<()> {
    let node = node(&config)?;
    let mut router: Router = node.router();
    if config.demo {
        router = router.merge(demo::router());
    }
    let handshake = Duration::from_millis(u64::from(config.deadlines.handshake_ms));
    let mut servers = tokio::task::JoinSet::new();
    for address in &config.listen {
        let listener = listen::bind(*address)
            .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}")))?;
        servers.spawn(listen::serve(listener, router.clone(), handshake));
    }
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!(connections = node.connections(), "draining");
    tokio::select! {
        () = node.drain() => {}
        // A second signal means now.
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    servers.shutdown().await;
    node.stop();
    Ok(())
}
