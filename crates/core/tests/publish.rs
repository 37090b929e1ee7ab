//! Publishing: with and without the sender, to whom, and once per idempotency key.

use fanfare_testkit::{Bench, Setup, check, check_with};

#[test]
fn the_sender_of_a_publish_gets_an_acknowledgement_and_only_on_request_a_copy() {
    check(
        "open ann
         open bob shard=1
         ann: subscribe x
         ann> subscribed x A.0 replayed=0
         bob: subscribe x
         bob> subscribed x A.0 replayed=0
         ann: publish #1 x one
         ann> published #1 A.1
         bob> message x A.1 one
         ann: publish #2 x two echo
         ann> published #2 A.2
         ann> message x A.2 two
         bob> message x A.2 two
         ann: message x three
         ann> message x A.3 three
         bob> message x A.3 three",
    );
}

#[test]
fn another_device_of_the_sender_gets_its_copy() {
    check(
        "open phone user=ann
         open desk user=ann
         phone: subscribe x
         phone> subscribed x A.0 replayed=0
         desk: subscribe x
         desk> subscribed x A.0 replayed=0
         phone: publish #1 x hi
         phone> published #1 A.1
         desk> message x A.1 hi",
    );
}

#[test]
fn a_sender_is_left_out_in_the_middle_of_joined_messages() {
    check(
        "open ann
         open bob
         open cid lane=b shard=1
         ann: subscribe x
         ann> subscribed x A.0 replayed=0
         bob: subscribe x
         bob> subscribed x A.0 replayed=0
         cid: subscribe x
         cid> subscribed x A.0 replayed=0
         hold
         bob: publish x 1
         ann: publish x 2
         api publish x 3
         api> published A.3
         ann: publish x 4
         bob: publish x 5 echo
         release
         ann> published A.2
         ann> published A.4
         ann> message x A.1 1
         ann> message x A.3 3
         ann> message x A.5 5
         bob> published A.1
         bob> published A.5
         bob> message x A.2 2
         bob> message x A.3 3
         bob> message x A.4 4
         bob> message x A.5 5
         cid> message x A.1 1
         cid> message x A.2 2
         cid> message x A.3 3
         cid> message x A.4 4
         cid> message x A.5 5",
    );
}

#[test]
fn who_does_not_subscribe_may_publish() {
    check(
        "open ann
         ann: publish #1 x hi
         ann> published #1 A.1
         ann: publish x hi
         ann> published A.2",
    );
}

#[test]
fn messages_reach_everyone_or_users_or_roles_or_one_connection() {
    check(
        "open phone user=ann
         open desk user=ann shard=1 lane=b
         open bob roles=staff
         open cid roles=guest,staff shard=1
         open x anonymous
         api direct everyone all
         phone> direct - all
         desk> direct - all
         bob> direct - all
         cid> direct - all
         x> direct - all
         api direct users=ann,ann,nobody from=bob hello
         phone> direct bob hello
         desk> direct bob hello
         api direct users=ann,cid,bob two
         phone> direct - two
         desk> direct - two
         bob> direct - two
         cid> direct - two
         api direct roles=staff,guest three
         bob> direct - three
         cid> direct - three
         api direct roles=none four
         api direct to=desk five
         desk> direct - five
         api direct to=x six
         x> direct - six",
    );
}

#[test]
fn a_message_to_everyone_takes_no_room_from_anyone_else() {
    check_with(
        |setup| setup.settings.limits.outbox_bytes_max = 100,
        "open ann
         open bob
         ann blocks
         api direct everyone 1234567890123456789012345678901234567890
         bob> direct - 1234567890123456789012345678901234567890
         api direct everyone 1234567890123456789012345678901234567890
         bob> direct - 1234567890123456789012345678901234567890
         ann reads
         ann> disconnect 4011 reconnect=0
         ann> CLOSE 4011
         ann> GONE",
    );
}

#[test]
fn the_first_result_under_a_key_is_the_result_of_every_repetition() {
    check(
        "open ann
         open bob shard=1
         bob: subscribe x
         bob> subscribed x A.0 replayed=0
         ann: publish #1 x one idem=k
         ann> published #1 A.1
         bob> message x A.1 one
         ann: publish #2 x two
         ann> published #2 A.2
         bob> message x A.2 two
         ann: publish #3 x one idem=k
         ann> published #3 A.1 again
         api publish y one idem=k
         api> published B.1",
    );
}

