//! Too many, too fast, too large.

use std::future::pending as forever;
use std::time::Duration;

use fanfare_core::limits::Limits;
use fanfare_server::config::NetworkConfig;
use h2::Reason;
use http::Request;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::super::limits::{closed_as_slow, finds_why};
use super::super::support::frames::text;
use super::super::support::neighbour::Neighbour;
use super::super::support::node::{TestNode, builder};
use super::super::support::within;
use super::connection::{Connection, handshake};

/// A node that counts the connections of this host as those of any other.
async fn counting(connections_per_ip_max: u32) -> TestNode {
    let limits = Limits { limit_loopback: true, connections_per_ip_max, ..Limits::default() };
    TestNode::start(builder().limits(limits).network(NetworkConfig::default().without_rates())).await
}

/// A stream is a connection to the bound on those of an address, on however many connections of HTTP/2 it comes.
#[tokio::test]
async fn a_thousand_streams_do_not_pass_the_bound_of_an_address() {
    let node = counting(250).await;
    let mut connections = Vec::new();
    let (mut inside, mut refused) = (Vec::new(), 0);
    for _ in 0..10 {
        let mut connection = Connection::open(node.address).await;
        for _ in 0..100 {
            match connection.tunnel(handshake("/ws")).await {
                Ok(tunnel) => inside.push(tunnel),
                Err(answer) => {
                    assert_eq!(answer.summary(), "429 address_limit");
                    refused += 1;
                }
            }
        }
        connections.push(connection);
    }
    assert_eq!((inside.len(), refused), (250, 750));
    assert_eq!(node.node.connections(), 250);
    inside.pop().unwrap().reset();
    node.until_connections(249).await;
    let again = connections[9].tunnel(handshake("/ws")).await;
    assert!(again.is_ok());
    node.stop();
}

/// Every browser with a WebSocket over HTTP/2 held one of the places for HTTP, of which a listener has 8,192 and an
/// address 256, for as long as it was there.
#[tokio::test]
async fn who_carries_a_websocket_is_no_visit() {
    const CONNECTIONS: usize = 300;
    let node = counting(1_000).await;
    let mut connections = Vec::new();
    for n in 0..CONNECTIONS {
        let mut connection = Connection::open(node.address).await;
        let client = connection.client("/ws").await;
        // The place is given back by another task than the one that answers.
        connection.seen().await.unwrap();
        connections.push((connection, client));
        assert_eq!(node.node.connections() as usize, n + 1);
    }
    node.stop();
}

#[tokio::test]
async fn a_connection_has_so_many_streams() {
    let node = TestNode::start(builder()).await;
    let mut connection = Connection::open(node.address).await;
    let mut tunnels = Vec::new();
    for _ in 0..100 {
        tunnels.push(connection.tunnel(handshake("/ws")).await.unwrap());
    }
    assert_eq!(connection.requests.current_max_send_streams(), 100);
    // The client holds the next one back until there is room.
    let mut requests = connection.requests.clone();
    let waiting = tokio::spawn(async move {
        let (response, _send) = requests.send_request(handshake("/ws").body(()).unwrap(), false).unwrap();
        response.await.unwrap().status()
    });
    connection.seen().await.unwrap();
    assert!(!waiting.is_finished());
    tunnels.pop().unwrap().reset();
    assert_eq!(within("the next stream", waiting).await.unwrap().unwrap(), 200);
    node.stop();
}

#[tokio::test]
async fn a_head_is_so_large() {
    let node = TestNode::start(builder()).await;
    let mut connection = Connection::open(node.address).await;
    let with = |bytes: usize| handshake("/ws").header("x-filler", "f".repeat(bytes));
    assert!(connection.tunnel(with(30 * 1024)).await.is_ok());
    let answer = connection.ask(with(40 * 1024)).await;
    assert_eq!(answer.status, 431);
    assert!(connection.tunnel(handshake("/ws")).await.is_ok());
    node.stop();
}

