//! Tokens and handlers that allow a subscription.

use std::future::pending;

use fanfare_core::limits::Deadlines;
use fanfare_protocol::command::Topic;
use fanfare_server::config::AuthMode;
use fanfare_server::handlers::{Operations, Refused};
use serde_json::{Value, json};

use super::support::{Server, builder, token};

fn subscribe(channel: &str, token: Option<&str>) -> Value {
    match token {
        Some(token) => json!({"type": "subscribe", "id": 1, "channel": channel, "token": token}),
        None => json!({"type": "subscribe", "id": 1, "channel": channel}),
    }
}

#[tokio::test]
async fn a_subscription_token_opens_its_channel_for_its_user() {
    let server = Server::start(AuthMode::Required).await;
    let mut ann = server.enter(json!({"sub": "ann"})).await;
    let good = token(json!({"sub": "ann", "channel": "team:$board"}));
    assert_eq!(ann.ask(subscribe("team:$board", None), "error").await["code"], "permission_denied");
    let others = [
        token(json!({"sub": "bob", "channel": "team:$board"})),
        token(json!({"channel": "team:$board"})),
        token(json!({"sub": "ann", "channel": "team:$other"})),
        token(json!({"sub": "ann"})),
        "rubbish".to_owned(),
    ];
    for other in &others {
        let error = ann.ask(subscribe("team:$board", Some(other)), "error").await;
        assert_eq!(error["id"], 1, "{error}");
    }
    assert_eq!(ann.ask(subscribe("team:$board", Some(&good)), "subscribed").await["channel"], "team:$board");
    let refused = server.attempt(super::support::Road::Header, &good).await.err().unwrap();
    assert_eq!(refused.code, "authentication_failed", "it opens no connection");
}

#[tokio::test]
async fn a_subscribe_handler_decides_what_rules_and_tokens_leave_open() {
    let deadlines = Deadlines { request_ms: 200, ..Deadlines::default() };
    let builder = builder(AuthMode::Required).deadlines(deadlines).on_subscribe(async |peer, topic| {
        let Topic::Channel(channel) = topic else { return Err(Refused("no patterns".to_owned())) };
        match channel.as_str() {
            "$panics" => panic!("on purpose"),
            "$hangs" => pending().await,
            "$mine" if peer.user.is_some_and(|user| user.as_str() == "ann") => Ok(Operations::ALL),
            _ => Err(Refused("not yours".to_owned())),
        }
    });
    let server = Server::start_with(builder).await;
    let mut ann = server.enter(json!({"sub": "ann"})).await;
    for (channel, code) in
        [("$panics", "handler_failed"), ("$hangs", "request_timeout"), ("$theirs", "permission_denied")]
    {
        let error = ann.ask(subscribe(channel, None), "error").await;
        assert_eq!(error["code"], code, "{error}");
        assert!(!error["error"].as_str().unwrap().contains("on purpose"), "{error}");
    }
    ann.ask(subscribe("$mine", None), "subscribed").await;
    ann.ask(subscribe("everyones", None), "subscribed").await;
    let mut bob = server.enter(json!({"sub": "bob"})).await;
    let error = bob.ask(subscribe("$mine", None), "error").await;
    assert_eq!(error["error"], "not yours");
}
