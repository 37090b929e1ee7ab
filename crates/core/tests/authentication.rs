//! Who is there: first messages, newer tokens, the end of a token, and its revocation.

use fanfare_core::auth::Access;
use fanfare_testkit::{Bench, Setup, check_with};

fn tokens(setup: &mut Setup) {
    setup.tokens = true;
}

#[test]
fn nothing_is_taken_before_the_first_message_has_said_who_is_there() {
    check_with(
        tokens,
        "open ann unauthenticated
         ann: subscribe #1 lobby
         ann> error #1 authentication_required
         ann: message lobby one
         ann> error authentication_required
         ann: ping #2
         ann> pong #2
         ann: auth #3 T
         authority says ann
         ann> authenticated #3 ann
         ann: subscribe #4 lobby
         ann> subscribed #4 lobby A.0 replayed=0
         ann: message lobby two
         ann> message lobby A.1 two",
    );
}

#[test]
fn a_first_message_that_is_refused_ends_the_connection() {
    check_with(
        tokens,
        "open ann unauthenticated
         ann: auth #1 T
         authority refuses token_expired
         ann> error #1 token_expired
         ann> disconnect 4001
         ann> CLOSE 4001
         ann> GONE
         open bob unauthenticated
         bob: auth #1 T
         authority refuses unavailable
         bob> error #1 unavailable
         bob> disconnect 1013 reconnect=0
         bob> CLOSE 1013
         bob> GONE",
    );
}

#[test]
fn who_says_nothing_in_time_is_sent_away_and_who_is_being_verified_is_not() {
    check_with(
        tokens,
        "open ann unauthenticated
         open bob unauthenticated
         wait 4000
         bob: auth T
         wait 2000
         ann> error authentication_required
         ann> disconnect 4001
         ann> CLOSE 4001
         ann> GONE
         authority says bob
         bob> authenticated bob",
    );
}

/// A message to everyone went to connections that had not said yet who they were.
#[test]
fn who_is_not_authenticated_is_not_everyone() {
    check_with(
        tokens,
        "open ann unauthenticated
         open bob
         api direct everyone hello
         bob> direct - hello
         api subscribe everyone lobby
         bob> subscribed lobby A.0 replayed=0",
    );
}

#[test]
fn a_newer_token_extends_the_connection_and_a_bad_one_changes_nothing() {
    check_with(
        tokens,
        "open ann expires=100000
         ann: subscribe lobby
         ann> subscribed lobby A.0 replayed=0
         wait 45000
         ann> expiring 60000
         ann: auth #1 T
         authority refuses authentication_failed
         ann> error #1 authentication_failed
         ann: auth #2 T
         authority says ann expires=200000
         ann> authenticated #2 ann expires=200000
         wait 140000
         ann> expiring 60000
         wait 60000
         ann> error token_expired
         ann> disconnect 4001
         ann> CLOSE 4001
         ann> GONE",
    );
}

#[test]
fn a_newer_token_may_also_end_sooner() {
    check_with(
        tokens,
        "open ann expires=10000000
         ann: auth #1 T
         authority says ann expires=70000
         ann> authenticated #1 ann expires=70000
         wait 10000
         ann> expiring 60000
         wait 60000
         ann> error token_expired
         ann> disconnect 4001
         ann> CLOSE 4001
         ann> GONE",
    );
}

#[test]
fn a_token_that_has_expired_when_it_arrives_is_of_no_use() {
    check_with(
        tokens,
        "open ann expires=0
         ann> error token_expired
         ann> disconnect 4001
         ann> CLOSE 4001
         ann> GONE",
    );
}

#[test]
fn a_newer_token_must_be_for_the_same_user() {
    check_with(
        tokens,
        "open ann
         ann: auth #1 T
         authority says bob
         ann> error #1 authentication_failed
         ann: auth #2 T
         authority says -
         ann> error #2 authentication_failed
         open cid anonymous
         cid: auth #1 T
         authority says cid
         cid> authenticated #1 cid
         open dan anonymous
         dan: subscribe lobby
         dan> subscribed lobby A.0 replayed=0
         dan: auth #1 T
         authority says dan
         dan> error #1 authentication_failed",
    );
}

#[test]
fn one_token_is_looked_at_at_a_time() {
    check_with(
        tokens,
        "open ann
         ann: auth #1 T
         ann: auth #2 T
         ann> error #2 too_many_requests_in_flight
         authority says ann
         ann> authenticated #1 ann",
    );
}

