//! Bounds as a client meets them: which status, which code, and who is left alone.

use std::time::Duration;

use fanfare_core::limits::{Deadlines, Limits};
use fanfare_core::namespace::{Namespace, OutboxPolicy};
use serde_json::{Value, json};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpSocket;

use super::support::client::Client;
use super::support::frames::{close, text};
use super::support::neighbour::Neighbour;
use super::support::node::{TestNode, builder, patient};
use super::support::raw::{Answer, HEAD, Raw};
use super::support::within;

/// A message that fills an outbox fast.
const LARGE: usize = 16 * 1024;

async fn with(limits: Limits) -> TestNode {
    TestNode::start(builder().limits(limits)).await
}

/// Asks for a connection and gives the answer, whatever it is, with the connection.
async fn knock(node: &TestNode, path: &str) -> (Answer, Raw) {
    let mut raw = Raw::connect(node.address).await.unwrap();
    raw.send(HEAD.replacen("/ws", path, 1).as_bytes()).await.unwrap();
    (raw.answer().await.unwrap(), raw)
}

/// So many are let in, the next one is refused, and let in when another one has gone.
async fn fills_up(node: TestNode, path: &str, count: u32, refusal: &str) {
    let mut inside = Vec::new();
    for _ in 0..count {
        inside.push(Raw::open(node.address, path).await.unwrap());
    }
    let (answer, mut outside) = knock(&node, path).await;
    assert_eq!(answer.summary(), refusal);
    assert!(answer.head.contains("retry-after: "), "{}", answer.head);
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert!(
        body["error"]["message"].as_str().is_some_and(|text| text.contains("as many connections")),
        "{body}"
    );
    assert_eq!(outside.said().await.unwrap(), "EOF");
    inside.pop();
    node.until_connections(count - 1).await;
    let (answer, _again) = knock(&node, path).await;
    assert_eq!(answer.status, 101, "{answer:?}");
    node.stop();
}

#[tokio::test]
async fn a_user_has_so_many_connections() {
    let node = with(Limits { connections_per_user_max: 2, ..Limits::default() }).await;
    let _others = [
        Raw::open(node.address, "/ws?user=bob").await.unwrap(),
        Raw::open(node.address, "/ws").await.unwrap(),
        Raw::open(node.address, "/ws").await.unwrap(),
    ];
    let (mut inside, mut refused) = (Vec::new(), 0);
    for _ in 0..4 {
        let (answer, raw) = knock(&node, "/ws?user=ann").await;
        match answer.status {
            101 => inside.push(raw),
            _ => {
                assert_eq!(answer.summary(), "HTTP 429 user_limit");
                refused += 1;
            }
        }
    }
    assert_eq!((inside.len(), refused), (2, 2));
    node.stop();
    let node = with(Limits { connections_per_user_max: 2, ..Limits::default() }).await;
    fills_up(node, "/ws?user=ann", 2, "HTTP 429 user_limit").await;
}

#[tokio::test]
async fn an_address_has_so_many_connections_and_loopback_any() {
    let limits = Limits { connections_per_ip_max: 3, ..Limits::default() };
    let node = with(limits.clone()).await;
    let mut inside = Vec::new();
    for _ in 0..9 {
        inside.push(Raw::open(node.address, "/ws").await.unwrap());
    }
    node.stop();
    let node = with(Limits { limit_loopback: true, ..limits }).await;
    fills_up(node, "/ws", 3, "HTTP 429 address_limit").await;
}

#[tokio::test]
async fn a_node_has_so_many_connections() {
    let node = with(Limits { connections_max: 3, ..Limits::default() }).await;
    fills_up(node, "/ws", 3, "HTTP 503 node_full").await;
}

#[tokio::test]
async fn a_connection_has_so_many_subscriptions() {
    let node = with(Limits { subscriptions_per_connection_max: 3, ..Limits::default() }).await;
    let mut client = Client::connect(node.address, "/ws").await;
    let subscribe = |topic: &str, name: &str| json!({"type": "subscribe", "id": name, topic: name});
    for (topic, name) in [("channel", "a"), ("pattern", "b.*"), ("channel", "c")] {
        client.ask(&subscribe(topic, name), "subscribed").await;
    }
    let error = client.ask(&subscribe("channel", "d"), "error").await;
    assert_eq!((&error["code"], &error["id"]), (&json!("subscription_limit"), &json!("d")));
    client.ask(&json!({"type": "unsubscribe", "pattern": "b.*"}), "unsubscribed").await;
    client.ask(&subscribe("channel", "d"), "subscribed").await;
    node.stop();
}

/// A member of the room whose kernel holds little for it.
async fn member(node: &TestNode, room: &str) -> Raw {
    let socket = TcpSocket::new_v4().unwrap();
    SockRef::from(&socket).set_recv_buffer_size(4096).unwrap();
    let mut raw = Raw::over(socket.connect(node.address).await.unwrap());
    raw.send(HEAD.as_bytes()).await.unwrap();
    assert_eq!(raw.answer().await.unwrap().status, 101);
    raw.send(&text(json!({"type": "subscribe", "channel": room}).to_string())).await.unwrap();
    assert_eq!(raw.said().await.unwrap(), "subscribed");
    raw
}

pub(super) async fn closed_as_slow(node: &TestNode) -> bool {
    node.node.fanfare().metrics().await.unwrap().closed.contains_key("slow_consumer")
}

