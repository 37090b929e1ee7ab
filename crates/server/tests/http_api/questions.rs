//! History, presence, channels, users, connections, counts: by POST and by GET.

use serde_json::{Value, json};

use crate::support::start;

#[tokio::test]
async fn history_is_read_page_by_page_in_both_directions() {
    let server = start().await;
    for n in 1..=5 {
        server
            .done("publish", json!({"channel": "room", "data": {"n": n}, "tags": {"t": "x"}, "key": "k"}))
            .await;
    }
    let offsets = |page: &Value| -> Vec<u64> {
        page["messages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|message| message["offset"].as_u64().unwrap())
            .collect()
    };
    let page = server.done("history", json!({"channel": "room", "limit": 2})).await;
    assert_eq!((offsets(&page), &page["more"], &page["offset"]), (vec![1, 2], &json!(true), &json!(5)));
    let message = &page["messages"][0];
    assert_eq!(message["data"], json!({"n": 1}));
    assert_eq!((&message["tags"], &message["key"]), (&json!({"t": "x"}), &json!("k")));
    assert!(message["timestamp"].as_f64().unwrap() > 1.7e9 && message.get("from").is_none());
    let epoch = page["epoch"].as_str().unwrap();
    let since = json!({"epoch": epoch, "offset": 2});
    let page = server.done("history", json!({"channel": "room", "since": since})).await;
    assert_eq!((offsets(&page), &page["more"]), (vec![3, 4, 5], &json!(false)));
    let path = format!("/api/history?channel=room&since.epoch={epoch}&since.offset=4&reverse&limit=2");
    assert_eq!(offsets(&server.get(&path).await.json()), [3, 2]);
    let nothing = server.done("history", json!({"channel": "room", "limit": 0})).await;
    assert_eq!((offsets(&nothing), &nothing["offset"]), (vec![], &json!(5)));
    let answer =
        server.post("history", &json!({"channel": "room", "since": {"epoch": "1", "offset": 2}})).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (410, "history_unavailable".to_owned()));
    let answer = server.get("/api/history?channel=bare:x").await;
    assert_eq!((answer.status.as_u16(), answer.code()), (400, "history_disabled".to_owned()));
}

#[tokio::test]
async fn presence_counts_a_user_with_two_devices_once() {
    let server = start().await;
    let _ann = (server.member("ann", "room").await, server.member("ann", "room").await);
    let mut bob = server.connect("bob").await;
    bob.say(&json!({"type": "subscribe", "channel": "room", "info": {"colour": "red"}})).await;
    bob.hear("subscribed").await;
    for presence in [
        server.done("presence", json!({"channel": "room"})).await,
        server.get("/api/presence?channel=room").await.json(),
    ] {
        assert_eq!((&presence["users"], &presence["connections"]), (&json!(2), &json!(3)));
        let members = presence["members"].as_array().unwrap();
        let of = |user: &str| members.iter().find(|member| member["user"] == user).unwrap();
        assert_eq!((&of("ann")["connections"], &of("bob")["info"]), (&json!(2), &json!({"colour": "red"})));
        assert!(of("ann")["joined"].is_f64() && of("ann")["last_seen"].is_f64());
    }
    let counts = server.done("presence_counts", json!({"channels": ["room", "empty"]})).await;
    let wanted = json!({"room": {"users": 2, "connections": 3}, "empty": {"users": 0, "connections": 0}});
    assert_eq!(counts["channels"], wanted);
    assert_eq!(
        server.get("/api/presence_counts?channels=room&channels=empty").await.json()["channels"],
        wanted
    );
    assert_eq!(server.get("/api/presence?channel=bare:x").await.code(), "presence_disabled");
}

#[tokio::test]
async fn channels_are_listed_by_prefix_and_page() {
    let server = start().await;
    let mut ann = server.member("ann", "chat:a").await;
    for channel in ["chat:b", "chat:c", "news:a"] {
        ann.say(&json!({"type": "subscribe", "channel": channel})).await;
        ann.hear("subscribed").await;
    }
    let all = server.done("channels", json!({})).await;
    assert_eq!(all["channels"][0], json!({"channel": "chat:a", "connections": 1, "users": 1}));
    assert_eq!(all["channels"].as_array().unwrap().len(), 4);
    let page = server.get("/api/channels?prefix=chat:&after=chat:a&limit=1").await.json();
    assert_eq!(page["channels"], json!([{"channel": "chat:b", "connections": 1, "users": 1}]));
    assert_eq!(server.get("/api/channels?limit=1001").await.code(), "invalid_field");
}

#[tokio::test]
async fn users_are_online_away_or_offline() {
    let server = start().await;
    let mut ann = server.connect("ann").await;
    let mut bob = server.connect("bob").await;
    bob.say(&json!({"type": "status", "id": 1, "status": "away"})).await;
    bob.hear("status").await;
    ann.hears_nothing().await;
    let users = server.done("users", json!({"users": ["ann", "bob", "cid"]})).await;
    let brief =
        |user: &Value| (user["user"].clone(), user["status"].clone(), user.get("last_seen").is_some());
    let users: Vec<_> = users["users"].as_array().unwrap().iter().map(brief).collect();
    assert_eq!(users[0], (json!("ann"), json!("online"), true));
    assert_eq!(users[1], (json!("bob"), json!("away"), true));
    assert_eq!(users[2], (json!("cid"), json!("offline"), false));
    assert_eq!(server.get("/api/users?users=bob").await.json()["users"][0]["status"], "away");
}

#[tokio::test]
async fn connections_are_listed_by_user_channel_and_page() {
    let server = start().await;
    let _ann = (server.member("ann", "room").await, server.member("ann", "other").await);
    let mut bob = server.member("bob", "room").await;
    bob.say(&json!({"type": "subscribe", "pattern": "news.*"})).await;
    bob.hear("subscribed").await;
    let all = server.done("connections", json!({})).await;
    let all = all["connections"].as_array().unwrap();
    assert_eq!(all.len(), 3);
    let ids: Vec<&str> = all.iter().map(|connection| connection["connection"].as_str().unwrap()).collect();
    let of_room = server.get("/api/connections?channel=room").await.json();
    assert_eq!(of_room["connections"].as_array().unwrap().len(), 2);
    let of_bob = server.get("/api/connections?user=bob").await.json();
    let bob = &of_bob["connections"][0];
    assert_eq!(
        (&bob["user"], &bob["dialect"], &bob["address"]),
        (&json!("bob"), &json!("native"), &json!("127.0.0.1"))
    );
    assert_eq!((&bob["channels"], &bob["patterns"]), (&json!(["room"]), &json!(["news.*"])));
    let page = server.get(&format!("/api/connections?after={}&limit=1", ids[0])).await.json();
    assert_eq!(page["connections"][0]["connection"], ids[1]);
    assert_eq!(server.get("/api/connections?after=x").await.code(), "invalid_field");
}

#[tokio::test]
async fn counts_are_of_the_whole_node() {
    let server = start().await;
    let _ann = (server.member("ann", "a").await, server.member("ann", "b").await);
    let empty = server.request(reqwest::Method::POST, "/api/counts").header("x-api-key", crate::support::KEY);
    let counts = server.finish(empty).await.json();
    assert_eq!(
        (&counts["connections"], &counts["channels"], &counts["users"]),
        (&json!(2), &json!(2), &json!(1))
    );
    assert_eq!(server.get("/api/counts").await.json(), counts);
}
