//! What they may do: rules, private names, grants, subscription tokens, the application, and what changes meanwhile.

use fanfare_core::auth::Access;
use fanfare_testkit::{Setup, check_with};

fn roles(names: &[&str]) -> Access {
    Access::Roles(names.iter().map(|name| (*name).into()).collect())
}

fn guarded(setup: &mut Setup) {
    setup.tokens = true;
    setup.namespace("staff", |n| n.rules.subscribe = roles(&["admin"]));
    setup.namespace("vault", |n| n.rules.subscribe = Access::Token);
    setup.namespace("news", |n| n.rules.publish = Access::Nobody);
    setup.namespace("club", |n| {
        n.rules.subscribe = Access::Authenticated;
        n.rules.publish = Access::Members;
        n.rules.history = Access::Nobody;
        n.rules.presence = roles(&["admin"]);
    });
}

#[test]
fn each_rule_admits_whom_it_says() {
    check_with(
        guarded,
        "open ann
         open eve anonymous
         open adm roles=admin,other
         ann: subscribe #1 staff:x
         ann> error #1 permission_denied
         adm: subscribe #1 staff:x
         adm> subscribed #1 staff:x A.0 replayed=0
         ann: publish #2 staff:x 1
         ann> error #2 permission_denied
         ann: history #3 staff:x
         ann> error #3 permission_denied
         ann: presence #4 staff:x
         ann> error #4 permission_denied
         eve: subscribe #1 club:x
         eve> error #1 permission_denied
         ann: publish #5 club:x 1
         ann> error #5 permission_denied
         ann: subscribe #6 club:x
         ann> subscribed #6 club:x B.0 replayed=0
         ann: publish #7 club:x 1
         ann> published #7 B.1
         ann: history #8 club:x
         ann> error #8 permission_denied
         ann: presence #9 club:x
         ann> error #9 permission_denied
         adm: presence #9 club:x
         adm> presence #9 club:x users=1 connections=1 [ann*1]
         adm: publish #10 news:x 1
         adm> error #10 permission_denied
         api publish news:x 1
         api> published C.1",
    );
}

#[test]
fn what_comes_along_with_a_subscription_has_rules_too() {
    check_with(
        guarded,
        "open ann
         api publish club:x 1
         api> published A.1
         ann: subscribe #1 club:x history=1
         ann> error #1 permission_denied
         ann: subscribe #2 club:x presence
         ann> error #2 permission_denied
         ann: subscribe #3 club:x recover=A.0
         ann> subscribed #3 club:x A.1 recovered=false replayed=0",
    );
}

#[test]
fn private_names_are_closed_to_all_who_were_not_let_in() {
    check_with(
        |_| {},
        "open ann grants=chat:$board/subscribe+publish
         open bob roles=admin
         ann: subscribe #1 chat:$board
         ann> subscribed #1 chat:$board A.0 replayed=0
         ann: publish #2 chat:$board 1
         ann> published #2 A.1
         ann: history #3 chat:$board
         ann> error #3 permission_denied
         bob: subscribe #1 chat:$board
         bob> error #1 permission_denied
         bob: subscribe #2 chat:$other
         bob> error #2 permission_denied
         bob: publish #3 chat:$board 1
         bob> error #3 permission_denied
         bob: subscribe #4 $board
         bob> error #4 permission_denied
         bob: subscribe #5 talk#ann,cid
         bob> error #5 permission_denied
         ann: subscribe #6 talk#ann,cid
         ann> subscribed #6 talk#ann,cid B.0 replayed=0
         ann: subscribe #7 chat:talk#cid,bob
         ann> error #7 permission_denied",
    );
}

/// Who invented a name with their own id in it could have opened any namespace with it.
#[test]
fn a_name_only_narrows_what_the_rule_admits() {
    check_with(
        guarded,
        "open ann
         ann: subscribe #1 staff:x#ann
         ann> error #1 permission_denied
         ann: subscribe #2 vault:x#ann
         ann> error #2 permission_denied
         ann: publish #3 news:x#ann 1
         ann> error #3 permission_denied",
    );
}

/// A pattern over a namespace would have brought what its private channels say.
#[test]
fn patterns_bring_nothing_of_restricted_channels() {
    check_with(
        |_| {},
        "open ann grants=chat:>/subscribe
         ann: subscribe #1 chat:*
         ann> subscribed #1 chat:* replayed=0
         api publish chat:$board 1
         api> published A.1
         api publish chat:talk#bob 2
         api> published B.1
         api publish chat:open 3
         ann> message chat:open C.1 3
         api> published C.1",
    );
}

#[test]
fn a_pattern_needs_to_be_admitted_as_a_whole() {
    check_with(
        guarded,
        "open ann grants=vault:a.>/subscribe
         ann: subscribe #1 vault:a.*
         ann> subscribed #1 vault:a.* replayed=0
         ann: subscribe #2 vault:a.>
         ann> subscribed #2 vault:a.> replayed=0
         ann: subscribe #3 vault:*.a
         ann> error #3 permission_denied
         ann: subscribe #4 vault:>
         ann> error #4 permission_denied
         ann: subscribe #5 vault:a.b
         ann> subscribed #5 vault:a.b A.0 replayed=0
         ann: subscribe #6 vault:a
         ann> error #6 permission_denied",
    );
}

