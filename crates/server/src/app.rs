//! The composition root: what the binary is made of, in the order it happens. Only here are dialects and
//! brokers chosen by name.

use std::io::{self, IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::any;
use fanfare_auth::Verifier;
use fanfare_core::memory::Memory;
use fanfare_core::ports::broker::{Broker, Inboxes};
use fanfare_core::shard::Settings;
use fanfare_dialect_native::{NativeJson, NativeLines, NativeProtobuf};
use fanfare_dialect_plain::{Chat, Envelope, Raw, Rooms, Topics};
use fanfare_protocol::Dialect;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use crate::admin;
use crate::cli::{Program, Setup, Welcome};
use crate::clock;
use crate::config::{Config, Csrf, DialectsConfig};
use crate::demo;
use crate::descriptors;
use crate::dialects::NamedDialect;
use crate::http_api::{self, ApiState};
use crate::listen::{self, HttpDeadlines};
use crate::network::csrf::CsrfRule;
use crate::node::{Builder, Node};
use crate::reload::Reloader;
use crate::revocations::RevocationSettings;
use crate::tls::{Renewal, Tls};

/// The names of the dialects that this build speaks.
pub const DIALECTS: &[&str] =
    &["native", "native.lines", "native.protobuf", "rooms", "envelope", "topics", "chat", "raw"];

/// What the command line is given to work with.
pub const PROGRAM: Program = Program { dialects: DIALECTS, serve };

/// The file of revocations, in the data directory.
const REVOCATIONS: &str = "revocations.jsonl";

/// Threads beside the shards: handshakes, the HTTP API and the application's handlers.
const RUNTIME_THREADS: usize = 2;

/// The dialects that this build speaks.
pub(crate) fn dialects(config: &DialectsConfig) -> Vec<NamedDialect> {
    let topics = Topics { content_characters_max: config.topics_content_characters_max };
    let chat = Chat { history_on_join: config.chat_history_on_join };
    vec![
        named("native", NativeJson::SUBPROTOCOL, NativeJson),
        named("native.lines", NativeLines::SUBPROTOCOL, NativeLines),
        named("native.protobuf", NativeProtobuf::SUBPROTOCOL, NativeProtobuf),
        named("rooms", Rooms::SUBPROTOCOL, Rooms),
        named("envelope", Envelope::SUBPROTOCOL, Envelope),
        named("topics", Topics::SUBPROTOCOL, topics),
        named("chat", Chat::SUBPROTOCOL, chat),
        named("raw", Raw::SUBPROTOCOL, Raw),
    ]
}

fn named(name: &'static str, subprotocol: &'static str, dialect: impl Dialect + 'static) -> NamedDialect {
    NamedDialect { name, subprotocol, dialect: Arc::new(dialect) }
}

/// The broker of a node that stands alone.
pub(crate) fn broker(settings: &Settings, seed: u64, inboxes: Arc<dyn Inboxes>) -> Arc<dyn Broker> {
    let Settings { limits, deadlines, namespaces, .. } = settings;
    Arc::new(Memory::new(limits.clone(), deadlines, namespaces, seed, Arc::new(clock::now), inboxes))
}

fn node(setup: &Setup) -> io::Result<Node> {
    let config = &setup.config;
    let (issuers, rules) = config.verifier_settings(&setup.token_secret.key).map_err(io::Error::other)?;
    let verifier = Verifier::new(issuers, rules).map_err(io::Error::other)?;
    Builder::new(dialects(&config.dialects))
        .limits(config.limits.clone())
        .deadlines(config.deadlines.clone())
        .rate_limits(config.rate_limits())
        .allow_users(config.auth.allow_users.clone())
        .namespaces(config.engine_namespaces())
        .shards(usize::from(config.shards))
        .network(config.network())
        .compression(config.compression.clone())
        .authentication(config.auth_mode(), verifier)
        .auth_cookie(&config.auth.cookie, csrf(setup))
        .auth_errors(config.auth.errors)
        .revocations(RevocationSettings {
            file: Some(config.data_dir.join(REVOCATIONS)),
            lifetime_max: Duration::from_millis(config.auth.token_lifetime_max_ms),
            entries_max: config.auth.revocations_max,
        })
        .default_dialect(&config.default_dialect)
        .start()
}

/// What has to come along with a cookie that holds a token.
fn csrf(setup: &Setup) -> CsrfRule {
    let auth = &setup.config.auth;
    match auth.csrf {
        Csrf::DoubleSubmit => CsrfRule::DoubleSubmit(auth.csrf_cookie.clone()),
        Csrf::Signed => {
            let secret = setup.token_secret.key.clone();
            CsrfRule::Signed(Arc::new(move |token| {
                fanfare_auth::csrf::csrf_signature(secret.expose(), token)
            }))
        }
    }
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
    // First of all: until somebody listens to it, the signal ends the process.
    let mut hangup = signal(SignalKind::hangup())?;
    descriptors::prepare(config.limits.connections_max);
    let node = node(&setup)?;
    let state = api_state(&setup, &node);
    let router = router(config, &node, state.clone());
    let tls = tls(config)?;
    let (listeners, addresses) = bind(&config.listen)?;
    let (tls_listeners, tls_addresses) = bind(&config.tls.listen)?;
    let (admin_listeners, admin_addresses) = admin::bind(config)?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let deadlines = HttpDeadlines {
        handshake: Duration::from_millis(u64::from(config.deadlines.handshake_ms)),
        keep_alive: Duration::from_millis(u64::from(config.deadlines.keep_alive_ms)),
    };
    let mut servers = JoinSet::new();
    for listener in listeners {
        servers.spawn(listen::serve(listener, router.clone(), deadlines, Some(node.network())));
    }
    if let Some((tls, renewal)) = tls {
        for listener in tls_listeners {
            servers.spawn(listen::serve_tls(
                listener,
                router.clone(),
                deadlines,
                Some(node.network()),
                tls.clone(),
            ));
        }
        servers.spawn(renewal.start());
    }
    let admin_state = ApiState { metrics: admin::metrics(config), ..state };
    for listener in admin_listeners {
        // Who administers comes through no proxy, and as often as they like.
        let loopback = listener.local_addr()?.ip().is_loopback();
        let router = http_api::admin_router(admin_state.clone(), loopback, config.admin.hosts.clone());
        servers.spawn(listen::serve(listener, router, deadlines, None));
    }
    let welcome = Welcome {
        setup: &setup,
        addresses: &addresses,
        tls_addresses: &tls_addresses,
        admin_addresses: &admin_addresses,
    };
    // Whether anybody reads it or not: standard output may be closed, or a full disk.
    let mut out = io::stdout();
    let _ = writeln!(out, "{}", welcome.text(out.is_terminal())).and_then(|()| out.flush());
    tracing::info!(?addresses, ?tls_addresses, ?admin_addresses, "listening");
    let mut reloader = Reloader::new(&setup, &node);
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => reloader.reload(),
        }
    }
    tracing::info!(connections = node.connections(), "{}", going(config));
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

