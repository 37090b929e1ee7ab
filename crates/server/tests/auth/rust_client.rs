//! The Rust client with tokens, against a real server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fanfare_client::{
    Backoff, Client, ErrorCode, Event, Notice, Options, Publication, State, SubscribeOptions, Token,
};
use fanfare_core::limits::Deadlines;
use fanfare_core::namespace::Namespace;
use fanfare_protocol::{ChannelName, Payload};
use fanfare_server::config::AuthMode;
use fanfare_server::handle::Message;
use fanfare_server::revocations::Revoked;
use serde_json::{Value, json};

use super::support::{Server, builder, now, token};
use super::within;

/// Takes tokens only, and warns two seconds ahead of their end.
async fn server() -> Server {
    let deadlines = Deadlines { expiry_warning_ms: 2_000, ..Deadlines::default() };
    let namespace = Namespace { history_size: 100, ..Namespace::default() };
    Server::start_with(builder(AuthMode::Required).deadlines(deadlines).namespace("room", namespace)).await
}

fn options() -> Options {
    let backoff = Backoff { shortest: Duration::from_millis(1), longest: Duration::from_millis(5) };
    Options { backoff, ..Options::default() }
}

async fn connect(server: &Server, options: Options) -> Result<Client, fanfare_client::Error> {
    Client::connect(&format!("ws://{}", server.address), options).await
}

/// A provider of Ann's tokens, which last for so long, and how many it has given. Their ids are a0, a1 and so on.
fn provider(seconds: u64) -> (Options, Arc<AtomicU64>) {
    let count = Arc::new(AtomicU64::new(0));
    let given = Arc::clone(&count);
    let options = options().with_token_provider(move || {
        let id = format!("a{}", given.fetch_add(1, Ordering::Relaxed));
        async move { Ok::<_, String>(token(json!({"sub": "ann", "jti": id, "exp": now() + seconds}))) }
    });
    (options, count)
}

#[tokio::test]
async fn a_refused_token_is_a_clear_error() {
    let server = server().await;
    let old = token(json!({"sub": "ann", "exp": now() - 60}));
    let error = connect(&server, options().with_token(&old)).await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::TokenExpired), "{error}");
    assert!(error.is_unauthenticated() && !error.retry());
    assert!(!error.to_string().contains(&old[old.len() - 20..]));
}

#[tokio::test]
async fn a_provided_token_is_renewed_on_the_live_connection() {
    let server = server().await;
    let (options, count) = provider(4);
    let client = connect(&server, options).await.unwrap();
    let mut notices = client.notices();
    let renewed = async {
        loop {
            match notices.next().await {
                Some(Notice::Authenticated { user, expires_in_ms }) => return (user, expires_in_ms),
                Some(Notice::Expiring { in_ms }) => assert!(in_ms <= 2_000, "{in_ms}"),
                other => panic!("{other:?}"),
            }
        }
    };
    let (user, expires_in_ms) = within("the next token", renewed).await.unwrap();
    assert_eq!(user.as_deref(), Some("ann"));
    assert!(expires_in_ms.is_some_and(|ms| ms > 2_000), "{expires_in_ms:?}");
    assert_eq!((count.load(Ordering::Relaxed), server.node.connections()), (2, 1));
    assert_eq!(*client.state().borrow(), State::Connected);
    client.close().await;
}

#[tokio::test]
async fn a_revoked_client_comes_back_with_its_next_token_and_misses_nothing() {
    let server = server().await;
    let (options, count) = provider(600);
    let client = connect(&server, options).await.unwrap();
    let mut room = client.subscribe("room:a", SubscribeOptions::default()).await.unwrap();
    client.publish("room:a", Publication::from(json!(1)).echo()).await.unwrap();
    let mut state = client.state();
    server.node.fanfare().revoke(Revoked::Tokens(vec!["a0".into()])).await.unwrap();
    let gone = state.wait_for(|state| matches!(state, State::Reconnecting { .. }));
    let gone = within("the end", gone).await.unwrap().unwrap().clone();
    assert!(
        matches!(&gone, State::Reconnecting { why, .. } if why.reason.starts_with("token_revoked")),
        "{gone:?}"
    );
    client.publish("room:a", Publication::from(json!(2)).echo()).await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < 2 {
        match within("a message", room.next()).await.unwrap() {
            Some(Event::Message(message)) => seen.push(message.json::<Value>().unwrap()),
            Some(Event::Recovered) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((seen, count.load(Ordering::Relaxed)), (vec![json!(1), json!(2)], 2));
    client.close().await;
}

#[tokio::test]
async fn a_private_channel_is_joined_with_a_token_of_its_own_again_and_again() {
    let server = server().await;
    let client = connect(&server, options().with_token(&token(json!({"sub": "ann"})))).await.unwrap();
    let refused = client.subscribe("room:$board", SubscribeOptions::default()).await.unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::PermissionDenied));

    // Each is good for two or three seconds, so that the subscription ends and begins again.
    let count = Arc::new(AtomicU64::new(0));
    let given = Arc::clone(&count);
    let board = Token::provider(move || {
        given.fetch_add(1, Ordering::Relaxed);
        let claims = json!({"sub": "ann", "channel": "room:$board", "exp": now() + 3});
        async move { Ok::<_, String>(token(claims)) }
    });
    let with = SubscribeOptions { token: Some(board), ..SubscribeOptions::default() };
    let mut room = client.subscribe("room:$board", with).await.unwrap();
    let publish = || {
        let (board, message) = (ChannelName::new("room:$board").unwrap(), Message::new(Payload::null()));
        server.node.fanfare().publish(board, message)
    };
    publish().await.unwrap();
    let next = within("a message", room.next()).await.unwrap();
    assert!(matches!(next, Some(Event::Message(_))), "{next:?}");
    let next = within("recovery", room.next()).await.unwrap();
    assert!(matches!(next, Some(Event::Recovered)), "{next:?}");
    publish().await.unwrap();
    let next = within("another message", room.next()).await.unwrap();
    assert!(matches!(next, Some(Event::Message(_))), "{next:?}");
    assert!(count.load(Ordering::Relaxed) >= 2);
    client.close().await;
}
