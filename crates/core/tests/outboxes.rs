//! What happens to a client that reads more slowly than it is written to.

use fanfare_testkit::{Bench, Setup, check, check_with};

const FORTY: &str = "1234567890123456789012345678901234567890";

fn small(setup: &mut Setup) {
    setup.settings.limits.outbox_bytes_max = 100;
}

#[test]
fn disconnect_ends_with_last_words_after_what_was_partly_written() {
    check_with(
        small,
        &format!(
            "open ann
             open bob
             ann: subscribe x
             ann> subscribed x A.0 replayed=0
             bob: subscribe x
             bob> subscribed x A.0 replayed=0
             ann takes 5
             api publish x {FORTY}
             bob> message x A.1 {FORTY}
             api> published A.1
             api publish x {FORTY}
             bob> message x A.2 {FORTY}
             api> published A.2
             ann reads
             ann> message x A.1 {FORTY}
             ann> disconnect 4011 reconnect=0
             ann> CLOSE 4011
             ann> GONE"
        ),
    );
}

#[test]
fn who_was_closed_for_slowness_recovers_everything() {
    check_with(
        small,
        &format!(
            "open ann
             open bob
             ann: subscribe x
             ann> subscribed x A.0 replayed=0
             ann blocks
             bob: publish #1 x {FORTY}
             bob> published #1 A.1
             bob: publish #2 x {FORTY}
             bob> published #2 A.2
             ann reads
             ann> disconnect 4011 reconnect=0
             ann> CLOSE 4011
             ann> GONE
             open ann
             ann: subscribe x recover=A.0
             ann> subscribed x A.2 recovered=true replayed=2
             ann> message x A.1 {FORTY}
             ann> message x A.2 {FORTY}"
        ),
    );
}

/// A hub that removes the slow client while it walks over the room's members skips one, sends twice, or deadlocks.
#[test]
fn slow_clients_are_removed_while_their_room_is_served() {
    let mut setup = Setup::default();
    small(&mut setup);
    let mut bench = Bench::new(&setup);
    for name in ["a", "b", "c", "d", "e"] {
        bench.run(&format!("open {name}\n{name}: subscribe x\n{name}> subscribed x A.0 replayed=0"));
    }
    bench.run("a blocks\nc blocks\nd blocks");
    bench.run(&format!(
        "api publish x {FORTY}
         b> message x A.1 {FORTY}
         e> message x A.1 {FORTY}
         api> published A.1
         api publish x {FORTY}
         b> message x A.2 {FORTY}
         e> message x A.2 {FORTY}
         api> published A.2
         api publish x 3
         b> message x A.3 3
         e> message x A.3 3
         api> published A.3
         b: presence #1 x counts
         b> presence #1 x users=5 connections=2 []"
    ));
    bench.end();
}

/// Five large messages that came in one turn closed every member of the room as slow, before a single write to
/// any of them had been tried: the bound is on what a peer leaves unread.
#[test]
fn a_burst_of_one_turn_makes_nobody_slow() {
    let mut setup = Setup::default();
    small(&mut setup);
    let mut bench = Bench::new(&setup);
    bench.run("open ann\nopen bob\nann: subscribe x\nann> subscribed x A.0 replayed=0");
    bench.run("bob: subscribe x\nbob> subscribed x A.0 replayed=0\nhold");
    for offset in 1..=8 {
        bench.run(&format!("api publish x {FORTY}\napi> published A.{offset}"));
    }
    let lines = |name: &str| -> String {
        (1..=8).map(|offset| format!("{name}> message x A.{offset} {FORTY}\n")).collect()
    };
    bench.run(&format!("release\n{}{}", lines("ann"), lines("bob")));
    bench.end();
}

/// A hub that waits for room in one client's queue stops the whole room.
#[test]
fn a_full_outbox_stops_nobody_else() {
    let mut bench = Bench::new(&Setup::default());
    bench.run("open ann\nopen bob\nann: subscribe x\nann> subscribed x A.0 replayed=0");
    bench.run("bob: subscribe x\nbob> subscribed x A.0 replayed=0\nann blocks");
    let data = "x".repeat(10_000);
    for offset in 1..=60 {
        bench.run(&format!(
            "api publish x {data}\nbob> message x A.{offset} {data}\napi> published A.{offset}"
        ));
    }
    let outbox = bench.shards[0].sessions().find(|s| s.id().serial == 1 << 24).map(|s| s.outbox_bytes());
    assert!(outbox.is_some_and(|bytes| bytes < 1000), "the slow client still holds {outbox:?} bytes");
    bench.end();
}

