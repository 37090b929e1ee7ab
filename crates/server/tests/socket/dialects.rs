//! One application and one room for clients of every dialect.

use fanfare_protocol::Payload;
use fanfare_server::handlers::HandlerError;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::support::client::Client;
use super::support::node::{TestNode, builder};

async fn connect(node: &TestNode, dialect: &str) -> Client {
    Client::connect(node.address, &format!("/ws/{dialect}?user={dialect}")).await
}

/// The next event that has these members; who comes and goes may be heard in between.
async fn until(client: &mut Client, members: Value) -> Value {
    loop {
        let event = client.event().await;
        if members.as_object().unwrap().iter().all(|(name, value)| &event[name] == value) {
            return event;
        }
    }
}

#[tokio::test]
async fn an_application_has_handlers_for_types_of_its_own_in_any_dialect() {
    let builder = builder()
        .on_message("sum", async |_peer, data: Payload| {
            let terms: Vec<i64> = serde_json::from_slice(data.bytes())
                .map_err(|_| HandlerError::new("a sum takes a list of numbers"))?;
            Ok(Some(Payload::Json(terms.iter().sum::<i64>().to_string().into())))
        })
        .on_message("typing", async |_peer, data| Ok(Some(data)));
    let node = TestNode::start(builder).await;
    let mut native = connect(&node, "native").await;
    native.send(&json!({"type": "sum", "id": 1, "data": [2, 3]}));
    assert_eq!(native.event().await, json!({"type": "response", "id": 1, "data": 5}));

    let mut envelope = connect(&node, "envelope").await;
    envelope.send(&json!({"type": "sum", "payload": [2, 3], "requestId": "r"}));
    let response = until(&mut envelope, json!({"requestId": "r"})).await;
    assert_eq!(response, json!({"type": "response", "payload": 5, "requestId": "r"}));
    envelope.send(&json!({"type": "sum", "payload": "two", "requestId": 2}));
    let error = until(&mut envelope, json!({"requestId": 2})).await;
    assert_eq!(
        error["payload"],
        json!({"message": "a sum takes a list of numbers", "code": "handler_failed"})
    );
    envelope.send(&json!({"type": "product", "payload": [2, 3], "requestId": 3}));
    let error = until(&mut envelope, json!({"requestId": 3})).await;
    assert_eq!((&error["type"], &error["payload"]["code"]), (&json!("error"), &json!("unknown_type")));
    assert!(error["payload"]["message"].as_str().unwrap().contains("product"), "{error}");

    let mut topics = connect(&node, "topics").await;
    topics
        .send(&json!({"id": "m1", "type": "sum", "timestamp": 1, "payload": [4, 5], "correlationId": "c1"}));
    let reply = until(&mut topics, json!({"correlationId": "c1"})).await;
    assert_eq!(reply, json!({"id": "c1.reply", "correlationId": "c1", "payload": 9}));
    topics.send(&json!({"id": 7, "type": "sum"}));
    let error = until(&mut topics, json!({"correlationId": 7})).await;
    let text = "a sum takes a list of numbers";
    // Hand-written clients test for "error" and otherwise resolve with what they find.
    assert_eq!(
        (&error["type"], &error["error"], &error["message"]),
        (&json!("error"), &json!(text), &json!(text))
    );
    topics.send(&json!({"type": "product"}));
    let error = until(&mut topics, json!({"type": "error"})).await;
    assert_eq!(error["code"], "UNKNOWN_TYPE");
    assert!(error["message"].as_str().unwrap().contains("product"), "{error}");

    let mut rooms = connect(&node, "rooms").await;
    let typing = json!({"type": "typing", "room": "lobby", "on": true});
    rooms.send(&typing);
    assert_eq!(rooms.event().await, json!({"type": "response", "content": typing}));
    rooms.send(&json!({"type": "product"}));
    let error = until(&mut rooms, json!({"type": "error"})).await;
    assert!(error["message"].as_str().unwrap().contains("product"), "{error}");
    node.stop();
}

#[tokio::test]
async fn members_of_a_room_hear_each_other_in_their_own_forms() {
    let node = TestNode::start(builder()).await;
    let mut native = connect(&node, "native").await;
    native.ask(&json!({"type": "subscribe", "id": 1, "channel": "lobby"}), "subscribed").await;
    let mut envelope = connect(&node, "envelope").await;
    envelope.send(&json!({"type": "join", "payload": "lobby", "requestId": 1}));
    let joined = until(&mut envelope, json!({"requestId": 1})).await;
    assert_eq!(joined, json!({"type": "room:joined", "payload": {"room": "lobby"}, "requestId": 1}));
    let mut topics = connect(&node, "topics").await;
    topics.send(&json!({"type": "join_channel", "payload": {"channelId": "lobby"}}));
    topics.send(&json!({"type": "send_message", "payload": {"channelId": "lobby", "content": "one"}}));
    let said = until(&mut topics, json!({"type": "message"})).await;
    assert_eq!(said, json!({"type": "message", "userId": "topics", "content": "one", "roomId": "lobby"}));
    let mut rooms = connect(&node, "rooms").await;
    rooms.send(&json!({"type": "join", "room": "lobby"}));
    rooms.send(&json!({"type": "message", "room": "lobby", "content": "two"}));
    let said = until(&mut rooms, json!({"type": "message"})).await;
    assert_eq!(said, json!({"type": "message", "room": "lobby", "user_id": "rooms", "content": "two"}));
    envelope.send(&json!({"type": "broadcast", "payload": {"room": "lobby", "data": "three"}}));

    for (from, data) in [("topics", json!("one")), ("rooms", json!("two")), ("envelope", json!("three"))] {
        let message = until(&mut native, json!({"type": "message"})).await;
        assert_eq!((&message["from"], &message["data"]), (&json!(from), &data));
    }
    // Only now is it certain that this comes after what the others said.
    native.send(&json!({"type": "publish", "id": 2, "channel": "lobby", "data": {"n": 4}}));
    for data in [json!("one"), json!("two"), json!({"n": 4})] {
        let message = until(&mut envelope, json!({"type": "room:message"})).await;
        assert_eq!(message["payload"], json!({"room": "lobby", "data": data}));
    }
    for (from, content) in
        [("rooms", json!("two")), ("envelope", json!("three")), ("native", json!({"n": 4}))]
    {
        let message = until(&mut topics, json!({"type": "message"})).await;
        assert_eq!((&message["userId"], &message["content"]), (&json!(from), &content));
    }
    for (from, content) in [("envelope", json!("three")), ("native", json!({"n": 4}))] {
        let message = until(&mut rooms, json!({"type": "message"})).await;
        assert_eq!((&message["user_id"], &message["content"]), (&json!(from), &content));
    }
    node.stop();
}

/// Relays that know no rooms have clients that name none; they were refused.
#[tokio::test]
async fn raw_clients_that_name_no_room_are_in_one_together() {
    let node = TestNode::start(builder()).await;
    let mut native = connect(&node, "native").await;
    native.ask(&json!({"type": "subscribe", "channel": "raw"}), "subscribed").await;
    let mut ann = Client::connect(node.address, "/ws/raw").await;
    let bob = Client::connect(node.address, "/ws?dialect=raw").await;
    // What is said before the way into the room is over is said behind it.
    for (client, text) in [(&ann, "ann is in"), (&bob, "bob is in")] {
        client.send_frame(Message::text(text));
        assert_eq!(until(&mut native, json!({"type": "message"})).await["data"], text);
    }
    while ann.next().await.unwrap() != Some(Message::text("bob is in")) {}
    node.stop();
}