/// What becomes of the clients, for who has asked the server to end.
fn going(config: &Config) -> String {
    match config.deadlines.drain_ms {
        Some(over_ms) => {
            let over = Duration::from_millis(u64::from(over_ms));
            format!("draining: clients are sent elsewhere over {over:?}; a second signal ends at once")
        }
        None => "ending: clients are told to come back, and nothing more is published".to_owned(),
    }
}

/// What TLS listeners need, where there are any.
fn tls(config: &Config) -> io::Result<Option<(Tls, Renewal)>> {
    if let Some((cert, key)) = config.tls.files() {
        return Tls::from_files(cert, key, config.tls.min_version).map(Some).map_err(io::Error::other);
    }
    if config.tls.acme_domains.is_empty() { Ok(None) } else { ordered(config).map(Some) }
}

#[cfg(feature = "acme")]
fn ordered(config: &Config) -> io::Result<(Tls, Renewal)> {
    Tls::from_acme(&config.acme(), config.tls.min_version).map_err(io::Error::other)
}

#[cfg(not(feature = "acme"))]
fn ordered(_config: &Config) -> io::Result<(Tls, Renewal)> {
    Err(io::Error::other("tls.acme_domains: this program was built without the feature \"acme\""))
}

/// Listeners, and where they are: the ports are the real ones.
fn bind(addresses: &[SocketAddr]) -> io::Result<(Vec<TcpListener>, Vec<SocketAddr>)> {
    let mut listeners = Vec::new();
    let mut bound = Vec::new();
    for address in addresses {
        let listener = listen::bind(*address)
            .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}")))?;
        bound.push(listener.local_addr()?);
        listeners.push(listener);
    }
    Ok((listeners, bound))
}

fn api_state(setup: &Setup, node: &Node) -> ApiState {
    let config = &setup.config;
    ApiState {
        fanfare: node.fanfare().clone(),
        keys: setup.keys.clone(),
        message_bytes_max: config.limits.message_bytes_max,
        history_page_max: config.limits.history_page_max,
        body_deadline: Duration::from_millis(u64::from(config.deadlines.unfinished_message_ms)),
        metrics: admin::metrics_on_main(config),
        is_ready: Arc::new(node.readiness()),
        network: node.network(),
    }
}

fn router(config: &Config, node: &Node, state: ApiState) -> Router {
    let router = node.router().merge(http_api::router(state));
    let (files, page) = match config.demo {
        true => (demo::files(), demo::page()),
        false => (Router::new(), any(http_api::nothing)),
    };
    // Clients that were given a host and no path connect there.
    router.merge(files).route("/", node.websocket_or(page))
}
