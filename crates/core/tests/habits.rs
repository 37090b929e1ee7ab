//! What dialects expect beside the form of their messages: greetings, word of who comes and goes, lists, one room and
//! its entries.

use fanfare_core::auth::Access;
use fanfare_protocol::CloseCode;
use fanfare_protocol::dialect::Habits;
use fanfare_testkit::bench::opening;
use fanfare_testkit::script::{self, command};
use fanfare_testkit::{Bench, Setup, check, check_with};

/// `d` greets and hears members and lists, `e` has one room with entries, `f` hears members.
fn habitual(setup: &mut Setup) {
    setup.habits = [
        Habits { greets: true, hears_members: true, hears_roster: true, ..Habits::default() },
        Habits { one_room: true, posts_entries: true, history_on_join: 3, ..Habits::default() },
        Habits { hears_members: true, ..Habits::default() },
    ];
}

#[test]
fn who_expects_it_is_greeted_as_soon_as_it_is_settled_who_it_is() {
    check_with(
        |setup| {
            habitual(setup);
            setup.tokens = true;
        },
        "open ann lane=d
         ann> connected c0.1 ann
         open eve
         open bob lane=d unauthenticated
         bob: auth #1 t
         authority says bob
         bob> authenticated #1 bob
         bob> connected c0.3 bob
         bob: auth #2 t
         authority says bob
         bob> authenticated #2 bob
         open cid lane=d unauthenticated
         cid: auth #1 t
         authority refuses authentication_failed
         cid> error #1 authentication_failed
         cid> disconnect 4001
         cid> CLOSE 4001
         cid> GONE",
    );
}

#[test]
fn who_expects_it_hears_who_comes_and_goes_where_the_namespace_does_not_ask() {
    check_with(
        habitual,
        "open eve
         eve: subscribe #1 room
         eve> subscribed #1 room A.0 replayed=0
         open ann lane=f name=Ann
         ann: subscribe #1 room info=hi
         ann> subscribed #1 room A.0 replayed=0
         ann> joined room ann~Ann*1(hi)
         open bob shard=1 lane=f
         bob: subscribe #1 room
         ann> joined room bob*1
         bob> subscribed #1 room A.0 replayed=0
         bob> joined room bob*1
         open bob2 user=bob lane=f
         bob2: subscribe #1 room
         bob2> subscribed #1 room A.0 replayed=0
         bob2> joined room bob*2
         bob2: unsubscribe #2 room
         bob2> unsubscribed #2 room
         bob: unsubscribe #2 room
         ann> left room bob*0
         bob> unsubscribed #2 room
         eve: unsubscribe #2 room
         eve> unsubscribed #2 room
         ann> left room eve*0",
    );
}

/// The broker tells of comings and goings for the sake of those who hear of them: it has to know when the last has gone,
/// however they went, and say nothing to rooms where none ever was.
#[test]
fn members_are_told_of_for_as_long_as_somebody_listens() {
    let mut setup = Setup::default();
    habitual(&mut setup);
    let mut bench = Bench::new(&setup);
    bench.run(
        "open ann lane=f
         ann: subscribe #1 room
         ann> subscribed #1 room A.0 replayed=0
         ann> joined room ann*1
         open eve shard=1
         eve: subscribe #1 room
         ann> joined room eve*1
         eve> subscribed #1 room A.0 replayed=0
         ann cut
         hold
         open bob
         bob: subscribe #1 room
         bob: unsubscribe #2 room
         bob> unsubscribed #2 room",
    );
    // Nobody listens any more: eve's shard is told nothing.
    assert!(!bench.deliver_one(1));
    bench.end();
}

