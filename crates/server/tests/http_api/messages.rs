//! Publish, broadcast, send, batch.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{KEY, Server, start};

#[tokio::test]
async fn a_published_message_reaches_subscribers_byte_for_byte() {
    let server = start().await;
    let mut ann = server.member("ann", "chat:lobby").await;
    // Spelling that a parser would not keep: spaces, escapes, a trailing zero, a number beyond any float.
    let data = r#"{"b" :1.10, "a":"\u00e9\/", "big":123456789012345678901234567890,"b":2}"#;
    let body = format!(
        r#"{{"channel":"chat:lobby","data": {data} ,"from":"bob","tags":{{"lang":"en"}},"key":"k"}}"#
    );
    let answer = server.post_raw("publish", body).await;
    assert_eq!(answer.header("content-type"), "application/json");
    let reply = answer.json();
    assert_eq!((reply["offset"].as_u64(), reply["duplicate"].as_bool()), (Some(1), Some(false)));
    assert!(reply["epoch"].is_string());
    let text = ann.text().await;
    assert!(text.contains(data), "{text}");
    let message: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(message["from"], "bob");
    assert_eq!((&message["tags"]["lang"], &message["key"]), (&json!("en"), &json!("k")));
}

/// A node that was told to end acknowledged what was published into a history that ended with it.
#[tokio::test]
async fn what_would_be_lost_with_the_node_is_refused() {
    let server = start().await;
    server.done("publish", json!({"channel": "room", "data": 1})).await;
    server.node.drain().await;
    for (operation, body) in [
        ("publish", json!({"channel": "room", "data": 2})),
        ("broadcast", json!({"message": 2})),
        ("send", json!({"user": "ann", "data": 2})),
    ] {
        let answer = server.post(operation, &body).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (503, "draining".to_owned()), "{operation}");
        assert_eq!(answer.header("retry-after"), "1", "{operation}");
    }
    // What was acknowledged before is still there to be read.
    assert_eq!(server.done("history", json!({"channel": "room"})).await["messages"][0]["data"], 1);
}

#[tokio::test]
async fn null_is_a_payload() {
    let server = start().await;
    let mut ann = server.member("ann", "room").await;
    server.done("publish", json!({"channel": "room", "data": null})).await;
    let message = ann.hear("message").await;
    assert_eq!(message.get("data"), Some(&Value::Null));
}

#[tokio::test]
async fn a_binary_payload_arrives_as_bytes() {
    let server = start().await;
    let mut ann = server.member("ann", "room").await;
    server.done("publish", json!({"channel": "room", "binary": "AAH/"})).await;
    assert_eq!(ann.hear("message").await["binary"], "AAH/");
    let page = server.done("history", json!({"channel": "room"})).await;
    assert_eq!(page["messages"][0]["binary"], "AAH/");
    assert!(page["messages"][0].get("data").is_none());
}

#[tokio::test]
async fn an_idempotency_key_publishes_once() {
    let server = start().await;
    let mut ann = server.member("ann", "room").await;
    let body = json!({"channel": "room", "data": 1, "idempotency_key": "order-7"});
    let first = server.done("publish", body.clone()).await;
    let second = server.done("publish", body).await;
    assert_eq!((first["offset"].clone(), &first["duplicate"]), (second["offset"].clone(), &json!(false)));
    assert_eq!(second["duplicate"], true);
    ann.hear("message").await;
    ann.hears_nothing().await;
}

/// Other APIs have the key in a header, and one that was ignored promised a safety that was not there.
#[tokio::test]
async fn an_idempotency_key_may_come_as_a_header() {
    let server = start().await;
    let post = async |operation: &str, keys: &[&str], body: Value| {
        let mut request = server.request(Method::POST, &format!("/api/{operation}")).bearer_auth(KEY);
        for key in keys {
            request = request.header("Idempotency-Key", *key);
        }
        server.finish(request.json(&body)).await
    };
    let message = json!({"channel": "room", "data": 1});
    let first = post("publish", &["order-8"], message.clone()).await.json();
    for (operation, keys, body) in [
        ("publish", &["order-8"][..], message.clone()),
        ("publish", &["\"order-8\""], message.clone()),
        ("publish", &["order-8"], json!({"channel": "room", "data": 1, "idempotency_key": "order-8"})),
        ("broadcast", &["order-8"], json!({"room": "room", "message": 1})),
        ("broadcast", &[], json!({"room": "room", "message": 1, "idempotency_key": "order-8"})),
    ] {
        let again = post(operation, keys, body.clone()).await.json();
        assert_eq!(
            (&again["offset"], &again["duplicate"]),
            (&first["offset"], &json!(true)),
            "{operation} {body}"
        );
    }
    for (operation, keys, body) in [
        ("publish", &["other"][..], json!({"channel": "room", "data": 1, "idempotency_key": "order-8"})),
        ("publish", &["order-8", "order-8"], message.clone()),
        ("publish", &[""], message.clone()),
        ("broadcast", &["order-8"], json!({"message": 1})),
        ("broadcast", &[], json!({"message": 1, "idempotency_key": "order-8"})),
        ("batch", &["order-8"], json!({"operations": [{"publish": message}]})),
        ("send", &["order-8"], json!({"user": "ann", "data": 1})),
        ("counts", &["order-8"], json!({})),
    ] {
        let answer = post(operation, keys, body.clone()).await;
        assert_eq!(answer.status, 400, "{operation} {keys:?} {body}: {}", answer.text);
    }
    let counts =
        server.request(Method::GET, "/api/counts").bearer_auth(KEY).header("Idempotency-Key", "order-8");
    assert_eq!(server.finish(counts).await.status, 400);
    let page = server.done("history", json!({"channel": "room"})).await;
    assert_eq!(page["messages"].as_array().unwrap().len(), 1, "{page}");
}

