//! What goes wrong in hand-written hubs: keys used again, answers that come late, ends that are forgotten.
//! Slow clients and full queues are in `outboxes.rs`, forgotten leaves in `rooms.rs`.

use fanfare_testkit::{Bench, Setup, check, check_with};

/// Ids drawn from a clock or from an index that is used again let one client receive another's messages.
#[test]
fn connection_ids_are_never_used_again_though_keys_are() {
    let mut bench = Bench::new(&Setup::default());
    let mut ids = std::collections::HashSet::new();
    for round in 0..100 {
        for shard in 0..2 {
            let client = bench.open_user(&format!("c{shard}"), shard);
            let key = bench.clients[client].key.unwrap();
            assert_eq!(key.0, 0, "keys are used again");
            let id = bench.shards[shard].session(key).unwrap().id();
            assert_eq!(usize::from(id.shard()), shard);
            assert!(ids.insert(id), "id {id} was given twice, in round {round}");
            bench.cut(client);
        }
    }
    bench.end();
}

#[test]
fn an_answer_for_a_session_that_has_gone_does_not_reach_the_next_one_with_its_key() {
    check(
        "open ann
         api publish x secret
         api> published A.1
         hold
         ann: publish #1 x 1
         ann: subscribe #2 x history=1
         ann: history #3 x
         ann: presence #4 x
         ann: users #5 ann
         ann: status #6 away
         ann cut
         open bob
         bob: ping #1
         bob> pong #1
         release
         bob: publish #2 x 2
         bob> published #2 A.3
         bob: presence #3 x
         bob> presence #3 x users=1 connections=0 [ann*0]",
    );
}

#[test]
fn a_deadline_of_a_session_that_has_gone_does_not_hit_the_next_one_with_its_key() {
    check(
        "open ann silent
         ann begins
         ann takes 1
         ann: ping #1
         wait 5000
         ann cut
         open bob
         wait 9000
         bob: ping #1
         bob> pong #1
         drain
         bob> disconnect 1012 reconnect=0
         bob> CLOSE 1012
         bob> GONE
         open cid
         cid> disconnect 1012 reconnect=0
         cid> CLOSE 1012
         cid> GONE",
    );
}

/// A session whose outbox had overflowed was noted by its key, and closed a little later; if its connection broke in
/// between, whoever had got its key was closed as a slow reader at once.
#[test]
fn an_overflow_of_a_session_that_has_gone_does_not_close_the_next_one_with_its_key() {
    let mut setup = Setup::default();
    setup.settings.limits.outbox_bytes_max = 30;
    let mut bench = Bench::new(&setup);
    let ann = bench.open_user("ann", 0);
    bench.clients[ann].room = 0;
    for _ in 0..10 {
        let ping = fanfare_protocol::Command::Ping { id: None };
        bench.command(ann, Ok(ping));
    }
    bench.cut(ann);
    let bob = bench.open_user("bob", 0);
    bench.run("bob: ping #1\nann> GONE\nbob> pong #1");
    assert!(bench.clients[bob].key.is_some());
    bench.end();
}

#[test]
fn a_queued_write_of_a_session_that_has_gone_is_no_trouble() {
    let mut bench = Bench::new(&Setup::default());
    for _ in 0..3 {
        let ann = bench.open_user("ann", 0);
        bench.command(ann, Ok(fanfare_protocol::Command::Ping { id: None }));
        bench.command(ann, Ok(fanfare_protocol::Command::Disconnect));
        bench.cut(ann);
    }
    bench.run("open ann\nann: ping #1\nann> pong #1");
    bench.end();
}

#[test]
fn a_subscription_taken_back_before_the_answer_leaves_nothing_behind() {
    let mut bench = Bench::new(&Setup::default());
    bench.run(
        "open ann
         open bob shard=1
         bob: subscribe x
         bob> subscribed x A.0 replayed=0
         hold
         ann: subscribe #1 x
         ann: unsubscribe #2 x
         ann> unsubscribed #2 x
         ann: subscribe #3 x
         api publish x 1
         api> published A.1
         ann: unsubscribe #4 x
         ann> unsubscribed #4 x
         ann: subscribe #5 x
         api publish x 2
         api> published A.2
         release
         ann> error #1 not_subscribed
         ann> error #3 not_subscribed
         ann> subscribed #5 x A.1 replayed=0
         ann> message x A.2 2
         bob> message x A.1 1
         bob> message x A.2 2
         ann: presence #6 x counts
         ann> presence #6 x users=2 connections=2 []",
    );
    bench.end();
}

#[test]
fn a_connection_that_breaks_while_it_is_being_subscribed_leaves_nothing_behind() {
    let mut bench = Bench::new(&Setup::default());
    bench.run(
        "open ann
         hold
         ann: subscribe #1 x
         ann: subscribe #2 x.*
         ann cut
         open ann
         ann: subscribe #1 x
         release
         ann> subscribed #1 x A.0 replayed=0
         api publish x 1
         ann> message x A.1 1
         api> published A.1
         api publish x.y 1
         api> published B.1",
    );
    assert_eq!(bench.census()[0].topics, 1);
    bench.end();
}