#[test]
fn members_who_may_not_see_presence_hear_of_nobody_but_themselves() {
    check_with(
        |setup| {
            habitual(setup);
            setup.fallback.rules.presence = Access::Roles(["staff".into()].into());
        },
        "open ann lane=f
         ann: subscribe #1 room
         ann> subscribed #1 room A.0 replayed=0
         ann> joined room ann*1
         open bob lane=d roles=staff
         bob> connected c0.2 bob
         bob: subscribe #1 room
         bob> subscribed #1 room A.0 replayed=0
         bob> joined room bob*1
         bob> presence room users=2 connections=2 [ann*1 bob*1]
         open cid lane=d
         cid> connected c0.3 cid
         cid: subscribe #1 room
         bob> joined room cid*1
         bob> presence room users=3 connections=3 [ann*1 bob*1 cid*1]
         cid> subscribed #1 room A.0 replayed=0
         cid> joined room cid*1",
    );
}

#[test]
fn without_presence_a_member_hears_of_itself_alone() {
    check_with(
        |setup| {
            habitual(setup);
            setup.fallback.presence = false;
        },
        "open ann lane=d
         ann> connected c0.1 ann
         ann: subscribe #1 room
         ann> subscribed #1 room A.0 replayed=0
         ann> joined room ann*1
         open bob lane=f name=Bob
         bob: subscribe #1 room
         bob> subscribed #1 room A.0 replayed=0
         bob> joined room bob~Bob*1",
    );
}

#[test]
fn the_list_follows_every_coming_and_reaches_those_who_expect_it() {
    check_with(
        habitual,
        "open ann lane=d
         ann> connected c0.1 ann
         ann: subscribe #1 room
         ann> subscribed #1 room A.0 replayed=0
         ann> joined room ann*1
         ann> presence room users=1 connections=1 [ann*1]
         open eve lane=f shard=1
         eve: subscribe #1 room
         ann> joined room eve*1
         ann> presence room users=2 connections=2 [ann*1 eve*1]
         eve> subscribed #1 room A.0 replayed=0
         eve> joined room eve*1
         open ann2 user=ann lane=d shard=1
         ann2> connected c1.2 ann
         ann2: subscribe #1 room
         ann2> subscribed #1 room A.0 replayed=0
         ann2> joined room ann*2
         ann2> presence room users=2 connections=3 [ann*2 eve*1]
         eve: unsubscribe #2 room
         ann> left room eve*0
         eve> unsubscribed #2 room
         ann2> left room eve*0",
    );
}

/// A list for each of a thousand who come at once would be a million entries for each of those who are there.
#[test]
fn a_storm_of_comings_brings_no_storm_of_lists() {
    let mut setup = Setup::default();
    habitual(&mut setup);
    setup.settings.limits.presence_listed_max = 10;
    setup.settings.limits.outbox_bytes_max = 16 * 1024 * 1024;
    let mut bench = Bench::new(&setup);
    bench.run("open ann lane=d\n ann> connected c0.1 ann");
    bench.run_quietly("ann: subscribe #1 room");
    bench.clients[0].take_lines();
    for index in 0..999 {
        let user = script::user(&format!("u{index:03}"));
        let client = bench.open(user.as_str(), index % 2, opening(3, Some(user.clone())), false);
        bench.command(client, command("subscribe #1 room", &bench.epochs));
    }
    bench.settle();
    let lines = bench.clients[0].take_lines();
    let lists: Vec<&String> = lines.iter().filter(|line| line.starts_with("presence room")).collect();
    assert_eq!(lines.len() - lists.len(), 999, "every coming is told");
    assert!((1..=3).contains(&lists.len()), "{} lists", lists.len());
    let last = lines.last().map_or("", String::as_str);
    assert!(last.starts_with("presence room users=1000 connections=1000 [ann*1 u000*1 "), "{last}");
    assert_eq!(last.split_whitespace().count(), 4 + 10, "no more than are listed in a reply");
    bench.end();
}

