//! Dialects that know but one room per connection: where it is named, and what becomes of what is said in it.

use std::sync::{Arc, Mutex};

use fanfare_core::ports::application::Peer;
use fanfare_dialect_native::NativeJson;
use fanfare_protocol::dialect::{DecodeLimits, Habits};
use fanfare_protocol::{Command, Dialect, Event, FrameKind, Incoming, Payload, Rejection};
use fanfare_server::Builder;
use fanfare_server::config::AuthMode;
use fanfare_server::dialects::NamedDialect;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::{self, Message};

use super::cookies::{token, verifier};
use super::support::client::Client;
use super::support::node::{TestNode, builder};
use super::support::within;

/// Whatever is said is said in the room, unless the client has yet to say who it is.
struct Blunt;

impl Dialect for Blunt {
    fn decode(&self, message: Incoming<'_>, _limits: &DecodeLimits) -> Result<Command, Rejection> {
        let Incoming::Text(text) = message else { panic!("only texts are sent here") };
        let data = Payload::Text(text.as_bytes().to_vec().into());
        Ok(Command::Message { id: None, channel: None, data, labels: None, echo: true })
    }

    fn decode_first(&self, message: Incoming<'_>, limits: &DecodeLimits) -> Result<Command, Rejection> {
        NativeJson.decode(message, limits)
    }

    fn habits(&self) -> Habits {
        Habits { one_room: true, posts_entries: true, history_on_join: 10, ..Habits::default() }
    }

    fn encode(&self, event: &Event<'_>, out: &mut Vec<u8>) -> Option<FrameKind> {
        let Event::Message(publication) = event else { return NativeJson.encode(event, out) };
        let kind = publication.entry().unwrap_or("message");
        let said = String::from_utf8_lossy(publication.data.bytes());
        let entry = json!({"type": kind, "room": publication.channel.as_str(), "said": said});
        out.extend_from_slice(entry.to_string().as_bytes());
        Some(FrameKind::Text)
    }
}

fn rooms() -> Builder {
    let native =
        NamedDialect { name: "native", subprotocol: "fanfare.native", dialect: Arc::new(NativeJson) };
    let blunt = NamedDialect { name: "blunt", subprotocol: "fanfare.blunt", dialect: Arc::new(Blunt) };
    builder().dialects(vec![native, blunt])
}

async fn entry(client: &mut Client, kind: &str, said: &str) -> Value {
    let entry = client.expect(kind).await;
    assert_eq!(entry["said"], said);
    entry["room"].clone()
}

#[tokio::test]
async fn the_path_or_the_query_names_the_room() {
    let node = TestNode::start(rooms()).await;
    for (path, room) in [
        ("/ws/blunt/lobby?user=ann", "lobby"),
        ("/ws/blunt?room=lobby&user=ann", "lobby"),
        ("/ws?dialect=blunt&room=a%2Fb%20c&user=ann", "a/b c"),
        ("/ws/blunt/a/b%20c/%C3%A9?user=ann", "a/b c/\u{e9}"),
        ("/ws/blunt/chat:board?room=other&user=ann", "chat:board"),
    ] {
        let mut ann = Client::connect(node.address, path).await;
        assert_eq!(ann.expect("subscribed").await["channel"], room, "{path}");
        while ann.event().await["said"] != "ann joined the room" {}
        ann.send_frame(Message::text("hello"));
        assert_eq!(entry(&mut ann, "message", "hello").await, room);
    }
    node.stop();
}

#[tokio::test]
async fn a_room_that_is_missing_or_no_name_is_refused_in_json() {
    let node = TestNode::start(rooms()).await;
    let long = format!("/ws/blunt/{}", "x".repeat(256));
    for (path, code, word) in [
        ("/ws/blunt", "missing_field", "/ws/blunt/ROOM"),
        ("/ws?dialect=blunt", "missing_field", "?room=ROOM"),
        ("/ws/blunt?room=", "invalid_channel", "empty"),
        ("/ws/blunt/a%0Ab", "invalid_channel", "control character"),
        ("/ws/blunt/a%FF", "invalid_channel", "UTF-8"),
        (long.as_str(), "invalid_channel", "longer than 255 bytes"),
        ("/ws/nobody/lobby", "unknown_dialect", "nobody"),
    ] {
        match Client::try_connect(node.address, path).await.map(drop).unwrap_err() {
            tungstenite::Error::Http(response) => {
                assert_eq!(response.status(), 400, "{path}");
                let body: Value = serde_json::from_slice(response.body().as_deref().unwrap()).unwrap();
                assert_eq!(body["error"]["code"], code, "{path}");
                assert!(body["error"]["message"].as_str().unwrap().contains(word), "{path}: {body}");
            }
            other => panic!("{path}: {other}"),
        }
    }
    node.stop();
}

#[tokio::test]
async fn a_dialect_that_knows_many_rooms_ignores_one_that_is_named() {
    let node = TestNode::start(rooms()).await;
    for path in ["/ws?room=lobby&user=ann", "/ws/native/lobby?user=ann"] {
        let mut ann = Client::connect(node.address, path).await;
        ann.ask(&json!({"type": "subscribe", "id": 1, "channel": "other"}), "subscribed").await;
    }
    node.stop();
}

/// A client that speaks in the first packet, before it is a member, gets its own copy all the same.
#[tokio::test]
async fn what_is_said_at_once_is_said_in_the_room() {
    let node = TestNode::start(rooms()).await;
    for round in 0..50 {
        let mut ann = Client::connect(node.address, &format!("/ws/blunt/room{round}?user=ann")).await;
        ann.send_frame(Message::text("first"));
        ann.send_frame(Message::text("second"));
        ann.expect("subscribed").await;
        entry(&mut ann, "join", "ann joined the room").await;
        entry(&mut ann, "message", "first").await;
        entry(&mut ann, "message", "second").await;
    }
    node.stop();
}

/// A dialect that does not look into messages looks into the first one, where it has to say who is there.
#[tokio::test]
async fn the_first_message_may_say_who_is_there() {
    let (tell, mut gone) = mpsc::unbounded_channel();
    let rooms_asked = Arc::new(Mutex::new(Vec::new()));
    let asked = rooms_asked.clone();
    let node = TestNode::start(
        rooms()
            .authentication(AuthMode::Required, verifier())
            .on_connect(move |request| {
                asked.lock().unwrap().push(request.room.clone().map(|room| room.to_string()));
                async move { Ok(request.identity) }
            })
            .on_disconnect(move |peer: Peer| {
                let _ = tell.send(peer.room.map(|room| room.to_string()));
                std::future::ready(())
            }),
    )
    .await;
    let mut ann = Client::connect(node.address, "/ws/blunt/lobby").await;
    ann.ask(&json!({"type": "auth", "token": token("ann")}), "authenticated").await;
    ann.expect("subscribed").await;
    entry(&mut ann, "join", "ann joined the room").await;
    // From now on it is a text like any other.
    ann.send(&json!({"type": "auth"}));
    entry(&mut ann, "message", "{\"type\":\"auth\"}").await;
    drop(ann);
    assert_eq!(within("the disconnect handler", gone.recv()).await.unwrap(), Some(Some("lobby".to_owned())));
    assert_eq!(*rooms_asked.lock().unwrap(), [Some("lobby".to_owned())]);
    node.stop();
}
