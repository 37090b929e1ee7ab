//! Sessions that wait for their client: what others see of them, and what they hold.

use std::time::Duration;

use fanfare_core::limits::{Deadlines, Limits};
use fanfare_core::namespace::Namespace;
use serde_json::{Value, json};

use super::client::{Down, Form, Heard, Session, Transport, header, request};
use super::support::client::Client;
use super::support::node::{TestNode, builder, patient};

/// How long the line is gone.
const CUT: Duration = Duration::from_secs(2);

fn rooms() -> Namespace {
    Namespace { join_leave: true, presence_grace_ms: 0, ..Namespace::default() }
}

fn subscribe() -> Value {
    json!({"type": "subscribe", "channel": "rooms:a"})
}

/// The neighbour's next event is the one that a publication brings: nothing was told before it.
async fn nothing_told(node: &TestNode, neighbour: &mut Client, mark: u32) {
    node.publish("rooms:a", &json!(mark)).await;
    assert_eq!(neighbour.expect("message").await["data"], mark);
}

/// The line is cut for two seconds, with no grace at all: nobody is told of it, and the client misses nothing.
#[tokio::test]
async fn a_client_that_is_cut_for_a_while_never_leaves() {
    let node = TestNode::start(builder().namespace("rooms", rooms())).await;
    let mut neighbour = Client::connect(node.address, "/ws?user=bob").await;
    neighbour.ask(&subscribe(), "subscribed").await;
    for (user, transport) in ["a", "b", "c", "d"].into_iter().zip(Transport::ALL) {
        let session = Session::begin(node.address, &format!("user={user}")).await;
        let mut carried = session.carry(transport, 0).await;
        session.say(subscribe()).await;
        carried.expect("subscribed").await;
        assert_eq!(neighbour.expect("join").await["user"], user);
        drop(carried);
        nothing_told(&node, &mut neighbour, 1).await;
        let told = tokio::time::timeout(CUT, neighbour.next()).await;
        assert!(told.is_err(), "{transport:?} {told:?}");
        nothing_told(&node, &mut neighbour, 2).await;
        let mut carried = session.carry(transport, 1).await;
        let mut heard = Vec::new();
        while heard.len() < 2 {
            match carried.next().await {
                Heard::Message(message) if message["type"] == "message" => {
                    heard.push(message["data"].clone())
                }
                Heard::Message(message) => assert_eq!(message["type"], "join", "{message}"),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(heard, [json!(1), json!(2)], "{transport:?}");
        nothing_told(&node, &mut neighbour, 3).await;
        assert_eq!(session.end().await.status, 200);
        assert_eq!(neighbour.expect("leave").await["user"], user);
    }
    node.stop();
}

/// Nobody comes back: the member leaves once, and its seat is free again.
#[tokio::test]
async fn a_client_that_does_not_come_back_leaves_once() {
    let deadlines = Deadlines { resume_ms: 300, ..patient() };
    let limits = Limits { connections_per_user_max: 1, ..Limits::default() };
    let node =
        TestNode::start(builder().namespace("rooms", rooms()).deadlines(deadlines).limits(limits)).await;
    let mut neighbour = Client::connect(node.address, "/ws?user=bob").await;
    neighbour.ask(&subscribe(), "subscribed").await;
    for transport in Transport::ALL {
        let session = Session::begin(node.address, "user=ann").await;
        let mut carried = session.carry(transport, 0).await;
        session.say(subscribe()).await;
        carried.expect("subscribed").await;
        neighbour.expect("join").await;
        let answer = request(node.address, "POST /session?user=ann", "", b"").await;
        assert_eq!(answer.summary(), "HTTP 429 user_limit");
        drop(carried);
        assert_eq!(neighbour.expect("leave").await["user"], "ann", "{transport:?}");
        node.until_connections(1).await;
        nothing_told(&node, &mut neighbour, 1).await;
        assert_eq!(session.poll(1).await.summary(), "HTTP 410 session_lost");
    }
    node.stop();
}

/// A session counts like a connection, whether something carries it or not.
#[tokio::test]
async fn sessions_count_for_every_limit() {
    for (limits, query, refusal) in [
        (Limits { connections_per_user_max: 1, ..Limits::default() }, "user=ann", "HTTP 429 user_limit"),
        (
            Limits { connections_per_ip_max: 1, limit_loopback: true, ..Limits::default() },
            "",
            "HTTP 429 address_limit",
        ),
        (Limits { connections_max: 1, ..Limits::default() }, "", "HTTP 503 node_full"),
    ] {
        let node = TestNode::start(builder().limits(limits)).await;
        let session = Session::begin(node.address, query).await;
        for line in
            ["POST /session?", "GET /sse?", "GET /stream?", "GET /sse?channels=a&", "GET /stream?channels=a&"]
        {
            let answer = request(node.address, &format!("{line}{query}"), "", b"").await;
            if line.starts_with("GET /sse") {
                // An EventSource would give up at any other status.
                assert_eq!((answer.status, answer.body.contains("retry: ")), (200, true), "{answer:?}");
                continue;
            }
            assert_eq!(answer.summary(), refusal, "{line}");
            assert!(!header(&answer, "retry-after").is_empty(), "{}", answer.head);
        }
        session.end().await;
        node.until_connections(0).await;
        // A response without an end holds its seat until its client has gone.
        let down =
            Down::open(node.address, Form::Events, &format!("channels=a&{query}"), "").await.ok().unwrap();
        assert_eq!(
            request(node.address, &format!("POST /session?{query}"), "", b"").await.summary(),
            refusal
        );
        drop(down);
        node.until_connections(0).await;
        // A question about the head alone takes none.
        let head = request(node.address, &format!("HEAD /sse?{query}"), "", b"").await;
        assert_eq!(head.status, 200);
        node.until_connections(0).await;
        node.stop();
    }
}