#[test]
fn a_subscription_token_opens_one_channel_for_its_time() {
    check_with(
        guarded,
        "open ann
         ann: subscribe #1 vault:x token=T
         authority grants allow=subscribe+publish expires=60000
         ann> subscribed #1 vault:x A.0 replayed=0
         ann: publish #2 vault:x 1
         ann> published #2 A.1
         ann: history #3 vault:x
         ann> error #3 permission_denied
         ann: subscribe #4 vault:y
         ann> error #4 permission_denied
         wait 30000
         ann: subscribe #5 vault:x token=T
         authority grants allow=subscribe expires=60000
         ann> subscribed #5 vault:x replayed=0
         ann: publish #6 vault:x 1
         ann> error #6 permission_denied
         wait 40000
         api publish vault:x 2
         ann> message vault:x A.2 2
         api> published A.2
         wait 21000
         ann> unsubscribed vault:x token_expired
         api publish vault:x 3
         api> published A.3",
    );
}

#[test]
fn a_subscription_token_that_is_refused_leaves_nothing_behind() {
    check_with(
        guarded,
        "open ann
         ann: subscribe #1 vault:x token=T
         authority refuses authentication_failed
         ann> error #1 authentication_failed
         ann: subscribe #3 vault:x
         ann> error #3 permission_denied
         ann: publish #5 news:x 1
         ann> error #5 permission_denied",
    );
}

/// The token of a subscription that the rules admit anyway was not looked at, and what it allowed beyond them was refused.
#[test]
fn a_subscription_token_counts_where_the_rules_admit_too() {
    check_with(
        |setup| {
            guarded(setup);
            setup.namespace("past", |n| n.rules.history = Access::Token);
        },
        "open ann
         api publish past:x 1
         api> published A.1
         ann: subscribe #1 past:x history=1
         ann> error #1 permission_denied
         ann: subscribe #2 past:x history=1 token=T
         authority grants
         ann> subscribed #2 past:x A.1 replayed=1
         ann> message past:x A.1 1
         ann: subscribe #3 lobby token=T
         authority refuses authentication_failed
         ann> error #3 authentication_failed",
    );
}

/// A verdict that came after the end of what it granted opened the channel until the shard's next look at the clock.
#[test]
fn a_subscription_token_that_expires_while_it_is_looked_at_opens_nothing() {
    check_with(
        guarded,
        "open ann
         hold
         ann: subscribe #1 vault:x token=T
         authority grants expires=100
         wait 100
         api publish vault:x secret
         api> published A.1
         release
         ann> error #1 token_expired
         ann: subscribe #2 vault:x
         ann> error #2 permission_denied",
    );
}

/// The subscription failed for what came along with it, and its grant stayed until the connection ended.
#[test]
fn a_grant_whose_subscription_fails_goes_with_it() {
    check_with(
        guarded,
        "open ann
         ann: subscribe #1 vault:x token=T history=1
         authority grants allow=subscribe+publish
         ann> error #1 permission_denied
         ann: subscribe #2 vault:x
         ann> error #2 permission_denied
         ann: publish #3 vault:x 1
         ann> error #3 permission_denied",
    );
}

/// A token for a pattern left its grant behind: after the subscription was given up, history of every channel that fits was
/// still answered.
#[test]
fn a_grant_by_a_pattern_goes_with_the_subscription_that_it_came_with() {
    check_with(
        guarded,
        "open ann
         ann: subscribe #1 vault:p.3 token=T
         authority grants for=vault:p.>
         ann> subscribed #1 vault:p.3 A.0 replayed=0
         ann: history #2 vault:p.3
         ann> history #2 vault:p.3 A.0 []
         ann: history #3 vault:p.4
         ann> error #3 permission_denied
         ann: unsubscribe #4 vault:p.3
         ann> unsubscribed #4 vault:p.3
         ann: history #5 vault:p.3
         ann> error #5 permission_denied
         ann: subscribe #6 vault:p.3
         ann> error #6 permission_denied",
    );
}

/// The answer to a newer token said that there was a subscription, while it was not decided yet.
#[test]
fn a_subscription_that_is_not_decided_yet_takes_no_newer_token() {
    check_with(
        guarded,
        "open ann
         ann: subscribe #1 vault:x token=T
         ann: subscribe #2 vault:x token=T
         ann> error #2 already_subscribed
         authority grants
         ann> subscribed #1 vault:x A.0 replayed=0",
    );
}

#[test]
fn a_subscription_can_be_given_up_while_its_token_is_looked_at() {
    check_with(
        guarded,
        "open ann
         ann: subscribe #1 vault:x token=T
         ann: unsubscribe #2 vault:x
         ann> unsubscribed #2 vault:x
         authority grants
         ann> error #1 not_subscribed
         ann: subscribe #3 vault:x
         ann> error #3 permission_denied
         ann: subscribe #5 vault:y token=T
         authority grants
         ann> subscribed #5 vault:y A.0 replayed=0
         ann: subscribe #6 vault:y token=T
         ann: unsubscribe #7 vault:y
         ann> unsubscribed #7 vault:y
         authority grants
         ann> error #6 not_subscribed
         ann: subscribe #8 vault:y
         ann> error #8 permission_denied
         ann: subscribe #4 vault:x token=T
         ann cut
         authority grants",
    );
}

