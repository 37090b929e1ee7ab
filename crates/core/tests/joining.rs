//! A lane that makes one message of all that a channel got within a turn, for those who get all of it.

use fanfare_core::namespace::OutboxPolicy;
use fanfare_protocol::dialect::Habits;
use fanfare_testkit::{Setup, check_with};

fn joining(setup: &mut Setup) {
    setup.habits[0] = Habits { reads_lines: true, ..Habits::default() };
}

#[test]
fn what_came_in_one_turn_is_one_message() {
    check_with(
        joining,
        "open ann lane=d shard=0
         open bob lane=a shard=0
         ann: subscribe x
         ann> subscribed x A.0 replayed=0
         bob: subscribe x
         bob> subscribed x A.0 replayed=0
         hold
         api publish x one
         api> published A.1
         api publish x two
         api> published A.2
         api publish x three
         api> published A.3
         release
         ann> message x A.1 one & message x A.2 two & message x A.3 three
         bob> message x A.1 one
         bob> message x A.2 two
         bob> message x A.3 three
         api publish x four
         ann> message x A.4 four
         bob> message x A.4 four
         api> published A.4",
    );
}

#[test]
fn a_sender_who_is_left_out_gets_the_others_messages_one_by_one() {
    check_with(
        joining,
        "open ann lane=d shard=0
         open bob lane=d shard=0
         open cid lane=b shard=1
         ann: subscribe x
         ann> subscribed x A.0 replayed=0
         bob: subscribe x
         bob> subscribed x A.0 replayed=0
         hold
         cid: publish #1 x one
         ann: publish #1 x hers
         cid: publish #2 x two
         release
         ann> published #1 A.2
         ann> message x A.1 one
         ann> message x A.3 two
         bob> message x A.1 one & message x A.2 hers & message x A.3 two
         cid> published #1 A.1
         cid> published #2 A.3",
    );
}

#[test]
fn a_filter_takes_its_messages_one_by_one() {
    check_with(
        joining,
        "open ann lane=d shard=0
         open bob lane=d shard=0
         ann: subscribe x filter=kind:a
         ann> subscribed x A.0 replayed=0
         bob: subscribe x
         bob> subscribed x A.0 replayed=0
         hold
         api publish x one tag=kind:a
         api> published A.1
         api publish x two tag=kind:b
         api> published A.2
         api publish x three tag=kind:a
         api> published A.3
         release
         ann> message x A.1 one
         ann> message x A.3 three
         bob> message x A.1 one & message x A.2 two & message x A.3 three
         ann: unsubscribe x
         ann> unsubscribed x
         hold
         api publish x four
         api> published A.4
         api publish x five
         api> published A.5
         release
         bob> message x A.4 four & message x A.5 five",
    );
}

#[test]
fn what_may_be_given_up_stands_alone() {
    let drop_oldest = |setup: &mut Setup| {
        joining(setup);
        setup.fallback.outbox_policy = OutboxPolicy::DropOldest;
    };
    check_with(
        drop_oldest,
        "open ann lane=d
         ann: subscribe x
         ann> subscribed x A.0 replayed=0
         hold
         api publish x one
         api> published A.1
         api publish x two
         api> published A.2
         release
         ann> message x A.1 one
         ann> message x A.2 two",
    );
}
