//! What dialects expect beside the form of their messages: greetings, word of who comes and goes, lists.

use fanfare_core::auth::Access;
use fanfare_protocol::dialect::Habits;
use fanfare_testkit::bench::opening;
use fanfare_testkit::script::{self, command};
use fanfare_testkit::{Bench, Setup, check_with};

/// The clients of `d` are greeted and hear of members and lists, those of `f` hear of members.
fn habitual(setup: &mut Setup) {
    setup.habits[0] = Habits { greets: true, hears_members: true, hears_roster: true, ..Habits::default() };
    setup.habits[2] = Habits { hears_members: true, ..Habits::default() };
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

/// What a member was told: how many comings, and the lists.
fn told(bench: &mut Bench, client: usize) -> (usize, Vec<String>) {
    let lines = bench.clients[client].take_lines();
    let (lists, others): (Vec<String>, _) =
        lines.into_iter().partition(|line| line.starts_with("presence room"));
    (others.len(), lists)
}

fn crowd() -> Bench {
    let mut setup = Setup::default();
    habitual(&mut setup);
    setup.settings.limits.presence_listed_max = 10;
    setup.settings.limits.outbox_bytes_max = 16 * 1024 * 1024;
    let mut bench = Bench::new(&setup);
    bench.run("open ann lane=d\n ann> connected c0.1 ann");
    bench.run_quietly("ann: subscribe #1 room");
    bench.clients[0].take_lines();
    bench
}

fn come(bench: &mut Bench, index: usize) {
    let user = script::user(&format!("u{index:03}"));
    let client = bench.open(user.as_str(), index % 2, opening(3, Some(user.clone())), false);
    bench.command(client, command("subscribe #1 room", &bench.epochs));
}

/// A list for each of a thousand who come at once would be a million entries for each of those who are there.
#[test]
fn a_thousand_who_come_at_once_bring_a_list_or_two() {
    for one_by_one in [false, true] {
        let mut bench = crowd();
        (0..2).for_each(|shard| bench.hold(shard, true));
        (0..999).for_each(|index| come(&mut bench, index));
        while one_by_one && bench.deliver_one(0) {
            bench.turn(0);
        }
        (0..2).for_each(|shard| bench.hold(shard, false));
        bench.wait(1_000);
        let (comings, lists) = told(&mut bench, 0);
        assert_eq!(comings, 999, "every coming is told");
        assert!((1..=2).contains(&lists.len()), "{} lists", lists.len());
        let last = lists.last().map_or("", String::as_str);
        assert!(last.starts_with("presence room users=1000 connections=1000 [ann*1 u000*1 "), "{last}");
        assert_eq!(last.split_whitespace().count(), 4 + 10, "no more than are listed in a reply");
        bench.end();
    }
}

/// Who comes after the last list was given brings another one, and in a storm that never ends: in a large channel there is
/// some time between them, and none is forgotten.
#[test]
fn lists_for_many_are_some_time_apart() {
    let mut bench = crowd();
    for index in 0..399 {
        come(&mut bench, index);
        bench.wait(1);
    }
    let (comings, lists) = told(&mut bench, 0);
    assert_eq!(comings, 399);
    assert!((64..70).contains(&lists.len()), "{} lists", lists.len());
    bench.wait(1_000);
    let (_, lists) = told(&mut bench, 0);
    assert_eq!(lists.len(), 1);
    assert!(lists[0].starts_with("presence room users=400 connections=400 "), "{}", lists[0]);
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
         ann> presence room incomplete
         bob> subscribed #1 room A.0 replayed=0
         bob> joined room bob*1
         bob> presence room incomplete
         bob: unsubscribe room
         ann> presence room users=1 connections=1 [ann*1]
         bob> unsubscribed room",
    );
}

/// Joining twice was an error in every dialect. Hand-written clients join again whenever they connect, or are told to.
#[test]
fn where_repetition_is_no_error_joining_and_leaving_twice_is_answered_like_the_first_time_and_told_to_nobody()
{
    check_with(
        |setup| {
            habitual(setup);
            setup.habits[0].repeats = true;
            setup.habits[2].repeats = true;
        },
        "open eve lane=f
         eve: subscribe #1 room
         eve> subscribed #1 room A.0 replayed=0
         eve> joined room eve*1
         open ann lane=d
         ann> connected c0.2 ann
         hold
         ann: subscribe #1 room
         ann: subscribe #2 room
         release
         eve> joined room ann*1
         ann> subscribed #1 room A.0 replayed=0
         ann> joined room ann*1
         ann> subscribed #2 room replayed=0
         ann> joined room ann*1
         ann> presence room users=2 connections=2 [ann*1 eve*1]
         ann> presence room users=2 connections=2 [ann*1 eve*1]
         eve: subscribe #3 room
         eve> subscribed #3 room replayed=0
         eve> joined room eve*1
         eve: presence #4 room counts
         eve> presence #4 room users=2 connections=2 []
         ann: unsubscribe #5 room
         eve> left room ann*0
         ann> unsubscribed #5 room
         ann: unsubscribe #6 room
         ann> unsubscribed #6 room",
    );
}

/// A client was told that its token was good only where the token had come as a message.
#[test]
fn who_came_with_a_token_is_told_so_before_anything_else() {
    check_with(
        |setup| {
            setup.tokens = true;
            setup.habits[0] = Habits { confirms_tokens: true, greets: true, ..Habits::default() };
            setup.habits[2] = Habits { confirms_tokens: true, ..Habits::default() };
        },
        "open ann lane=d by-token expires=100000
         ann> authenticated ann expires=100000
         ann> connected c0.1 ann
         open bob lane=f by-token
         bob> authenticated bob
         open cid lane=f by-token anonymous
         cid> authenticated -
         open dan lane=f
         open eve by-token
         open fay lane=f unauthenticated
         fay: auth #1 t
         authority says fay
         fay> authenticated #1 fay",
    );
}
