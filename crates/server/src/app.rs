//! The composition root: what the binary is made of, in the order it happens. Only here are dialects and
//! brokers chosen by name.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use fanfare_core::limits::Limits;
use fanfare_core::memory::Memory;
use fanfare_core::ports::broker::{Broker, Inboxes};
use fanfare_dialect_native::{NativeJson, NativeProtobuf};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use crate::cli::{Program, Setup, Welcome};
use crate::config::{Config, NetworkConfig};
use crate::demo;
use crate::dialects::NamedDialect;
use crate::http_api::{self, ApiState};
use crate::listen;
use crate::node::{Builder, Node};

/// The names of the dialects that this build speaks.
pub const DIALECTS: &[&str] = &["native", "native.protobuf"];

/// What the command line is given to work with.
pub const PROGRAM: Program = Program { dialects: DIALECTS, serve };

/// Threads beside the shards: handshakes, the HTTP API and the application's handlers.
const RUNTIME_THREADS: usize = 2;

/// The dialects that this build speaks.
pub(crate) fn dialects() -> Vec<NamedDialect> {
    vec![
        NamedDialect { name: "native", subprotocol: "fanfare.native.json", dialect: Arc::new(NativeJson) },
        NamedDialect {
            name: "native.protobuf",
            subprotocol: "fanfare.native.protobuf",
            dialect: Arc::new(NativeProtobuf),
        },
    ]
}

/// The broker of a node that stands alone.
pub(crate) fn broker(
    limits: &Limits,
    seed: u64,
    clock: Arc<dyn Fn() -> u64 + Send + Sync>,
    inboxes: Arc<dyn Inboxes>,
) -> Arc<dyn Broker> {
    Arc::new(Memory::new(limits.clone(), seed, clock, inboxes))
}

fn node(config: &Config) -> io::Result<Node> {
    Builder::new(dialects())
        .limits(config.limits.clone())
        .deadlines(config.deadlines.clone())
        .rate_limits(config.rate_limits.clone())
        .namespaces(config.engine_namespaces())
        .shards(usize::from(config.shards))
        .open_user_ids(config.open_user_ids())
        .network(network(config))
        .default_dialect(&config.default_dialect)
        .start()
}

/// Who said `insecure` wants no rates either.
fn network(config: &Config) -> NetworkConfig {
    let network = config.network.clone();
    if config.insecure { network.without_rates() } else { network }
}

/// Runs a server until it has drained: build, bind, announce, run, drain.
fn serve(setup: Setup) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(RUNTIME_THREADS)
        .enable_all()
        .build()
        .map_err(|error| format!("the runtime cannot start: {error}"))?;
    runtime.block_on(run(setup)).map_err(|error| error.to_string())
}

async fn run(setup: Setup) -> io::Result<()> {
    let config = &setup.config;
    let node = node(config)?;
    let router = router(&setup, &node);
    let mut listeners = Vec::new();
    let mut addresses = Vec::new();
    for address in &config.listen {
        let listener = listen::bind(*address)
            .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}")))?;
        addresses.push(listener.local_addr()?);
        listeners.push(listener);
    }
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let handshake = Duration::from_millis(u64::from(config.deadlines.handshake_ms));
    let mut servers = JoinSet::new();
    for listener in listeners {
        servers.spawn(listen::serve(listener, router.clone(), handshake, node.network()));
    }
    println!("{}", Welcome { setup: &setup, addresses: &addresses }.text());
    tracing::info!(?addresses, "listening");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!(connections = node.connections(), "draining; a second signal ends at once");
    tokio::select! {
        () = node.drain() => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    servers.shutdown().await;
    node.stop();
    tracing::info!("ended");
    Ok(())
}

fn router(setup: &Setup, node: &Node) -> Router {
    let config = &setup.config;
    let api = http_api::router(ApiState {
        fanfare: node.fanfare().clone(),
        keys: setup.keys.clone(),
        message_bytes_max: config.limits.message_bytes_max,
        history_page_max: config.limits.history_page_max,
        body_deadline: Duration::from_millis(u64::from(config.deadlines.unfinished_message_ms)),
        metrics: config.metrics,
        is_ready: Arc::new(node.readiness()),
        network: node.network(),
    });
    let mut router = node.router().merge(api);
    if config.demo {
        router = router.merge(demo::router());
    }
    router
}
