//! Who is there: devices, grace periods, join and leave events, and users' own status.

use fanfare_core::auth::Access;
use fanfare_testkit::{Setup, check, check_with};

fn loud(setup: &mut Setup) {
    setup.fallback.join_leave = true;
}

#[test]
fn all_devices_of_a_user_are_one_member() {
    check_with(
        loud,
        "open eve
         eve: subscribe #1 room presence
         eve> subscribed #1 room A.0 replayed=0 users=1 connections=1 [eve*1]
         open phone user=ann shard=1
         phone: subscribe #1 room info=phone
         eve> joined room ann*1(phone)
         phone> subscribed #1 room A.0 replayed=0
         open desk user=ann
         desk: subscribe #1 room info=desk presence
         desk> subscribed #1 room A.0 replayed=0 users=2 connections=3 [ann*2(desk) eve*1]
         phone: unsubscribe #2 room
         phone> unsubscribed #2 room
         eve: presence #2 room
         eve> presence #2 room users=2 connections=2 [ann*1(desk) eve*1]
         desk: unsubscribe #2 room
         eve> left room ann*0(desk)
         desk> unsubscribed #2 room
         eve: presence #3 room counts
         eve> presence #3 room users=1 connections=1 []",
    );
}

/// A client may close with a code of its own. It once got 1000 back, and was taken for gone at once.
#[test]
fn a_close_code_of_the_clients_own_comes_back_and_is_no_goodbye() {
    check_with(
        loud,
        "open eve
         eve: subscribe room
         eve> subscribed room A.0 replayed=0
         open ann
         ann: subscribe room
         eve> joined room ann*1
         ann> subscribed room A.0 replayed=0
         ann closes 4321
         ann> CLOSE 4321
         ann> GONE
         eve: presence #1 room
         eve> presence #1 room users=2 connections=1 [ann*0 eve*1]
         wait 12000
         eve> left room ann*0",
    );
}

/// A reload closes one connection and opens another a moment later: without a grace period every member's list
/// flickers.
#[test]
fn a_reload_does_not_flicker() {
    check_with(
        loud,
        "open eve
         eve: subscribe room
         eve> subscribed room A.0 replayed=0
         open ann
         ann: subscribe room
         eve> joined room ann*1
         ann> subscribed room A.0 replayed=0
         ann closes 1001
         ann> CLOSE 1001
         ann> GONE
         wait 500
         eve: presence #1 room
         eve> presence #1 room users=2 connections=1 [ann*0 eve*1]
         open ann
         ann: subscribe room
         ann> subscribed room A.0 replayed=0
         wait 60000
         eve: presence #2 room
         eve> presence #2 room users=2 connections=2 [ann*1 eve*1]",
    );
}

#[test]
fn who_stays_away_has_left_when_the_grace_period_ends() {
    check_with(
        loud,
        "open eve
         eve: subscribe room
         eve> subscribed room A.0 replayed=0
         open ann shard=1
         ann: subscribe room
         eve> joined room ann*1
         ann> subscribed room A.0 replayed=0
         ann cut
         wait 9750
         wait 250
         eve> left room ann*0
         wait 60000
         open ann
         ann: subscribe room
         eve> joined room ann*1
         ann> subscribed room A.0 replayed=0",
    );
}

#[test]
fn a_second_absence_gets_a_grace_period_of_its_own() {
    check_with(
        loud,
        "open eve
         eve: subscribe room
         eve> subscribed room A.0 replayed=0
         open ann shard=1
         ann: subscribe room
         eve> joined room ann*1
         ann> subscribed room A.0 replayed=0
         ann cut
         wait 8000
         open ann shard=1
         ann: subscribe room
         ann> subscribed room A.0 replayed=0
         wait 1000
         ann cut
         wait 9500
         wait 500
         eve> left room ann*0",
    );
}

#[test]
fn who_says_goodbye_has_left_at_once() {
    check_with(
        loud,
        "open eve
         eve: subscribe room
         eve> subscribed room A.0 replayed=0
         open ann shard=1
         ann: subscribe room
         eve> joined room ann*1
         ann> subscribed room A.0 replayed=0
         ann: disconnect
         eve> left room ann*0
         ann> CLOSE 1000
         ann> GONE
         open bob
         bob: subscribe room
         eve> joined room bob*1
         bob> subscribed room A.0 replayed=0
         bob closes 1000
         eve> left room bob*0
         bob> CLOSE 1000
         bob> GONE",
    );
}

