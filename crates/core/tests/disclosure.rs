//! What a subscription brings beside messages: who else is there, and what was said before. Each has a rule of its own.

use fanfare_core::auth::Access;
use fanfare_testkit::check_with;

fn roles(names: &[&str]) -> Access {
    Access::Roles(names.iter().map(|name| (*name).into()).collect())
}

/// Who was refused the list of members could write one from the events.
#[test]
fn who_may_not_see_presence_hears_nothing_of_it() {
    check_with(
        |setup| {
            setup.tokens = true;
            setup.namespace("club", |n| {
                n.rules.presence = roles(&["admin"]);
                n.join_leave = true;
            });
        },
        "open ann
         open adm roles=admin
         ann: subscribe club:x
         ann> subscribed club:x A.0 replayed=0
         adm: subscribe club:x
         adm> subscribed club:x A.0 replayed=0
         open bob
         bob: subscribe club:x
         adm> joined club:x bob*1
         bob> subscribed club:x A.0 replayed=0
         adm: auth #1 T
         authority says adm
         adm> authenticated #1 adm
         bob: unsubscribe club:x
         bob> unsubscribed club:x",
    );
}

/// The last value went to everyone who subscribed, and the rule for history was not asked.
#[test]
fn what_is_replayed_unasked_is_history_too() {
    check_with(
        |setup| {
            setup.namespace("price", |n| {
                n.rules.history = roles(&["admin"]);
                n.replay_on_subscribe = 1;
            });
        },
        "api publish price:x 1
         api> published A.1
         open ann
         ann: subscribe #1 price:x
         ann> subscribed #1 price:x A.1 replayed=0
         open adm roles=admin
         adm: subscribe #1 price:x
         adm> subscribed #1 price:x A.1 replayed=1
         adm> message price:x A.1 1
         open bob
         api subscribe users=bob price:x
         bob> subscribed price:x A.1 replayed=1
         bob> message price:x A.1 1",
    );
}

/// What came along with a subscription was that of the token by which it was asked for, though another one was in force.
#[test]
fn what_comes_along_with_a_subscription_is_decided_when_it_comes() {
    check_with(
        |setup| {
            setup.tokens = true;
            setup.namespace("past", |n| {
                (n.rules.history, n.rules.presence) = (roles(&["admin"]), roles(&["admin"]));
            });
        },
        "open ann roles=admin
         api publish past:x 1
         api> published A.1
         ann: subscribe #1 past:y history=1 presence
         ann> subscribed #1 past:y B.0 replayed=0 users=1 connections=1 [ann*1]
         hold
         ann: auth #2 T
         authority says ann
         ann: subscribe #3 past:x history=1 presence
         release
         ann> authenticated #2 ann
         ann> subscribed #3 past:x A.1 replayed=0",
    );
}
