//! Connections whose dialect knows one room: they come with it, go with it, and its history says so.

use fanfare_core::auth::Access;
use fanfare_core::ports::broker::{Delivery, Reply};
use fanfare_core::shard::Departure;
use fanfare_protocol::dialect::Habits;
use fanfare_protocol::{CloseCode, ErrorCode};
use fanfare_testkit::{Bench, Setup, check, check_with};

/// The clients of `e` have one room.
fn habitual(setup: &mut Setup) {
    setup.habits[1] = Habits { one_room: true, posts_entries: true, history_on_join: 3, ..Habits::default() };
}

#[test]
fn a_connection_with_one_room_is_taken_into_it_with_its_past_and_an_entry() {
    check_with(
        habitual,
        "api publish room 1
         api> published A.1
         api publish room 2
         api> published A.2
         api publish room 3
         api> published A.3
         api publish room 4
         api> published A.4
         open eve shard=1
         eve: subscribe #1 room
         eve> subscribed #1 room A.4 replayed=0
         open ann lane=e room=room name=Ann
         eve> join room A.4+ Ann joined the room
         ann> subscribed room A.4 replayed=3
         ann> message room A.2 2
         ann> message room A.3 3
         ann> message room A.4 4
         ann> join room A.4+ Ann joined the room
         ann: say hello
         eve> message room A.5 hello
         ann> message room A.5 hello
         ann cut
         eve> leave room A.5+ Ann left the room
         eve: history #2 room since=A.4
         eve> history #2 room A.5 [A.5 hello, A.5+ Ann left the room]",
    );
}

/// Fifty connections to a room that only the backend may publish to left none of its messages in the history: each had
/// written that it came and that it went, and its token's name was the text. Others still hear of it, live.
#[test]
fn coming_and_going_is_not_written_into_a_history_that_the_client_may_not_write() {
    check_with(
        |setup| {
            let mut habits = Habits { one_room: true, posts_entries: true, ..Habits::default() };
            (habits.hears_members, habits.history_on_join) = (true, 3);
            setup.habits[1] = habits;
            setup.namespace("prices", |n| {
                n.rules.publish = Access::Nobody;
                (n.join_leave, n.history_size, n.replay_on_subscribe) = (true, 2, 1);
            });
        },
        "api publish prices:a 1
         api> published A.1
         api publish prices:a 2
         api> published A.2
         open eve shard=1
         eve: subscribe #1 prices:a
         eve> subscribed #1 prices:a A.2 replayed=1
         eve> message prices:a A.2 2
         open ann lane=e room=prices:a name=Ann
         eve> joined prices:a ann~Ann*1
         ann> subscribed prices:a A.2 replayed=2
         ann> joined prices:a ann~Ann*1
         ann> message prices:a A.1 1
         ann> message prices:a A.2 2
         ann cut
         eve: history #2 prices:a
         eve> history #2 prices:a A.2 [A.1 1, A.2 2]",
    );
}

#[test]
fn a_connection_with_one_room_knows_no_other() {
    check_with(
        habitual,
        "open ann lane=e room=room
         ann> subscribed room A.0 replayed=0
         ann> join room A.0+ ann joined the room
         ann: subscribe #1 other
         ann> error #1 permission_denied
         ann: unsubscribe #2 room
         ann> error #2 permission_denied
         api subscribe users=ann other
         open bob
         bob: say hello
         bob> error invalid_channel",
    );
}

#[test]
fn the_room_is_entered_only_when_it_is_settled_who_comes() {
    check_with(
        |setup| {
            habitual(setup);
            setup.tokens = true;
        },
        "open eve
         eve: subscribe #1 room
         eve> subscribed #1 room A.0 replayed=0
         open ann lane=e room=room unauthenticated
         ann: say early
         ann> error authentication_required
         ann: auth #1 t
         authority says ann name=Ann
         eve> join room A.0+ Ann joined the room
         ann> authenticated #1 ann
         ann> subscribed room A.0 replayed=0
         ann> join room A.0+ Ann joined the room",
    );
}

