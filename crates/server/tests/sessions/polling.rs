//! One address for a hand-written client that asks again and again: `GET` brings an array, `POST` takes a message.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::{Session, body, request};
use super::support::node::{TestNode, builder, patient};
use super::support::raw::{Answer, Raw};
use super::support::within;
use fanfare_core::limits::Deadlines;

async fn get(session: &Session, more: &str) -> Answer {
    request(session.address, &format!("GET /poll?session={}{more}", session.pass), "", b"").await
}

/// What one request brings.
async fn told(session: &Session, more: &str) -> Vec<Value> {
    let answer = get(session, more).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    body(&answer).as_array().unwrap().clone()
}

async fn post(session: &Session, message: Value) -> Answer {
    let line = format!("POST /poll?session={}", session.pass);
    request(session.address, &line, "", message.to_string().as_bytes()).await
}

/// Asks until something comes, as such a client does.
async fn asked(session: &Session) -> Vec<Value> {
    let asking = async {
        loop {
            let messages = told(session, "").await;
            if !messages.is_empty() {
                return messages;
            }
        }
    };
    within("something to come", asking).await.unwrap()
}

/// Hand-written clients that poll had to count for the server, and were answered in a form of our own.
#[tokio::test]
async fn one_address_brings_an_array_and_takes_a_message() {
    let node = TestNode::start(builder()).await;
    let session = Session::begin(node.address, "user=ann").await;
    assert_eq!(told(&session, "").await, [Value::Null; 0], "nothing is there, and it does not wait");
    let answer = post(&session, json!({"type": "subscribe", "channel": "a"})).await;
    assert_eq!((answer.status, body(&answer)), (202, json!({"taken": 1})));
    assert_eq!(asked(&session).await[0]["type"], "subscribed");
    for n in 1..=3 {
        node.publish("a", &json!(n)).await;
    }
    let mut heard = Vec::new();
    while heard.len() < 3 {
        heard.extend(asked(&session).await.into_iter().map(|message| message["data"].clone()));
    }
    assert_eq!(heard, [1, 2, 3]);
    assert_eq!(told(&session, "").await, [Value::Null; 0], "the next request acknowledges the last answer");
    // Who counts for itself gets what it always got.
    assert_eq!(post(&session, json!({"type": "ping"})).await.status, 202);
    let answer = body(&session.poll(4).await);
    assert_eq!((&answer["seen"], &answer["messages"][0]["type"]), (&json!(5), &json!("pong")));
    assert_eq!(session.end().await.status, 200);
    assert_eq!(get(&session, "").await.summary(), "HTTP 410 session_lost");
    assert_eq!(post(&session, json!({"type": "ping"})).await.summary(), "HTTP 410 session_lost");
    node.stop();
}

#[tokio::test]
async fn a_request_that_waits_is_answered_by_what_comes_or_with_nothing_in_time() {
    let deadlines = Deadlines { ping_interval_ms: 300, pong_ms: 200, ..patient() };
    let node = TestNode::start(builder().deadlines(deadlines)).await;
    let session = Session::begin(node.address, "").await;
    // No longer than between two heartbeats, whatever it says.
    for wait in ["&wait=10ms", "&wait=0", "&wait=1h", "&wait=0.01"] {
        assert_eq!(told(&session, wait).await, [Value::Null; 0], "{wait}");
    }
    node.stop();
    let node = TestNode::start(builder()).await;
    let session = Session::begin(node.address, "").await;
    let waits = tokio::spawn({
        let session = session.clone();
        async move { told(&session, "&wait=25s").await }
    });
    assert_eq!(post(&session, json!({"type": "ping", "id": 1})).await.status, 202);
    // It may have been posted before the request came to wait: then that is answered at once.
    let messages = within("the answer", waits).await.unwrap().unwrap();
    assert_eq!(messages[0]["id"], 1);
    node.stop();
}

/// A page that is reloaded, or a timer that fires twice: the later request has the session, and both are answered.
#[tokio::test]
async fn requests_that_overlap_are_no_error_and_share_what_comes() {
    let node = TestNode::start(builder()).await;
    let session = Session::begin(node.address, "").await;
    let mut first = Raw::connect(node.address).await.unwrap();
    let line = format!("GET /poll?session={}&wait=25s HTTP/1.1\r\nHost: localhost\r\n\r\n", session.pass);
    let mut earlier = Vec::new();
    first.send(line.as_bytes()).await.unwrap();
    // Each of these either comes before the first one, or ends its wait.
    let answered = tokio::spawn(async move { first.answer().await.unwrap() });
    let ended = async {
        while !answered.is_finished() {
            assert_eq!(told(&session, "").await, [Value::Null; 0]);
        }
    };
    within("the first request to be answered", ended).await.unwrap();
    let answer = answered.await.unwrap();
    assert_eq!((answer.status, body(&answer)), (200, json!([])));
    // Nothing is told twice, and nothing is lost.
    assert_eq!(post(&session, json!({"type": "subscribe", "channel": "a"})).await.status, 202);
    asked(&session).await;
    for n in 0..20 {
        node.publish("a", &json!(n)).await;
        let (one, other) = tokio::join!(told(&session, ""), told(&session, "&wait=5ms"));
        earlier.extend(one.into_iter().chain(other).map(|message| message["data"].as_u64().unwrap()));
    }
    while earlier.len() < 20 {
        earlier.extend(asked(&session).await.iter().map(|message| message["data"].as_u64().unwrap()));
    }
    earlier.sort_unstable();
    assert_eq!(earlier, (0..20).collect::<Vec<_>>());
    node.stop();
}

/// A request that gave up as its answer was made took the answer with it.
#[tokio::test]
async fn who_hangs_up_while_it_waits_loses_nothing() {
    let node = TestNode::start(builder()).await;
    let session = Session::begin(node.address, "").await;
    assert_eq!(post(&session, json!({"type": "subscribe", "channel": "a"})).await.status, 202);
    asked(&session).await;
    for n in 0..20 {
        let given_up = get(&session, "&wait=25s");
        let _ = tokio::time::timeout(Duration::from_millis(n), given_up).await;
        let next = told(&session, "").await;
        assert_eq!(next, [Value::Null; 0], "nothing was published");
        node.publish("a", &json!(n)).await;
        assert_eq!(asked(&session).await[0]["data"], n);
    }
    node.stop();
}

/// The dialect's own last words come first, then the session is gone.
#[tokio::test]
async fn the_end_is_told_by_the_dialect_and_then_by_410() {
    let node = TestNode::start(builder()).await;
    let session = Session::begin(node.address, "").await;
    assert_eq!(post(&session, json!({"type": "disconnect"})).await.status, 202);
    let ended = async {
        loop {
            let answer = get(&session, "").await;
            if answer.status != 200 {
                return answer;
            }
        }
    };
    let answer = within("the session to end", ended).await.unwrap();
    assert_eq!(answer.summary(), "HTTP 410 session_lost");
    node.stop();
}
