//! No forged token is accepted, and none makes the verifier call anybody.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod forged;

use std::collections::HashSet;
use std::net::TcpListener;

use fanfare_auth::{TokenRules, Verifier};
use fanfare_protocol::command::Topic;
use fanfare_protocol::{ChannelName, ErrorCode, UserId};
use forged::{CHANNEL, Forged, USER, World};

const NOW: u64 = 1_800_000_000;

fn verifier() -> Verifier {
    Verifier::new(forged::issuers(), TokenRules::default()).unwrap()
}

/// A listener at which nobody calls, and a world full of its address.
fn trap() -> (TcpListener, World) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, World::new(NOW, url))
}

fn assert_nobody_called(listener: &TcpListener) {
    let error = listener.accept().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
}

/// A refusal says which rule was broken, and nothing that stands in the token.
fn assert_clear(forged: &Forged, code: ErrorCode, text: &str) {
    assert_eq!(code, forged.code, "{}: {text}", forged.name);
    assert!((20..=160).contains(&text.len()), "{}: {text}", forged.name);
    assert!(!text.chars().any(char::is_control) && !text.ends_with('.'), "{}: {text}", forged.name);
    for secret in ["127.0.0.1", "\"ann", "bob", "BEGIN", "news:", "p256", "eyJ"] {
        assert!(!text.contains(secret), "{}: {text}", forged.name);
    }
}

#[tokio::test]
async fn no_forged_token_opens_a_connection_and_none_causes_a_request() {
    let (listener, world) = trap();
    let verifier = verifier();
    for (issuer, token) in world.good() {
        let verified = verifier.connection(&token, NOW * 1000).await;
        let verified = verified.unwrap_or_else(|error| panic!("{issuer}: {}", error.text));
        assert_eq!(verified.user.unwrap().as_str(), USER, "{issuer}");
    }
    let table = world.for_connections();
    let mut accepted = 0;
    for forged in &table {
        match verifier.connection(&forged.token, NOW * 1000).await {
            Ok(_) => {
                accepted += 1;
                eprintln!("accepted: {}", forged.name);
            }
            Err(error) => assert_clear(forged, error.code, &error.text),
        }
    }
    assert_eq!(accepted, 0);
    assert!(table.len() >= 80, "{}", table.len());
    let names: HashSet<&str> = table.iter().map(|forged| &*forged.name).collect();
    let tokens: HashSet<&str> = table.iter().map(|forged| &*forged.token).collect();
    assert_eq!((names.len(), tokens.len()), (table.len(), table.len()), "each is another one");
    assert_nobody_called(&listener);
    println!("{} forged tokens, {accepted} accepted", table.len());
}

#[tokio::test]
async fn no_forged_token_allows_a_subscription() {
    let (listener, world) = trap();
    let verifier = verifier();
    let topic = Topic::Channel(ChannelName::new(CHANNEL).unwrap());
    let user = UserId::new(USER).unwrap();
    let good = world.of_subscriptions().good();
    for (issuer, token) in &good {
        let grant = verifier.subscription(token, &topic, Some(&user), NOW * 1000).await;
        let grant = grant.unwrap_or_else(|error| panic!("{issuer}: {}", error.text));
        assert_eq!(grant.expires_unix_ms, Some((NOW + 600) * 1000));
        assert!(verifier.subscription(token, &topic, None, NOW * 1000).await.is_err(), "ann's, for nobody");
    }
    let table = world.for_subscriptions();
    let mut accepted = 0;
    for forged in &table {
        match verifier.subscription(&forged.token, &topic, Some(&user), NOW * 1000).await {
            Ok(_) => {
                accepted += 1;
                eprintln!("accepted: {}", forged.name);
            }
            Err(error) => assert_clear(forged, error.code, &error.text),
        }
    }
    assert_eq!(accepted, 0);
    assert!(table.len() >= 80, "{}", table.len());
    assert_nobody_called(&listener);
}