/// Keys were the channel's: who guessed the key of another sender, such as an order's number, swallowed their message, the
/// backend's too.
#[test]
fn a_key_belongs_to_its_sender() {
    check(
        "open ann
         open phone user=ann shard=1
         open bob shard=1
         open guest anonymous
         bob: subscribe x
         bob> subscribed x A.0 replayed=0
         ann: publish #1 x mine idem=k
         ann> published #1 A.1
         bob> message x A.1 mine
         bob: publish #2 x his idem=k
         bob> published #2 A.2
         api publish x backend idem=k
         bob> message x A.3 backend
         api> published A.3
         guest: publish #3 x theirs idem=k
         bob> message x A.4 theirs
         guest> published #3 A.4
         phone: publish #4 x mine idem=k
         phone> published #4 A.1 again
         guest: publish #5 x theirs idem=k
         guest> published #5 A.4 again
         api publish x backend idem=k from=ann
         api> published A.3 again",
    );
}

#[test]
fn idempotency_keys_expire_and_are_bounded() {
    check_with(
        |setup| {
            setup.fallback.idempotency_ttl_ms = 1000;
            setup.settings.limits.idempotency_keys_max = 2;
        },
        "api publish x 1 idem=a
         api> published A.1
         wait 999
         api publish x 1 idem=a
         api> published A.1 again
         wait 1
         api publish x 2 idem=a
         api> published A.2
         api publish x 3 idem=b
         api> published A.3
         api publish x 4 idem=c
         api> published A.4
         api publish x 3 idem=b
         api> published A.3 again
         api publish x 5 idem=a
         api> published A.5",
    );
}

#[test]
fn a_key_outlives_its_room() {
    check_with(
        |setup| setup.fallback.history_size = 0,
        "open ann
         ann: publish #1 x one idem=k
         ann> published #1 A.1
         wait 60000
         ann: publish #2 x one idem=k
         ann> published #2 A.1 again",
    );
}

#[test]
fn a_shard_that_is_behind_makes_publishers_fail_without_a_number() {
    let mut setup = Setup::default();
    setup.settings.limits.inbox_deliveries_max = 3;
    let mut bench = Bench::new(&setup);
    bench.run(
        "open ann shard=1
         ann: subscribe x
         ann> subscribed x A.0 replayed=0
         hold
         api publish x 1
         api> published A.1
         api publish x 2
         api> published A.2
         api publish x 3
         api> published A.3
         api publish x 4
         api> failed overloaded
         api publish elsewhere 1
         api> published B.1
         release
         ann> message x A.1 1
         ann> message x A.2 2
         ann> message x A.3 3
         api publish x 4
         ann> message x A.4 4
         api> published A.4",
    );
    bench.end();
}

/// A publish that was refused left the entry of its channel behind until the next sweep: who published to ever new
/// channels under load grew the table with nothing.
#[test]
fn a_publish_that_was_refused_leaves_no_channel_behind() {
    let mut setup = Setup::default();
    setup.settings.limits.inbox_deliveries_max = 1;
    setup.fallback.history_size = 0;
    let mut bench = Bench::new(&setup);
    bench.run(
        "open ann
         ann: subscribe a.*
         ann> subscribed a.* replayed=0
         hold
         api publish a.1 1
         api> published A.1
         api publish a.2 1
         api> failed overloaded",
    );
    assert_eq!(bench.broker.census().channels, 0);
    bench.run("release\nann> message a.1 A.1 1");
    bench.end();
}

/// A message to everyone went into inboxes that were full, so that the bound held for channels only.
#[test]
fn a_shard_that_is_behind_takes_no_message_to_everyone_either() {
    check_with(
        |setup| setup.settings.limits.inbox_deliveries_max = 1,
        "open ann
         hold
         api direct everyone 1
         api direct everyone 2
         api> failed overloaded
         release
         ann> direct - 1",
    );
}

/// Copies of several messages are cut from one buffer, cut again at 64 KiB.
#[test]
fn bursts_are_joined_and_cut_without_losing_or_mixing_anything() {
    let mut setup = Setup::default();
    setup.settings.limits.outbox_bytes_max = 1_000_000;
    let mut bench = Bench::new(&setup);
    bench.run("open ann\nopen bob lane=b");
    bench.run("ann: subscribe x\nann> subscribed x A.0 replayed=0");
    bench.run("bob: subscribe x filter=odd:1\nbob> subscribed x A.0 replayed=0");
    bench.run("hold");
    let data = "y".repeat(5000);
    let (mut ann, mut bob) = (String::new(), String::new());
    for offset in 1..=50 {
        let odd = offset % 2;
        bench.run(&format!("api publish x {data}{offset} tag=odd:{odd}\napi> published A.{offset}"));
        ann += &format!("ann> message x A.{offset} {data}{offset}\n");
        if odd == 1 {
            bob += &format!("bob> message x A.{offset} {data}{offset}\n");
        }
    }
    bench.run(&format!("release\n{ann}{bob}"));
    bench.end();
}
