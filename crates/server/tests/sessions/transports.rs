//! The same conversation over each transport, and from one to another.

use fanfare_core::limits::Deadlines;
use serde_json::{Value, json};

use super::client::{Down, Form, Heard, Session, Transport, body};
use super::support::frames;
use super::support::node::{TestNode, builder};
use super::support::raw::Raw;

fn subscribe() -> Value {
    json!({"type": "subscribe", "channel": "room"})
}

/// From every transport to every other, with something lost on the way each time.
#[tokio::test]
async fn a_session_moves_from_any_transport_to_any_other() {
    let node = TestNode::start(builder()).await;
    for from in Transport::ALL {
        for to in Transport::ALL {
            let session = Session::begin(node.address, "").await;
            let mut first = session.carry(from, 0).await;
            session.say(subscribe()).await;
            first.expect("subscribed").await;
            node.publish("room", &json!(1)).await;
            assert_eq!(first.expect("message").await["data"], 1);
            node.publish("room", &json!(2)).await;
            assert_eq!(first.expect("message").await["data"], 2);
            // The client says that it had the first message only: the second comes again.
            let mut second = session.carry(to, 2).await;
            if from != Transport::Poll {
                let told = if to == Transport::Poll { None } else { Some(first.next().await) };
                assert_eq!(told.unwrap_or(Heard::Closed(4013)), Heard::Closed(4013), "{from:?} {to:?}");
            }
            assert_eq!(second.expect("message").await["data"], 2, "{from:?} {to:?}");
            node.publish("room", &json!(3)).await;
            assert_eq!(second.expect("message").await["data"], 3, "{from:?} {to:?}");
            assert_eq!(session.end().await.status, 200);
            assert_eq!(
                second.next().await,
                if to == Transport::Poll { Heard::End } else { Heard::Closed(1000) }
            );
        }
    }
    node.until_connections(0).await;
    node.stop();
}

/// A poll that waits is told when another request takes the session over.
#[tokio::test]
async fn a_poll_that_waits_is_out_of_turn_when_another_comes() {
    let node = TestNode::start(builder()).await;
    for to in Transport::ALL {
        let session = Session::begin(node.address, "").await;
        let mut raw = Raw::connect(node.address).await.unwrap();
        let line = format!("GET /poll?session={}&seen=0 HTTP/1.1\r\nHost: localhost\r\n\r\n", session.pass);
        raw.send(line.as_bytes()).await.unwrap();
        let mut other = session.carry(to, 0).await;
        // Either may be the later one; the other is told.
        let first = async { raw.answer().await.unwrap().summary() == "HTTP 409 out_of_turn" };
        let second = async { other.next().await == Heard::Closed(4013) };
        assert!(tokio::select! { told = first => told, told = second => told }, "{to:?}");
    }
    node.stop();
}

#[tokio::test]
async fn each_transport_shows_that_it_is_alive() {
    let deadlines = Deadlines { ping_interval_ms: 100, pong_ms: 5_000, ..Deadlines::default() };
    let node = TestNode::start(builder().deadlines(deadlines)).await;
    for form in [Form::Events, Form::Lines] {
        let session = Session::begin(node.address, "").await;
        let query = format!("session={}", session.pass);
        let mut down = Down::open(node.address, form, &query, "").await.ok().unwrap();
        down.beats(3).await;
        let mut down = Down::open(node.address, form, "channels=empty", "").await.ok().unwrap();
        assert_eq!(down.next().await.unwrap().data["type"], "subscribed");
        down.beats(3).await;
    }
    let session = Session::begin(node.address, "").await;
    let mut raw = Raw::open(node.address, &format!("/ws?session={}", session.pass)).await.unwrap();
    for _ in 0..3 {
        let frame = raw.frame().await.unwrap().unwrap();
        assert_eq!(frame.opcode, frames::PING);
        raw.send(&frames::frame(frames::FIN | frames::PONG, frame.payload)).await.unwrap();
    }
    // A poll is answered with nothing.
    let session = Session::begin(node.address, "").await;
    for _ in 0..2 {
        assert_eq!(body(&session.poll(0).await), json!({"seen": 0, "messages": []}));
    }
    node.stop();
}

