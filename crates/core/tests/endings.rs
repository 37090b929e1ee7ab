//! How a conversation ends: what was asked is answered first, and the end itself has a deadline.

use fanfare_core::namespace::Namespace;
use fanfare_core::session::Ending;
use fanfare_protocol::CloseCode;
use fanfare_testkit::{Bench, Setup, check};

#[test]
fn what_was_asked_before_the_peers_close_is_answered_before_ours() {
    check(
        "open ann
         hold
         ann: publish #1 x 1
         ann: request #2 work 2
         ann closes 1000
         release
         ann> published #1 A.1
         app answers two
         ann> response #2 two
         ann> CLOSE 1000
         ann> GONE",
    );
}

#[test]
fn what_was_asked_before_a_violation_is_answered_before_the_verdict() {
    let mut bench = Bench::new(&Setup::default());
    bench.run("open ann\nhold\nann: publish #1 x 1");
    let key = bench.clients[0].key.unwrap();
    bench.shards[0].end(key, Ending::Violation(CloseCode::ProtocolError));
    bench.run("release\nann> published #1 A.1\nann> CLOSE 1002\nann> GONE");
    bench.end();
}

#[test]
fn an_answer_that_never_comes_does_not_keep_the_connection() {
    check(
        "open ann
         ann: request #1 work 1
         ann closes 1000
         wait 2900
         wait 100
         ann> CLOSE 1000
         ann> GONE
         app answers late
         open bob
         bob: ping #1
         bob> pong #1",
    );
}

#[test]
fn a_connection_that_breaks_after_its_close_is_forgotten_at_once() {
    check(
        "open ann silent
         ann: subscribe x
         ann> subscribed x A.0 replayed=0
         ann: disconnect
         ann> CLOSE 1000
         ann cut
         open bob
         bob: presence #1 x
         bob> presence #1 x users=0 connections=0 []",
    );
}

#[test]
fn commands_after_a_disconnect_are_not_carried_out() {
    check(
        "open ann silent
         ann: disconnect
         ann> CLOSE 1000
         ann: publish #1 x 1
         ann: ping #2
         ann: disconnect
         open bob
         bob: history #1 x
         bob> history #1 x A.0 []
         ann closes 1000
         ann> GONE",
    );
}

#[test]
fn a_close_with_a_code_of_the_applications_own_gets_it_back() {
    check(
        "open ann
         ann closes 3001
         ann> CLOSE 3001
         ann> GONE
         open bob
         bob closes
         bob> CLOSE 1000
         bob> GONE",
    );
}

/// Only a goodbye is a leave at once; a page that is reloaded, an error or a broken line has its grace.
#[test]
fn only_a_normal_close_is_a_deliberate_leave() {
    for (code, members) in [("1000", 0), ("", 0), ("1001", 1), ("1011", 1), ("4000", 1), ("3001", 1)] {
        let mut bench = Bench::new(&Setup::default());
        bench.run("open ann\nann: subscribe x\nann> subscribed x A.0 replayed=0\nopen bob");
        bench.run_quietly(&format!("ann closes {code}"));
        bench.clients[0].take_lines();
        bench.clients[0].told_gone = true;
        let listed = if members == 0 { "" } else { "ann*0" };
        bench
            .run(&format!("bob: presence #1 x\nbob> presence #1 x users={members} connections=0 [{listed}]"));
        bench.end();
    }
}

/// A publish right before the message `disconnect` was carried out and not acknowledged, in 20 of 20 tries. In front of a
/// close frame it was acknowledged each time.
#[test]
fn what_was_asked_before_a_disconnect_is_answered_and_nothing_behind_it_is_carried_out() {
    check(
        "open ann
         hold
         ann: publish #1 x 1
         ann: request #2 work 2
         ann: disconnect
         ann: publish #3 x 3
         release
         ann> published #1 A.1
         app answers two
         ann> response #2 two
         ann> CLOSE 1000
         ann> GONE
         open bob
         bob: publish #1 x 2
         bob> published #1 A.2",
    );
}

/// Who asks to be disconnected and hangs up at once still says goodbye.
#[test]
fn a_disconnect_whose_client_hangs_up_before_the_answer_is_a_goodbye() {
    let mut bench = Bench::new(&Setup { fallback: loud(), ..Setup::default() });
    bench.run(
        "open eve
         eve: subscribe room
         eve> subscribed room A.0 replayed=0
         open ann
         ann: subscribe room
         eve> joined room ann*1
         ann> subscribed room A.0 replayed=0
         hold
         ann: publish #1 room 1
         ann: disconnect",
    );
    let (key, shard) = (bench.clients[1].key.unwrap(), bench.clients[1].shard);
    bench.shards[shard].end(key, Ending::HungUp);
    bench.run(
        "release
         eve> message room A.1 1
         eve> left room ann*0
         ann> published #1 A.1
         ann> CLOSE 1000
         ann> GONE",
    );
    bench.end();
}

fn loud() -> Namespace {
    Namespace { join_leave: true, ..Namespace::default() }
}
