//! Subscribe, unsubscribe, disconnect.

use serde_json::json;

use crate::support::start;

#[tokio::test]
async fn the_backend_subscribes_and_unsubscribes_a_users_devices() {
    let server = start().await;
    let (mut phone, mut laptop) = (server.connect("ann").await, server.connect("ann").await);
    phone.hears_nothing().await;
    laptop.hears_nothing().await;
    server.done("subscribe", json!({"user": "ann", "channel": "room"})).await;
    for device in [&mut phone, &mut laptop] {
        assert_eq!(device.hear("subscribed").await["channel"], "room");
    }
    server.done("publish", json!({"channel": "room", "data": 1})).await;
    phone.hear("message").await;
    laptop.hear("message").await;
    server.done("unsubscribe", json!({"users": ["ann"], "channel": "room"})).await;
    for device in [&mut phone, &mut laptop] {
        assert_eq!(device.hear("unsubscribed").await["channel"], "room");
    }
    server.done("subscribe", json!({"user": "ann", "pattern": "news.*"})).await;
    assert_eq!(phone.hear("subscribed").await["pattern"], "news.*");
}

#[tokio::test]
async fn the_backend_closes_connections_with_a_code() {
    let server = start().await;
    let (mut ann, mut bob) = (server.connect("ann").await, server.connect("bob").await);
    ann.say(&json!({"type": "connect", "id": 1})).await;
    let connection = ann.hear("connected").await["connection"].clone();
    bob.hears_nothing().await;
    server.done("disconnect", json!({"user": "bob"})).await;
    assert_eq!(bob.close_code().await, 4000);
    server.done("disconnect", json!({"connection": connection, "code": 4003})).await;
    assert_eq!(ann.close_code().await, 4003);
    for code in [1002, 1005, 999, 4010] {
        let answer = server.post("disconnect", &json!({"user": "bob", "code": code})).await;
        assert_eq!(
            (answer.code(), answer.json()["error"]["field"].clone()),
            ("invalid_field".into(), json!("code"))
        );
    }
}