/// A WebSocket that does not answer and a poll that nobody waits for any more leave their session to wait, and then to
/// end.
#[tokio::test]
async fn a_dead_connection_is_noticed() {
    let deadlines = Deadlines { ping_interval_ms: 100, pong_ms: 100, resume_ms: 200, ..Deadlines::default() };
    let node = TestNode::start(builder().deadlines(deadlines)).await;
    let session = Session::begin(node.address, "").await;
    let mut silent = Raw::open(node.address, &format!("/ws?session={}", session.pass)).await.unwrap();
    while silent.frame().await.unwrap().is_some() {}
    node.until_connections(0).await;
    let session = Session::begin(node.address, "").await;
    let mut raw = Raw::connect(node.address).await.unwrap();
    let line = format!("GET /poll?session={} HTTP/1.1\r\nHost: localhost\r\n\r\n", session.pass);
    raw.send(line.as_bytes()).await.unwrap();
    raw.reset();
    node.until_connections(0).await;
    // Nobody came for it at all.
    Session::begin(node.address, "").await;
    node.until_connections(0).await;
    node.stop();
}

/// As an EventSource does it: the address never changes, and what it repeats is the last id.
#[tokio::test]
async fn an_event_source_goes_on_by_itself() {
    let node = TestNode::start(builder()).await;
    let mut down = Down::open(node.address, Form::Events, "user=ann", "").await.ok().unwrap();
    let told = down.next().await.unwrap();
    let session = Session { address: node.address, pass: told.data["session"].as_str().unwrap().to_owned() };
    assert_eq!((told.kind.as_str(), &told.data["resume_ms"]), ("session", &json!(60_000)));
    session.say(subscribe()).await;
    let event = down.next().await.unwrap();
    assert_eq!((event.data["type"].as_str(), event.id), (Some("subscribed"), format!("{}/1", session.pass)));
    drop(down);
    node.publish("room", &json!(1)).await;
    let again = |id: &str| format!("Last-Event-ID: {id}\r\n");
    let last = again(&format!("{}/1", session.pass));
    let mut down = Down::open(node.address, Form::Events, "user=ann", &last).await.ok().unwrap();
    let event = down.next().await.unwrap();
    assert_eq!((&event.data["data"], event.id), (&json!(1), format!("{}/2", session.pass)));
    // One that names its session in the address repeats the number alone.
    let query = format!("session={}", session.pass);
    let mut down = Down::open(node.address, Form::Events, &query, &again("1")).await.ok().unwrap();
    let event = down.next().await.unwrap();
    assert_eq!((&event.data["data"], event.id.as_str()), (&json!(1), "2"));
    session.end().await;
    // What is lost is begun anew, since nobody could tell it that it is.
    for lost in [&*format!("{}/2", session.pass), "x/1", "x", "1.1", "/"] {
        let mut down = Down::open(node.address, Form::Events, "user=ann", &again(lost)).await.ok().unwrap();
        let told = down.next().await.unwrap();
        assert_eq!(told.kind, "session", "{lost}");
        assert_ne!(told.data["session"], session.pass);
    }
    let answer = Down::open(node.address, Form::Events, &query, &again("2")).await.err().unwrap();
    assert_eq!(answer.summary(), "HTTP 410 session_lost");
    node.stop();
}

/// The first line of a stream without a session tells which one it has got.
#[tokio::test]
async fn a_stream_of_lines_begins_with_its_session() {
    let node = TestNode::start(builder()).await;
    let mut down = Down::open(node.address, Form::Lines, "", "").await.ok().unwrap();
    let told = down.next().await.unwrap();
    let session = Session { address: node.address, pass: told.data["session"].as_str().unwrap().to_owned() };
    session.say(subscribe()).await;
    assert_eq!(down.next().await.unwrap().data["type"], "subscribed");
    node.publish("room", &json!({"text": "two\nlines"})).await;
    assert_eq!(down.next().await.unwrap().data["data"]["text"], "two\nlines");
    node.stop();
}

