//! Bounds of sessions: slow readers, batches, rates.

use fanfare_core::limits::{Deadlines, Limits, Rate, RateLimits};
use serde_json::{Value, json};
use socket2::SockRef;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpSocket, TcpStream};

use super::client::{Down, Form, Heard, Session, Transport, body};
use super::support::neighbour::Neighbour;
use super::support::node::{TestNode, builder, patient};
use super::support::within;

/// A reader whose kernel holds little for it.
async fn narrow(node: &TestNode, form: Form, query: &str) -> Down<TcpStream> {
    let socket = TcpSocket::new_v4().unwrap();
    SockRef::from(&socket).set_recv_buffer_size(4096).unwrap();
    let stream = socket.connect(node.address).await.unwrap();
    let rest = format!("{query} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    Down::over(stream, form, &rest).await.ok().unwrap()
}

/// The first messages in order, from `first` on, until something else comes.
async fn in_order<S>(down: &mut Down<S>, mut next: u64) -> (u64, Option<Value>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    while let Some(event) = down.next().await {
        match event.data["type"].as_str() {
            Some("message") => {
                assert_eq!(event.data["data"]["n"], next);
                next += 1;
            }
            Some("subscribed") => {}
            _ => return (next, Some(event.data)),
        }
    }
    (next, None)
}

async fn flood(node: &TestNode, room: &str, until: impl AsyncFn() -> bool) {
    let filler = "f".repeat(16 * 1024);
    let mut n = 0;
    while !until().await {
        n += 1;
        node.publish(room, &json!({"n": n, "filler": filler})).await;
    }
}

async fn slow_consumers(node: &TestNode) -> bool {
    node.node.fanfare().metrics().await.unwrap().closed.contains_key("slow_consumer")
}

/// Who only listens and does not read is closed as any slow consumer is, finds why, and slows nobody.
#[tokio::test]
async fn a_slow_listener_is_closed_and_finds_why() {
    for form in [Form::Events, Form::Lines] {
        let deadlines = Deadlines { close_ms: 10_000, ..patient() };
        let node = TestNode::start(builder().deadlines(deadlines)).await;
        let mut neighbour = Neighbour::move_in(&node, "other").await.unwrap();
        let mut slow = narrow(&node, form, "channels=room").await;
        slow.next().await.unwrap();
        flood(&node, "room", async || slow_consumers(&node).await).await;
        neighbour.unmoved(&node).await.unwrap();
        let (next, last) = in_order(&mut slow, 1).await;
        assert!(next > 1);
        assert_eq!(last.unwrap()["code"], 4011, "{form:?}");
        let end = slow.next().await.unwrap();
        assert_eq!((end.kind.as_str(), &end.data["code"]), ("close", &json!(4011)), "{form:?}");
        assert!(slow.next().await.is_none());
        node.until_connections(1).await;
        node.stop();
    }
}

async fn three_hundred(node: &TestNode) {
    let filler = "f".repeat(16 * 1024);
    for n in 1..=300 {
        node.publish("room", &json!({"n": n, "filler": filler})).await;
    }
}

fn roomy() -> Limits {
    Limits { resume_bytes_max: 64 << 20, outbox_bytes_max: 8 << 20, ..Limits::default() }
}

/// Who does not read goes on elsewhere with nothing missing, as long as the bounds of its session hold.
#[tokio::test]
async fn a_session_leaves_a_connection_that_takes_nothing_behind() {
    let node = TestNode::start(builder().limits(roomy())).await;
    for form in [Form::Events, Form::Lines] {
        let session = Session::begin(node.address, "").await;
        let mut slow = narrow(&node, form, &format!("session={}", session.pass)).await;
        session.say(json!({"type": "subscribe", "channel": "room"})).await;
        slow.next().await.unwrap();
        three_hundred(&node).await;
        let mut next = session.carry(Transport::Events, 1).await;
        for n in 1..=300 {
            assert_eq!(next.expect("message").await["data"]["n"], n, "{form:?}");
        }
        session.end().await;
    }
    node.stop();
}

/// Within the write deadline the server gives such a connection up, and the session waits; and ends, when nobody comes.
#[tokio::test]
async fn a_connection_that_takes_nothing_is_given_up() {
    let deadlines = Deadlines { write_ms: 200, resume_ms: 200, ..patient() };
    for form in [Form::Events, Form::Lines] {
        let node = TestNode::start(builder().limits(roomy()).deadlines(deadlines.clone())).await;
        let session = Session::begin(node.address, "").await;
        let mut slow = narrow(&node, form, &format!("session={}", session.pass)).await;
        session.say(json!({"type": "subscribe", "channel": "room"})).await;
        slow.next().await.unwrap();
        three_hundred(&node).await;
        node.until_connections(0).await;
        assert_eq!(session.poll(1).await.summary(), "HTTP 410 session_lost");
        // It ends without a word that could be taken for the session's end.
        assert_eq!(tail(&mut slow).await, None, "{form:?}");
        node.stop();
    }
}

/// Reads to the end of a stream that may break off within an event; what told an end, if something did.
async fn tail(down: &mut Down<TcpStream>) -> Option<String> {
    let mut all = Vec::new();
    // A reset says the same as an end.
    let _ = within("the end of the stream", down.stream.read_to_end(&mut all)).await.unwrap();
    let text = String::from_utf8_lossy(&all).into_owned();
    let told = text.contains("event: close") || text.contains("\"closed\"");
    told.then_some(text)
}

/// What waits for a client that is away is bounded: beyond it the session ends, and says so to who comes in time.
#[tokio::test]
async fn a_session_that_waits_too_long_for_too_much_ends() {
    let deadlines = Deadlines { close_ms: 10_000, ..patient() };
    let node = TestNode::start(builder().deadlines(deadlines)).await;
    for transport in Transport::ALL {
        let session = Session::begin(node.address, "").await;
        session.say(json!({"type": "subscribe", "channel": "room"})).await;
        session.carry(Transport::Poll, 0).await.expect("subscribed").await;
        let before = node.node.fanfare().metrics().await.unwrap().closed.get("slow_consumer").copied();
        flood(&node, "room", async || {
            node.node.fanfare().metrics().await.unwrap().closed.get("slow_consumer").copied() != before
        })
        .await;
        let mut carried = session.carry(transport, 1).await;
        assert_eq!(carried.closed().await, 4011, "{transport:?}");
    }
    node.stop();
}

/// What was given and can no longer be given again is told before anything is promised.
#[tokio::test]
async fn what_is_not_kept_any_more_is_told_with_410() {
    let node =
        TestNode::start(builder().limits(Limits { resume_bytes_max: 1000, ..Limits::default() })).await;
    let session = Session::begin(node.address, "").await;
    let mut carried = session.carry(Transport::Events, 0).await;
    session.say(json!({"type": "subscribe", "channel": "room"})).await;
    carried.expect("subscribed").await;
    for n in 0..3 {
        node.publish("room", &json!({"n": n, "filler": "f".repeat(400)})).await;
        carried.expect("message").await;
    }
    assert_eq!(session.poll(1).await.summary(), "HTTP 410 session_lost");
    let answer = super::client::knock(node.address, &format!("/ws?session={}&seen=1", session.pass)).await;
    assert_eq!(answer.summary(), "HTTP 410 session_lost");
    // The session was not touched by that.
    node.publish("room", &json!({"n": 3})).await;
    assert_eq!(carried.expect("message").await["data"]["n"], 3);
    let mut carried = session.carry(Transport::Lines, 4).await;
    assert_eq!(carried.expect("message").await["data"]["n"], 3);
    node.stop();
}

#[tokio::test]
async fn a_numbered_batch_is_taken_once_and_in_its_turn() {
    let node = TestNode::start(builder()).await;
    let session = Session::begin(node.address, "").await;
    let ping = |id: u32| json!({"type": "ping", "id": id}).to_string();
    for (batch, wanted) in [
        (2, "HTTP 409 out_of_turn"),
        (1, r#"202 {"taken":1}"#),
        (1, r#"200 {"taken":0,"duplicate":true}"#),
        (3, "HTTP 409 out_of_turn"),
        (2, r#"202 {"taken":1}"#),
        (1, r#"200 {"taken":0,"duplicate":true}"#),
        (2, r#"200 {"taken":0,"duplicate":true}"#),
    ] {
        let answer = session.post(&format!("&batch={batch}"), "", ping(batch).as_bytes()).await;
        let told =
            if answer.status < 300 { format!("{} {}", answer.status, answer.body) } else { answer.summary() };
        assert_eq!(told, wanted, "{batch}");
    }
    session.say(json!({"type": "ping", "id": 9})).await;
    let told = body(&session.poll(0).await);
    let ids: Vec<&Value> =
        told["messages"].as_array().unwrap().iter().map(|message| &message["id"]).collect();
    assert_eq!(ids, [1, 2, 9]);
    // It says with a message how far it has read: that does not come again.
    let answer = session.post("&seen=3", "", ping(10).as_bytes()).await;
    assert_eq!(answer.status, 202);
    assert_eq!(session.poll(2).await.summary(), "HTTP 410 session_lost");
    assert_eq!(body(&session.poll(3).await)["seen"], 4);
    node.stop();
}

/// While the application works on what a session asked, the rest of its batch waits, in order; another batch does not.
#[tokio::test]
async fn a_session_that_is_busy_keeps_its_messages_in_order() {
    let limits = Limits { outbox_bytes_max: 4096, ..Limits::default() };
    let node = TestNode::start(builder().limits(limits)).await;
    let session = Session::begin(node.address, "").await;
    // Nobody reads the answers: once the outbox has no room for more, nothing more is taken in.
    let all: String = (1..=400).map(|id| format!("{{\"type\":\"ping\",\"id\":{id}}}\n")).collect();
    let answer = session.post("&batch=1", "application/x-ndjson", all.as_bytes()).await;
    assert_eq!((answer.status, body(&answer)), (202, json!({"taken": 400})));
    let ping = json!({"type": "ping", "id": 401}).to_string();
    let answer = session.post("&batch=2", "", ping.as_bytes()).await;
    assert_eq!(answer.summary(), "HTTP 429 too_many_requests_in_flight");
    let answer = session.post("&batch=1", "application/x-ndjson", all.as_bytes()).await;
    assert_eq!(body(&answer), json!({"taken": 0, "duplicate": true}));
    let mut carried = session.carry(Transport::Poll, 0).await;
    for id in 1..=400 {
        assert_eq!(carried.expect("pong").await["id"], id);
    }
    assert_eq!(session.post("&batch=2", "", ping.as_bytes()).await.status, 202);
    assert_eq!(carried.expect("pong").await["id"], 401);
    node.stop();
}

/// The rates of a connection hold for what is posted, message by message.
#[tokio::test]
async fn posted_messages_count_for_the_rates() {
    let rates = RateLimits { connection: Rate { per_second: 1, burst: 5 }, ..RateLimits::off() };
    let node = TestNode::start(builder().rate_limits(rates)).await;
    let session = Session::begin(node.address, "").await;
    let all: String = (1..=8)
        .map(|id| format!("{{\"type\":\"publish\",\"channel\":\"a\",\"data\":1,\"id\":{id}}}\n"))
        .collect();
    assert_eq!(session.post("", "application/x-ndjson", all.as_bytes()).await.status, 202);
    let mut carried = session.carry(Transport::Lines, 0).await;
    let mut limited = 0;
    for _ in 0..8 {
        match carried.next().await {
            Heard::Message(message) => limited += u32::from(message["code"] == "rate_limited"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(limited, 3);
    node.stop();
}
