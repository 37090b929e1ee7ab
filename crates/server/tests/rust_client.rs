//! The Rust client against a real server, over a line that is cut again and again.

// Helpers outside of test functions fail as tests do.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::SocketAddr;
use std::time::Duration;

use fanfare_client::{
    Backoff, Client, Event, HistoryRange, Options, Publication, SubscribeOptions, Subscription,
};
use fanfare_core::limits::RateLimits;
use fanfare_core::namespace::Namespace;
use fanfare_server::{Fanfare, Node, listen};
use fanfare_testkit::faults::FaultProxy;

/// A running server. Its node ends with the process.
struct Server {
    address: SocketAddr,
    _node: Node,
}

async fn server() -> Server {
    let namespace = Namespace { history_size: 1000, join_leave: true, ..Namespace::default() };
    let builder = Fanfare::builder().open_user_ids(true).shards(2).rate_limits(RateLimits::off());
    let node = builder.namespace("room", namespace).start().unwrap();
    let listener = listen::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(listen::serve(listener, node.router(), Duration::from_secs(5), Some(node.network())));
    Server { address, _node: node }
}

async fn connect(address: SocketAddr, user: &str) -> Client {
    let backoff = Backoff { shortest: Duration::from_millis(1), longest: Duration::from_millis(5) };
    let options = Options { user: Some(user.to_owned()), backoff, ..Options::default() };
    Client::connect(&format!("ws://{address}"), options).await.unwrap()
}

/// The next message's number; interruptions that were made good are passed over and counted.
async fn number(subscription: &mut Subscription, recoveries: &mut u32) -> u64 {
    loop {
        match subscription.next().await {
            Some(Event::Message(message)) => return message.json().unwrap(),
            Some(Event::Recovered) => *recoveries += 1,
            Some(Event::Joined(_) | Event::Left(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn everything_that_can_be_asked_is_answered() {
    let server = server().await;
    let ann = connect(server.address, "ann").await;
    let bob = connect(server.address, "bob").await;
    let wanted = SubscribeOptions { presence: true, ..SubscribeOptions::default() };
    let mut room = ann.subscribe("room:1", wanted).await.unwrap();
    assert_eq!(room.reply().members.as_ref().unwrap().users, 1);
    let mut bobs = bob.subscribe("room:1", SubscribeOptions::default()).await.unwrap();
    while !matches!(room.next().await, Some(Event::Joined(member)) if member.user == "bob") {}

    let receipt = bob.publish("room:1", serde_json::json!({"n": 1})).await.unwrap();
    bob.publish("room:1", Publication::binary(&b"\x00\xff"[..]).tag("kind", "bytes")).await.unwrap();
    bob.send("room:1", "to all").await.unwrap();
    let Some(Event::Message(first)) = room.next().await else { panic!("no message") };
    assert_eq!((first.from.as_deref(), first.offset), (Some("bob"), Some(receipt.position.offset)));
    let Some(Event::Message(second)) = room.next().await else { panic!("no message") };
    assert_eq!((&second.data.bytes()[..], second.tags["kind"].as_str()), (&b"\x00\xff"[..], "bytes"));
    // What is published spares its sender, what is sent does not.
    let Some(Event::Message(own)) = bobs.next().await else { panic!("no message") };
    assert_eq!((own.json::<String>().unwrap().as_str(), own.offset), ("to all", Some(3)));

    let once = Publication::from("once").idempotency_key("k");
    let receipts =
        (bob.publish("room:1", once.clone()).await.unwrap(), bob.publish("room:1", once).await.unwrap());
    assert_eq!((receipts.0.position, receipts.0.duplicate), (receipts.1.position, false));
    assert!(receipts.1.duplicate);

    let history = ann.history("room:1", HistoryRange { limit: 2, ..HistoryRange::default() }).await.unwrap();
    assert_eq!((history.messages.len(), history.more), (2, true));
    assert_eq!(ann.presence("room:1").await.unwrap().members.len(), 2);
    let error = ann.request("nothing", &()).await.unwrap_err();
    assert_eq!(error.code().unwrap().as_str(), "unknown_method");
    bobs.unsubscribe().await.unwrap();
    bob.close().await;
}

#[tokio::test]
async fn over_a_line_that_breaks_each_message_comes_once_and_in_order() {
    const MESSAGES: u64 = 600;
    let server = server().await;
    let line = FaultProxy::start(server.address, 0).await.unwrap();
    let mut room =
        connect(line.address(), "ann").await.subscribe("room:1", SubscribeOptions::default()).await.unwrap();
    let publisher = connect(server.address, "bob").await;
    let publish = async {
        for n in 1..=MESSAGES {
            publisher.publish("room:1", serde_json::json!(n)).await.unwrap();
        }
    };
    let read = async {
        let mut recoveries = 0;
        for n in 1..=MESSAGES {
            assert_eq!(number(&mut room, &mut recoveries).await, n);
            if n % 40 == 0 {
                line.cut_once().unwrap();
            }
        }
        recoveries
    };
    let ((), recoveries) = tokio::join!(publish, read);
    assert!(recoveries > 0);
    assert_eq!(room.position().unwrap().offset, MESSAGES);
}

#[tokio::test]
async fn another_server_knows_nothing_of_the_channel_and_says_so() {
    let (old, new) = (server().await, server().await);
    let line = FaultProxy::start(old.address, 0).await.unwrap();
    let ann = connect(line.address(), "ann").await;
    let mut room = ann.subscribe("room:1", SubscribeOptions::default()).await.unwrap();
    ann.publish("room:1", Publication::from("before").echo()).await.unwrap();
    assert!(matches!(room.next().await, Some(Event::Joined(_) | Event::Message(_))));
    line.lead_to(new.address);
    line.cut_once().unwrap();
    while !matches!(room.next().await.expect("the subscription goes on"), Event::Lost) {}
    ann.publish("room:1", Publication::from("after").echo()).await.unwrap();
    loop {
        if let Event::Message(message) = room.next().await.unwrap() {
            assert_eq!(message.json::<String>().unwrap(), "after");
            break;
        }
    }
}

#[tokio::test]
async fn a_reader_that_falls_behind_gets_everything_in_the_end() {
    const MESSAGES: u64 = 300;
    let server = server().await;
    let ann = connect(server.address, "ann").await;
    let narrow = SubscribeOptions { events_queued_max: 4, ..SubscribeOptions::default() };
    let mut room = ann.subscribe("room:1", narrow).await.unwrap();
    let bob = connect(server.address, "bob").await;
    for n in 1..=MESSAGES {
        bob.publish("room:1", serde_json::json!(n)).await.unwrap();
    }
    let mut recoveries = 0;
    for n in 1..=MESSAGES {
        assert_eq!(number(&mut room, &mut recoveries).await, n);
    }
    assert!(recoveries > 0);
}
