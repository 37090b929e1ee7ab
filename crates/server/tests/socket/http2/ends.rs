//! How streams and connections end, from either side.

use std::time::Duration;

use fanfare_core::limits::Deadlines;
use http::Request;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use super::super::support::frames::{FIN, ask, close, frame, text};
use super::super::support::neighbour::Neighbour;
use super::super::support::node::{TestNode, builder, patient};
use super::super::support::raw::Raw;
use super::super::support::within;
use super::connection::{Connection, handshake};

#[tokio::test]
async fn the_client_closes() {
    let node = TestNode::start(builder()).await;
    let mut connection = Connection::open(node.address).await;
    let mut stays = connection.raw("/ws").await;
    let mut raw = connection.raw("/ws").await;
    raw.send(&close(1000, b"")).await.unwrap();
    assert_eq!(raw.said().await.unwrap(), "CLOSE 1000");
    assert_eq!(raw.said().await.unwrap(), "EOF");
    node.until_connections(1).await;
    stays.send(&ask("still here")).await.unwrap();
    assert_eq!(stays.said().await.unwrap(), "pong still here");
    node.stop();
}

#[tokio::test]
async fn the_server_closes() {
    let node = TestNode::start(builder()).await;
    let mut connection = Connection::open(node.address).await;
    let mut raw = connection.raw("/ws").await;
    raw.send(&frame(FIN | 0xB, "")).await.unwrap();
    assert_eq!(raw.said().await.unwrap(), "CLOSE 1002");
    assert_eq!(raw.said().await.unwrap(), "EOF");
    node.until_connections(0).await;
    drop(raw);
    // Its last WebSocket has gone, and with it the reason to keep the connection.
    connection.ended().await.unwrap();
    node.stop();
}

/// Who has said everything still hears the answers.
#[tokio::test]
async fn a_half_closed_stream_is_answered_to_its_end() {
    let node = TestNode::start(builder()).await;
    let mut connection = Connection::open(node.address).await;
    let mut raw = connection.raw("/ws?user=ann").await;
    let subscribe = json!({"type": "subscribe", "channel": "room"}).to_string();
    raw.send(&[text(subscribe), ask("last")].concat()).await.unwrap();
    raw.shut().await;
    let mut answers = [raw.said().await.unwrap(), raw.said().await.unwrap()];
    answers.sort();
    assert_eq!(answers, ["pong last", "subscribed"]);
    assert_eq!(raw.said().await.unwrap(), "EOF");
    node.until_connections(0).await;
    node.stop();
}

#[tokio::test]
async fn a_reset_ends_one_stream_and_a_cut_ends_all() {
    let node = TestNode::start(builder()).await;
    let mut neighbour = Neighbour::move_in(&node, "room").await.unwrap();
    let mut connection = Connection::open(node.address).await;
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(connection.client("/ws").await);
    }
    let tunnel = connection.tunnel(handshake("/ws")).await.unwrap();
    node.until_connections(7).await;
    tunnel.reset();
    node.until_connections(6).await;
    clients[0].ask(&json!({"type": "ping"}), "pong").await;
    neighbour.unmoved(&node).await.unwrap();
    connection.cut();
    node.until_connections(1).await;
    neighbour.unmoved(&node).await.unwrap();
    node.stop();
}

/// A client that never ends its side, and takes nothing of what it is told, is not waited for longer than any other.
#[tokio::test]
async fn a_stream_that_is_left_open_is_let_go() {
    let deadlines = Deadlines { close_ms: 100, ..patient() };
    let node = TestNode::start(builder().deadlines(deadlines)).await;
    let mut connection = Connection::open(node.address).await;
    let (response, _send) = connection.send(handshake("/ws"), false).await.unwrap();
    let response = within("an answer", response).await.unwrap().unwrap();
    let mut stream = response.into_body();
    node.until_connections(1).await;
    let all = node.node.fanfare();
    let everyone = fanfare_core::ports::broker::Target::Everyone;
    all.disconnect(everyone, fanfare_protocol::CloseCode::Normal).await.unwrap();
    node.until_connections(0).await;
    let mut said = Vec::new();
    while let Some(Ok(bytes)) = within("the end", stream.data()).await.unwrap() {
        said.extend(bytes);
    }
    assert!(!said.is_empty());
    node.stop();
}

#[tokio::test]
async fn a_drain_sends_all_streams_and_then_the_connection_away() {
    let deadlines = Deadlines { drain_ms: Some(200), ..patient() };
    let node = TestNode::start(builder().deadlines(deadlines)).await;
    let mut connection = Connection::open(node.address).await;
    let mut without = Connection::open(node.address).await;
    assert_eq!(without.ask(Request::get("http://localhost/ws")).await.status, 405);
    let mut clients = Vec::new();
    for _ in 0..10 {
        clients.push(connection.client("/ws").await);
    }
    let draining = node.node.drain();
    let leaving = async {
        for client in &mut clients {
            let event: Value = client.expect("disconnect").await;
            assert_eq!(event["code"], 1012);
            client.send_frame(Message::Close(None));
        }
    };
    tokio::join!(draining, leaving);
    // It has asked something, and would be kept for a minute.
    without.ended().await.unwrap();
    drop(clients);
    connection.ended().await.unwrap();
    node.stop();
}

/// Whoever opens no stream is told to go, and ended if they do not; also before they have said anything at all.
#[tokio::test]
async fn a_connection_without_streams_has_its_deadline() {
    let node = TestNode::start_with(builder(), Duration::from_millis(200)).await;
    Connection::open(node.address).await.ended().await.unwrap();
    let parts: [&[u8]; 3] =
        [b"PRI", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04"];
    let address = node.address;
    let ended = parts.map(|part| async move {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(part).await.unwrap();
        let _ = within("the end", stream.read_to_end(&mut Vec::new())).await.unwrap();
    });
    futures_util::future::join_all(ended).await;
    node.stop();
}

/// Two clients that sent the beginning of HTTP/2's first words and then shut their side held both threads of the runtime
/// for ever: what says that the peer has ended is never cleared, so waiting for more ended at once, again and again.
#[tokio::test]
async fn a_peer_that_ends_within_the_preface_is_let_go() {
    let node = TestNode::start(builder()).await;
    for part in [&b"P"[..], b"PRI", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r"] {
        let mut stream = TcpStream::connect(node.address).await.unwrap();
        stream.write_all(part).await.unwrap();
        stream.shutdown().await.unwrap();
        let _ = within("the end", stream.read_to_end(&mut Vec::new())).await.unwrap();
        let mut gone = TcpStream::connect(node.address).await.unwrap();
        gone.write_all(part).await.unwrap();
    }
    let mut raw = Raw::connect(node.address).await.unwrap();
    raw.send(b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    assert_eq!(raw.answer().await.unwrap().status, 404);
    node.stop();
}

#[tokio::test]
async fn what_only_begins_like_the_preface_is_http1() {
    let node = TestNode::start(builder()).await;
    let mut raw = Raw::connect(node.address).await.unwrap();
    for part in ["P", "R", "OPFIND / HTTP/1.1\r\nHost: a\r\n\r\n"] {
        raw.send(part.as_bytes()).await.unwrap();
        raw.flush().await.unwrap();
    }
    assert_eq!(raw.answer().await.unwrap().status, 404);
    node.stop();
}