#[test]
fn join_and_leave_events_come_only_where_the_namespace_asks_and_never_to_the_joiner() {
    check(
        "open eve
         eve: subscribe room
         eve> subscribed room A.0 replayed=0
         open ann
         ann: subscribe room
         ann> subscribed room A.0 replayed=0
         ann: unsubscribe room
         ann> unsubscribed room",
    );
}

#[test]
fn join_and_leave_events_stop_in_crowds() {
    check_with(
        |setup| {
            loud(setup);
            setup.settings.limits.join_leave_users_max = 2;
            setup.settings.limits.presence_listed_max = 2;
        },
        "open eve
         eve: subscribe room
         eve> subscribed room A.0 replayed=0
         open ann
         ann: subscribe room
         eve> joined room ann*1
         ann> subscribed room A.0 replayed=0
         open bob
         bob: subscribe room
         eve> presence room incomplete
         ann> presence room incomplete
         bob> subscribed room A.0 replayed=0
         bob> presence room incomplete
         eve: presence #1 room
         eve> presence #1 room users=3 connections=3 [ann*1 bob*1]
         open cid
         cid: subscribe room
         cid> subscribed room A.0 replayed=0
         cid> presence room incomplete
         cid: unsubscribe room
         cid> unsubscribed room
         bob: unsubscribe room
         eve> presence room users=2 connections=2 [ann*1 eve*1]
         ann> presence room users=2 connections=2 [ann*1 eve*1]
         bob> unsubscribed room
         ann: unsubscribe room
         eve> left room ann*0
         ann> unsubscribed room",
    );
}

#[test]
fn a_lane_without_a_form_for_an_event_gets_nothing_for_it() {
    check_with(
        loud,
        "open eve lane=c
         open fay
         eve: subscribe room
         eve> subscribed room A.0 replayed=0
         fay: subscribe room
         fay> subscribed room A.0 replayed=0
         open ann shard=1
         ann: subscribe room
         fay> joined room ann*1
         ann> subscribed room A.0 replayed=0
         api publish room hi
         eve> message room A.1 hi
         fay> message room A.1 hi
         ann> message room A.1 hi
         api> published A.1",
    );
}

/// The list came in the order of a hash map with a seed drawn at random: another order on every node and in every
/// run, and in a crowd another part of the members each time.
#[test]
fn members_are_listed_in_the_order_of_their_coming() {
    check_with(
        |setup| setup.settings.limits.presence_listed_max = 3,
        "open eve
         eve: subscribe room
         eve> subscribed room A.0 replayed=0
         wait 10
         open zoe
         zoe: subscribe room
         zoe> subscribed room A.0 replayed=0
         wait 10
         open dan
         dan: subscribe room
         dan> subscribed room A.0 replayed=0
         wait 10
         open ann
         ann: subscribe #1 room presence
         ann> subscribed #1 room A.0 replayed=0 users=4 connections=4 [eve*1 zoe*1 dan*1]",
    );
}

#[test]
fn anonymous_connections_are_members_under_their_own_ids() {
    check(
        "open x anonymous
         open y anonymous shard=1
         x: subscribe room
         x> subscribed room A.0 replayed=0
         y: subscribe #1 room presence
         y> subscribed #1 room A.0 replayed=0 users=2 connections=2 [00000007-1000000*1 00000007-100000001000000*1]
         x: connect #2
         x> connected #2 c0.1 -",
    );
}

#[test]
fn status_and_last_seen_are_known_without_a_channel() {
    check(
        "open phone user=ann
         open desk user=ann shard=1
         open bob
         wait 1000
         bob: users #1 ann zoe bob
         bob> users #1 ann=online@1000 zoe=offline bob=online@1000
         phone: status #1 away
         phone> status #1 away
         bob: users #2 ann
         bob> users #2 ann=online@1000
         desk: status #1 away
         desk> status #1 away
         bob: users #3 ann
         bob> users #3 ann=away@1000
         desk: status #2 online
         desk> status #2 online
         phone cut
         wait 500
         bob: users #3 ann
         bob> users #3 ann=online@1500
         desk cut
         wait 500
         bob: users #4 ann
         bob> users #4 ann=offline@1500
         bob: status #5 offline
         bob> error #5 invalid_field
         open x anonymous
         x: status #1 away
         x> error #1 permission_denied",
    );
}