#[test]
fn who_hangs_up_while_being_verified_leaves_nothing_behind() {
    check_with(
        tokens,
        "open ann unauthenticated
         ann: auth #1 T
         ann cut
         authority says ann",
    );
}

#[test]
fn a_revoked_token_ends_its_connections_and_no_others() {
    check_with(
        tokens,
        "open ann token=one
         open bob user=ann token=two
         open cid user=cid token=three
         revoke token=one
         ann> error token_revoked
         ann> disconnect 4001
         ann> CLOSE 4001
         ann> GONE
         open dan user=ann token=one
         dan> error token_revoked
         dan> disconnect 4001
         dan> CLOSE 4001
         dan> GONE
         cid: auth #1 T
         authority says cid token=one
         cid> error #1 token_revoked",
    );
}

#[test]
fn revoking_a_user_ends_what_was_issued_before() {
    check_with(
        tokens,
        "open old user=ann issued=1000
         open new user=ann issued=3000
         open none user=ann
         open bob issued=1000
         revoke user=ann before=2000
         old> error token_revoked
         old> disconnect 4001
         old> CLOSE 4001
         old> GONE
         none> error token_revoked
         none> disconnect 4001
         none> CLOSE 4001
         none> GONE",
    );
}

/// They are tokens of the user's too, even if the connection has a newer one.
#[test]
fn revoking_a_user_takes_the_older_tokens_of_subscriptions_back() {
    check_with(
        |setup| {
            tokens(setup);
            setup.namespace("vault", |n| n.rules.subscribe = Access::Token);
        },
        "open ann issued=3000
         ann: subscribe #1 vault:x token=T
         authority grants token=one issued=1000
         ann> subscribed #1 vault:x A.0 replayed=0
         ann: subscribe #2 vault:y token=T
         authority grants issued=2000
         ann> subscribed #2 vault:y B.0 replayed=0
         hold
         ann: subscribe #3 vault:z token=T
         revoke user=ann before=2000
         authority grants issued=1999
         release
         ann> unsubscribed vault:x token_revoked
         ann> error #3 token_revoked",
    );
}

/// What such a token gave was in force until the shard's next look at the clock.
#[test]
fn a_token_that_expires_while_it_is_looked_at_is_refused() {
    check_with(
        tokens,
        "open ann
         open bob unauthenticated
         hold
         ann: auth #1 T
         bob: auth #1 T
         authority says ann expires=100
         authority says bob expires=100
         wait 100
         release
         ann> error #1 token_expired
         bob> error #1 token_expired
         bob> disconnect 4001
         bob> CLOSE 4001
         bob> GONE
         wait 1000
         ann: ping #2
         ann> pong #2",
    );
}

/// The deadline of a token that had a year to live was kept for a year, whether or not its connection was still there:
/// who connected and went could fill the memory with them.
#[test]
fn the_deadline_of_a_token_does_not_outlive_its_connection() {
    let mut setup = Setup::default();
    tokens(&mut setup);
    let mut bench = Bench::new(&setup);
    bench.run(
        "open ann expires=31536000000
         ann cut",
    );
    bench.wait(120_000);
    assert_eq!(bench.shards[0].next_due_ms(), None);
    bench.end();
}

/// A token with less to live than the warning comes ahead was warned of as soon as it came, and so was the next one: a
/// client that does as it is told asked for tokens without a pause.
#[test]
fn a_short_token_is_not_warned_of_as_soon_as_it_comes() {
    check_with(
        tokens,
        "open ann expires=40000
         wait 20000
         ann> expiring 20000
         ann: auth #1 T
         authority says ann expires=40000
         ann> authenticated #1 ann expires=40000
         wait 19000
         wait 1000
         ann> expiring 20000
         wait 20000
         ann> error token_expired
         ann> disconnect 4001
         ann> CLOSE 4001
         ann> GONE",
    );
}

/// Its handshake was accepted only so that its client hears why it is refused.
#[test]
fn who_is_let_in_to_be_refused_hears_why_and_is_nobody() {
    check_with(
        |setup| {
            tokens(setup);
            setup.habits[0].greets = true;
        },
        "open ann lane=d room=lobby refused=token_expired
         ann> error token_expired
         ann> disconnect 4001
         ann> CLOSE 4001
         ann> GONE
         open eve
         api direct everyone hello
         eve> direct - hello",
    );
}
