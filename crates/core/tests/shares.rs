//! Whose history goes first when all histories are too much: each namespace has a share, and each sender an account.

use fanfare_core::namespace::{Namespace, Namespaces};
use fanfare_core::ports::broker::{Broker, Reply, Request};
use fanfare_protocol::command::HistoryRange;
use fanfare_testkit::{Bench, Setup, script};

const BYTES_MAX: usize = 200_000;

fn setup() -> Setup {
    let mut setup = Setup::default();
    setup.settings.limits.history_bytes_max = BYTES_MAX;
    setup
}

/// Publishes and leaves aside what is answered and heard.
fn say(bench: &mut Bench, who: &str, channel: &str, data: &str) {
    let client = bench.client(who);
    let command = format!("publish #1 {channel} {data}");
    bench.command(client, script::command(&command, &bench.epochs));
    bench.settle();
    bench.clients[client].take_lines();
    assert!(bench.broker.census().history_bytes <= BYTES_MAX);
}

fn kept(bench: &mut Bench, channel: &str) -> usize {
    let range = HistoryRange { since: None, limit: u32::MAX, reverse: false };
    let channel = script::channel(channel);
    match bench.ask(Request::History { channel, range }) {
        Reply::History(page) => page.publications.len(),
        other => panic!("{other:?}"),
    }
}

fn backend(bench: &mut Bench, channel: &str, data: &str) {
    let publish = script::publish(&format!("publish {channel} {data}"), &bench.settings);
    bench.ask(Request::Publish(publish));
    assert!(bench.broker.census().history_bytes <= BYTES_MAX);
}

/// Forty channels of one client at its normal rate emptied a channel that only the backend writes to.
#[test]
fn a_sender_who_writes_too_much_pushes_out_only_itself() {
    let mut bench = Bench::new(&setup());
    bench.run("open eve\nopen ann");
    for number in 0..10 {
        backend(&mut bench, "prices", &number.to_string());
        say(&mut bench, "ann", "thoughts", "x");
    }
    let junk = "x".repeat(1_000);
    for round in 0..20 {
        for channel in 0..40 {
            say(&mut bench, "eve", &format!("junk:{channel}"), &junk);
        }
        assert_eq!((kept(&mut bench, "prices"), kept(&mut bench, "thoughts")), (10, 10), "round {round}");
    }
    assert!(bench.broker.census().history_bytes > BYTES_MAX / 2, "what is free is used");
    bench.end();
}

/// One with a message in everybody's channel would have taken everybody's messages along.
#[test]
fn what_others_wrote_before_a_message_stays_while_its_sender_has_more_elsewhere() {
    let mut bench = Bench::new(&setup());
    bench.run("open eve\nopen ann");
    for room in 0..10 {
        for _ in 0..10 {
            say(&mut bench, "ann", &format!("room:{room}"), "x");
        }
        say(&mut bench, "eve", &format!("room:{room}"), "x");
    }
    let junk = "x".repeat(1_000);
    for number in 0..1_000 {
        say(&mut bench, "eve", &format!("junk:{}", number % 40), &junk);
    }
    for room in 0..10 {
        assert_eq!(kept(&mut bench, &format!("room:{room}")), 11, "{room}");
    }
    bench.end();
}

/// Each is a sender of its own only if it says who it is.
#[test]
fn connections_without_a_user_are_one_sender() {
    let mut bench = Bench::new(&setup());
    bench.run("open ann");
    for _ in 0..40 {
        say(&mut bench, "ann", "thoughts", &"x".repeat(1_000));
    }
    let junk = "x".repeat(1_000);
    for number in 0..100 {
        let name = format!("guest{number}");
        bench.run(&format!("open {name} anonymous"));
        for _ in 0..10 {
            say(&mut bench, &name, &format!("junk:{number}"), &junk);
        }
    }
    assert_eq!(kept(&mut bench, "thoughts"), 40);
    bench.end();
}

fn shared() -> Setup {
    let mut setup = setup();
    // With the unnamed one there are four parts.
    setup.namespace("log", |n| n.history_size = 1_000);
    setup.namespace("chat", |n| n.history_share = 2);
    setup
}

/// What a namespace may keep is its own, whoever floods another.
#[test]
fn a_namespace_keeps_its_share_and_borrows_what_others_leave() {
    let mut bench = Bench::new(&shared());
    bench.run("open ann");
    let text = "x".repeat(1_000);
    // Two parts of four: 100,000 bytes.
    for room in 0..8 {
        for _ in 0..8 {
            say(&mut bench, "ann", &format!("chat:{room}"), &text);
        }
    }
    for _ in 0..300 {
        backend(&mut bench, "log:a", &text);
    }
    assert!(kept(&mut bench, "log:a") > 70, "it may borrow: {}", kept(&mut bench, "log:a"));
    for room in 0..8 {
        assert_eq!(kept(&mut bench, &format!("chat:{room}")), 8, "the backend does not push out a share");
    }
    // What was borrowed is given back.
    for room in 8..20 {
        say(&mut bench, "ann", &format!("chat:{room}"), &text);
    }
    for room in 0..20 {
        assert_eq!(kept(&mut bench, &format!("chat:{room}")), if room < 8 { 8 } else { 1 });
    }
    bench.end();
}

#[test]
fn new_settings_divide_anew_and_count_what_is_there() {
    let mut bench = Bench::new(&shared());
    bench.run("open ann");
    let text = "x".repeat(1_000);
    for room in 0..20 {
        say(&mut bench, "ann", &format!("chat:{room}"), &text);
        backend(&mut bench, &format!("log:{room}"), &text);
    }
    // Without a share of its own it is one of the unnamed one's.
    let mut namespaces = Namespaces::new(setup().fallback, false);
    namespaces.insert("chat", Namespace::default());
    bench.broker.namespaces_changed(&namespaces);
    assert!(bench.broker.is_balanced());
    for number in 0..300 {
        say(&mut bench, "ann", &format!("more:{}", number % 40), &text);
        assert!(bench.broker.is_balanced());
    }
    for room in 0..20 {
        assert_eq!(kept(&mut bench, &format!("chat:{room}")), 1, "{room}");
        assert_eq!(kept(&mut bench, &format!("log:{room}")), 1, "the backend's goes last: {room}");
    }
    bench.end();
}

/// A publish that was refused took a channel away that was only kept for its numbering, and left what was counted for it.
#[test]
fn a_refused_publish_leaves_nothing_counted() {
    let mut setup = setup();
    setup.fallback.history_size = 0;
    setup.settings.limits.inbox_deliveries_max = 1;
    let mut bench = Bench::new(&setup);
    bench.run(
        "open ann
         open bob
         bob: subscribe c.x
         bob> subscribed c.x A.0 replayed=0
         api publish c.x 1
         bob> message c.x A.1 1
         api> published A.1
         bob: unsubscribe c.x
         bob> unsubscribed c.x
         ann: subscribe c.*
         ann> subscribed c.* replayed=0",
    );
    assert_eq!(bench.broker.census().senders, 1);
    // Nobody has looked at the channel since its time was over.
    bench.skip(600_001);
    bench.run(
        "hold
         api publish c.y 1
         api> published B.1
         api publish c.x 2
         api> failed overloaded",
    );
    assert!(bench.broker.is_balanced());
    bench.run("release\nann> message c.y B.1 1");
    bench.end();
}
