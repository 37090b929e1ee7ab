//! Fanfare in somebody else's application: mounted by axum, over streams that are no sockets.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use fanfare_core::limits::Deadlines;
use fanfare_protocol::{ChannelName, Payload};
use fanfare_server::handle::Message;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf};
use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite;
use tower::ServiceExt as _;

use super::support::client::Client;
use super::support::frames::{self, Frame};
use super::support::node::{builder, patient};
use super::support::raw::HEAD;
use super::support::{alarm, within};

#[path = "../../examples/embed.rs"]
#[allow(dead_code, reason = "its main is for who runs it")]
mod embed;

async fn page(address: SocketAddr) -> String {
    reqwest::get(format!("http://{address}/")).await.unwrap().text().await.unwrap()
}

#[tokio::test]
async fn the_example_serves_its_page_and_its_guests() {
    alarm::arm();
    let (node, router) = embed::application().unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    assert_eq!(page(address).await, "0 have gone");
    match Client::try_connect(address, "/live").await.map(drop).unwrap_err() {
        tungstenite::Error::Http(response) => {
            assert_eq!(response.status(), 403);
            let body = String::from_utf8_lossy(response.body().as_deref().unwrap_or_default()).into_owned();
            assert!(body.contains("permission_denied") && body.contains("say who you are"), "{body}");
        }
        other => panic!("{other}"),
    }
    let mut ann = Client::connect(address, "/live?name=ann").await;
    assert_eq!(ann.ask(&json!({"type": "connect"}), "connected").await["user_id"], "ann");
    let shout = json!({"type": "shout", "id": 1, "data": "hello"});
    assert_eq!(ann.ask(&shout, "response").await["data"], "HELLO");
    assert_eq!(ann.ask(&json!({"type": "whisper"}), "error").await["code"], "unknown_type");
    drop(ann);
    let gone = async { while page(address).await != "1 have gone" {} };
    within("the disconnect handler", gone).await.unwrap();
    serving.abort();
    node.stop();
    alarm::assert_silent();
}

/// A stream that is no socket, as TLS would be, and tells when it is dropped.
struct Wrapped {
    inner: DuplexStream,
    _gone: oneshot::Sender<Infallible>,
}

impl AsyncRead for Wrapped {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wrapped {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

/// Serves one connection in memory; gives the client's end, and what ends when the server's end is dropped.
fn serve(router: axum::Router) -> (DuplexStream, oneshot::Receiver<Infallible>) {
    let (near, inner) = tokio::io::duplex(4096);
    let (gone, dropped) = oneshot::channel();
    let service =
        service_fn(move |request: hyper::Request<Incoming>| router.clone().oneshot(request.map(Body::new)));
    let stream = TokioIo::new(Wrapped { inner, _gone: gone });
    tokio::spawn(http1::Builder::new().serve_connection(stream, service).with_upgrades());
    (near, dropped)
}

#[tokio::test]
async fn a_stream_that_is_no_socket_is_pumped_both_ways() {
    alarm::arm();
    let node = builder().start().unwrap();
    let (stream, dropped) = serve(node.router());
    let mut ann = Client::over(stream, "/ws?user=ann").await.unwrap();
    let (stream, _) = serve(node.router());
    let mut bob = Client::over(stream, "/ws?user=bob").await.unwrap();
    for client in [&mut ann, &mut bob] {
        client.ask(&json!({"type": "subscribe", "channel": "room"}), "subscribed").await;
    }
    let long = "x".repeat(60_000);
    for n in 0..50 {
        ann.send(&json!({"type": "message", "channel": "room", "data": {"n": n, "text": long}}));
        assert_eq!(ann.expect("message").await["data"]["n"], n);
    }
    for n in 0..50 {
        assert_eq!(bob.expect("message").await["data"]["n"], n);
    }
    drop(ann);
    assert!(within("the stream to be dropped", dropped).await.unwrap().is_err());
    bob.ask(&json!({"type": "ping"}), "pong").await;
    node.stop();
    alarm::assert_silent();
}

/// The pump waited for a peer that had been told goodbye and never hung up: one leaked stream and task each.
#[tokio::test]
async fn a_pumped_stream_is_let_go_although_its_peer_never_hangs_up() {
    alarm::arm();
    let node = builder().deadlines(Deadlines { close_ms: 100, ..patient() }).start().unwrap();
    let (mut stream, dropped) = serve(node.router());
    stream.write_all(HEAD.as_bytes()).await.unwrap();
    stream.write_all(&frames::text(r#"{"type":"disconnect"}"#)).await.unwrap();
    let mut said = Vec::new();
    within("the end of the stream", stream.read_to_end(&mut said)).await.unwrap().unwrap();
    let head_bytes = said.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    said.drain(..head_bytes);
    let frame = Frame::take(&mut said).unwrap().unwrap();
    assert_eq!((frame.close_code(), said.len()), (Some(1000), 0));
    // The client still holds its end, and says nothing.
    assert!(within("the stream to be dropped", dropped).await.unwrap().is_err());
    node.stop();
    alarm::assert_silent();
}

/// The same with a peer that does not even read: what it would not take kept the pump busy.
#[tokio::test]
async fn a_pumped_stream_is_let_go_although_its_peer_stops_reading() {
    alarm::arm();
    let node = builder().deadlines(Deadlines { close_ms: 100, ..patient() }).start().unwrap();
    let (mut stream, mut dropped) = serve(node.router());
    stream.write_all(HEAD.as_bytes()).await.unwrap();
    stream.write_all(&frames::text(r#"{"type":"subscribe","channel":"room"}"#)).await.unwrap();
    let stalled = async {
        let data = Payload::Json(format!("\"{}\"", "x".repeat(16 * 1024)).into());
        let room = ChannelName::new("room").unwrap();
        while dropped.try_recv() == Err(oneshot::error::TryRecvError::Empty) {
            node.fanfare().publish(room.clone(), Message::new(data.clone())).await.unwrap();
        }
    };
    within("the stream to be dropped", stalled).await.unwrap();
    node.stop();
    drop(stream);
    alarm::assert_silent();
}

/// What was put into the inbox of a worker that had ended stayed there: a backend that asked a stopped node waited for
/// ever.
#[tokio::test]
async fn who_asks_a_stopped_node_is_not_left_waiting() {
    alarm::arm();
    let node = builder().start().unwrap();
    let fanfare = node.fanfare().clone();
    assert_eq!(within("a live node", fanfare.counts()).await.unwrap().unwrap().connections, 0);
    node.stop();
    let counts = within("a stopped node", fanfare.counts()).await.unwrap();
    assert_eq!(counts.unwrap().connections, 0);
    alarm::assert_silent();
}