/// Reads to the end: what came must be the first messages in order, then why, then the end.
pub(super) async fn finds_why<S: AsyncRead + AsyncWrite + Unpin>(mut raw: Raw<S>) {
    let mut offset = 0;
    loop {
        let frame = raw.frame().await.unwrap().expect("the close frame before the end");
        match frame.json() {
            Some(event) if event["type"] == "message" => {
                offset += 1;
                assert_eq!(event["offset"], offset);
            }
            Some(event) => {
                assert_eq!((&event["type"], &event["code"]), (&json!("disconnect"), &json!(4011)));
                assert_eq!(event["reconnect"], true);
                break;
            }
            None => panic!("{}", frame.summary()),
        }
    }
    assert_eq!(raw.said().await.unwrap(), "CLOSE 4011");
    raw.send(&close(4011, b"")).await.unwrap();
    assert_eq!(raw.said().await.unwrap(), "EOF");
}

/// Two stop reading. One reads on while the server waits for its close, one only when the server has given up
/// waiting; both find why. Their neighbour gets everything at once.
#[tokio::test]
async fn who_stops_reading_is_closed_as_a_slow_consumer_and_finds_why() {
    for read_late in [false, true] {
        let close_ms = if read_late { 100 } else { 10_000 };
        let node = TestNode::start(builder().deadlines(Deadlines { close_ms, ..patient() })).await;
        let mut neighbour = Neighbour::move_in(&node, "room").await.unwrap();
        let stalled = member(&node, "room").await;
        let filler = "f".repeat(LARGE);
        let overflow = async {
            while !closed_as_slow(&node).await {
                node.publish("room", &json!({"filler": filler})).await;
                neighbour.unmoved(&node).await.unwrap();
            }
        };
        tokio::time::timeout(Duration::from_secs(5), overflow).await.expect("closed within 5 s");
        if read_late {
            node.until_connections(1).await;
        }
        finds_why(stalled).await;
        neighbour.unmoved(&node).await.unwrap();
        node.until_connections(1).await;
        node.stop();
    }
}

/// Far from its bound, but nothing has moved for too long.
#[tokio::test]
async fn a_write_without_progress_has_its_deadline() {
    let limits = Limits { outbox_bytes_max: 64 << 20, ..Limits::default() };
    let deadlines = Deadlines { write_ms: 300, ..patient() };
    let node = TestNode::start(builder().limits(limits).deadlines(deadlines)).await;
    let mut neighbour = Neighbour::move_in(&node, "room").await.unwrap();
    let stalled = member(&node, "room").await;
    let filler = "f".repeat(LARGE);
    for _ in 0..64 {
        node.publish("room", &json!({"filler": filler})).await;
        neighbour.unmoved(&node).await.unwrap();
    }
    let overdue = async {
        while !closed_as_slow(&node).await {
            neighbour.unmoved(&node).await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(5), overdue).await.expect("closed within 5 s");
    finds_why(stalled).await;
    node.stop();
}

/// What members say of themselves is bounded one by one, but was not together: whoever asked who is there was
/// sent all of it, 64 MB in the worst room.
#[tokio::test]
async fn a_list_of_members_ends_early_where_they_say_too_much() {
    for (replay_bytes_max, listed) in [(100_000, 2), (1 << 20, 6)] {
        let node = with(Limits { replay_bytes_max, info_bytes_max: 64 * 1024, ..Limits::default() }).await;
        let info = "i".repeat(45_000);
        let mut members = Vec::new();
        for name in ["a", "b", "c", "d", "e", "f"] {
            let mut member = Client::connect(node.address, &format!("/ws?user={name}")).await;
            let subscribe = json!({"type": "subscribe", "channel": "room", "info": info});
            member.ask(&subscribe, "subscribed").await;
            members.push(member);
        }
        let asker = &mut members[0];
        let presence = asker.ask(&json!({"type": "presence", "channel": "room"}), "presence").await;
        let names: Vec<&Value> =
            presence["members"].as_array().unwrap().iter().map(|member| &member["user"]).collect();
        assert_eq!((names.len(), &presence["users"]), (listed, &json!(6)), "{names:?}");
        let subscribe = json!({"type": "subscribe", "channel": "room", "presence": true});
        let mut late = Client::connect(node.address, "/ws").await;
        let subscribed = late.ask(&subscribe, "subscribed").await;
        assert!(subscribed["members"].as_array().unwrap().len() <= listed + 1);
        late.ask(&json!({"type": "ping"}), "pong").await;
        node.stop();
    }
}

/// Where messages may be given up, an outbox that is always full is how a slow reader lives. What it asks for
/// must be done all the same.
#[tokio::test]
async fn a_slow_reader_whose_messages_are_given_up_is_still_heard() {
    let lossy = Namespace { outbox_policy: OutboxPolicy::DropOldest, ..Namespace::default() };
    let deadlines = Deadlines { write_ms: 600_000, ..patient() };
    let node = TestNode::start(builder().deadlines(deadlines).namespace("lossy", lossy)).await;
    let mut neighbour = Neighbour::move_in(&node, "lossy:room").await.unwrap();
    let mut stalled = member(&node, "lossy:room").await;
    let filler = "f".repeat(LARGE);
    let fanfare = node.node.fanfare();
    while fanfare.metrics().await.unwrap().dropped == 0 {
        node.publish("lossy:room", &json!({"filler": filler})).await;
        neighbour.unmoved(&node).await.unwrap();
    }
    stalled.send(&text(r#"{"type":"unsubscribe","channel":"lossy:room"}"#)).await.unwrap();
    let left = async {
        while fanfare.channels("lossy:", None, 1).await.unwrap()[0].connections > 1 {
            neighbour.unmoved(&node).await.unwrap();
        }
    };
    within("the slow reader to leave", left).await.unwrap();
    node.stop();
}