#[test]
fn drop_oldest_gives_up_the_oldest_and_tells_how_many() {
    check_with(
        |setup| {
            small(setup);
            setup.fallback.outbox_policy = fanfare_core::namespace::OutboxPolicy::DropOldest;
        },
        "open ann
         ann: subscribe x
         ann> subscribed x A.0 replayed=0
         ann takes 3
         api publish x 11111111111111111111
         api> published A.1
         api publish x 22222222222222222222
         api> published A.2
         api publish x 33333333333333333333
         api> published A.3
         api publish x 44444444444444444444
         api> published A.4
         ann reads
         ann> message x A.1 11111111111111111111
         ann> message x A.4 44444444444444444444
         ann> lagged x 2
         api publish x 5
         ann> message x A.5 5
         api> published A.5",
    );
}

#[test]
fn keep_latest_keeps_the_newest_of_each_key() {
    check_with(
        |setup| setup.fallback.outbox_policy = fanfare_core::namespace::OutboxPolicy::KeepLatest,
        "open ann
         ann: subscribe x
         ann> subscribed x A.0 replayed=0
         ann blocks
         api publish x a1 key=a
         api> published A.1
         api publish x b1 key=b
         api> published A.2
         api publish x a2 key=a
         api> published A.3
         api publish x plain
         api> published A.4
         api publish x a3 key=a
         api> published A.5
         ann reads
         ann> message x A.2 b1
         ann> message x A.4 plain
         ann> message x A.5 a3
         ann> lagged x 2",
    );
}

/// Messages of a forgiving channel make room for those of a strict one; both are told apart by name.
#[test]
fn a_strict_channel_takes_the_room_of_a_forgiving_one() {
    check_with(
        |setup| {
            small(setup);
            setup.namespace("soft", |n| n.outbox_policy = fanfare_core::namespace::OutboxPolicy::DropOldest);
        },
        "open ann
         ann: subscribe soft:x
         ann> subscribed soft:x A.0 replayed=0
         ann: subscribe hard
         ann> subscribed hard B.0 replayed=0
         ann blocks
         api publish soft:x 11111111111111111111
         api> published A.1
         api publish hard 22222222222222222222
         api> published B.1
         api publish hard 33333333333333333333
         api> published B.2
         ann reads
         ann> message hard B.1 22222222222222222222
         ann> message hard B.2 33333333333333333333
         ann> lagged soft:x 1",
    );
}

/// What was given up was noted under the shard's number of the channel, and numbers are used again: the client was
/// told that it had lost messages of a channel that had lost none.
#[test]
fn lost_messages_are_told_of_the_channel_that_lost_them() {
    check_with(
        |setup| {
            small(setup);
            setup.fallback.outbox_policy = fanfare_core::namespace::OutboxPolicy::DropOldest;
        },
        "open ann
         ann: subscribe x
         ann> subscribed x A.0 replayed=0
         ann blocks
         api publish x 11111111111111111111
         api> published A.1
         api publish x 22222222222222222222
         api> published A.2
         api publish x 33333333333333333333
         api> published A.3
         ann: unsubscribe x
         ann: subscribe other
         ann reads
         ann> message x A.3 33333333333333333333
         ann> unsubscribed x
         ann> subscribed other B.0 replayed=0
         ann> lagged x 2",
    );
}

/// What a pattern's listener lost was not told at all: a pattern is no channel.
#[test]
fn lost_messages_of_a_pattern_are_told_by_their_channels() {
    check_with(
        |setup| {
            small(setup);
            setup.fallback.outbox_policy = fanfare_core::namespace::OutboxPolicy::DropOldest;
        },
        "open ann
         ann: subscribe x.*
         ann> subscribed x.* replayed=0
         ann blocks
         api publish x.a 11111111111111111111
         api> published A.1
         api publish x.b 22222222222222222222
         api> published B.1
         api publish x.a 33333333333333333333
         api> published A.2
         api publish x.a 44444444444444444444
         api> published A.3
         ann reads
         ann> message x.a A.2 33333333333333333333
         ann> message x.a A.3 44444444444444444444
         ann> lagged x.a 1
         ann> lagged x.b 1",
    );
}

#[test]
fn a_replay_may_be_larger_than_the_outbox() {
    check_with(
        small,
        &format!(
            "open ann
             api publish x {FORTY}
             api> published A.1
             api publish x {FORTY}
             api> published A.2
             api publish x {FORTY}
             api> published A.3
             ann blocks
             ann: subscribe x history=3
             ann: history #2 x
             api publish x 4
             api> published A.4
             ann reads
             ann> subscribed x A.3 replayed=3
             ann> message x A.1 {FORTY}
             ann> message x A.2 {FORTY}
             ann> message x A.3 {FORTY}
             ann> history #2 x A.3 [A.1 {FORTY}, A.2 {FORTY}, A.3 {FORTY}]
             ann> message x A.4 4"
        ),
    );
}

