//! An application's handlers as its clients meet them: what they answer, and what becomes of those that do not.

use std::future::pending;
use std::time::Duration;

use fanfare_core::limits::{Deadlines, Limits};
use fanfare_core::ports::application::Peer;
use fanfare_protocol::{ErrorCode, Payload};
use fanfare_server::handlers::{HandlerError, Identity};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::support::client::Client;
use super::support::frames::{CLOSE, FIN, frame, text};
use super::support::node::{TestNode, builder, patient};
use super::support::raw::{HEAD, Raw};
use super::support::within;

fn impatient() -> Deadlines {
    Deadlines { request_ms: 200, ..patient() }
}

fn request(id: u32, method: &str) -> Value {
    json!({"type": "request", "id": id, "method": method, "data": {"n": id}})
}

async fn application() -> TestNode {
    let builder = builder()
        .deadlines(impatient())
        .on_request("echo", async |_peer, data| Ok(data))
        .on_request("who", async |peer: Peer, _data| {
            let user = peer.user.map(|user| user.to_string());
            Ok(Payload::Json(json!(user).to_string().into()))
        })
        .on_request("never", async |_peer, _data| pending().await)
        .on_request("panics", async |_peer, _data| panic!("on purpose"))
        .on_request("fails", async |_peer, _data| Err(HandlerError::new("out of paint")))
        .on_request("forbids", async |_peer, _data| {
            Err(HandlerError::with_code(ErrorCode::PermissionDenied, "not you"))
        })
        .on_message("note", async |_peer, _data| Ok(None))
        .on_message("count", async |_peer, data| Ok(Some(data)));
    TestNode::start(builder).await
}

#[tokio::test]
async fn a_handler_answers_fails_panics_or_takes_too_long() {
    let node = application().await;
    let mut ann = Client::connect(node.address, "/ws?user=ann").await;
    for (id, method, wanted) in [
        (1, "never", "request_timeout"),
        (2, "panics", "handler_failed"),
        (3, "fails", "handler_failed"),
        (4, "forbids", "permission_denied"),
        (5, "nothing", "unknown_method"),
    ] {
        let error = ann.ask(&request(id, method), "error").await;
        assert_eq!((&error["id"], &error["code"]), (&json!(id), &json!(wanted)));
        assert!(
            !error["error"].as_str().unwrap().contains("on purpose"),
            "a panic is nobody's business: {error}"
        );
    }
    let echo = ann.ask(&request(6, "echo"), "response").await;
    assert_eq!((&echo["id"], &echo["data"]), (&json!(6), &json!({"n": 6})));
    assert_eq!(ann.ask(&request(7, "who"), "response").await["data"], "ann");
    ann.send(&json!({"type": "note"}));
    let noted = ann.ask(&json!({"type": "note", "id": 8}), "response").await;
    assert_eq!((&noted["id"], &noted["data"]), (&json!(8), &Value::Null));
    assert_eq!(ann.ask(&json!({"type": "count", "data": [1]}), "response").await["data"], json!([1]));
    node.stop();
}

#[tokio::test]
async fn a_connection_has_so_many_requests_unanswered() {
    let limits = Limits { requests_in_flight_max: 3, ..Limits::default() };
    let builder = builder().limits(limits).on_request("never", async |_peer, _data| pending().await);
    let node = TestNode::start(builder.deadlines(impatient())).await;
    let mut ann = Client::connect(node.address, "/ws?user=ann").await;
    for id in 0..5 {
        ann.send(&request(id, "never"));
    }
    for id in 3..5 {
        let error = ann.expect("error").await;
        assert_eq!((&error["id"], &error["code"]), (&json!(id), &json!("too_many_requests_in_flight")));
    }
    let mut late: Vec<u64> = Vec::new();
    for _ in 0..3 {
        let error = ann.expect("error").await;
        assert_eq!(error["code"], "request_timeout");
        late.extend(error["id"].as_u64());
    }
    late.sort_unstable();
    assert_eq!(late, [0, 1, 2]);
    assert_eq!(ann.ask(&request(9, "never"), "error").await["code"], "request_timeout");
    node.stop();
}

