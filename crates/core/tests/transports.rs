//! Sessions whose connections come and go: whatever carries it, the client sees one sequence.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use fanfare_core::auth::Identity;
use fanfare_core::memory::{Memory, Moment};
use fanfare_core::namespace::Namespace;
use fanfare_core::outbox::Lost;
use fanfare_core::ports::application::NoApplication;
use fanfare_core::ports::authority::NoAuthority;
use fanfare_core::ports::broker::{Broker, Publish, ReplyTo, Request, ShardId};
use fanfare_core::ports::lane::{Lane, LaneEncoder};
use fanfare_core::session::{Ending, Opening, Phase, SessionKey, Special};
use fanfare_core::shard::{Settings, Shard};
use fanfare_protocol::command::{SubscribeOptions, Topic};
use fanfare_protocol::publication::Kind;
use fanfare_protocol::{ChannelName, CloseCode, Command, Event, Payload};
use fanfare_testkit::inboxes::HeldInboxes;
use fanfare_testkit::rng::Rng;

/// Messages as their data, everything else as a word.
struct Bare;

impl LaneEncoder for Bare {
    fn is_bare(&self) -> bool {
        true
    }

    fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Message(publication) => out.extend_from_slice(publication.data.bytes()),
            Event::Disconnect { .. } => out.extend_from_slice(b"disconnect"),
            _ => out.extend_from_slice(b"other"),
        }
    }

    fn ping(&mut self, _out: &mut Vec<u8>) {}

    fn pong(&mut self, _payload: &[u8], _out: &mut Vec<u8>) {}

    fn close(&mut self, number: u16, _reason: &str, _wait_ms: u32, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("close {number}").as_bytes());
    }
}

struct Node {
    shard: Shard,
    broker: Arc<Memory>,
    inboxes: Arc<HeldInboxes>,
    now_ms: Arc<AtomicU64>,
}

impl Node {
    fn new(settings: Settings) -> Self {
        let (settings, now_ms) = (Arc::new(settings), Arc::new(AtomicU64::new(0)));
        let inboxes = Arc::new(HeldInboxes::new(1));
        let clock = now_ms.clone();
        let clock = Arc::new(move || {
            let now_ms = clock.load(Ordering::Relaxed);
            Moment { steady_ms: now_ms, unix_ms: now_ms }
        });
        let broker = Arc::new(Memory::new(
            settings.limits.clone(),
            &settings.deadlines,
            &settings.namespaces,
            1,
            clock,
            inboxes.clone(),
        ));
        let lanes: Vec<Box<dyn LaneEncoder>> = vec![Box::new(Bare)];
        let (application, authority) = (Arc::new(NoApplication), Arc::new(NoAuthority));
        let shard =
            Shard::new(ShardId(0), 7, settings.clone(), lanes, broker.clone(), application, authority);
        Self { shard, broker, inboxes, now_ms }
    }

    fn open(&mut self, resumable: bool) -> SessionKey {
        let special = resumable.then(|| Box::new(Special { resumable, ..Special::default() }));
        let key = self.shard.open(Opening {
            lane: Lane(0),
            identity: Identity::default(),
            must_authenticate: false,
            by_token: false,
            special,
            address: None,
            opened_unix_ms: 0,
        });
        let (topic, options) = (Topic::Channel(channel()), SubscribeOptions::default());
        self.shard.command(key, Ok(Command::Subscribe { id: None, topic, options }));
        self.turn();
        key
    }

    fn turn(&mut self) {
        let now_ms = self.now_ms.load(Ordering::Relaxed);
        self.shard.set_now(now_ms);
        self.shard.tick();
        while let Some(delivery) = self.inboxes.pop(0) {
            self.shard.deliver(delivery, now_ms);
        }
        self.shard.fan_out();
        while self.shard.next_flush(true).is_some() {}
    }

    fn pass(&mut self, ms: u64) {
        for _ in 0..ms / 100 {
            self.now_ms.fetch_add(100, Ordering::Relaxed);
            self.turn();
        }
    }

    fn publish(&self, text: &str) {
        let publish = Publish {
            channel: channel(),
            namespace: Arc::new(Namespace::default()),
            from: None,
            from_name: None,
            kind: Kind::Message,
            anonymous: false,
            connection: None,
            exclude_sender: false,
            data: Payload::Text(Bytes::copy_from_slice(text.as_bytes())),
            labels: None,
            idempotency_key: None,
        };
        self.broker.submit(Request::Publish(publish), ReplyTo::Nobody);
    }

    fn take(&mut self, key: SessionKey) -> Option<String> {
        let entry = self.shard.take_entry(key)?;
        Some(String::from_utf8_lossy(entry.as_slice()).into_owned())
    }

    fn take_all(&mut self, key: SessionKey) -> Vec<String> {
        std::iter::from_fn(|| self.take(key)).collect()
    }
}

fn channel() -> ChannelName {
    fanfare_testkit::script::channel("room")
}

