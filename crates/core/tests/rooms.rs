//! Joining and leaving: channels come with their first member and go with their last.

use fanfare_testkit::{Bench, Setup, check, check_with};

#[test]
fn members_get_messages_from_their_joining_to_their_leaving() {
    check(
        "open ann
         open bob shard=1 lane=b
         ann: subscribe #1 lobby
         ann> subscribed #1 lobby A.0 replayed=0
         bob: message lobby one
         ann> message lobby A.1 one
         bob: subscribe #1 lobby
         bob> subscribed #1 lobby A.1 replayed=0
         ann: message lobby two
         ann> message lobby A.2 two
         bob> message lobby A.2 two
         ann: unsubscribe #2 lobby
         ann> unsubscribed #2 lobby
         bob: message lobby three
         bob> message lobby A.3 three",
    );
}

#[test]
fn lanes_do_not_mix_in_one_room() {
    check(
        "open ann
         open bob lane=b
         open cid lane=c
         open dan lane=b shard=1
         ann: subscribe lobby
         ann> subscribed lobby A.0 replayed=0
         bob: subscribe lobby
         bob> subscribed lobby A.0 replayed=0
         cid: subscribe lobby
         cid> subscribed lobby A.0 replayed=0
         dan: subscribe lobby
         dan> subscribed lobby A.0 replayed=0
         hold
         api publish lobby 1
         api> published A.1
         api publish lobby 2
         api> published A.2
         release
         ann> message lobby A.1 1
         ann> message lobby A.2 2
         bob> message lobby A.1 1
         bob> message lobby A.2 2
         cid> message lobby A.1 1
         cid> message lobby A.2 2
         dan> message lobby A.1 1
         dan> message lobby A.2 2",
    );
}

#[test]
fn subscribing_twice_and_leaving_what_was_not_joined_are_errors() {
    check(
        "open ann
         ann: unsubscribe #1 lobby
         ann> error #1 not_subscribed
         ann: subscribe #2 lobby
         ann> subscribed #2 lobby A.0 replayed=0
         ann: subscribe #3 lobby
         ann> error #3 already_subscribed
         ann: unsubscribe #4 other
         ann> error #4 not_subscribed
         ann: unsubscribe #5 lobby
         ann> unsubscribed #5 lobby
         ann: unsubscribe #6 lobby
         ann> error #6 not_subscribed",
    );
}

#[test]
fn empty_rooms_are_removed_with_everything_they_held() {
    let mut setup = Setup::default();
    setup.namespace("bare", |n| (n.history_size, n.presence) = (0, false));
    let mut bench = Bench::new(&setup);
    bench.run(
        "open ann
         open bob shard=1
         ann: subscribe bare:x
         ann> subscribed bare:x A.0 replayed=0
         bob: subscribe bare:x
         bob> subscribed bare:x A.0 replayed=0
         bob: subscribe bare:>
         bob> subscribed bare:> replayed=0
         ann: message bare:x hi
         ann> message bare:x A.1 hi
         bob> message bare:x A.1 hi
         bob> message bare:x A.1 hi
         ann: unsubscribe bare:x
         ann> unsubscribed bare:x
         bob: unsubscribe bare:x
         bob> unsubscribed bare:x
         bob: unsubscribe bare:>
         bob> unsubscribed bare:>",
    );
    assert_eq!(bench.census().iter().map(|census| census.topics).sum::<usize>(), 0);
    // The numbering is kept for a while, for whoever comes back.
    assert_eq!((bench.broker.census().channels, bench.broker.census().patterns), (1, 0));
    bench.wait(630_000);
    let census = bench.broker.census();
    assert_eq!((census.channels, census.history_bytes), (0, 0));
    bench.end();
}