#[tokio::test]
async fn a_broadcast_reaches_a_room_or_everyone() {
    let server = start().await;
    let mut ann = server.member("ann", "room").await;
    let mut bob = server.connect("bob").await;
    let reply = server.done("broadcast", json!({"room": "room", "message": {"n": 1}})).await;
    assert_eq!(reply["offset"], 1);
    assert_eq!(ann.hear("message").await["data"], json!({"n": 1}));
    bob.hears_nothing().await;
    assert_eq!(reply["success"], true);
    // Hand-written backends send an empty room, and call the message what publish calls it.
    let reply = server.done("broadcast", json!({"room": "", "data": "to all"})).await;
    assert_eq!(reply, json!({"success": true}));
    for client in [&mut ann, &mut bob] {
        let message = client.hear("message").await;
        assert_eq!(message["data"], "to all");
        assert!(message.get("channel").is_none());
    }
}

#[tokio::test]
async fn a_message_is_sent_to_every_device_of_its_users() {
    let server = start().await;
    let (mut phone, mut laptop) = (server.connect("ann").await, server.connect("ann").await);
    let (mut bob, mut cid) = (server.connect("bob").await, server.connect("cid").await);
    settle(&server, 4).await;
    server.done("send", json!({"user": "ann", "data": {"n": 1}, "from": "system"})).await;
    for device in [&mut phone, &mut laptop] {
        let message = device.hear("message").await;
        assert_eq!((&message["data"], &message["from"]), (&json!({"n": 1}), &json!("system")));
    }
    server.done("send", json!({"users": ["bob", "cid", "nobody"], "binary": "AQ=="})).await;
    assert_eq!(bob.hear("message").await["binary"], "AQ==");
    assert_eq!(cid.hear("message").await["binary"], "AQ==");
    phone.hears_nothing().await;
    server.done("send", json!({"roles": ["admin"], "data": 1})).await;
    bob.hears_nothing().await;
}

#[tokio::test]
async fn a_message_is_sent_to_one_connection() {
    let server = start().await;
    let (mut phone, mut laptop) = (server.connect("ann").await, server.connect("ann").await);
    phone.say(&json!({"type": "connect", "id": 1})).await;
    let connection = phone.hear("connected").await["connection"].clone();
    laptop.hears_nothing().await;
    server.done("send", json!({"connection": connection, "data": 1})).await;
    phone.hear("message").await;
    laptop.hears_nothing().await;
}

#[tokio::test]
async fn a_batch_keeps_its_order_and_reports_each_result() {
    let server = start().await;
    let mut ann = server.member("ann", "room").await;
    let reply = server
        .done(
            "batch",
            json!({"operations": [
                {"publish": {"channel": "room", "data": 1}},
                {"publish": {"channel": "", "data": 2}},
                {"send": {"user": "ann", "data": 3}},
                {"publish": {"channel": "room", "data": 4}},
                {"history": {"channel": "room"}},
                {"publish": {}, "send": {}},
                7,
                {"broadcast": {"room": "room", "message": 5}},
            ]}),
        )
        .await;
    let results = reply["results"].as_array().unwrap();
    let brief = |result: &Value| match &result["error"] {
        Value::Null => format!("ok {}", result["result"]["offset"]),
        error => format!("{} {}", error["code"].as_str().unwrap(), error["field"]),
    };
    assert_eq!(
        results.iter().map(brief).collect::<Vec<_>>(),
        [
            "ok 1",
            "invalid_channel \"channel\"",
            "ok null",
            "ok 2",
            "invalid_request \"history\"",
            "invalid_request null",
            "invalid_request null",
            "ok 3",
        ]
    );
    let mut heard = Vec::new();
    for _ in 0..4 {
        heard.push(ann.hear("message").await["data"].as_u64().unwrap());
    }
    // The message to a user travels beside the channel's; the channel's own stay in order.
    heard.retain(|data| *data != 3);
    assert_eq!(heard, [1, 4, 5]);
}

#[tokio::test]
async fn a_batch_of_a_thousand_is_taken_and_one_more_is_not() {
    let server = start().await;
    let operations = |count| vec![json!({"publish": {"channel": "room", "data": 1}}); count];
    let reply = server.done("batch", json!({"operations": operations(1000)})).await;
    assert_eq!(reply["results"][999]["result"]["offset"], 1000);
    let answer = server.post("batch", &json!({"operations": operations(1001)})).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (400, "invalid_field".to_owned()));
}

/// Waits until the node counts as many connections.
pub(crate) async fn settle(server: &Server, connections: u64) {
    while server.get("/api/counts").await.json()["connections"] != connections {
        tokio::task::yield_now().await;
    }
}