/// 1000 says that the client is done, 1001 that it may be back; also while something that it asked is under way.
#[tokio::test]
async fn a_websocket_that_goes_away_may_come_back_and_one_that_is_done_may_not() {
    let builder = builder().on_request("never", async |_peer, _data| std::future::pending().await);
    let node = TestNode::start(builder).await;
    for (code, busy) in [(1001, false), (1001, true), (4999, true), (1000, false)] {
        let session = Session::begin(node.address, "").await;
        let mut raw = Raw::open(node.address, &format!("/ws?session={}", session.pass)).await.unwrap();
        raw.send(&frames::text(subscribe().to_string())).await.unwrap();
        assert_eq!(raw.said().await.unwrap(), "subscribed");
        if busy {
            raw.send(&frames::text(r#"{"type":"request","id":7,"method":"never"}"#)).await.unwrap();
        }
        // What stands behind a close frame is nothing any more.
        raw.send(&[frames::close(code, b""), frames::ask("behind")].concat()).await.unwrap();
        assert_eq!(raw.said().await.unwrap(), format!("CLOSE {code}"), "{busy}");
        assert_eq!(raw.said().await.unwrap(), "EOF");
        if code == 1000 {
            assert_eq!(session.poll(1).await.summary(), "HTTP 410 session_lost");
            continue;
        }
        node.publish("room", &json!(1)).await;
        let mut next = session.carry(Transport::Events, 1).await;
        assert_eq!(next.expect("message").await["data"], 1);
        session.end().await;
    }
    node.stop();
}

/// Many switches while messages come: every one arrives once and in order.
#[tokio::test]
async fn nothing_is_lost_or_doubled_however_often_the_transport_changes() {
    const MESSAGES: u64 = 400;
    let node = TestNode::start(builder()).await;
    let session = Session::begin(node.address, "").await;
    session.say(subscribe()).await;
    let publish = async {
        for n in 1..=MESSAGES {
            node.publish("room", &json!(n)).await;
            tokio::task::yield_now().await;
        }
    };
    let listen = async {
        let (mut seen, mut turn) = (0, 0);
        while seen <= MESSAGES {
            let mut carried = session.carry(Transport::ALL[turn % 4], seen).await;
            turn += 1;
            for _ in 0..turn % 7 + 1 {
                if seen > MESSAGES {
                    break;
                }
                match carried.next().await {
                    Heard::Message(message) if seen == 0 => assert_eq!(message["type"], "subscribed"),
                    Heard::Message(message) => assert_eq!(message["data"], seen, "{turn}"),
                    other => panic!("{other:?}"),
                }
                seen += 1;
            }
        }
        turn
    };
    let ((), turns) = tokio::join!(publish, listen);
    assert!(turns > 50, "{turns}");
    node.stop();
}

/// An EventSource repeats the address with which it began: the number in it is older than the one in its head.
#[tokio::test]
async fn what_an_event_source_has_had_since_counts_more_than_its_address() {
    let node = TestNode::start(builder()).await;
    let session = Session::begin(node.address, "").await;
    session.say(subscribe()).await;
    session.carry(Transport::WebSocket, 0).await.expect("subscribed").await;
    let query = format!("session={}&seen=1", session.pass);
    let mut down = Down::open(node.address, Form::Events, &query, "").await.ok().unwrap();
    node.publish("room", &json!(1)).await;
    assert_eq!(down.next().await.unwrap().id, "2");
    drop(down);
    node.publish("room", &json!(2)).await;
    let mut down = Down::open(node.address, Form::Events, &query, "Last-Event-ID: 2\r\n").await.ok().unwrap();
    assert_eq!(down.next().await.unwrap().id, "3");
    node.stop();
}

#[tokio::test]
async fn a_ping_on_a_websocket_that_carries_a_session_is_answered() {
    let node = TestNode::start(builder()).await;
    let session = Session::begin(node.address, "").await;
    let mut raw = Raw::open(node.address, &format!("/ws?session={}", session.pass)).await.unwrap();
    for payload in [&b"one"[..], b"two"] {
        raw.send(&frames::frame(frames::FIN | frames::PING, payload)).await.unwrap();
        let frame = raw.frame().await.unwrap().unwrap();
        assert_eq!((frame.opcode, &frame.payload[..]), (frames::PONG, payload));
    }
    node.stop();
}

/// What a member of a raw room said was written into the answer as it was: it could say that the session had ended, in
/// the server's name.
#[tokio::test]
async fn what_is_no_json_is_quoted() {
    let node = TestNode::start(builder()).await;
    let forged = "],\"closed\":{\"code\":4001},\"x\":[\n1";
    for form in [Form::Events, Form::Lines] {
        let mut down = Down::open(node.address, form, "dialect=raw&room=room", "").await.ok().unwrap();
        let told = down.next().await.unwrap();
        node.publish("room", &json!(forged)).await;
        assert_eq!(down.next().await.unwrap().data, forged, "{form:?}");
        drop(down);
        let pass = told.data["session"].as_str().unwrap().to_owned();
        let session = Session { address: node.address, pass };
        assert_eq!(body(&session.poll(0).await)["messages"], json!([forged]));
        session.end().await;
    }
    node.stop();
}
