//! Bounds and rates that a user's connections share.

use std::time::Instant;

use fanfare_core::limits::{Limits, Rate, RateLimits};
use fanfare_server::config::AuthMode;
use serde_json::{Value, json};

use super::support::{Client, Road, Server, builder, token};

#[tokio::test]
async fn a_user_has_so_many_connections_by_whatever_road() {
    let limits = Limits { connections_per_user_max: 5, ..Limits::default() };
    let server = Server::start_with(builder(AuthMode::Required).limits(limits)).await;
    let token = token(json!({"sub": "ann"}));
    let mut connected = Vec::new();
    for road in Road::ALL {
        connected.push(server.attempt(road, &token).await.unwrap_or_else(|refusal| panic!("{refusal:?}")));
    }
    for road in Road::ALL {
        let refusal = server.attempt(road, &token).await.err().unwrap();
        let number = if road == Road::FirstMessage { 4009 } else { 429 };
        assert_eq!((refusal.number, &*refusal.code), (number, "user_limit"), "{road:?}");
    }
    server.enter(json!({"sub": "bob"})).await;
    // A newer token takes no second place.
    connected[0].authenticate(&token).await.unwrap();
    connected[4].authenticate(&token).await.unwrap();
    assert_eq!(server.attempt(Road::Header, &token).await.err().unwrap().code, "user_limit");
    drop(connected);
    server.until_connections(0).await;
    assert!(server.attempt(Road::FirstMessage, &token).await.is_ok());
}

async fn publish(client: &mut Client) -> Value {
    client.say(json!({"type": "publish", "id": 1, "channel": "room", "data": 1})).await;
    client.hear().await
}

/// A client that was told to wait connected anew and was as good as new.
#[tokio::test]
async fn a_users_bucket_is_shared_and_survives_reconnecting() {
    let rates = RateLimits { user: Rate { per_second: 1, burst: 4 }, ..RateLimits::off() };
    // Its bound on connections is off: neither needs the other.
    let limits = Limits { connections_per_user_max: u32::MAX, ..Limits::default() };
    let server = Server::start_with(builder(AuthMode::Required).rate_limits(rates).limits(limits)).await;
    let (mut phone, mut laptop) =
        (server.enter(json!({"sub": "ann"})).await, server.enter(json!({"sub": "ann"})).await);
    let began = Instant::now();
    let mut taken = 0;
    let refused = loop {
        let client = if taken % 2 == 0 { &mut phone } else { &mut laptop };
        let answer = publish(client).await;
        if answer["type"] != "response" {
            break answer;
        }
        taken += 1;
    };
    // A second gives one more, and the machine may be slow; a bucket for each connection would give eight at once.
    assert!((4..=4 + began.elapsed().as_secs()).contains(&taken), "{taken}");
    assert_eq!(refused["code"], "rate_limited", "{refused}");
    assert!(
        refused["retryAfter"].as_f64().is_some_and(|seconds| seconds > 0.0 && seconds <= 1.0),
        "{refused}"
    );
    let mut bob = server.enter(json!({"sub": "bob"})).await;
    assert_eq!(publish(&mut bob).await["type"], "response");
    drop((phone, laptop));
    server.until_connections(1).await;
    let mut again = server.enter(json!({"sub": "ann"})).await;
    let answers = [publish(&mut again).await, publish(&mut again).await, publish(&mut again).await];
    let published = answers.iter().filter(|answer| answer["type"] == "response").count();
    assert!(published <= 1, "a second may have passed, four have not: {answers:?}");
}