#[test]
fn a_room_that_is_refused_ends_the_connection_without_an_entry() {
    check_with(
        |setup| {
            habitual(setup);
            setup.strict = true;
            setup.application_decides = true;
            setup.namespace("shut", |n| n.rules.subscribe = Access::Nobody);
            setup.namespace("asked", |n| n.rules.subscribe = Access::Token);
        },
        "open ann lane=e room=shut:a
         ann> error permission_denied
         ann> disconnect 4003
         ann> CLOSE 4003
         ann> GONE
         open bob lane=e room=unknown:b
         bob> error unknown_namespace
         bob> disconnect 4003
         bob> CLOSE 4003
         bob> GONE
         open cid lane=e room=asked:c
         authority refuses permission_denied
         cid> error permission_denied
         cid> disconnect 4003
         cid> CLOSE 4003
         cid> GONE
         open dan lane=e room=asked:d
         authority refuses overloaded
         dan> error overloaded
         dan> disconnect 1013 reconnect=0
         dan> CLOSE 1013
         dan> GONE
         open eve lane=e room=asked:e
         authority grants
         eve> subscribed asked:e A.0 replayed=0",
    );
}

#[test]
fn the_past_of_a_room_comes_only_where_it_may_be_seen() {
    check_with(
        |setup| {
            habitual(setup);
            setup.fallback.rules.history = Access::Nobody;
        },
        "api publish room 1
         api> published A.1
         open ann lane=e room=room
         ann> subscribed room A.1 replayed=0
         ann> join room A.1+ ann joined the room",
    );
}

#[test]
fn who_may_be_in_the_room_no_longer_is_sent_away() {
    check_with(
        |setup| {
            habitual(setup);
            setup.tokens = true;
            setup.fallback.rules.subscribe = Access::Roles(["staff".into()].into());
        },
        "open eve roles=staff
         eve: subscribe #1 room
         eve> subscribed #1 room A.0 replayed=0
         open ann lane=e room=room roles=staff
         eve> join room A.0+ ann joined the room
         ann> subscribed room A.0 replayed=0
         ann> join room A.0+ ann joined the room
         ann: auth #1 t
         authority says ann
         eve> leave room A.0+ ann left the room
         ann> authenticated #1 ann
         ann> unsubscribed room permission_denied
         ann> disconnect 4003
         ann> CLOSE 4003
         ann> GONE
         open bob lane=e room=room roles=staff
         eve> join room A.0+ bob joined the room
         bob> subscribed room A.0 replayed=0
         bob> join room A.0+ ann joined the room
         bob> leave room A.0+ ann left the room
         bob> join room A.0+ bob joined the room
         api unsubscribe users=bob room
         eve> leave room A.0+ bob left the room
         bob> unsubscribed room
         bob> disconnect 4003
         bob> CLOSE 4003
         bob> GONE",
    );
}

/// Each way of ending once, and each with one entry.
#[test]
fn every_end_of_a_session_is_one_entry() {
    for end in [
        "ann cut",
        "ann closes 1000",
        "ann closes 1001",
        "ann: disconnect",
        "api disconnect users=ann 4000",
        "drain",
        "ann hangs",
    ] {
        let mut setup = Setup::default();
        habitual(&mut setup);
        let mut bench = Bench::new(&setup);
        bench.run(
            "open eve shard=1
             eve: subscribe room
             eve> subscribed room A.0 replayed=0
             open ann lane=e room=room
             eve> join room A.0+ ann joined the room
             ann> subscribed room A.0 replayed=0
             ann> join room A.0+ ann joined the room",
        );
        match end {
            "drain" => bench.shards[0].drain(Departure::Elsewhere { over_ms: 25_000 }),
            "ann hangs" => {
                let key = bench.clients[1].key.unwrap();
                bench.shards[0].end(key, fanfare_core::session::Ending::HungUp);
            }
            end => bench.run_quietly(end),
        }
        bench.wait(60_000);
        assert!(bench.clients[1].key.is_none(), "{end}");
        assert_eq!(bench.clients[0].take_lines(), ["leave room A.0+ ann left the room"], "{end}");
        bench.end();
    }
}

/// A connection that ends is no going while the session waits for another one.
#[test]
fn a_session_that_may_come_back_has_not_gone() {
    check_with(
        |setup| {
            habitual(setup);
            setup.settings.deadlines.resume_ms = 20_000;
        },
        "open eve shard=1
         eve: subscribe room
         eve> subscribed room A.0 replayed=0
         open ann lane=e room=room resumable
         eve> join room A.0+ ann joined the room
         ann> subscribed room A.0 replayed=0
         ann> join room A.0+ ann joined the room
         ann detaches
         wait 15000
         wait 10000
         eve> leave room A.0+ ann left the room
         ann> GONE",
    );
}

