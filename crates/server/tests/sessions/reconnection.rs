//! An EventSource always comes back, and misses nothing by it.

use std::net::SocketAddr;

use fanfare_core::limits::{Deadlines, Limits};
use fanfare_protocol::ErrorCode;
use fanfare_server::config::NetworkConfig;
use fanfare_server::network::AddressRate;
use serde_json::json;

use super::client::{Down, Form, body, header, request};
use super::support::node::{TestNode, builder, patient};
use super::support::raw::{Answer, Raw};
use super::support::within;

/// All of a response that ends.
async fn whole(address: SocketAddr, line: &str) -> Answer {
    let mut raw = Raw::connect(address).await.unwrap();
    raw.send(format!("{line} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).await.unwrap();
    raw.answer().await.unwrap()
}

/// The milliseconds after which it is to come again, of an answer that an EventSource does not give up at.
fn retry_ms(answer: &Answer) -> u64 {
    assert_eq!((answer.status, header(answer, "content-type")), (200, "text/event-stream"), "{answer:?}");
    let retry = answer.body.lines().find_map(|line| line.strip_prefix("retry: "));
    retry.unwrap_or_else(|| panic!("no retry: {answer:?}")).parse().unwrap()
}

async fn refused(node: &TestNode, code: ErrorCode) -> u64 {
    node.node.fanfare().metrics().await.unwrap().refused.get(&code).copied().unwrap_or(0)
}

/// A browser's EventSource gives up for good at any status but 200: after a restart it met 503 `draining`, and a page
/// stayed silent until somebody reloaded it.
#[tokio::test]
async fn what_passes_does_not_end_an_event_source() {
    let full = Limits { connections_max: 1, ..Limits::default() };
    let one_each = Limits { connections_per_user_max: 1, ..Limits::default() };
    let one_an_address = Limits { connections_per_ip_max: 1, limit_loopback: true, ..Limits::default() };
    for (limits, code) in [
        (full, ErrorCode::NodeFull),
        (one_each, ErrorCode::UserLimit),
        (one_an_address, ErrorCode::AddressLimit),
    ] {
        let node = TestNode::start(builder().limits(limits)).await;
        let _inside = Down::open(node.address, Form::Lines, "channels=a&user=ann", "").await.ok().unwrap();
        node.until_connections(1).await;
        for line in ["GET /sse?user=ann", "GET /sse?channels=a&user=ann"] {
            let before = refused(&node, code).await;
            let retry_ms = retry_ms(&whole(node.address, line).await);
            assert!((5_000..=10_000).contains(&retry_ms), "{line}: {retry_ms}");
            assert_eq!(refused(&node, code).await, before + 1, "it counts as the refusal that it is");
            assert_eq!(node.node.connections(), 1, "and holds no place");
        }
        // Whoever can see a status gets it.
        for line in ["GET /stream?user=ann", "POST /session?user=ann"] {
            let answer = request(node.address, line, "", b"").await;
            assert_eq!(answer.summary(), format!("HTTP {} {}", code.http_status(), code.as_str()));
            assert_eq!(header(&answer, "retry-after"), "5");
        }
        node.stop();
    }
}

#[tokio::test]
async fn a_rate_does_not_end_an_event_source() {
    let network =
        NetworkConfig { handshakes: AddressRate { per_second: 1, burst: 1 }, ..NetworkConfig::default() };
    let limits = Limits { limit_loopback: true, ..Limits::default() };
    let node = TestNode::start(builder().limits(limits).network(network)).await;
    let mut waits = Vec::new();
    while waits.len() < 5 {
        let answer = whole(node.address, "GET /sse?dialect=klingon").await;
        match answer.status {
            400 => {}
            _ => waits.push(retry_ms(&answer)),
        }
    }
    assert!(waits.iter().all(|wait| (1_000..=2_000).contains(wait)), "{waits:?}");
    let spread = waits.iter().max().unwrap() - waits.iter().min().unwrap();
    assert!(spread > 200, "all would come again at once: {waits:?}");
    assert!(refused(&node, ErrorCode::RateLimited).await >= 5);
    node.stop();
}

/// Who connects too often is not even heard: an EventSource has to be told all the same.
#[tokio::test]
async fn a_rate_of_connections_does_not_end_an_event_source() {
    let never = AddressRate { per_second: 0, burst: 0 };
    let network = NetworkConfig {
        accepts: AddressRate { per_second: 1, burst: 1 },
        handshakes: never,
        ..NetworkConfig::default()
    };
    let limits = Limits { limit_loopback: true, ..Limits::default() };
    let node = TestNode::start(builder().limits(limits).network(network)).await;
    let mut waits = Vec::new();
    while waits.len() < 5 {
        let answer = whole(node.address, "GET /sse?dialect=klingon").await;
        match answer.status {
            400 => {}
            _ => waits.push(retry_ms(&answer)),
        }
    }
    assert!(waits.iter().all(|wait| (1_000..2_000).contains(wait)), "{waits:?}");
    let refused_so_far = refused(&node, ErrorCode::RateLimited).await;
    assert!(refused_so_far >= 5);
    let answer = loop {
        let answer = whole(node.address, "GET /stream?dialect=klingon").await;
        if answer.status != 400 {
            break answer;
        }
    };
    assert_eq!(answer.summary(), "HTTP 429 rate_limited");
    // Who says nothing is told so as well, however many they are.
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(Raw::connect(node.address).await.unwrap());
    }
    for mut raw in silent.into_iter().skip(2) {
        let answer = within("an answer", raw.answer()).await.unwrap();
        assert!(answer.map_or(true, |answer| [408, 429].contains(&answer.status)));
    }
    node.stop();
}

/// What does not pass is final: the token will be as wrong in a second.
#[tokio::test]
async fn what_does_not_pass_ends_an_event_source() {
    let node = TestNode::start(builder().origins(["https://app.example"])).await;
    let evil = "Origin: https://evil.example\r\n";
    let answer = request(node.address, "GET /sse", evil, b"").await;
    assert_eq!(answer.summary(), "HTTP 403 origin_not_allowed");
    assert_eq!(whole(node.address, "GET /sse?dialect=klingon").await.summary(), "HTTP 400 unknown_dialect");
    assert_eq!(whole(node.address, "GET /sse?session=x.y").await.summary(), "HTTP 410 session_lost");
    node.stop();
}

/// Those whose node has siblings come back to these at once; those of a node that stands alone when it has ended.
#[tokio::test]
async fn a_node_that_ends_says_when_to_come_again() {
    for (drain_ms, alone) in [(Some(0), false), (None, true)] {
        let node = TestNode::start(builder().deadlines(Deadlines { drain_ms, ..patient() })).await;
        let mut inside = Down::open(node.address, Form::Events, "channels=a", "").await.ok().unwrap();
        inside.next().await.unwrap();
        node.node.drain().await;
        let last = within("the end to be told", inside.next()).await.unwrap().unwrap();
        assert_eq!((&last.data["code"], &last.data["reconnect"]), (&json!(1012), &json!(true)));
        let after = last.data["retryAfter"].as_f64();
        assert_eq!(after.is_some_and(|seconds| seconds >= 1.0), alone, "{}", last.data);
        for _ in 0..3 {
            let retry_ms = retry_ms(&whole(node.address, "GET /sse?channels=a").await);
            assert!((1_000..=2_000).contains(&retry_ms), "{alone}: {retry_ms}");
        }
        assert_eq!(whole(node.address, "GET /stream").await.summary(), "HTTP 503 draining");
        assert_eq!(refused(&node, ErrorCode::Draining).await, 4);
        node.stop();
    }
}

/// The first event of these dialects is a greeting, and had an empty id: what was published before the first message was
/// lost over a reconnect.
#[tokio::test]
async fn the_first_event_of_every_dialect_has_an_id() {
    let node = TestNode::start(builder()).await;
    for dialect in ["native", "rooms", "envelope", "topics"] {
        let query = format!("channels={dialect},more&dialect={dialect}&user=ann");
        let mut down = Down::open(node.address, Form::Events, &query, "").await.ok().unwrap();
        let first = down.next().await.unwrap();
        assert!(!first.id.split(',').any(str::is_empty), "{dialect}: {first:?}");
        drop(down);
        node.publish(dialect, &json!({"text": dialect})).await;
        let last = format!("Last-Event-ID: {}\r\n", first.id);
        let mut down = Down::open(node.address, Form::Events, &query, &last).await.ok().unwrap();
        let missed = async {
            loop {
                let event = down.next().await.unwrap();
                if event.data.to_string().contains(&format!("\"text\":\"{dialect}\"")) {
                    return;
                }
            }
        };
        within("what was missed", missed).await.unwrap();
    }
    node.stop();
}

/// A stream that was cut behind its first event began another session with each try, until the user had too many.
#[tokio::test]
async fn a_stream_that_was_cut_at_once_goes_on_with_its_session() {
    let node = TestNode::start(builder()).await;
    let mut id = String::new();
    for _ in 0..20 {
        let last = if id.is_empty() { String::new() } else { format!("Last-Event-ID: {id}\r\n") };
        let mut down = Down::open(node.address, Form::Events, "user=ann", &last).await.ok().unwrap();
        if id.is_empty() {
            let told = down.next().await.unwrap();
            assert_eq!(told.kind, "session");
            let session = told.data["session"].as_str().unwrap().to_owned();
            assert_eq!(told.id, format!("{session}/0"));
            id = told.id;
        }
        drop(down);
    }
    assert_eq!(node.node.connections(), 1);
    node.stop();
}

/// Libraries that stand in for EventSource cannot set the header, and say it in the address.
#[tokio::test]
async fn the_last_event_id_may_stand_in_the_address() {
    let node = TestNode::start(builder()).await;
    let mut down = Down::open(node.address, Form::Events, "channels=a", "").await.ok().unwrap();
    let first = down.next().await.unwrap().id;
    node.publish("a", &json!(1)).await;
    let second = down.next().await.unwrap().id;
    for name in ["lastEventId", "last_event_id"] {
        let query = format!("channels=a&{name}={first}");
        let mut down = Down::open(node.address, Form::Events, &query, "").await.ok().unwrap();
        assert_eq!(down.next().await.unwrap().data["recovered"], true, "{name}");
        assert_eq!(down.next().await.unwrap().data["data"], 1, "{name}");
        // The header wins.
        let last = format!("Last-Event-ID: {second}\r\n");
        let mut down = Down::open(node.address, Form::Events, &query, &last).await.ok().unwrap();
        assert_eq!(down.next().await.unwrap().data["recovered"], true);
        node.publish("a", &json!(2)).await;
        assert_eq!(down.next().await.unwrap().data["data"], 2, "{name}");
        // A page that has had none yet has an empty one.
        let query = format!("channels=a&{name}=");
        let mut down = Down::open(node.address, Form::Events, &query, "").await.ok().unwrap();
        assert_eq!(down.next().await.unwrap().data["recovered"], json!(null));
    }
    let begun = request(node.address, "POST /session", "", b"").await;
    let session = body(&begun)["session"].as_str().unwrap().to_owned();
    let query = format!("lastEventId={session}/0");
    let mut down = Down::open(node.address, Form::Events, &query, "").await.ok().unwrap();
    let sent = format!("POST /send?session={session}");
    assert_eq!(request(node.address, &sent, "", br#"{"type":"ping","id":7}"#).await.status, 202);
    assert_eq!(down.next().await.unwrap().data["id"], 7);
    node.stop();
}

/// Over a WebSocket the last messages follow where a recovery fails; here nothing did.
#[tokio::test]
async fn history_follows_where_a_recovery_fails() {
    let node = TestNode::start(builder()).await;
    for n in 1..=3 {
        node.publish("a", &json!(n)).await;
    }
    let last = "Last-Event-ID: ff.7\r\n";
    let mut down = Down::open(node.address, Form::Events, "channels=a&history=2", last).await.ok().unwrap();
    let subscribed = down.next().await.unwrap().data;
    assert_eq!((&subscribed["recovered"], &subscribed["replayed"]), (&json!(false), &json!(2)));
    for n in 2..=3 {
        assert_eq!(down.next().await.unwrap().data["data"], n);
    }
    node.stop();
}