/// Whatever was written was taken off the replay's allowance, also bytes that had waited before it: a client that
/// read on steadily was closed as slow.
#[test]
fn a_replay_keeps_its_allowance_until_it_is_written_itself() {
    check_with(
        small,
        &format!(
            "open ann
             api publish x {FORTY}
             api> published A.1
             api publish x {FORTY}
             api> published A.2
             ann blocks
             api direct everyone {FORTY}{FORTY}
             ann: history #1 x
             ann takes 92
             ann> direct - {FORTY}{FORTY}
             api direct everyone {FORTY}{FORTY}
             ann reads
             ann> history #1 x A.2 [A.1 {FORTY}, A.2 {FORTY}]
             ann> direct - {FORTY}{FORTY}"
        ),
    );
}

/// A page of history goes past the outbox's bound, so that a client which asked again and again and read nothing
/// made the server hold any number of copies.
#[test]
fn replays_that_wait_are_bounded() {
    let mut setup = Setup::default();
    setup.settings.limits.replay_bytes_max = 10_000;
    let mut bench = Bench::new(&setup);
    let data = "x".repeat(2000);
    for offset in 1..=4 {
        bench.run(&format!("api publish x {data}\napi> published A.{offset}"));
    }
    bench.run("open ann\nann blocks");
    for _ in 0..100 {
        bench.run("ann: history #1 x");
    }
    let bytes = bench.shards[0].sessions().map(|session| session.outbox_bytes()).sum::<usize>();
    assert!(bytes < 60_000, "{bytes} bytes wait for a client that does not read");
    bench.run("ann: subscribe #2 x recover=A.0");
    bench.give_room(0, usize::MAX);
    bench.settle();
    let lines = bench.clients[0].take_lines();
    assert!(lines.iter().any(|line| line == "error #1 overloaded"), "the client was not told");
    assert_eq!(lines.last().map(String::as_str), Some("subscribed #2 x A.4 recovered=false replayed=0"));
    bench.end();
}

/// One message larger than the outbox could never be delivered: its subscribers were closed as slow however fast
/// they read, came back, recovered it, and were closed again.
#[test]
fn a_message_larger_than_the_outbox_passes_an_empty_one() {
    check_with(
        small,
        &format!(
            "open ann
             ann: subscribe x
             ann> subscribed x A.0 replayed=0
             api publish x {FORTY}{FORTY}{FORTY}
             ann> message x A.1 {FORTY}{FORTY}{FORTY}
             api> published A.1"
        ),
    );
}

/// An outbox that had refused something took what was smaller a moment later. When the session was then closed for
/// another reason, its client read a stream with a hole in it, and went on from behind the hole.
#[test]
fn nothing_follows_what_had_no_room() {
    let mut setup = Setup::default();
    small(&mut setup);
    let mut bench = Bench::new(&setup);
    bench.run("open ann silent\nann blocks\nann: ping\nhold");
    let ping = |id: &str| {
        let id = (!id.is_empty()).then(|| fanfare_protocol::RequestId::Text(id.into()));
        Ok(fanfare_protocol::Command::Ping { id })
    };
    for id in [&FORTY[..35], &FORTY[..35], &FORTY[..35], ""] {
        bench.command(0, ping(id));
    }
    bench.deliver_instruction(0, fanfare_protocol::CloseCode::Disconnected);
    let id = &FORTY[..35];
    bench.run(&format!(
        "ann reads
         ann> pong
         ann> pong #{id}
         ann> pong #{id}
         ann> disconnect 4000
         ann> CLOSE 4000
         release"
    ));
    bench.end();
}

/// A lane without a form for closes left an empty chunk in the outbox, which no write could ever take out.
#[test]
fn a_lane_without_a_form_for_closes_can_be_closed() {
    check(
        "open ann lane=c
         api disconnect users=ann 4000
         ann> disconnect 4000
         wait 3000
         ann> GONE
         open bob lane=c
         bob: disconnect
         wait 3000
         bob> GONE
         open cid lane=c
         cid closes 1000
         cid> GONE
         open dan lane=c
         dan wsping hello
         wait 36100
         dan> disconnect 4010 reconnect=0
         dan> GONE",
    );
}

/// The answer to a question that was asked before the close went behind the close frame, where nothing may come.
#[test]
fn nothing_follows_the_close_frame() {
    check(
        "open ann silent
         api publish x 1
         api> published A.1
         hold
         ann: history #1 x
         ann: subscribe #2 x history=1
         ann: publish #3 x 2
         ann: presence #4 x
         ann: request #5 work 1
         api disconnect users=ann 4000
         ann: disconnect
         wait 3000
         ann> PING
         ann> CLOSE 1000
         release
         app answers late
         ann wsping hello
         wait 3000
         ann> GONE",
    );
}

#[test]
fn a_flood_of_pings_is_answered_only_as_far_as_it_is_read() {
    let mut setup = Setup::default();
    small(&mut setup);
    let mut bench = Bench::new(&setup);
    bench.run("open ann\nann blocks\nann: ping #0");
    for _ in 0..100 {
        bench.run("ann wsping hello");
    }
    bench.run("ann reads\nann> pong #0");
    bench.end();
}