/// What one stream leaves unread waits in its outbox, and holds up no other of its connection.
#[tokio::test]
async fn who_stops_reading_one_stream_is_closed_as_a_slow_consumer_there() {
    let node = TestNode::start(builder()).await;
    let mut connection = Connection::open(node.address).await;
    let mut stalled = connection.raw("/ws").await;
    let subscribe = json!({"type": "subscribe", "channel": "room"});
    stalled.send(&text(subscribe.to_string())).await.unwrap();
    assert_eq!(stalled.said().await.unwrap(), "subscribed");
    let mut other = connection.client("/ws").await;
    other.ask(&subscribe, "subscribed").await;
    let filler = "f".repeat(16 * 1024);
    let overflow = async {
        while !closed_as_slow(&node).await {
            node.publish("room", &json!({"filler": filler})).await;
            other.expect("message").await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), overflow).await.expect("closed within 5 s");
    finds_why(stalled).await;
    other.ask(&json!({"type": "ping"}), "pong").await;
    node.until_connections(1).await;
    node.stop();
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// A frame by hand (RFC 9113 §4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The whole head of `GET http://localhost/ws`, by the static table (RFC 7541, appendix A).
const GET: &[u8] = b"\x82\x86\x44\x03/ws\x41\x09localhost";

/// Reads to the end of the connection and gives the error code of its GOAWAY.
async fn goaway(stream: &mut TcpStream) -> Option<Reason> {
    let mut said = Vec::new();
    let _ = within("the end", stream.read_to_end(&mut said)).await.unwrap();
    let mut rest = &said[..];
    let mut reason = None;
    while let [a, b, c, kind, _, _, _, _, _, after @ ..] = rest {
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        if let (7, Some(code)) = (*kind, after.get(4..8)) {
            reason = Some(Reason::from(u32::from_be_bytes(code.try_into().unwrap())));
        }
        rest = after.get(length..).unwrap_or_default();
    }
    reason
}

/// CVE-2023-44487: streams that are opened and reset in one breath are bounded by no number of streams at a time.
#[tokio::test]
async fn a_rapid_reset_flood_ends_its_connection_and_no_other() {
    let node = TestNode::start(builder()).await;
    let mut neighbour = Neighbour::move_in(&node, "room").await.unwrap();
    let mut other = Connection::open(node.address).await;
    let mut client = other.client("/ws").await;
    let mut stream = TcpStream::connect(node.address).await.unwrap();
    let pairs = (0..1_000_u32).flat_map(|n| {
        let id = 2 * n + 1;
        [frame(1, 0x5, id, GET), frame(3, 0, id, &8_u32.to_be_bytes())].concat()
    });
    // The server may have hung up before all of it has left.
    let _ = stream.write_all(&PREFACE.iter().copied().chain(pairs).collect::<Vec<u8>>()).await;
    let reason = goaway(&mut stream).await;
    assert!(reason.is_none_or(|reason| reason == Reason::ENHANCE_YOUR_CALM), "{reason:?}");
    client.ask(&json!({"type": "ping"}), "pong").await;
    neighbour.unmoved(&node).await.unwrap();
    node.stop();
}

/// The same, slowly enough for every request to reach the application.
#[tokio::test]
async fn who_takes_everything_back_is_ended_too() {
    let node = TestNode::start(builder().on_connect(|request| async move {
        match request.uri.query() {
            Some("slow") => forever().await,
            _ => Ok(request.identity),
        }
    }))
    .await;
    let mut other = Connection::open(node.address).await;
    let mut client = other.client("/ws").await;
    let mut connection = Connection::open(node.address).await;
    let mut taken_back = 0;
    let flood = async {
        loop {
            let Ok((response, mut send)) = connection.send(handshake("/ws?slow"), false).await else {
                return;
            };
            if connection.seen().await.is_err() {
                return;
            }
            drop(response);
            send.send_reset(Reason::CANCEL);
            taken_back += 1;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), flood).await.expect("the connection is ended");
    assert!((100..=103).contains(&taken_back), "{taken_back}");
    client.ask(&json!({"type": "ping"}), "pong").await;
    node.stop();
}

/// A page that changes its mind now and then is not taken for one that floods.
#[tokio::test]
async fn who_takes_some_of_it_back_is_not_ended() {
    let node = TestNode::start(builder().on_connect(|request| async move {
        match request.uri.query() {
            Some("slow") => forever().await,
            _ => Ok(request.identity),
        }
    }))
    .await;
    let mut connection = Connection::open(node.address).await;
    for _ in 0..300 {
        let (response, mut send) = connection.send(handshake("/ws?slow"), false).await.unwrap();
        connection.seen().await.unwrap();
        drop(response);
        send.send_reset(Reason::CANCEL);
        assert_eq!(connection.ask(Request::get("http://localhost/ws")).await.status, 405);
    }
    node.stop();
}

/// A node on which a connection, and an address, may leave so much pending.
async fn pending(connection_bytes_max: usize, address_bytes_max: usize) -> TestNode {
    let network = NetworkConfig {
        pending_bytes_per_connection_max: connection_bytes_max,
        pending_bytes_per_ip_max: address_bytes_max,
        ..NetworkConfig::default().without_rates()
    };
    let limits = Limits { limit_loopback: true, message_bytes_max: 20_000, ..Limits::default() };
    TestNode::start(builder().limits(limits).network(network)).await
}

/// The outcome of a request whose answer is not read: its status, or the reason with which the stream was reset.
async fn unread(connection: &mut Connection) -> Result<u16, Option<Reason>> {
    let request = Request::get("http://localhost/ws");
    let (response, _send) = connection.send(request, true).await.map_err(|error| error.reason())?;
    match within("an answer or a reset", response).await.unwrap() {
        Ok(response) => {
            let status = response.status().as_u16();
            // It is kept unread until the connection ends.
            std::mem::forget(response);
            Ok(status)
        }
        Err(error) => Err(error.reason()),
    }
}

/// A client that gave its streams no room left a copy of the largest page in the server's memory for each of them: 240
/// connections held 859 MB.
#[tokio::test]
async fn answers_that_are_not_read_have_a_bound_for_a_connection_and_an_address() {
    // Requests of 2,560 bytes: nine and eighteen of them fit.
    let node = pending(24_000, 48_000).await;
    let mut connections = Vec::new();
    let mut outcomes = Vec::new();
    for _ in 0..3 {
        let mut connection = Connection::without_room(node.address).await;
        for _ in 0..12 {
            outcomes.push(unread(&mut connection).await);
        }
        connections.push(connection);
    }
    let taken = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(taken, 18, "{outcomes:?}");
    let refused = |outcome: &&Result<u16, _>| **outcome == Err(Some(Reason::REFUSED_STREAM));
    assert_eq!(outcomes.iter().filter(refused).count(), 18, "{outcomes:?}");
    assert!(outcomes[..9].iter().all(Result::is_ok) && outcomes[24..].iter().all(Result::is_err));
    for connection in connections {
        connection.cut();
    }
    // What they held is given back.
    let mut connection = Connection::without_room(node.address).await;
    while unread(&mut connection).await.is_err() {}
    node.stop();
}

/// Bodies that never ended were kept as far as they had come: twenty connections of 100 streams held 177 MB.
#[tokio::test]
async fn bodies_that_do_not_end_have_a_bound_for_a_connection() {
    let node = pending(50_000, 1 << 20).await;
    let mut connection = Connection::open(node.address).await;
    let begun = connection.ask(Request::post("http://localhost/session?user=ann")).await;
    let session: serde_json::Value = serde_json::from_str(&begun.body).unwrap();
    let send = format!("http://localhost/send?session={}", session["session"].as_str().unwrap());
    let mut unfinished = Vec::new();
    let mut refused = None;
    for _ in 0..4 {
        let (mut response, mut body) = connection.send(Request::post(&send), false).await.unwrap();
        body.send_data(vec![b' '; 16_000].into(), false).unwrap();
        connection.seen().await.unwrap();
        tokio::select! {
            biased;
            answer = &mut response => refused = Some(answer.unwrap().status().as_u16()),
            () = std::future::ready(()) => unfinished.push((response, body)),
        }
    }
    assert!(unfinished.len() <= 3, "{}", unfinished.len());
    if refused.is_none() {
        let (response, _) = unfinished.pop().unwrap();
        refused = Some(within("the refusal", response).await.unwrap().unwrap().status().as_u16());
    }
    assert_eq!(refused, Some(429));
    // A message of a client that ends its body passes where one of the others has ended.
    let (response, mut body) = unfinished.remove(0);
    body.send_data("{\"type\":\"ping\"}".into(), true).unwrap();
    assert_eq!(within("an answer", response).await.unwrap().unwrap().status(), 202);
    node.stop();
}
