//! Tokens for a connection where one for a subscription is needed, the reverse, and those for other users and channels.

use fanfare_protocol::ErrorCode;
use serde_json::{Value, json};

use super::keys::Keys;
use super::{CHANNEL, Forged, World, forged, other, token};

/// Good ones for a subscription: no connection may have them.
pub(super) fn as_connection_tokens(world: &World) -> Vec<Forged> {
    let members = [
        ("channel", json!(CHANNEL)),
        ("channel", Value::Null),
        ("channel", json!([])),
        ("pattern", json!("news:*")),
        ("allow", json!(["subscribe"])),
        ("allow", Value::Null),
    ];
    let make = |(name, value): &(&str, Value)| {
        let token = world.with_claim(name, Some(&value.to_string()));
        forged(format!("a subscription's token, {name} is {value}"), token)
    };
    members.iter().map(make).collect()
}

/// In a world of subscriptions.
pub(super) fn all(world: &World) -> Vec<Forged> {
    let mut list = Vec::new();
    let mut add = |name: &str, change: &dyn Fn(&mut Value)| {
        let mut claims = world.claims("keys");
        change(&mut claims);
        list.push(forged(name, world.with_claims(&claims.to_string())));
    };
    for (name, value) in [
        ("another channel", json!("news:other")),
        ("a channel that is a prefix", json!("news:toda")),
        ("a channel with more behind it", json!("news:today.x")),
        ("a name of another case", json!("News:today")),
        ("a name that looks like a pattern", json!("news:*")),
        ("a name that looks like all", json!(">")),
        ("an empty channel", json!("")),
        ("a list of channels", json!(["news:today"])),
        ("no channel but null", json!(null)),
        ("an object as channel", json!({"channel": "news:today"})),
    ] {
        add(name, &|claims| claims["channel"] = value.clone());
    }
    for (name, value) in [
        ("another user", json!("bob")),
        ("a user of another case", json!("Ann")),
        ("an empty user", json!("")),
        ("a list of users", json!(["ann"])),
        ("null as user", json!(null)),
    ] {
        add(name, &|claims| claims["sub"] = value.clone());
    }
    for (name, value) in [
        ("to publish only", json!(["publish"])),
        ("history and presence only", json!(["history", "presence"])),
        ("nothing", json!([])),
        ("an unknown word", json!(["subscribe", "all"])),
        ("a string of words", json!("subscribe")),
        ("null", json!(null)),
    ] {
        add(&format!("allows {name}"), &|claims| claims["allow"] = value.clone());
    }
    let remove = |claims: &mut Value, name: &str| {
        claims.as_object_mut().unwrap().remove(name);
    };
    add("no user", &|claims| remove(claims, "sub"));
    add("a connection's token", &|claims| remove(claims, "channel"));
    add("no end", &|claims| remove(claims, "exp"));
    add("no audience", &|claims| remove(claims, "aud"));
    add("another audience", &|claims| claims["aud"] = json!("other"));
    add("channels beside it", &|claims| claims["channels"] = json!(["news:today"]));
    add("a pattern beside it", &|claims| claims["pattern"] = json!("news:*"));
    add("not yet", &|claims| claims["nbf"] = json!(world.now + 60));
    for pattern in ["news:other.*", "*", "news:*.x", "news:today.>", "news:today", "chat:*"] {
        add(&format!("the pattern {pattern}"), &|claims| {
            remove(claims, "channel");
            claims["pattern"] = json!(pattern);
        });
    }
    let mut ended = world.claims("keys");
    ended["exp"] = json!(world.now - 60);
    let token_of_ended = world.with_claims(&ended.to_string());
    list.push(Forged { name: "it ended".to_owned(), token: token_of_ended, code: ErrorCode::TokenExpired });
    let crossed =
        token(r#"{"alg":"ES256","kid":"p256"}"#, &world.claims("keys").to_string(), &other().signing());
    list.push(forged("the other issuer's key of one id", crossed));
    let unsigned = token(r#"{"alg":"none"}"#, &world.claims("keys").to_string(), &Keys::get().p256.signing());
    list.push(forged("none", unsigned));
    list
}