#[test]
fn a_session_closed_while_it_is_being_subscribed_leaves_nothing_behind() {
    check(
        "open ann silent
         hold
         ann: subscribe #1 x
         ann: subscribe #2 x.*
         api disconnect users=ann 4000
         ann: disconnect
         wait 3000
         ann> PING
         ann> CLOSE 1000
         release
         api publish x 1
         api> published A.1
         wait 3000
         ann> GONE",
    );
}

/// The place where replay and live messages meet: nothing is lost there and nothing comes twice, however deliveries
/// and turns fall.
#[test]
fn replay_and_live_messages_meet_without_gap_or_repetition() {
    check(
        "open ann
         open bob
         bob: subscribe x
         bob> subscribed x A.0 replayed=0
         hold
         api publish x 1
         api> published A.1
         ann: subscribe #1 x recover=A.0
         api publish x 2
         api> published A.2
         api publish x 3
         api> published A.3
         deliver 1
         bob> message x A.1 1
         deliver 1
         ann> subscribed #1 x A.1 recovered=true replayed=1
         ann> message x A.1 1
         release
         ann> message x A.2 2
         ann> message x A.3 3
         bob> message x A.2 2
         bob> message x A.3 3",
    );
}

/// Messages that wait in a channel's batch belong to its members so far, not to one that joins in the same turn.
#[test]
fn who_joins_in_the_middle_of_a_turn_gets_nothing_from_before() {
    check(
        "open ann
         open bob lane=b
         ann: subscribe x
         ann> subscribed x A.0 replayed=0
         hold
         api publish x 1
         api> published A.1
         bob: subscribe x
         api publish x 2
         api> published A.2
         ann: unsubscribe x
         ann> unsubscribed x
         api publish x 3
         api> published A.3
         release
         bob> subscribed x A.1 replayed=0
         bob> message x A.2 2
         bob> message x A.3 3",
    );
}

#[test]
fn who_leaves_in_the_middle_of_a_turn_gets_everything_from_before() {
    let mut bench = Bench::new(&Setup::default());
    bench.run("open ann\nopen bob\nann: subscribe x\nann> subscribed x A.0 replayed=0");
    bench.run("bob: subscribe x\nbob> subscribed x A.0 replayed=0\nhold");
    bench.run("api publish x 1\napi> published A.1");
    assert!(bench.deliver_one(0));
    bench.run("ann: unsubscribe x\nann> message x A.1 1\nann> unsubscribed x\nbob> message x A.1 1");
    bench.end();
}

#[test]
fn a_room_left_by_all_with_messages_waiting_is_removed_all_the_same() {
    let mut bench = Bench::new(&Setup::default());
    bench.run("open ann\nann: subscribe x\nann> subscribed x A.0 replayed=0\nhold");
    bench.run("api publish x 1\napi> published A.1");
    assert!(bench.deliver_one(0));
    bench.cut(0);
    bench.run("release\nann> GONE");
    assert_eq!(bench.census()[0].topics, 0);
    bench.end();
}

#[test]
fn lost_continuity_sends_a_channels_members_to_recover() {
    check(
        "open ann
         open bob shard=1
         open cid
         ann: subscribe x
         ann> subscribed x A.0 replayed=0
         bob: subscribe x
         bob> subscribed x A.0 replayed=0
         cid: subscribe y
         cid> subscribed y B.0 replayed=0
         lost x
         ann> disconnect 4012 reconnect=0
         ann> CLOSE 4012
         ann> GONE
         bob> disconnect 4012 reconnect=0
         bob> CLOSE 4012
         bob> GONE
         lost nowhere",
    );
}

#[test]
fn answers_and_small_rooms_are_written_before_copies_of_a_large_room() {
    let mut bench = Bench::new(&Setup::default());
    for index in 0..70 {
        bench
            .run(&format!("open m{index}\nm{index}: subscribe big\nm{index}> subscribed big A.0 replayed=0"));
    }
    bench.run("open ann\nann: subscribe small\nann> subscribed small B.0 replayed=0\nhold");
    bench.run("api publish big 1\napi> published A.1");
    bench.run("api publish small 1\napi> published B.1");
    while bench.deliver_one(0) {}
    bench.command(5, Ok(fanfare_protocol::Command::Ping { id: None }));
    bench.shards[0].fan_out();
    let urgent: Vec<u32> =
        std::iter::from_fn(|| bench.shards[0].next_flush(false)).map(|key| key.0).collect();
    assert_eq!(urgent, [5, 70], "the pong and the small room come first");
    let bulk = std::iter::from_fn(|| bench.shards[0].next_flush(true)).count();
    assert_eq!(bulk, 70);
    for client in 0..71 {
        bench.flush(client);
    }
    assert_eq!(bench.clients[70].take_lines(), ["message small B.1 1"]);
    assert_eq!(bench.clients[5].take_lines(), ["pong", "message big A.1 1"]);
    bench.end();
}