/// Hubs that keep a list of rooms per client beside a list of clients per room forget one of them when the
/// connection breaks: the room then sends to a ghost for ever, and counts it.
#[test]
fn a_broken_connection_leaves_every_room_it_was_in() {
    let mut bench = Bench::new(&Setup::default());
    bench.run(
        "open ann
         open bob shard=1
         ann: subscribe a
         ann> subscribed a A.0 replayed=0
         ann: subscribe b
         ann> subscribed b B.0 replayed=0
         ann: subscribe c.*
         ann> subscribed c.* replayed=0
         bob: subscribe b
         bob> subscribed b B.0 replayed=0
         ann cut
         wait 15000
         bob: presence #1 a
         bob> presence #1 a users=0 connections=0 []
         bob: presence #2 b
         bob> presence #2 b users=1 connections=1 [bob*1]
         bob: message b still
         bob> message b B.1 still",
    );
    let census = bench.census();
    assert_eq!((census[0].sessions, census[0].topics, census[0].users), (0, 0, 0));
    assert_eq!(bench.broker.census().channels, 1);
    bench.end();
}

#[test]
fn one_broken_of_many_members_leaves_the_others_in_place() {
    // The last member of the room's list takes the place of the one that goes.
    check(
        "open ann
         open bob lane=b
         open cid
         ann: subscribe x
         ann> subscribed x A.0 replayed=0
         bob: subscribe x
         bob> subscribed x A.0 replayed=0
         cid: subscribe x
         cid> subscribed x A.0 replayed=0
         ann cut
         api publish x 1
         bob> message x A.1 1
         cid> message x A.1 1
         api> published A.1
         cid: unsubscribe x
         cid> unsubscribed x
         api publish x 2
         bob> message x A.2 2
         api> published A.2
         open ann lane=b
         ann: subscribe x
         ann> subscribed x A.2 replayed=0
         bob: unsubscribe x
         bob> unsubscribed x
         api publish x 3
         ann> message x A.3 3
         api> published A.3",
    );
}

#[test]
fn namespaces_bring_their_settings_and_unknown_ones_are_errors_where_that_is_wanted() {
    check_with(
        |setup| {
            setup.strict = true;
            setup.namespace("read", |n| n.rules.publish = fanfare_core::auth::Access::Nobody);
            setup.namespace("flat", |n| n.patterns = false);
            setup.namespace("mute", |n| n.presence = false);
            setup.namespace("gone", |n| n.history_size = 0);
        },
        "open ann
         ann: subscribe #1 nope:x
         ann> error #1 unknown_namespace
         ann: publish #2 nope:x hi
         ann> error #2 unknown_namespace
         ann: presence #3 nope:x
         ann> error #3 unknown_namespace
         ann: history #4 nope:x
         ann> error #4 unknown_namespace
         ann: subscribe #5 nope:*
         ann> error #5 unknown_namespace
         ann: publish #6 read:x hi
         ann> error #6 permission_denied
         ann: message read:x hi
         ann> error permission_denied
         ann: subscribe #7 flat:*
         ann> error #7 permission_denied
         ann: presence #8 mute:x
         ann> error #8 presence_disabled
         ann: history #9 gone:x
         ann> error #9 history_disabled
         ann: subscribe #10 plain
         ann> subscribed #10 plain A.0 replayed=0
         ann: subscribe #11 read:x
         ann> subscribed #11 read:x B.0 replayed=0
         api publish read:x hi
         ann> message read:x B.1 hi
         api> published B.1",
    );
}

#[test]
fn channels_are_listed_by_prefix_in_pages() {
    check(
        "open ann
         open ann2 user=ann
         ann: subscribe a:1
         ann> subscribed a:1 A.0 replayed=0
         ann2: subscribe a:1
         ann2> subscribed a:1 A.0 replayed=0
         ann: subscribe a:2
         ann> subscribed a:2 B.0 replayed=0
         ann: subscribe b
         ann> subscribed b C.0 replayed=0
         api publish a:0 nobody-there
         api> published D.1
         api channels
         api> a:1 users=1 connections=2
         api> a:2 users=1 connections=1
         api> b users=1 connections=1
         api channels a: limit=1
         api> a:1 users=1 connections=2
         api channels a: after=a:1
         api> a:2 users=1 connections=1",
    );
}
