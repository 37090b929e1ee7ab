//! The client against a server that follows a script.

// Helpers outside of test functions fail as tests do.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::time::Duration;

use fanfare_client::{
    Client, Event, HistoryRange, Notice, Options, Payload, Publication, State, SubscribeOptions, Subscription,
};
use support::{Server, Session, options};
use tokio::io::AsyncWriteExt as _;

const SUBSCRIBE: &str = r#"{"type":"subscribe","channel":"a"}"#;
const UNSUBSCRIBE: &str = r#"{"type":"unsubscribe","channel":"a"}"#;

fn recover(offset: u64) -> String {
    format!(r#"{{"type":"subscribe","channel":"a","recover":{{"epoch":"e1","offset":{offset}}}}}"#)
}

fn message(offset: u64) -> String {
    format!(
        r#"{{"type":"message","channel":"a","from":"u","data":{offset},"offset":{offset},"timestamp":1.5}}"#
    )
}

/// Subscribes to "a", which stands at `offset` of epoch e1.
async fn subscribe(
    client: &Client,
    session: &mut Session,
    offset: u64,
    options: SubscribeOptions,
) -> Subscription {
    let answer = async {
        let id = session.expects(SUBSCRIBE).await;
        let rest = format!(r#""channel":"a","epoch":"e1","offset":{offset},"replayed":0"#);
        session.answers("subscribed", &id, &rest).await;
    };
    tokio::join!(client.subscribe("a", options), answer).0.unwrap()
}

/// The next event is a message; its number.
async fn number(subscription: &mut Subscription) -> u64 {
    match subscription.next().await {
        Some(Event::Message(message)) => message.json().unwrap(),
        other => panic!("no message but {other:?}"),
    }
}

#[tokio::test]
async fn messages_come_in_order_with_everything_they_carry() {
    let server = Server::start().await;
    let (client, mut session) = server.connect().await;
    let mut a = subscribe(&client, &mut session, 3, SubscribeOptions::default()).await;
    assert_eq!((a.topic(), a.position().unwrap().offset), ("a", 3));
    session
        .says(&[
            r#"{"type":"message","channel":"a","from":"u","binary":"AP8=","offset":4,"timestamp":1.5,"tags":{"t":"v"}}"#,
            r#"{"type":"join","channel":"a","user":"v","connections":1,"joined":2,"last_seen":2}"#,
            r#"{"type":"message","channel":"other","data":1,"offset":1}"#,
            r#"{"type":"leave","channel":"a","user":"v","connections":0,"joined":2,"last_seen":3}"#,
            r#"{"type":"lagged","channel":"a","dropped":5}"#,
            r#"{"type":"unsubscribed","channel":"a"}"#,
        ])
        .await;
    let Some(Event::Message(first)) = a.next().await else { panic!("no message") };
    assert_eq!((first.data, first.offset), (Payload::Binary(vec![0, 255].into()), Some(4)));
    assert_eq!((first.from.as_deref(), first.timestamp_ms), (Some("u"), 1500));
    assert_eq!(a.position().unwrap().offset, 4);
    assert!(matches!(a.next().await, Some(Event::Joined(member)) if member.user == "v"));
    assert!(matches!(a.next().await, Some(Event::Left(member)) if member.last_seen_ms == 3000));
    assert!(matches!(a.next().await, Some(Event::Lagged { dropped: 5 })));
    assert!(matches!(a.next().await, Some(Event::Ended(None))));
    assert!(a.next().await.is_none());
}

#[tokio::test]
async fn calls_get_their_answers() {
    let server = Server::start().await;
    let (client, mut session) = server.connect().await;
    let script = async {
        let id =
            session.expects(r#"{"type":"publish","channel":"a","data":{"x":1},"idempotency_key":"k"}"#).await;
        session
            .answers("response", &id, r#""data":{"published":true,"epoch":"e1","offset":9,"duplicate":true}"#)
            .await;
        let id = session.expects(r#"{"type":"request","method":"m","data":[1]}"#).await;
        session.answers("error", &id, r#""code":"unknown_method","error":"no such method""#).await;
        let id = session.expects(r#"{"type":"request","method":"n","data":null}"#).await;
        session.answers("response", &id, r#""data":"yes""#).await;
        let id = session.expects(r#"{"type":"presence","channel":"a","counts_only":true}"#).await;
        session.answers("presence", &id, r#""channel":"a","members":[],"users":2,"connections":3"#).await;
        let id = session.expects(r#"{"type":"history","channel":"a","limit":2,"reverse":true}"#).await;
        let messages =
            r#""messages":[{"offset":8,"data":"y","timestamp":1},{"offset":7,"data":"x","timestamp":1}]"#;
        let rest = format!(r#""channel":"a",{messages},"epoch":"e1","offset":8,"more":true"#);
        session.answers("history", &id, &rest).await;
        session.expects(r#"{"type":"message","channel":"a","data":"bare"}"#).await;
    };
    let calls = async {
        let publication = Publication::json(&serde_json::json!({"x": 1})).unwrap().idempotency_key("k");
        let receipt = client.publish("a", publication).await.unwrap();
        assert_eq!((receipt.position.offset, receipt.duplicate), (9, true));
        let error = client.request("m", &[1]).await.unwrap_err();
        assert_eq!(error.code().unwrap().as_str(), "unknown_method");
        assert!(!error.retry() && !error.is_unknown());
        assert_eq!(client.request("n", &()).await.unwrap(), Payload::Json(r#""yes""#.into()));
        let members = client.presence_counts("a").await.unwrap();
        assert_eq!((members.users, members.connections), (2, 3));
        let range = HistoryRange { limit: 2, reverse: true, ..HistoryRange::default() };
        let history = client.history("a", range).await.unwrap();
        assert_eq!(history.messages.iter().filter_map(|message| message.offset).collect::<Vec<_>>(), [8, 7]);
        assert!(history.more);
        client.send("a", "bare").await.unwrap();
    };
    tokio::join!(script, calls);
}

#[tokio::test]
async fn after_an_interruption_each_message_comes_once() {
    let server = Server::start().await;
    let (client, mut session) = server.connect().await;
    let mut a = subscribe(&client, &mut session, 0, SubscribeOptions::default()).await;
    session.says(&[&message(1), &message(2)]).await;
    assert_eq!([number(&mut a).await, number(&mut a).await], [1, 2]);
    session.breaks();

    let mut session = server.session().await;
    let id = session.expects(&recover(2)).await;
    session
        .answers("subscribed", &id, r#""channel":"a","epoch":"e1","offset":4,"recovered":true,"replayed":3"#)
        .await;
    // One that the client has already is sent all the same.
    session.says(&[&message(2), &message(3), &message(4), &message(5)]).await;
    assert!(matches!(a.next().await, Some(Event::Recovered)));
    assert_eq!([number(&mut a).await, number(&mut a).await, number(&mut a).await], [3, 4, 5]);
    assert_eq!(*client.state().borrow(), State::Connected);
}

#[tokio::test]
async fn what_cannot_be_recovered_is_said_to_be_lost() {
    let server = Server::start().await;
    let (client, mut session) = server.connect().await;
    let mut a = subscribe(&client, &mut session, 7, SubscribeOptions::default()).await;
    session.breaks();

    let mut session = server.session().await;
    let id = session.expects(&recover(7)).await;
    session
        .answers("subscribed", &id, r#""channel":"a","epoch":"e2","offset":1,"recovered":false,"replayed":0"#)
        .await;
    session.says(&[&message(2)]).await;
    assert!(matches!(a.next().await, Some(Event::Lost)));
    assert_eq!(number(&mut a).await, 2);
    assert_eq!(a.position().unwrap().epoch.to_string(), "e2");
}

#[tokio::test]
async fn an_interruption_in_the_middle_of_a_replay_goes_on_where_it_stopped() {
    let server = Server::start().await;
    let (client, mut session) = server.connect().await;
    let script = async {
        let id = session.expects(r#"{"type":"subscribe","channel":"a","history":3}"#).await;
        session.answers("subscribed", &id, r#""channel":"a","epoch":"e1","offset":9,"replayed":3"#).await;
    };
    let wanted = SubscribeOptions { history: 3, ..SubscribeOptions::default() };
    let mut a = tokio::join!(client.subscribe("a", wanted), script).0.unwrap();
    assert_eq!(a.position(), None);
    session.says(&[&message(7)]).await;
    assert_eq!(number(&mut a).await, 7);
    session.breaks();

    let mut session = server.session().await;
    let id = session.expects(&recover(7)).await;
    session
        .answers("subscribed", &id, r#""channel":"a","epoch":"e1","offset":9,"recovered":true,"replayed":2"#)
        .await;
    session.says(&[&message(8), &message(9)]).await;
    assert!(matches!(a.next().await, Some(Event::Recovered)));
    assert_eq!([number(&mut a).await, number(&mut a).await], [8, 9]);
}

#[tokio::test]
async fn a_server_that_says_not_to_come_back_is_believed() {
    let server = Server::start().await;
    let (client, mut session) = server.connect().await;
    let mut a = subscribe(&client, &mut session, 0, SubscribeOptions::default()).await;
    session
        .says(&[
            r#"{"type":"disconnect","code":4000,"reason":"disconnected by the backend","reconnect":false}"#,
        ])
        .await;
    assert!(a.next().await.is_none());
    let State::Closed(Some(ending)) = client.state().borrow().clone() else { panic!("not closed") };
    assert_eq!((ending.code, ending.reason.as_str()), (4000, "disconnected by the backend"));
    assert!(client.publish("a", "x").await.unwrap_err().is_closed());
    client.close().await;
}

#[tokio::test]
async fn close_codes_decide_where_no_message_went_before() {
    for (code, returns) in
        [(1012, true), (4011, true), (1001, true), (1000, false), (4001, false), (1009, false)]
    {
        let server = Server::start().await;
        let (client, session) = server.connect().await;
        session.closes(code).await;
        if returns {
            server.session().await;
        } else {
            let mut state = client.state();
            let closed = state.wait_for(|state| matches!(state, State::Closed(_))).await.unwrap();
            assert!(matches!(&*closed, State::Closed(Some(ending)) if ending.code == code), "{code}");
        }
    }
}

#[tokio::test]
async fn a_delay_that_the_server_asks_for_is_kept() {
    let server = Server::start().await;
    let (client, mut session) = server.connect().await;
    let told = std::time::Instant::now();
    session
        .says(&[r#"{"type":"disconnect","code":1012,"reason":"restart","reconnect":true,"retryAfter":0.3}"#])
        .await;
    let mut state = client.state();
    let waiting = state.wait_for(|state| matches!(state, State::Reconnecting { .. })).await.unwrap().clone();
    let State::Reconnecting { attempt: 1, why } = waiting else { panic!("{waiting:?}") };
    assert_eq!((why.code, why.retry_after_ms), (1012, Some(300)));
    server.session().await;
    assert!(told.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn a_slow_reader_leaves_the_channel_and_recovers_when_it_has_caught_up() {
    let server = Server::start().await;
    let (client, mut session) = server.connect().await;
    let narrow = SubscribeOptions { events_queued_max: 2, ..SubscribeOptions::default() };
    let mut a = subscribe(&client, &mut session, 0, narrow).await;
    session.says(&[&message(1), &message(2), &message(3), &message(4)]).await;
    let id = session.expects(UNSUBSCRIBE).await;
    session.answers("unsubscribed", &id, r#""channel":"a""#).await;

    assert_eq!([number(&mut a).await, number(&mut a).await], [1, 2]);
    let serve = async {
        let id = session.expects(&recover(2)).await;
        let rest = r#""channel":"a","epoch":"e1","offset":3,"recovered":true,"replayed":1"#;
        session.answers("subscribed", &id, rest).await;
        session.says(&[&message(3)]).await;
    };
    let (event, ()) = tokio::join!(a.next(), serve);
    assert!(matches!(event, Some(Event::Recovered)));
    assert_eq!(number(&mut a).await, 3);
}

#[tokio::test]
async fn dropping_a_subscription_leaves_the_channel() {
    let server = Server::start().await;
    let (client, mut session) = server.connect().await;
    drop(subscribe(&client, &mut session, 0, SubscribeOptions::default()).await);
    session.expects(UNSUBSCRIBE).await;
    // And the way is free for another.
    let again = subscribe(&client, &mut session, 5, SubscribeOptions::default()).await;
    let error = client.subscribe("a", SubscribeOptions::default()).await.unwrap_err();
    assert!(error.to_string().contains("already"), "{error}");
    let answer = async {
        let id = session.expects(UNSUBSCRIBE).await;
        session.answers("unsubscribed", &id, r#""channel":"a""#).await;
    };
    tokio::join!(again.unsubscribe(), answer).0.unwrap();
}

#[tokio::test]
async fn a_refused_subscription_is_an_error_at_first_and_an_end_later() {
    let server = Server::start().await;
    let (client, mut session) = server.connect().await;
    let refuse = async {
        let id = session.expects(SUBSCRIBE).await;
        session.answers("error", &id, r#""code":"permission_denied","error":"not allowed""#).await;
    };
    let (refused, ()) = tokio::join!(client.subscribe("a", SubscribeOptions::default()), refuse);
    assert_eq!(refused.unwrap_err().code().unwrap().as_str(), "permission_denied");

    let mut a = subscribe(&client, &mut session, 0, SubscribeOptions::default()).await;
    session.breaks();
    let mut session = server.session().await;
    let id = session.expects(&recover(0)).await;
    session.answers("error", &id, r#""code":"permission_denied","error":"no longer""#).await;
    assert!(matches!(a.next().await, Some(Event::Ended(Some(error))) if error.code().is_some()));
    assert!(a.next().await.is_none());
}

#[tokio::test]
async fn a_missing_answer_is_told_apart_from_a_negative_one() {
    let server = Server::start().await;
    let (client, mut session) = server.connect().await;
    let (result, ()) = tokio::join!(client.publish("a", "x"), async {
        session.hears().await;
        session.breaks();
    });
    assert!(result.unwrap_err().is_unknown());

    let mut session = server.session().await;
    drop(client);
    session.until_closed().await;

    let impatient = Options { call_timeout: Duration::from_millis(30), ..options() };
    let (client, _session) = server.connect_with(impatient).await;
    let error = client.publish("a", "x").await.unwrap_err();
    assert!(error.is_unknown() && error.retry());
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let server = Server::start().await;
    let watchful = Options {
        ping_after: Duration::from_millis(20),
        pong_timeout: Duration::from_millis(20),
        ..options()
    };
    // It reads nothing, so it answers no ping either.
    let (client, _deaf) = server.connect_with(watchful).await;
    let session = server.session().await;
    client.state().wait_for(|state| *state == State::Connected).await.unwrap();
    let ((), code) = tokio::join!(client.close(), session.close_code());
    assert_eq!(code, 1000);
}

#[tokio::test]
async fn what_belongs_to_no_channel_is_a_notice() {
    let server = Server::start().await;
    let (client, mut session) = server.connect().await;
    let mut notices = client.notices();
    session
        .says(&[
            r#"{"type":"message","data":{"for":"you"},"timestamp":1}"#,
            r#"{"type":"error","code":"rate_limited","error":"too many messages","retryAfter":1}"#,
        ])
        .await;
    assert!(matches!(notices.next().await, Some(Notice::Message(message)) if message.channel.is_none()));
    let Some(Notice::Complaint(error)) = notices.next().await else { panic!("no complaint") };
    assert_eq!(error.retry_after_ms(), Some(1000));
    client.close().await;
    assert!(notices.next().await.is_none());
    assert!(client.notices().next().await.is_none());
}

#[tokio::test]
async fn a_pattern_hears_every_channel_that_it_matches() {
    let server = Server::start().await;
    let (client, mut session) = server.connect().await;
    let answer = async {
        let id = session.expects(r#"{"type":"subscribe","pattern":"a.*"}"#).await;
        session.answers("subscribed", &id, r#""pattern":"a.*""#).await;
    };
    let subscribed = client.subscribe_pattern("a.*", SubscribeOptions::default());
    let mut all = tokio::join!(subscribed, answer).0.unwrap();
    let said = |channel: &str, n: u64| {
        format!(r#"{{"type":"message","channel":"{channel}","data":{n},"offset":{n},"timestamp":1}}"#)
    };
    session.says(&[&said("a.x", 5), &said("b.x", 1), &said("a.y", 2), &said("a.x", 6)]).await;
    assert_eq!([number(&mut all).await, number(&mut all).await, number(&mut all).await], [5, 2, 6]);
    session.breaks();

    let mut session = server.session().await;
    let id = session.expects(r#"{"type":"subscribe","pattern":"a.*"}"#).await;
    session.answers("subscribed", &id, r#""pattern":"a.*""#).await;
    assert!(matches!(all.next().await, Some(Event::Lost)));
}

#[tokio::test]
async fn refused_handshakes_say_whether_to_try_again() {
    for (status, retry) in [("401 Unauthorized", false), ("503 Service Unavailable", true)] {
        let server = Server::start().await;
        let refuse = async {
            let mut socket = server.socket().await;
            let body = r#"{"code":"unauthorized"}"#;
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            socket.write_all(head.as_bytes()).await.unwrap();
            socket
        };
        let url = server.url();
        let (result, _socket) = tokio::join!(Client::connect(&url, Options::default()), refuse);
        let error = result.unwrap_err();
        assert_eq!(error.retry(), retry, "{error}");
    }
    let nobody = {
        let server = Server::start().await;
        server.url()
    };
    assert!(Client::connect(&nobody, Options::default()).await.unwrap_err().retry());
}