#[test]
fn in_a_crowd_a_newcomer_brings_no_list() {
    check_with(
        |setup| {
            habitual(setup);
            setup.settings.limits.join_leave_users_max = 1;
        },
        "open ann lane=d
         ann> connected c0.1 ann
         ann: subscribe #1 room
         ann> subscribed #1 room A.0 replayed=0
         ann> joined room ann*1
         ann> presence room users=1 connections=1 [ann*1]
         open bob lane=d
         bob> connected c0.2 bob
         bob: subscribe #1 room
         bob> subscribed #1 room A.0 replayed=0
         bob> joined room bob*1",
    );
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
         eve> join room A.5 Ann joined the room
         ann> subscribed room A.4 replayed=3
         ann> message room A.2 2
         ann> message room A.3 3
         ann> message room A.4 4
         ann> join room A.5 Ann joined the room
         ann: say hello
         eve> message room A.6 hello
         ann> message room A.6 hello
         ann cut
         eve> leave room A.7 Ann left the room
         eve: history #2 room since=A.4
         eve> history #2 room A.7 [A.5 Ann joined the room, A.6 hello, A.7 Ann left the room]",
    );
}

#[test]
fn a_connection_with_one_room_knows_no_other() {
    check_with(
        habitual,
        "open ann lane=e room=room
         ann> subscribed room A.0 replayed=0
         ann> join room A.1 ann joined the room
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
         eve> join room A.1 Ann joined the room
         ann> authenticated #1 ann
         ann> subscribed room A.0 replayed=0
         ann> join room A.1 Ann joined the room",
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
         eve> subscribed asked:e A.0 replayed=0
         eve> join asked:e A.1 eve joined the room",
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
         ann> join room A.2 ann joined the room",
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
         eve> join room A.1 ann joined the room
         ann> subscribed room A.0 replayed=0
         ann> join room A.1 ann joined the room
         ann: auth #1 t
         authority says ann
         eve> leave room A.2 ann left the room
         ann> authenticated #1 ann
         ann> unsubscribed room permission_denied
         ann> disconnect 4003
         ann> CLOSE 4003
         ann> GONE
         open bob lane=e room=room roles=staff
         eve> join room A.3 bob joined the room
         bob> subscribed room A.2 replayed=2
         bob> join room A.1 ann joined the room
         bob> leave room A.2 ann left the room
         bob> join room A.3 bob joined the room
         api unsubscribe users=bob room
         eve> leave room A.4 bob left the room
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
             eve> join room A.1 ann joined the room
             ann> subscribed room A.0 replayed=0
             ann> join room A.1 ann joined the room",
        );
        match end {
            "drain" => bench.shards[0].drain(),
            "ann hangs" => {
                let key = bench.clients[1].key.unwrap();
                bench.shards[0].end(key, fanfare_core::session::Ending::HungUp);
            }
            end => bench.run_quietly(end),
        }
        bench.wait(60_000);
        assert!(bench.clients[1].key.is_none(), "{end}");
        assert_eq!(bench.clients[0].take_lines(), ["leave room A.2 ann left the room"], "{end}");
        bench.end();
    }
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
            let both = ["join room A.1 ann joined the room", "leave room A.2 ann left the room"];
            assert!(heard.is_empty() || heard == both, "{end} after {delivered}: {heard:?}");
            // Who says goodbye is answered first, and has been there.
            let was_there = delivered > 0 || end == "ann closes 1001";
            assert_eq!(heard.is_empty(), !was_there, "{end} after {delivered}");
            bench.end();
        }
    }
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
         ann> join room A.1 ann joined the room",
    );
    assert!(takes(&bench, 0));
    bench.run("ann: say hello\n ann> message room A.2 hello");
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
         eve> join room A.1 ann joined the room
         ann> subscribed room A.0 replayed=0
         ann> join room A.1 ann joined the room",
    );
    bench.hold(1, true);
    bench.run(
        "ann: say 1
         ann> message room A.2 1
         ann: say 2
         ann> message room A.3 2
         ann: say 3
         ann> error overloaded
         ann cut
         release
         eve> message room A.2 1
         eve> message room A.3 2
         eve> leave room A.4 ann left the room",
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
