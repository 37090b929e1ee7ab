//! Subscribe, unsubscribe, disconnect, revoke.

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

#[tokio::test]
async fn the_backend_takes_tokens_back() {
    let server = start().await;
    let (mut ann, mut bob) = (server.connect("ann").await, server.connect("bob").await);
    ann.hears_nothing().await;
    bob.hears_nothing().await;
    server.done("revoke", json!({"token": "some-id"})).await;
    server.done("revoke", json!({"tokens": ["some-id", "another"]})).await;
    ann.hears_nothing().await;
    let operations = json!([{"revoke": {"users": ["ann"], "before": 9_000_000_000.5}}, {"revoke": {}}]);
    let answer = server.post("batch", &json!({"operations": operations})).await.json();
    assert_eq!(answer["results"][0]["error"]["field"], "before", "it lies in the future: {answer}");
    assert_eq!(answer["results"][1]["error"]["code"], "missing_field", "{answer}");
    server.done("batch", json!({"operations": [{"revoke": {"users": ["ann"]}}]})).await;
    assert_eq!(ann.hear("error").await["code"], "token_revoked");
    assert_eq!(ann.close_code().await, 4001);
    bob.hears_nothing().await;
}

#[tokio::test]
async fn a_revocation_says_whose_tokens_in_one_way() {
    let server = start().await;
    let cases: Vec<(&str, String, &str, &str)> = vec![
        ("revoke", "{}".into(), "missing_field", "token"),
        ("revoke", r#"{"token":"a","user":"b"}"#.into(), "invalid_field", "token"),
        ("revoke", r#"{"token":""}"#.into(), "invalid_field", "token"),
        ("revoke", r#"{"tokens":[]}"#.into(), "invalid_field", "tokens"),
        ("revoke", format!(r#"{{"tokens":["a","{}"]}}"#, "x".repeat(256)), "invalid_field", "tokens[1]"),
        ("revoke", r#"{"token":"a","before":1}"#.into(), "invalid_field", "before"),
        ("revoke", r#"{"user":"a","before":-1}"#.into(), "invalid_field", "before"),
        ("revoke", r#"{"user":"a","before":1e300}"#.into(), "invalid_field", "before"),
        ("revoke", r#"{"user":""}"#.into(), "invalid_field", "user"),
        ("revoke", r#"{"users":["a",""]}"#.into(), "invalid_field", "users[1]"),
    ];
    for (operation, body, code, field) in cases {
        let answer = server.post_raw(operation, body.clone()).await;
        assert_eq!(
            (answer.code(), answer.json()["error"]["field"].clone()),
            (code.into(), json!(field)),
            "{body}"
        );
    }
}
