//! Talk among clients of a library that somebody else wrote, in native JSON.

use bytes::Bytes;
use fanfare_core::namespace::Namespace;
use fanfare_core::ports::broker::Target;
use fanfare_protocol::event::Direct;
use fanfare_protocol::{CloseCode, Payload, UserId};
use serde_json::{Value, json};

use super::support::client::Client;
use super::support::node::{TestNode, builder};

const GRACE_MS: u32 = 400;

/// Rooms whose members see each other come and go.
async fn rooms() -> TestNode {
    let room = Namespace { join_leave: true, presence_grace_ms: GRACE_MS, ..Namespace::default() };
    TestNode::start(builder().namespace("room", room)).await
}

async fn join(node: &TestNode, user: &str, channel: &str) -> Client {
    let mut client = Client::connect(node.address, &format!("/ws?user={user}")).await;
    client.ask(&json!({"type": "subscribe", "channel": channel}), "subscribed").await;
    client
}

async fn users(client: &mut Client, channel: &str) -> Vec<(String, u64)> {
    let presence = client.ask(&json!({"type": "presence", "channel": channel}), "presence").await;
    let member = |member: &Value| {
        (member["user"].as_str().unwrap().to_owned(), member["connections"].as_u64().unwrap())
    };
    presence["members"].as_array().unwrap().iter().map(member).collect()
}

#[tokio::test]
async fn two_users_come_talk_and_go() {
    let node = rooms().await;
    let mut ann = join(&node, "ann", "room:1").await;
    let mut bob = join(&node, "bob", "room:1").await;
    assert_eq!(ann.expect("join").await["user"], "bob");
    let twice = bob.ask(&json!({"type": "subscribe", "id": 9, "channel": "room:1"}), "error").await;
    assert_eq!((&twice["code"], &twice["id"]), (&json!("already_subscribed"), &json!(9)));

    let publish = |echo: bool, text: &str| json!({"type": "publish", "id": text, "channel": "room:1", "data": {"text": text}, "echo": echo});
    let done = bob.ask(&publish(false, "hello"), "response").await;
    assert_eq!((&done["id"], &done["data"]["published"]), (&json!("hello"), &json!(true)));
    let heard = ann.expect("message").await;
    assert_eq!((&heard["from"], &heard["data"]["text"]), (&json!("bob"), &json!("hello")));
    assert_eq!((&heard["channel"], &heard["offset"]), (&json!("room:1"), &json!(1)));
    // With its echo the sender gets the acknowledgement and the message.
    bob.send(&publish(true, "me too"));
    let mut kinds =
        [bob.event().await["type"].clone(), bob.event().await["type"].clone()].map(|v| v.to_string());
    kinds.sort();
    assert_eq!(kinds, ["\"message\"", "\"response\""]);
    assert_eq!(ann.expect("message").await["offset"], 2);
    // A message without an id wants no acknowledgement, and comes back like to everyone.
    bob.send(&json!({"type": "message", "channel": "room:1", "data": "plain"}));
    assert_eq!(bob.expect("message").await["offset"], 3);
    assert_eq!(ann.expect("message").await["data"], "plain");

    assert_eq!(users(&mut ann, "room:1").await, [("ann".to_owned(), 1), ("bob".to_owned(), 1)]);
    bob.ask(&json!({"type": "unsubscribe", "channel": "room:1"}), "unsubscribed").await;
    assert_eq!(ann.expect("leave").await["user"], "bob");
    assert_eq!(users(&mut ann, "room:1").await, [("ann".to_owned(), 1)]);
    node.stop();
}

#[tokio::test]
async fn a_reload_within_the_grace_period_is_seen_by_nobody() {
    let node = rooms().await;
    let mut ann = join(&node, "ann", "room:1").await;
    let bob = join(&node, "bob", "room:1").await;
    ann.expect("join").await;
    drop(bob);
    node.until_connections(1).await;
    assert_eq!(users(&mut ann, "room:1").await, [("ann".to_owned(), 1), ("bob".to_owned(), 0)]);
    let bob = join(&node, "bob", "room:1").await;
    let phone = join(&node, "bob", "room:1").await;
    assert_eq!(users(&mut ann, "room:1").await, [("ann".to_owned(), 1), ("bob".to_owned(), 2)]);
    drop(phone);
    drop(bob);
    // The next thing ann hears is that he has gone, once, after the grace period.
    let left = ann.expect("leave").await;
    assert_eq!((&left["user"], &left["connections"]), (&json!("bob"), &json!(0)));
    ann.ask(&json!({"type": "ping", "id": "after"}), "pong").await;
    node.stop();
}

#[tokio::test]
async fn history_is_paged_and_replayed() {
    let node = rooms().await;
    for n in 1..=7 {
        node.publish("room:1", &json!(n)).await;
    }
    let mut ann = Client::connect(node.address, "/ws?user=ann").await;
    let ask = |since: Value, reverse: bool| json!({"type": "history", "channel": "room:1", "limit": 3, "since": since, "reverse": reverse});
    let offsets = |page: &Value| -> Vec<u64> {
        page["messages"].as_array().unwrap().iter().map(|m| m["offset"].as_u64().unwrap()).collect()
    };
    let page = ann.ask(&ask(Value::Null, false), "history").await;
    assert_eq!((offsets(&page), &page["more"]), (vec![1, 2, 3], &json!(true)));
    let at = |offset: u64| json!({"epoch": page["epoch"], "offset": offset});
    let next = ann.ask(&ask(at(6), false), "history").await;
    assert_eq!((offsets(&next), &next["more"], &next["offset"]), (vec![7], &json!(false), &json!(7)));
    let back = ann.ask(&ask(at(3), true), "history").await;
    assert_eq!((offsets(&back), &back["more"]), (vec![2, 1], &json!(false)));
    let gone = ann.ask(&ask(json!({"epoch": "0000000000000000", "offset": 1}), false), "error").await;
    assert_eq!(gone["code"], "history_unavailable");
    let subscribed =
        ann.ask(&json!({"type": "subscribe", "channel": "room:1", "history": 2}), "subscribed").await;
    assert_eq!((&subscribed["replayed"], &subscribed["offset"]), (&json!(2), &json!(7)));
    assert_eq!(ann.expect("message").await["offset"], 6);
    assert_eq!(ann.expect("message").await["offset"], 7);
    node.stop();
}