/// Entries that were under way when a connection was lost come again, and none twice.
#[test]
fn a_session_that_changes_its_connection_at_random_sees_one_sequence() {
    for seed in 0..200 {
        let mut rng = Rng::new(seed);
        let mut node = Node::new(Settings::default());
        let key = node.open(true);
        let (mut seen, mut published) = (Vec::new(), 0);
        node.shard.attach(key, 0, false).unwrap();
        for _ in 0..400 {
            match rng.below(10) {
                0..5 => {
                    node.publish(&published.to_string());
                    published += 1;
                }
                5 => node.turn(),
                6..8 => seen.extend(node.take(key)),
                8 => node.shard.acknowledge(key, seen.len() as u64),
                _ => {
                    // What is taken from here on never arrives.
                    for _ in 0..rng.below(4) {
                        node.take(key);
                    }
                    if rng.below(2) == 0 {
                        node.shard.detach(key);
                        node.turn();
                        assert_eq!(node.take(key), None, "nobody is there to take it");
                    }
                    node.shard.attach(key, seen.len() as u64, rng.below(2) == 0).unwrap();
                }
            }
        }
        node.turn();
        seen.extend(node.take_all(key));
        assert_eq!(seen.remove(0), "other", "the subscription's answer comes first");
        let expected: Vec<String> = (0..published).map(|number| number.to_string()).collect();
        assert_eq!(seen, expected, "seed {seed}");
    }
}

#[test]
fn what_is_not_kept_any_more_is_refused_and_changes_nothing() {
    let mut settings = Settings::default();
    settings.limits.resume_bytes_max = 8;
    let mut node = Node::new(settings);
    let key = node.open(true);
    node.shard.attach(key, 0, false).unwrap();
    for text in ["aaaa", "bbbb", "cccc"] {
        node.publish(text);
    }
    node.turn();
    assert_eq!(node.take_all(key).len(), 4);
    node.shard.detach(key);
    assert_eq!(node.shard.attach(key, 1, false), Err(Lost), "only eight bytes are kept");
    assert_eq!(node.shard.attach(key, 5, false), Err(Lost), "so many were never given");
    assert!(!node.shard.is_attached(key));
    node.shard.attach(key, 2, false).unwrap();
    assert_eq!(node.take_all(key), ["bbbb", "cccc"]);
}

#[test]
fn a_session_that_nobody_comes_back_to_ends() {
    let mut node = Node::new(Settings::default());
    let key = node.open(true);
    node.shard.attach(key, 0, false).unwrap();
    node.pass(120_000);
    assert_eq!(node.shard.phase(key), Phase::Open, "its connection is there");
    node.shard.detach(key);
    node.pass(59_000);
    assert_eq!(node.shard.phase(key), Phase::Open);
    // A sign of life begins the time anew.
    node.shard.heard(key, false);
    node.pass(59_000);
    assert_eq!(node.shard.phase(key), Phase::Open);
    node.pass(2_000);
    assert_eq!(node.shard.phase(key), Phase::Over);
}

#[test]
fn without_a_session_to_come_back_to_the_end_of_the_connection_is_the_end() {
    let mut node = Node::new(Settings::default());
    let key = node.open(false);
    node.publish("hello");
    node.turn();
    assert_eq!(node.take_all(key), ["other", "hello"]);
    node.shard.detach(key);
    assert_eq!(node.shard.phase(key), Phase::Over);
}

/// What waits for somebody who does not come is bounded as for a slow reader.
#[test]
fn an_outbox_without_a_connection_is_bounded() {
    let mut settings = Settings::default();
    settings.limits.outbox_bytes_max = 1024;
    let mut node = Node::new(settings);
    let key = node.open(true);
    for _ in 0..64 {
        node.publish(&"x".repeat(100));
        node.turn();
    }
    assert_eq!(node.shard.phase(key), Phase::Closing);
    node.shard.attach(key, 0, false).unwrap();
    let last: Vec<String> = node.take_all(key);
    assert_eq!(last[last.len() - 2..], ["disconnect", "close 4011"]);
}

#[test]
fn a_connection_that_answers_pings_is_given_up_when_it_does_not() {
    let mut node = Node::new(Settings::default());
    let key = node.open(true);
    node.shard.attach(key, 0, true).unwrap();
    let mut heartbeats = 0;
    for _ in 0..400 {
        node.pass(100);
        heartbeats += u32::from(node.shard.next_heartbeat().is_some());
    }
    assert_eq!((heartbeats, node.shard.next_forsaken()), (1, Some(key)));
    assert_eq!((node.shard.phase(key), node.shard.is_attached(key)), (Phase::Open, false));
    // Another one that does not answer pings gets heartbeats for as long as it lasts.
    node.shard.attach(key, 0, false).unwrap();
    for _ in 0..10 {
        node.pass(25_000);
        assert_eq!(node.shard.next_heartbeat(), Some(key));
    }
    assert_eq!((node.shard.next_forsaken(), node.shard.is_attached(key)), (None, true));
}

#[test]
fn a_reload_keeps_the_session_and_a_farewell_ends_it() {
    for (code, phase) in [
        (Some(1001), Phase::Open),
        (Some(1006), Phase::Open),
        (Some(CloseCode::Normal.number()), Phase::Over),
        (None, Phase::Over),
    ] {
        let mut node = Node::new(Settings::default());
        let key = node.open(true);
        node.shard.attach(key, 0, true).unwrap();
        node.shard.end(key, Ending::Closed(code));
        assert_eq!(node.shard.phase(key), phase, "{code:?}");
    }
}
