//! Echoes every message, through the real connection path: for conformance suites.
//!
//! `cargo run --release -p fanfare-server --example echo -- 127.0.0.1:9001`
//!
//! With the files of a certificate and its key behind the address, over TLS.
//!
//! Nothing here is a short cut: the messages pass the decoder, a session, a handler on the runtime, an outbox
//! and a write like any other. Only the limits are raised and the rates lifted, because the suites send messages of
//! 16 MiB in 250,000 frames, and a thousand messages as fast as they are echoed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fanfare_core::limits::{Deadlines, Limits, RateLimits};
use fanfare_protocol::dialect::DecodeLimits;
use fanfare_protocol::{Command, Dialect, Event, FrameKind, Incoming, Payload, Rejection};
use fanfare_server::config::CompressionConfig;
use fanfare_server::dialects::NamedDialect;
use fanfare_server::tls::{MinVersion, Tls};
use fanfare_server::{Fanfare, listen};

/// What a client sends is the argument of one handler; what the handler returns goes back as it is.
struct Echo;

impl Dialect for Echo {
    fn decode(&self, message: Incoming<'_>, _limits: &DecodeLimits) -> Result<Command, Rejection> {
        let data = match message {
            Incoming::Text(text) => Payload::Text(Bytes::copy_from_slice(text.as_bytes())),
            Incoming::Binary(bytes) => Payload::Binary(Bytes::copy_from_slice(bytes)),
        };
        Ok(Command::Custom { id: None, kind: "echo".into(), data })
    }

    fn encode(&self, event: &Event<'_>, out: &mut Vec<u8>) -> Option<FrameKind> {
        let Event::Response { data, .. } = event else { return None };
        out.extend_from_slice(data.bytes());
        Some(match data {
            Payload::Binary(_) => FrameKind::Binary,
            Payload::Text(_) | Payload::Json(_) => FrameKind::Text,
        })
    }
}

// One thread for the handlers, so that echoes come in the order of what they echo.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address: SocketAddr = arguments.next().unwrap_or("127.0.0.1:9001".to_owned()).parse()?;
    let files = arguments.next().zip(arguments.next());
    let limits = Limits {
        message_bytes_max: 64 << 20,
        fragments_max: 1 << 20,
        outbox_bytes_max: 256 << 20,
        requests_in_flight_max: 1 << 15,
        ..Limits::default()
    };
    let echo = NamedDialect { name: "echo", subprotocol: "echo", dialect: Arc::new(Echo) };
    // Every message of a client that offers it is compressed, the smallest too.
    let compression = CompressionConfig { enabled: true, threshold_bytes: 0, ..CompressionConfig::default() };
    let node = Fanfare::builder()
        .dialects(vec![echo])
        .compression(compression)
        .limits(limits)
        // A ping in the middle of a case is the end of it for some suites.
        .deadlines(Deadlines { ping_interval_ms: 3_600_000, ..Deadlines::default() })
        .rate_limits(RateLimits::off())
        .on_message("echo", |_peer, data| async move { Ok(Some(data)) })
        .start()?;
    let router = axum::Router::new().fallback_service(node.websocket::<()>());
    let listener = listen::bind(address)?;
    let handshake = Duration::from_secs(5);
    let scheme = if files.is_some() { "wss" } else { "ws" };
    println!("echoing on {scheme}://{}", listener.local_addr()?);
    match files {
        Some((cert, key)) => {
            let (tls, _) = Tls::from_files(cert.into(), key.into(), MinVersion::default())?;
            listen::serve_tls(listener, router, handshake, Some(node.network()), tls).await;
        }
        None => listen::serve(listener, router, handshake, Some(node.network())).await,
    }
    Ok(())
}
