//! Where the client's tokens come from, and what it does when they end: against a server that follows a script.

// Helpers outside of test functions fail as tests do.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fanfare_client::{
    Client, ErrorCode, Event, Notice, Notices, Options, State, SubscribeOptions, Subscription, Token,
};
use support::{Server, Session, options};
use tokio::io::AsyncWriteExt as _;
use tokio::time::advance;

/// Options with a provider that numbers its tokens: t1, t2 and so on.
fn numbered() -> Options {
    let count = AtomicU32::new(0);
    options().with_token_provider(move || {
        let number = count.fetch_add(1, Ordering::Relaxed) + 1;
        async move { Ok::<_, String>(format!("t{number}")) }
    })
}

fn numbered_token() -> Token {
    numbered().token.unwrap()
}

async fn connect(server: &Server, options: Options) -> (Client, Session, String) {
    let url = server.url();
    let (client, (given, session)) =
        tokio::join!(Client::connect(&url, options), server.authorised_session());
    (client.unwrap(), session, given.unwrap())
}

async fn subscribe(
    client: &Client,
    session: &mut Session,
    options: SubscribeOptions,
    expected: &str,
) -> Subscription {
    let answer = async {
        let id = session.expects(expected).await;
        session.answers("subscribed", &id, r#""channel":"a","epoch":"e1","offset":3,"replayed":0"#).await;
    };
    tokio::join!(client.subscribe("a", options), answer).0.unwrap()
}

/// The session holds for so long that its token counts as one that was good; the clock is the test's.
async fn held(client: &Client) {
    client.state().wait_for(|state| *state == State::Connected).await.unwrap();
    advance(Duration::from_secs(2)).await;
}

async fn complaint(notices: &mut Notices) -> ErrorCode {
    match notices.next().await {
        Some(Notice::Complaint(error)) => error.code().unwrap(),
        other => panic!("no complaint but {other:?}"),
    }
}

/// The server says that the token has ended, as it does.
async fn ends_with(session: &mut Session, code: &str, text: &str) {
    session
        .says(&[
            &format!(r#"{{"type":"error","code":"{code}","error":"{text}"}}"#),
            r#"{"type":"disconnect","code":4001,"reason":"the credential was not accepted, or none came in time","reconnect":false}"#,
        ])
        .await;
}

#[tokio::test]
async fn each_connection_begins_with_a_token_of_its_own() {
    let server = Server::start().await;
    let (_client, session, given) = connect(&server, numbered()).await;
    assert_eq!(given, "Bearer t1");
    session.breaks();
    let (given, session) = server.authorised_session().await;
    assert_eq!(given.unwrap(), "Bearer t2");
    session.breaks();
    assert_eq!(server.authorised_session().await.0.unwrap(), "Bearer t3");
}

#[tokio::test]
async fn a_token_is_renewed_on_the_live_connection_before_it_expires() {
    let server = Server::start().await;
    let (client, mut session, _) = connect(&server, numbered()).await;
    let mut notices = client.notices();
    session.says(&[r#"{"type":"expiring","expires_in":0.02}"#]).await;
    let id = session.expects(r#"{"type":"auth","token":"t2"}"#).await;
    session.answers("authenticated", &id, r#""user_id":"ann","expires_in":3600"#).await;
    assert!(matches!(notices.next().await, Some(Notice::Expiring { in_ms: 20 })));
    let Some(Notice::Authenticated { user, expires_in_ms }) = notices.next().await else {
        panic!("not authenticated")
    };
    assert_eq!((user.as_deref(), expires_in_ms), (Some("ann"), Some(3_600_000)));

    // Nothing else has happened to the connection.
    session.says(&[r#"{"type":"expiring","expires_in":0}"#]).await;
    session.expects(r#"{"type":"auth","token":"t3"}"#).await;
    assert_eq!(*client.state().borrow(), State::Connected);
}

/// A server that warns a minute ahead warns at once of a token that lives for less, and again of its successor.
#[tokio::test(start_paused = true)]
async fn tokens_shorter_than_the_warning_are_renewed_halfway_and_not_in_a_circle() {
    let server = Server::start().await;
    let (_client, mut session, _) = connect(&server, numbered()).await;
    let began = tokio::time::Instant::now();
    for (number, seconds) in [(2, 10), (3, 20)] {
        let expected = format!(r#"{{"type":"auth","token":"t{number}"}}"#);
        session.says(&[r#"{"type":"expiring","expires_in":20}"#]).await;
        let id = session.expects(&expected).await;
        session.answers("authenticated", &id, r#""user_id":"ann","expires_in":20"#).await;
        assert!(began.elapsed() >= Duration::from_secs(seconds), "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn a_refused_successor_is_told_and_the_connection_kept() {
    let server = Server::start().await;
    let (client, mut session, _) = connect(&server, numbered()).await;
    let mut notices = client.notices();
    session.says(&[r#"{"type":"expiring","expires_in":0}"#]).await;
    let id = session.expects(r#"{"type":"auth","token":"t2"}"#).await;
    session.answers("error", &id, r#""code":"authentication_failed","error":"another user's token""#).await;
    assert!(matches!(notices.next().await, Some(Notice::Expiring { .. })));
    assert_eq!(complaint(&mut notices).await, ErrorCode::AuthenticationFailed);
    assert_eq!(*client.state().borrow(), State::Connected);
}

#[tokio::test(start_paused = true)]
async fn after_an_expiry_the_client_comes_back_with_a_new_token_but_not_in_a_circle() {
    let server = Server::start().await;
    let (client, mut session, _) = connect(&server, numbered()).await;
    let mut notices = client.notices();
    ends_with(&mut session, "token_expired", "the token has expired").await;
    assert_eq!(complaint(&mut notices).await, ErrorCode::TokenExpired);
    let (given, mut session) = server.authorised_session().await;
    assert_eq!(given.unwrap(), "Bearer t2");
    // One that has held may end like the first.
    held(&client).await;
    ends_with(&mut session, "token_revoked", "the token was revoked").await;
    let (given, mut session) = server.authorised_session().await;
    assert_eq!(given.unwrap(), "Bearer t3");
    // One that ends at once is the last.
    ends_with(&mut session, "token_revoked", "the token was revoked").await;
    let mut state = client.state();
    let closed = state.wait_for(|state| matches!(state, State::Closed(_))).await.unwrap().clone();
    let State::Closed(Some(ending)) = closed else { panic!("{closed:?}") };
    assert_eq!(ending.to_string(), "token_revoked: the token was revoked (4001)");
}

#[tokio::test(start_paused = true)]
async fn a_fixed_token_that_ends_is_the_end_of_the_client() {
    let server = Server::start().await;
    let (client, mut session, given) = connect(&server, options().with_token("fixed")).await;
    assert_eq!(given, "Bearer fixed");
    let mut notices = client.notices();
    session.says(&[r#"{"type":"expiring","expires_in":0}"#]).await;
    assert!(matches!(notices.next().await, Some(Notice::Expiring { in_ms: 0 })));
    held(&client).await;
    ends_with(&mut session, "token_expired", "the token has expired").await;
    let mut state = client.state();
    let closed = state.wait_for(|state| matches!(state, State::Closed(_))).await.unwrap().clone();
    let State::Closed(Some(ending)) = closed else { panic!("{closed:?}") };
    assert_eq!((ending.code, ending.reason.as_str()), (4001, "token_expired: the token has expired"));
}

#[tokio::test]
async fn a_subscription_brings_its_own_token() {
    let server = Server::start().await;
    let (client, mut session) = server.connect().await;
    let with = SubscribeOptions { token: Some(Token::fixed("s.u.b")), ..SubscribeOptions::default() };
    let expected = r#"{"type":"subscribe","channel":"a","token":"s.u.b"}"#;
    let mut a = subscribe(&client, &mut session, with, expected).await;
    session.says(&[r#"{"type":"unsubscribed","channel":"a","code":"token_expired"}"#]).await;
    let Some(Event::Ended(Some(error))) = a.next().await else { panic!("no end") };
    assert_eq!(error.code(), Some(ErrorCode::TokenExpired));
    assert_eq!(error.to_string(), "token_expired: the token has expired");
    assert!(a.next().await.is_none());
}

#[tokio::test]
async fn a_subscriptions_token_is_asked_for_again_whenever_it_subscribes() {
    let server = Server::start().await;
    let (client, mut session) = server.connect().await;
    let with = SubscribeOptions { token: Some(numbered_token()), ..SubscribeOptions::default() };
    let expected = r#"{"type":"subscribe","channel":"a","token":"t1"}"#;
    let mut a = subscribe(&client, &mut session, with, expected).await;
    session.breaks();

    let again = |number| {
        format!(
            r#"{{"type":"subscribe","channel":"a","token":"t{number}","recover":{{"epoch":"e1","offset":3}}}}"#
        )
    };
    let rest = r#""channel":"a","epoch":"e1","offset":3,"recovered":true,"replayed":0"#;
    let mut session = server.session().await;
    let id = session.expects(&again(2)).await;
    session.answers("subscribed", &id, rest).await;
    assert!(matches!(a.next().await, Some(Event::Recovered)));

    let expired = r#"{"type":"unsubscribed","channel":"a","code":"token_expired"}"#;
    session.says(&[expired]).await;
    let id = session.expects(&again(3)).await;
    session.answers("subscribed", &id, rest).await;
    assert!(matches!(a.next().await, Some(Event::Recovered)));

    // One that ends as soon as it has begun is the last.
    session.says(&[expired]).await;
    assert!(matches!(a.next().await, Some(Event::Ended(Some(error))) if error.is_unauthenticated()));
}

#[tokio::test]
async fn without_a_token_the_first_call_fails_and_later_ones_wait() {
    let server = Server::start().await;
    let url = server.url();
    let none = Token::provider(|| async { Err::<String, _>("the backend is down") });
    let error = Client::connect(&url, Options { token: Some(none.clone()), ..options() }).await.unwrap_err();
    assert_eq!(error.to_string(), "there is no token: the backend is down");
    assert!(error.is_unauthenticated() && error.retry());

    let (client, _session) = server.connect().await;
    let with = SubscribeOptions { token: Some(none), ..SubscribeOptions::default() };
    let error = client.subscribe("a", with).await.unwrap_err();
    assert_eq!(error.to_string(), "there is no token: the backend is down");

    // The first one is given, the next three are not, and so on.
    let count = AtomicU32::new(0);
    let rare = options().with_token_provider(move || {
        let number = count.fetch_add(1, Ordering::Relaxed);
        async move { if number.is_multiple_of(4) { Ok(format!("t{number}")) } else { Err("not now") } }
    });
    let (client, mut session, _) = connect(&server, rare).await;
    session.says(&[r#"{"type":"expiring","expires_in":0}"#]).await;
    session.expects(r#"{"type":"auth","token":"t4"}"#).await;
    session.breaks();
    let (given, _session) = server.authorised_session().await;
    assert_eq!(given.unwrap(), "Bearer t8");
    client.state().wait_for(|state| *state == State::Connected).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_refused_handshake_says_why_even_when_its_words_come_late() {
    let server = Server::start().await;
    let url = server.url();
    let refuse = async {
        let mut socket = server.socket().await;
        let body = r#"{"error":{"code":"token_expired","message":"the token has expired"}}"#;
        let head = format!("HTTP/1.1 401 Unauthorized\r\nContent-Length: {}\r\n\r\n", body.len());
        socket.write_all(head.as_bytes()).await.unwrap();
        // Lets the client read what there is.
        advance(Duration::from_millis(30)).await;
        socket.write_all(body.as_bytes()).await.unwrap();
        socket
    };
    let connect = Client::connect(&url, options().with_token("secret-and-old"));
    let (result, _socket) = tokio::join!(connect, refuse);
    let error = result.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::TokenExpired));
    assert!(error.is_unauthenticated() && !error.retry());
    let text = "the server refused the upgrade with status 401: token_expired: the token has expired";
    assert_eq!(error.to_string(), text);
}

#[test]
fn options_do_not_show_their_tokens() {
    let options = options().with_token("hunter2");
    let subscribe = SubscribeOptions { token: options.token.clone(), ..SubscribeOptions::default() };
    let shown = format!("{options:?} {subscribe:?}");
    assert!(!shown.contains("hunter2") && shown.contains("<secret>"), "{shown}");
}