#[tokio::test]
async fn what_was_missed_is_recovered_exactly_or_plainly_not() {
    let node =
        TestNode::start(builder().namespace("short", Namespace { history_size: 5, ..Namespace::default() }))
            .await;
    let mut ann = join(&node, "ann", "short:1").await;
    node.publish("short:1", &json!(1)).await;
    let seen = ann.expect("message").await["offset"].clone();
    let epoch =
        ann.ask(&json!({"type": "history", "channel": "short:1", "limit": 0}), "history").await["epoch"]
            .clone();
    drop(ann);
    node.until_connections(0).await;
    let recover =
        json!({"type": "subscribe", "channel": "short:1", "recover": {"epoch": epoch, "offset": seen}});
    for n in 2..=6 {
        node.publish("short:1", &json!(n)).await;
    }
    let mut ann = Client::connect(node.address, "/ws?user=ann").await;
    let subscribed = ann.ask(&recover, "subscribed").await;
    assert_eq!((&subscribed["recovered"], &subscribed["replayed"]), (&json!(true), &json!(5)));
    for n in 2..=6 {
        assert_eq!(ann.expect("message").await["data"], n);
    }
    node.publish("short:1", &json!(7)).await;
    assert_eq!(ann.expect("message").await["data"], 7);
    // One more than the history holds.
    let mut late = Client::connect(node.address, "/ws?user=late").await;
    let subscribed = late.ask(&recover, "subscribed").await;
    assert_eq!((&subscribed["recovered"], &subscribed["offset"]), (&json!(false), &json!(7)));
    let foreign =
        json!({"type": "subscribe", "channel": "short:2", "recover": {"epoch": epoch, "offset": 0}});
    assert_eq!(late.ask(&foreign, "subscribed").await["recovered"], false);
    node.stop();
}

#[tokio::test]
async fn patterns_and_filters_let_through_what_they_say() {
    let node = TestNode::start(builder()).await;
    let mut ann = Client::connect(node.address, "/ws?user=ann").await;
    ann.ask(&json!({"type": "subscribe", "pattern": "orders.*.paid"}), "subscribed").await;
    ann.ask(&json!({"type": "subscribe", "channel": "news", "filter": {"lang": ["de", "fr"]}}), "subscribed")
        .await;
    let mut bob = Client::connect(node.address, "/ws?user=bob").await;
    for channel in ["orders.eu.paid", "orders.eu.open", "orders.paid", "orders.us.paid"] {
        bob.ask(&json!({"type": "publish", "channel": channel, "data": channel}), "response").await;
    }
    for lang in [json!({"lang": "en"}), json!({"lang": "fr"}), json!({}), json!({"lang": "de"})] {
        bob.ask(&json!({"type": "publish", "channel": "news", "data": lang, "tags": lang}), "response").await;
    }
    let mut heard = Vec::new();
    for _ in 0..4 {
        heard.push(ann.expect("message").await["data"].clone());
    }
    let wanted =
        [json!("orders.eu.paid"), json!("orders.us.paid"), json!({"lang": "fr"}), json!({"lang": "de"})];
    assert_eq!(heard, wanted);
    ann.ask(&json!({"type": "ping"}), "pong").await;
    node.stop();
}

#[tokio::test]
async fn the_backend_reaches_users_connections_and_everyone() {
    let node = TestNode::start(builder()).await;
    let mut ann = [
        Client::connect(node.address, "/ws?user=ann").await,
        Client::connect(node.address, "/ws?user=ann").await,
    ];
    let mut bob = Client::connect(node.address, "/ws?user=bob").await;
    for client in [&mut ann[0], &mut bob] {
        assert!(client.ask(&json!({"type": "connect"}), "connected").await["connection"].is_string());
    }
    node.until_connections(3).await;
    let fanfare = node.node.fanfare();
    let direct = |text: &str| {
        let data = Payload::Json(Bytes::from(json!(text).to_string()));
        Direct { from: UserId::new("system").ok(), data, verbatim: false, timestamp_ms: 0 }
    };
    let user = |name: &str| Target::Users(vec![UserId::new(name).unwrap()]);
    fanfare.send(user("ann"), direct("for ann")).await.unwrap();
    fanfare.send(Target::Everyone, direct("for all")).await.unwrap();
    fanfare.send(user("nobody"), direct("for nobody")).await.unwrap();
    for client in &mut ann {
        let heard = client.expect("message").await;
        assert_eq!((&heard["data"], &heard["from"]), (&json!("for ann"), &json!("system")));
        assert_eq!(client.expect("message").await["data"], "for all");
    }
    assert_eq!(bob.expect("message").await["data"], "for all");
    fanfare.disconnect(user("ann"), CloseCode::Disconnected).await.unwrap();
    for client in &mut ann {
        let told = client.expect("disconnect").await;
        assert_eq!((&told["code"], &told["reconnect"]), (&json!(4000), &json!(false)));
        assert_eq!(client.close_code().await, 4000);
    }
    bob.ask(&json!({"type": "ping"}), "pong").await;
    node.stop();
}