/// A connect handler that hung kept its client waiting for ever, and one that panicked hung up without a word.
#[tokio::test]
async fn a_connect_handler_that_hangs_or_panics_is_answered_for() {
    let builder = builder().deadlines(impatient()).on_connect(async |request| match request.uri.query() {
        Some("hang") => pending().await,
        Some("panic") => panic!("on purpose"),
        _ => Ok(Identity::default()),
    });
    let node = TestNode::start(builder).await;
    for (path, wanted) in [
        ("/ws?hang", "HTTP 504 request_timeout"),
        ("/ws?panic", "HTTP 500 handler_failed"),
        ("/ws", "HTTP 101"),
    ] {
        let mut raw = Raw::connect(node.address).await.unwrap();
        raw.send(HEAD.replacen("/ws", path, 1).as_bytes()).await.unwrap();
        assert_eq!(raw.answer().await.unwrap().summary(), wanted);
    }
    node.stop();
}

/// Of connections that the end of the node cut off, nobody was told.
#[tokio::test]
async fn the_disconnect_handler_is_told_of_everyone_also_at_the_end() {
    let (told, mut gone) = mpsc::unbounded_channel();
    let builder = builder().on_disconnect(move |peer| {
        let told = told.clone();
        async move { drop(told.send(peer.user.map(|user| user.to_string()))) }
    });
    let node = TestNode::start(builder).await;
    let ann = Client::connect(node.address, "/ws?user=ann").await;
    let mut bob = Client::connect(node.address, "/ws?user=bob").await;
    bob.ask(&json!({"type": "ping"}), "pong").await;
    drop(ann);
    assert_eq!(within("ann to be gone", gone.recv()).await.unwrap(), Some(Some("ann".to_owned())));
    node.stop();
    assert_eq!(within("bob to be gone", gone.recv()).await.unwrap(), Some(Some("bob".to_owned())));
    let more = tokio::time::timeout(Duration::from_millis(1), gone.recv()).await;
    assert!(!matches!(more, Ok(Some(_))), "nobody goes twice");
}

/// A client that shuts its side behind its last request still reads. The end of its stream was taken for the end
/// of the connection, and the answer was dropped.
#[tokio::test]
async fn who_hangs_up_behind_a_request_still_gets_the_answer() {
    let node = application().await;
    for (method, code) in [("echo", ""), ("never", "request_timeout")] {
        let mut raw = Raw::open(node.address, "/ws").await.unwrap();
        raw.send(&text(request(1, method).to_string())).await.unwrap();
        raw.shut().await;
        let answer = raw.frame().await.unwrap().and_then(|frame| frame.json()).unwrap();
        assert_eq!((&answer["id"], answer["code"].as_str().unwrap_or_default()), (&json!(1), code));
        assert_eq!(raw.said().await.unwrap(), "EOF");
    }
    node.until_connections(0).await;
}

/// The same behind a publish and the close frame, all of it in one segment.
#[tokio::test]
async fn who_publishes_closes_and_hangs_up_at_once_gets_the_acknowledgement() {
    let node = application().await;
    let mut raw = Raw::open(node.address, "/ws").await.unwrap();
    let mut bytes = text(json!({"type": "publish", "id": 1, "channel": "room", "data": 1}).to_string());
    bytes.extend(text(request(2, "echo").to_string()));
    bytes.extend(frame(FIN | CLOSE, 1000_u16.to_be_bytes()));
    raw.send(&bytes).await.unwrap();
    raw.shut().await;
    let mut answered = Vec::new();
    for _ in 0..2 {
        let answer = raw.frame().await.unwrap().and_then(|frame| frame.json()).unwrap();
        answered.push(answer["id"].as_u64());
    }
    assert_eq!(answered, [Some(1), Some(2)]);
    assert!(raw.said().await.unwrap().contains("1000"));
    assert_eq!(raw.said().await.unwrap(), "EOF");
    node.until_connections(0).await;
}
