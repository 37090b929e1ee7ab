//! Channels that are listened to without a session.

use fanfare_protocol::UserId;
use fanfare_protocol::command::Status;
use serde_json::{Value, json};

use super::client::{Down, Form};
use super::support::node::{TestNode, builder};

fn last(id: &str) -> String {
    format!("Last-Event-ID: {id}\r\n")
}

/// So many messages, in the order of their numbers, and the last id.
async fn messages(down: &mut Down, count: usize) -> (Vec<Value>, String) {
    let (mut heard, mut id) = (Vec::new(), String::new());
    while heard.len() < count {
        let event = down.next().await.unwrap();
        match event.data["type"].as_str() {
            Some("message") => heard.push(event.data["data"].clone()),
            _ => assert_eq!(event.data["type"], "subscribed", "{}", event.data),
        }
        id = event.id;
    }
    heard.sort_by_key(Value::as_u64);
    (heard, id)
}

async fn events(node: &TestNode, more: &str) -> Down {
    Down::open(node.address, Form::Events, "channels=a,b", more).await.ok().unwrap()
}

#[tokio::test]
async fn a_client_that_only_listens_goes_on_where_it_was() {
    let node = TestNode::start(builder()).await;
    let mut down = events(&node, "").await;
    let (first, second) = (down.next().await.unwrap(), down.next().await.unwrap());
    assert_eq!((&first.data["type"], &second.data["type"]), (&json!("subscribed"), &json!("subscribed")));
    drop(down);
    // It had heard nothing yet, and misses nothing.
    node.publish("a", &json!(1)).await;
    node.publish("b", &json!(2)).await;
    let mut down = events(&node, &last(&second.id)).await;
    let subscribed = down.next().await.unwrap();
    assert_eq!(subscribed.data["recovered"], true, "{}", subscribed.data);
    drop(down);
    // What is announced and did not come is not yet heard.
    let mut down = events(&node, &last(&subscribed.id)).await;
    let (heard, id) = messages(&mut down, 2).await;
    assert_eq!(heard, [json!(1), json!(2)]);
    drop(down);
    node.publish("a", &json!(3)).await;
    let mut down = events(&node, &last(&id)).await;
    assert_eq!(messages(&mut down, 1).await.0, [json!(3)], "what was heard before does not come again");
    node.stop();
}

#[tokio::test]
async fn history_comes_first_and_names_may_have_commas() {
    let node = TestNode::start(builder()).await;
    for n in 1..=3 {
        node.publish("x,y", &json!(n)).await;
    }
    for form in [Form::Events, Form::Lines] {
        let mut down = Down::open(node.address, form, "channel=x,y&history=2", "").await.ok().unwrap();
        assert_eq!(messages(&mut down, 2).await.0, [json!(2), json!(3)], "{form:?}");
    }
    node.stop();
}

/// Without a session there is nothing to wait for: who has gone has left.
#[tokio::test]
async fn who_only_listens_is_gone_when_the_line_is() {
    let node = TestNode::start(builder()).await;
    for form in [Form::Events, Form::Lines] {
        let mut down = Down::open(node.address, form, "channels=a&user=ann", "").await.ok().unwrap();
        down.next().await.unwrap();
        let states = node.node.fanfare().users(vec![UserId::new("ann").unwrap()]).await.unwrap();
        assert_ne!(states[0].status, Status::Offline);
        drop(down);
        node.until_connections(0).await;
    }
    node.stop();
}

#[tokio::test]
async fn what_may_not_be_heard_is_told_as_an_error() {
    let node = TestNode::start(builder()).await;
    for form in [Form::Events, Form::Lines] {
        let mut down = Down::open(node.address, form, "channels=$private,open", "").await.ok().unwrap();
        let mut told = Vec::new();
        for _ in 0..2 {
            let data = down.next().await.unwrap().data;
            told.push((data["type"].clone(), data["code"].clone()));
        }
        told.sort_by_key(|(kind, _)| kind.to_string());
        let refused = (json!("error"), json!("permission_denied"));
        assert_eq!(told, [refused, (json!("subscribed"), Value::Null)], "{form:?}");
    }
    node.stop();
}

/// All channels are asked for at once, and what was not taken then could not be asked for again.
#[tokio::test]
async fn more_channels_than_can_be_asked_for_at_once_are_refused() {
    let node = TestNode::start(builder()).await;
    let named = |count: usize| (0..count).map(|n| format!("c{n}")).collect::<Vec<_>>().join(",");
    let mut down =
        Down::open(node.address, Form::Events, &format!("channels={}", named(64)), "").await.ok().unwrap();
    for _ in 0..64 {
        assert_eq!(down.next().await.unwrap().data["type"], "subscribed");
    }
    let refused = Down::open(node.address, Form::Events, &format!("channels={}", named(65)), "").await;
    assert_eq!(refused.err().unwrap().summary(), "HTTP 400 invalid_field");
    // And a dialect that knows one room takes it from elsewhere.
    let refused = Down::open(node.address, Form::Events, "channels=a&dialect=raw&room=b", "").await;
    assert_eq!(refused.err().unwrap().summary(), "HTTP 400 invalid_field");
    node.stop();
}