/// Messages of a large room join while the copies of earlier ones are being written.
#[test]
fn a_large_room_is_fanned_out_again_only_when_its_copies_are_written() {
    let mut bench = Bench::new(&Setup::default());
    for index in 0..70 {
        bench
            .run(&format!("open m{index}\nm{index}: subscribe big\nm{index}> subscribed big A.0 replayed=0"));
    }
    bench.run("hold\napi publish big 1\napi> published A.1\napi publish big 2\napi> published A.2");
    assert!(bench.deliver_one(0));
    bench.shards[0].fan_out();
    let first = bench.shards[0].next_flush(true);
    assert!(first.is_some() && bench.deliver_one(0));
    bench.shards[0].fan_out();
    assert_eq!(bench.shards[0].counters().messages_out, 70, "the second message waits");
    while bench.shards[0].next_flush(true).is_some() {}
    bench.shards[0].fan_out();
    assert_eq!(bench.shards[0].counters().messages_out, 140);
    for client in 0..70 {
        bench.flush(client);
        assert_eq!(bench.clients[client].take_lines(), ["message big A.1 1", "message big A.2 2"]);
    }
    bench.end();
}

#[test]
fn the_application_hears_of_every_end_once() {
    let mut bench = Bench::new(&Setup::default());
    bench.run_quietly("open ann");
    bench.run_quietly("open bob");
    bench.run_quietly("open cid anonymous");
    bench.run_quietly("ann cut");
    bench.run_quietly("bob: disconnect");
    bench.run_quietly("api disconnect everyone 4000");
    let gone = bench.application.take_gone();
    let users: Vec<_> =
        gone.iter().map(|peer| peer.user.as_ref().map_or("-", |user| user.as_str())).collect();
    assert_eq!(users, ["ann", "bob", "-"]);
    bench.end();
    assert!(bench.application.take_gone().is_empty());
}

#[test]
fn instructions_subscribe_unsubscribe_and_disconnect() {
    check(
        "open phone user=ann
         open desk user=ann shard=1
         open bob roles=staff
         api subscribe users=ann x
         phone> subscribed x A.0 replayed=0
         desk> subscribed x A.0 replayed=0
         api subscribe users=ann x
         api publish x 1
         phone> message x A.1 1
         desk> message x A.1 1
         api> published A.1
         api unsubscribe to=desk x
         desk> unsubscribed x
         api unsubscribe everyone x
         phone> unsubscribed x
         api subscribe roles=staff y.*
         bob> subscribed y.* replayed=0
         api disconnect to=phone 4000
         phone> disconnect 4000
         phone> CLOSE 4000
         phone> GONE
         api disconnect everyone 4003
         desk> disconnect 4003
         desk> CLOSE 4003
         desk> GONE
         bob> disconnect 4003
         bob> CLOSE 4003
         bob> GONE",
    );
}

/// A connection that was being closed was still subscribed by the backend, and came back to the members' lists.
#[test]
fn a_closing_connection_is_not_subscribed_any_more() {
    check_with(
        |setup| setup.fallback.join_leave = true,
        "open eve
         eve: subscribe x
         eve> subscribed x A.0 replayed=0
         open ann silent
         ann: disconnect
         ann> CLOSE 1000
         api subscribe everyone x
         eve: presence #1 x
         eve> presence #1 x users=1 connections=1 [eve*1]
         wait 3000
         ann> GONE",
    );
}

#[test]
fn subscriptions_are_bounded_per_connection_and_places_come_free() {
    check_with(
        |setup| setup.settings.limits.subscriptions_per_connection_max = 2,
        "open ann
         hold
         ann: subscribe #1 a
         ann: subscribe #2 b.*
         ann: subscribe #3 c
         ann> error #3 subscription_limit
         release
         ann> subscribed #1 a A.0 replayed=0
         ann> subscribed #2 b.* replayed=0
         api subscribe users=ann c
         ann> error subscription_limit
         ann: unsubscribe #4 a
         ann> unsubscribed #4 a
         ann: subscribe #5 c
         ann> subscribed #5 c B.0 replayed=0",
    );
}

/// Messages were measured by the computer's clock: when it was set forward, as at the first contact with a time server,
/// histories were empty at once.
#[test]
fn a_clock_that_is_set_expires_nothing() {
    check_with(
        |setup| setup.fallback.history_ttl_ms = 1000,
        "open ann
         ann: subscribe x
         ann> subscribed x A.0 replayed=0
         api publish x 1
         ann> message x A.1 1
         api> published A.1
         jump 3600000
         wait 500
         ann: history #1 x
         ann> history #1 x A.1 [A.1 1]
         wait 600
         ann: history #2 x
         ann> history #2 x A.1 []",
    );
}
