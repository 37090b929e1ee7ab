//! Several connections of one user: the newest that lives speaks for it, and who is there on one is there.

use fanfare_core::ports::broker::Request;
use fanfare_testkit::{Bench, Setup, check, script};

/// What a tab had said stayed in the list after the tab had closed.
#[test]
fn the_newest_living_connection_speaks_for_its_user() {
    check(
        "open desk user=ann
         open phone user=ann shard=1
         open mute user=ann
         open bob
         desk: subscribe #1 room info=desk
         desk> subscribed #1 room A.0 replayed=0
         phone: subscribe #1 room info=phone
         phone> subscribed #1 room A.0 replayed=0
         mute: subscribe #1 room
         mute> subscribed #1 room A.0 replayed=0
         // Who says nothing leaves the word to the one before.
         bob: presence #1 room
         bob> presence #1 room users=1 connections=3 [ann*3(phone)]
         phone: unsubscribe #2 room
         phone> unsubscribed #2 room
         bob: presence #2 room
         bob> presence #2 room users=1 connections=2 [ann*2(desk)]
         phone: subscribe #3 room info=again
         phone> subscribed #3 room A.0 replayed=0
         phone cut
         bob: presence #3 room
         bob> presence #3 room users=1 connections=2 [ann*2(desk)]
         mute cut
         desk cut
         // Nobody lives, and the last one may come back.
         bob: presence #4 room
         bob> presence #4 room users=1 connections=0 [ann*0(desk)]
         open phone user=ann
         phone: subscribe #4 room
         phone> subscribed #4 room A.0 replayed=0
         bob: presence #5 room
         bob> presence #5 room users=1 connections=1 [ann*1]",
    );
}

/// A tab that was away and had closed left its user away.
#[test]
fn a_user_is_away_where_all_connections_say_so() {
    check(
        "open desk user=ann
         open phone user=ann
         open bob
         phone: status #1 away
         phone> status #1 away
         desk: status #1 away
         desk> status #1 away
         bob: users #1 ann
         bob> users #1 ann=away@0
         open tablet user=ann
         bob: users #2 ann
         bob> users #2 ann=online@0
         desk cut
         tablet cut
         bob: users #3 ann
         bob> users #3 ann=away@0
         open desk user=ann
         phone cut
         bob: users #4 ann
         bob> users #4 ann=online@0",
    );
}

/// The engine names its connections, so that whatever tells it twice of one counts it once.
#[test]
fn a_connection_that_is_told_of_twice_counts_once() {
    let mut bench = Bench::new(&Setup::default());
    bench.run("open ann\nopen bob\nann: subscribe #1 room\nann> subscribed #1 room A.0 replayed=0");
    let client = bench.client("ann");
    let id = bench.shards[0].session(bench.clients[client].key.unwrap()).unwrap().id();
    bench.ask(Request::UserOpened(script::user("ann"), id));
    bench.run("bob: users #1 ann\nbob> users #1 ann=online@0\nann cut\nwait 20000");
    bench.ask(Request::UserClosed(script::user("ann"), id));
    bench.run(
        "bob: users #2 ann
         bob> users #2 ann=offline@0
         bob: presence #3 room
         bob> presence #3 room users=0 connections=0 []",
    );
    bench.end();
}