/// A connection that broke off while the broker was still asked left an entry of a going for which there was no coming,
/// or a coming without a going.
#[test]
fn who_goes_on_the_way_in_leaves_both_entries_or_none() {
    for delivered in 0..4 {
        for end in ["ann cut", "ann closes 1001", "closed"] {
            let mut setup = Setup::default();
            habitual(&mut setup);
            let mut bench = Bench::new(&setup);
            bench.run(
                "open eve shard=1
                 eve: subscribe room
                 eve> subscribed room A.0 replayed=0
                 hold
                 open ann lane=e room=room",
            );
            (0..delivered).for_each(|_| _ = bench.deliver_one(0));
            match end {
                "closed" => bench.deliver_instruction(0, CloseCode::Disconnected),
                end => bench.run_quietly(end),
            }
            (0..2).for_each(|shard| bench.hold(shard, false));
            bench.settle();
            let heard = bench.clients[0].take_lines();
            let both = ["join room A.0+ ann joined the room", "leave room A.0+ ann left the room"];
            assert!(heard.is_empty() || heard == both, "{end} after {delivered}: {heard:?}");
            // Who says goodbye is answered first, and has been there.
            let was_there = delivered > 0 || end == "ann closes 1001";
            assert_eq!(heard.is_empty(), !was_there, "{end} after {delivered}");
            bench.end();
        }
    }
}

/// A broker that cannot write the coming down: whoever nobody was told of does not stay, and has not gone either.
#[test]
fn a_coming_that_could_not_be_told_ends_the_connection() {
    let mut setup = Setup::default();
    habitual(&mut setup);
    let mut bench = Bench::new(&setup);
    bench.run("hold\n open ann lane=e room=room");
    assert!(bench.deliver_one(0), "the answer to the subscription");
    // The only question that is open is whether the coming was written down.
    let [ticket] = bench.tickets(0)[..] else { panic!("{:?}", bench.tickets(0)) };
    bench.push_first(0, Delivery::Reply(ticket, Reply::Failed(ErrorCode::Unavailable)));
    bench.run(
        "release
         ann> subscribed room A.0 replayed=0
         ann> error unavailable
         ann> disconnect 1013 reconnect=0
         ann> CLOSE 1013
         ann> GONE
         open eve
         eve: history #1 room
         eve> history #1 room A.0 [A.0+ ann joined the room]",
    );
    bench.end();
}

/// What a client says before it is a member would be published before it gets copies: it would miss its own.
#[test]
fn what_is_said_on_the_way_in_waits() {
    let mut setup = Setup::default();
    habitual(&mut setup);
    setup.tokens = true;
    let mut bench = Bench::new(&setup);
    bench.run("hold\n open ann lane=e room=room\n open bob lane=e room=room unauthenticated\n open eve");
    let takes =
        |bench: &Bench, client: usize| bench.shards[0].takes_commands(bench.clients[client].key.unwrap());
    assert_eq!([0, 1, 2].map(|client| takes(&bench, client)), [false, true, true]);
    bench.run(
        "release
         ann> subscribed room A.0 replayed=0
         ann> join room A.0+ ann joined the room",
    );
    assert!(takes(&bench, 0));
    bench.run("ann: say hello\n ann> message room A.1 hello");
    bench.end();
}

/// However far behind a shard is: a coming that was told is followed by its going.
#[test]
fn entries_are_written_when_messages_are_refused() {
    let mut setup = Setup::default();
    habitual(&mut setup);
    setup.settings.limits.inbox_deliveries_max = 2;
    let mut bench = Bench::new(&setup);
    bench.run(
        "open eve shard=1
         eve: subscribe room
         eve> subscribed room A.0 replayed=0
         open ann lane=e room=room
         eve> join room A.0+ ann joined the room
         ann> subscribed room A.0 replayed=0
         ann> join room A.0+ ann joined the room",
    );
    bench.hold(1, true);
    bench.run(
        "ann: say 1
         ann> message room A.1 1
         ann: say 2
         ann> message room A.2 2
         ann: say 3
         ann> error overloaded
         ann cut
         release
         eve> message room A.1 1
         eve> message room A.2 2
         eve> leave room A.2+ ann left the room",
    );
    bench.end();
}

#[test]
fn habits_are_nothing_to_those_who_have_none() {
    check(
        "open ann lane=d room=room
         ann: subscribe #1 room
         ann> subscribed #1 room A.0 replayed=0
         ann: subscribe #2 other
         ann> subscribed #2 other B.0 replayed=0
         ann: say hello
         ann> message room A.1 hello",
    );
}