#[test]
fn a_revoked_subscription_token_ends_its_subscription_only() {
    check_with(
        guarded,
        "open ann
         ann: subscribe #1 vault:x token=T
         authority grants token=one
         ann> subscribed #1 vault:x A.0 replayed=0
         ann: subscribe #2 lobby
         ann> subscribed #2 lobby B.0 replayed=0
         revoke token=one
         ann> unsubscribed vault:x token_revoked
         ann: subscribe #3 vault:x token=T
         authority grants token=one
         ann> error #3 token_revoked
         ann: message lobby still
         ann> message lobby B.1 still",
    );
}

/// The broker's page came after the revocation that its reader had not been told of when it asked, with messages that
/// were published after it.
#[test]
fn what_was_asked_before_a_revocation_is_not_answered_after_it() {
    check_with(
        guarded,
        "open ann
         ann: subscribe #1 vault:x token=T
         authority grants token=one
         ann> subscribed #1 vault:x A.0 replayed=0
         hold
         revoke token=one
         api publish vault:x secret
         api> published A.1
         ann: history #2 vault:x
         ann: presence #3 vault:x
         release
         ann> unsubscribed vault:x token_revoked
         ann> error #2 permission_denied
         ann> error #3 permission_denied",
    );
}

#[test]
fn what_a_member_asked_before_it_left_is_answered_all_the_same() {
    check_with(
        |setup| {
            setup.namespace("room", |n| {
                (n.rules.history, n.rules.presence) = (Access::Members, Access::Members)
            });
        },
        "open ann
         ann: subscribe #1 room:x
         ann> subscribed #1 room:x A.0 replayed=0
         hold
         ann: history #2 room:x
         ann: presence #3 room:x
         ann: unsubscribe #4 room:x
         ann> unsubscribed #4 room:x
         release
         ann> history #2 room:x A.0 []
         ann> presence #3 room:x users=1 connections=1 [ann*1]",
    );
}

#[test]
fn the_application_is_asked_for_what_rules_leave_open() {
    check_with(
        |setup| {
            guarded(setup);
            setup.application_decides = true;
        },
        "open ann
         ann: subscribe #1 lobby
         ann> subscribed #1 lobby A.0 replayed=0
         ann: subscribe #2 vault:x history=1
         authority grants allow=subscribe+history
         ann> subscribed #2 vault:x B.0 replayed=0
         ann: subscribe #3 chat:$board
         authority refuses permission_denied
         ann> error #3 permission_denied
         ann: subscribe #4 staff:x
         authority grants
         ann> subscribed #4 staff:x C.0 replayed=0",
    );
}

#[test]
fn what_a_newer_token_no_longer_allows_is_ended() {
    check_with(
        guarded,
        "open ann roles=admin grants=vault:x/subscribe
         ann: subscribe #1 staff:x
         ann> subscribed #1 staff:x A.0 replayed=0
         ann: subscribe #2 vault:x
         ann> subscribed #2 vault:x B.0 replayed=0
         ann: subscribe #3 vault:y token=T
         authority grants
         ann> subscribed #3 vault:y C.0 replayed=0
         api subscribe users=ann vault:z
         ann> subscribed vault:z D.0 replayed=0
         ann: subscribe #4 lobby
         ann> subscribed #4 lobby E.0 replayed=0
         ann: auth #5 T
         authority says ann grants=vault:x/subscribe
         ann> authenticated #5 ann
         ann> unsubscribed staff:x permission_denied
         api publish staff:x 1
         api> published A.1
         ann: auth #6 T
         authority says ann
         ann> authenticated #6 ann
         ann> unsubscribed vault:x permission_denied
         api publish vault:y 1
         ann> message vault:y C.1 1
         api> published C.1
         api publish vault:z 1
         ann> message vault:z D.1 1
         api> published D.1
         ann: message lobby 1
         ann> message lobby E.1 1",
    );
}

#[test]
fn data_beyond_the_namespace_s_bound_is_refused() {
    check_with(
        |setup| setup.namespace("short", |n| n.data_bytes_max = 4),
        "open ann
         ann: publish #1 short:x 1234
         ann> published #1 A.1
         ann: publish #2 short:x 12345
         ann> error #2 data_too_large
         ann: message short:x 12345
         ann> error data_too_large
         api publish short:x 12345
         api> published A.2",
    );
}

#[test]
fn what_a_token_says_of_its_user_is_what_others_see() {
    check_with(
        |setup| setup.namespace("open", |n| n.join_leave = true),
        "open ann
         ann: subscribe open:x
         ann> subscribed open:x A.0 replayed=0
         open bob info=Bob
         bob: subscribe open:x
         ann> joined open:x bob*1(Bob)
         bob> subscribed open:x A.0 replayed=0",
    );
}