/// An anonymous connection was told of anyone whether they are there.
#[test]
fn who_may_ask_for_users_is_a_rule_and_authenticated_ones_by_default() {
    check(
        "open ann
         open eve anonymous
         eve: users #1 ann
         eve> error #1 permission_denied
         ann: users #1 ann
         ann> users #1 ann=online@0",
    );
    check_with(
        |setup| setup.settings.users = Access::Everyone,
        "open ann
         open eve anonymous
         eve: users #1 ann
         eve> users #1 ann=online@0",
    );
    check_with(
        |setup| setup.settings.users = Access::Nobody,
        "open ann
         ann: users #1 ann
         ann> error #1 permission_denied",
    );
}

#[test]
fn a_user_who_comes_back_is_not_away_any_more() {
    check(
        "open ann
         open bob
         ann: status #1 away
         ann> status #1 away
         ann cut
         open ann
         bob: users #1 ann
         bob> users #1 ann=online@0",
    );
}

#[test]
fn the_longest_gone_are_forgotten_first() {
    check_with(
        |setup| setup.settings.limits.last_seen_users_max = 2,
        "open ann
         open bob
         open cid
         open dan
         wait 1000
         ann cut
         wait 1000
         bob cut
         wait 1000
         cid cut
         dan: users #1 ann bob cid
         dan> users #1 ann=offline bob=offline@2000 cid=offline@3000",
    );
}

/// One tab lost its line, and the user closed another tab: everybody was told that the user had left, and a moment later
/// that the user had come.
#[test]
fn the_goodbye_of_one_tab_does_not_end_the_grace_of_another_that_was_lost() {
    check_with(
        loud,
        "open eve
         eve: subscribe room
         eve> subscribed room A.0 replayed=0
         open phone user=ann
         phone: subscribe room
         eve> joined room ann*1
         phone> subscribed room A.0 replayed=0
         open tab user=ann shard=1
         tab: subscribe room
         tab> subscribed room A.0 replayed=0
         phone cut
         wait 1000
         tab closes 1000
         tab> CLOSE 1000
         tab> GONE
         wait 1000
         open back user=ann
         back: subscribe room
         back> subscribed room A.0 replayed=0
         back closes 1000
         eve> left room ann*0
         back> CLOSE 1000
         back> GONE",
    );
}

/// The same, and the lost one does not come back: the user has left when its grace period ends, and not later.
#[test]
fn the_grace_of_a_lost_tab_is_counted_from_its_own_loss() {
    check_with(
        loud,
        "open eve
         eve: subscribe room
         eve> subscribed room A.0 replayed=0
         open phone user=ann
         phone: subscribe room
         eve> joined room ann*1
         phone> subscribed room A.0 replayed=0
         open tab user=ann shard=1
         tab: subscribe room
         tab> subscribed room A.0 replayed=0
         phone cut
         wait 6000
         tab closes 1000
         tab> CLOSE 1000
         tab> GONE
         wait 3750
         wait 250
         eve> left room ann*0
         open tab2 user=ann
         tab2: subscribe room
         eve> joined room ann*1
         tab2> subscribed room A.0 replayed=0
         open again user=ann
         again: subscribe room
         again> subscribed room A.0 replayed=0
         again cut
         wait 12000
         tab2 closes 1000
         eve> left room ann*0
         tab2> CLOSE 1000
         tab2> GONE",
    );
}

/// A user whom the backend had disconnected stayed in the list for the grace period, and the backend could do nothing
/// about it.
#[test]
fn whom_the_backend_disconnects_has_left_at_once() {
    check_with(
        loud,
        "open eve
         eve: subscribe room
         eve> subscribed room A.0 replayed=0
         open ann
         ann: subscribe room
         eve> joined room ann*1
         ann> subscribed room A.0 replayed=0
         open phone user=ann shard=1
         phone: subscribe room
         phone> subscribed room A.0 replayed=0
         phone cut
         api disconnect users=ann 4000
         eve> left room ann*0
         ann> disconnect 4000
         ann> CLOSE 4000
         ann> GONE",
    );
}

/// The same of a user who has no connection any more, and of one who has another: nobody waits for the lost one.
#[test]
fn whom_the_backend_unsubscribes_or_disconnects_during_the_grace_has_left_at_once() {
    check_with(
        loud,
        "open eve
         eve: subscribe room
         eve> subscribed room A.0 replayed=0
         open ann
         ann: subscribe room
         eve> joined room ann*1
         ann> subscribed room A.0 replayed=0
         ann cut
         api unsubscribe users=ann other
         api unsubscribe users=bob room
         api unsubscribe users=ann room
         eve> left room ann*0
         open bob
         bob: subscribe room
         eve> joined room bob*1
         bob> subscribed room A.0 replayed=0
         bob cut
         api disconnect users=bob 4000
         eve> left room bob*0
         wait 20000",
    );
}
