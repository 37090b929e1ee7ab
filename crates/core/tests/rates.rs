//! How much a connection may ask for: errors that say when to come again, and the end of who does not listen.

use fanfare_core::auth::Access;
use fanfare_core::limits::{Excess, Rate, RateLimits};
use fanfare_testkit::{Bench, Setup, check_with};

fn slow(setup: &mut Setup) {
    setup.settings.rate_limits =
        RateLimits { connection: Rate { per_second: 1, burst: 2 }, refusals_max: 4, ..RateLimits::default() };
}

#[test]
fn who_asks_too_much_is_told_when_to_ask_again() {
    check_with(
        slow,
        "open ann
         ann: publish #1 lobby 1
         ann> published #1 A.1
         ann: publish #2 lobby 1
         ann> published #2 A.2
         ann: publish #3 lobby 1
         ann> error #3 rate_limited after=1000
         ann: subscribe #4 lobby
         ann> error #4 rate_limited after=100
         wait 1000
         ann: publish #5 lobby 1
         ann> published #5 A.3",
    );
}

/// A join's `info` goes to every member, and cost a tenth of a message.
#[test]
fn a_subscription_that_brings_something_along_costs_as_much_as_a_message() {
    check_with(
        slow,
        "open ann
         ann: subscribe #1 a info=me
         ann> subscribed #1 a A.0 replayed=0
         ann: subscribe #2 b filter=t:1
         ann> subscribed #2 b B.0 replayed=0
         ann: subscribe #3 c info=me
         ann> error #3 rate_limited after=1000",
    );
}

/// A filter was free of charge where it came with a pattern.
#[test]
fn a_filter_costs_as_much_as_a_message_also_with_a_pattern() {
    check_with(
        slow,
        "open ann
         ann: subscribe #1 a.> filter=t:1
         ann> subscribed #1 a.> replayed=0
         ann: subscribe #2 b.> filter=t:1
         ann> subscribed #2 b.> replayed=0
         ann: subscribe #3 c.> filter=t:1
         ann> error #3 rate_limited after=1000",
    );
}

/// One user burnt more than a processor with forged tokens, at the price of a tenth of a message each.
#[test]
fn a_subscription_with_a_token_costs_a_message_whether_the_token_is_good_or_not() {
    check_with(
        |setup| {
            slow(setup);
            setup.tokens = true;
            setup.namespace("vault", |n| n.rules.subscribe = Access::Token);
        },
        "open ann
         ann: subscribe #1 vault:a token=T
         authority refuses token_expired
         ann> error #1 token_expired
         ann: subscribe #2 vault:b token=T
         authority grants
         ann> subscribed #2 vault:b A.0 replayed=0
         ann: subscribe #3 vault:c token=T
         ann> error #3 rate_limited after=1000",
    );
}

/// 14.5 million pongs a second of one client were dropped free of charge, while the other clients waited.
#[test]
fn pongs_that_nobody_asked_for_are_metered_and_end_the_connection() {
    let mut script = "open ann\n".to_owned();
    // Twenty fit into the burst of two messages; the fourth that does not is the last.
    script.push_str(&"ann wspong\n".repeat(24));
    script.push_str("ann> disconnect 4008 reconnect=0\nann> CLOSE 4008\nann> GONE\n");
    check_with(slow, &script);
}

/// The answer to our ping is owed, so it takes nothing from what the client may ask for; a second one does.
#[test]
fn the_answer_to_our_own_ping_is_free() {
    let mut setup = Setup::default();
    slow(&mut setup);
    setup.settings.rate_limits.costs.ping = 2_000;
    let mut bench = Bench::new(&setup);
    bench.run("open ann silent");
    while bench.clients[0].take_lines().is_empty() {
        // A millisecond passes before the answer arrives.
        bench.wait(1);
    }
    bench.run(
        "wait 1
         ann wspong
         ann: publish #1 lobby 1
         ann> published #1 A.1
         wait 2000
         ann wspong
         ann: publish #2 lobby 1
         ann> error #2 rate_limited after=1000",
    );
    bench.end();
}

#[test]
fn what_cannot_be_understood_costs_too_and_who_goes_on_is_sent_away() {
    check_with(
        slow,
        "open ann
         ann: garbage
         ann> error invalid_json
         ann: garbage
         ann> error invalid_json
         ann: garbage
         ann> error rate_limited after=1000
         ann: garbage
         ann> error rate_limited after=1000
         ann: custom #1 nothing
         ann> error #1 rate_limited after=1000
         ann: message lobby 1
         ann> error rate_limited after=1000
         ann> disconnect 4008 reconnect=0
         ann> CLOSE 4008
         ann> GONE",
    );
}

#[test]
fn the_operator_may_choose_to_close_at_once() {
    check_with(
        |setup| {
            slow(setup);
            setup.settings.rate_limits.excess = Excess::Close;
        },
        "open ann
         ann: publish #1 lobby 1
         ann> published #1 A.1
         ann: publish #2 lobby 1
         ann> published #2 A.2
         ann: publish #3 lobby 1
         ann> error #3 rate_limited after=1000
         ann> disconnect 4008 reconnect=0
         ann> CLOSE 4008
         ann> GONE",
    );
}

/// Pings that were too much were never answered, so a client that had sent many at once waited in vain for its last.
#[test]
fn of_pings_that_are_too_much_the_newest_is_answered_when_there_is_room() {
    let mut script = "open ann\n".to_owned();
    script.push_str("ann wsping x\nann> PONG x\n".repeat(20).as_str());
    script.push_str("ann wsping older\nann wsping newest\nwait 99\nwait 1\nann> PONG newest\nwait 1000\n");
    // Nothing is owed for good: the next one that is too much waits for its own time.
    script.push_str("ann wsping x\nann> PONG x\n".repeat(10).as_str());
    script.push_str("ann wsping first\nwait 100\nann> PONG first\n");
    check_with(slow, &script);
}

/// A ping that waits is passed over when a newer one is answered.
#[test]
fn a_ping_that_waits_is_passed_over_for_a_newer_one() {
    check_with(
        |setup| setup.settings.rate_limits = RateLimits { interval_ms: 1_000, ..RateLimits::off() },
        "open ann
         ann: publish #1 lobby 1
         ann> published #1 A.1
         ann wsping older
         wait 999
         ann wsping newest
         wait 1
         ann> PONG newest
         wait 5000",
    );
}

#[test]
fn a_flood_of_pings_is_left_unanswered_and_ended() {
    let mut script = "open ann\n".to_owned();
    for _ in 0..20 {
        script.push_str("ann wsping x\nann> PONG x\n");
    }
    script.push_str("ann wsping x\nann wsping x\nann wsping x\nann wsping x\n");
    script.push_str("ann> disconnect 4008 reconnect=0\nann> CLOSE 4008\nann> GONE\n");
    check_with(slow, &script);
}

#[test]
fn who_wants_to_go_is_not_kept() {
    check_with(
        slow,
        "open ann
         ann: publish #1 lobby 1
         ann> published #1 A.1
         ann: publish #2 lobby 1
         ann> published #2 A.2
         ann: disconnect
         ann> CLOSE 1000
         ann> GONE",
    );
}

/// The shortest interval was kept even by what costs nothing.
#[test]
fn what_costs_nothing_waits_for_nothing() {
    check_with(
        |setup| setup.settings.rate_limits = RateLimits { interval_ms: 1_000, ..RateLimits::off() },
        "open ann
         ann: publish #1 lobby 1
         ann> published #1 A.1
         ann: disconnect
         ann> CLOSE 1000
         ann> GONE",
    );
}

/// An operation that costs nothing is no sign that the client has slowed down.
#[test]
fn what_costs_nothing_makes_up_for_nothing() {
    check_with(
        |setup| {
            slow(setup);
            setup.settings.rate_limits.costs.ping = 0;
        },
        "open ann
         ann: publish #1 lobby 1
         ann> published #1 A.1
         ann: publish #2 lobby 1
         ann> published #2 A.2
         ann: publish #3 lobby 1
         ann> error #3 rate_limited after=1000
         ann: publish #4 lobby 1
         ann> error #4 rate_limited after=1000
         ann: ping #5
         ann> pong #5
         ann: publish #6 lobby 1
         ann> error #6 rate_limited after=1000
         ann: publish #7 lobby 1
         ann> error #7 rate_limited after=1000
         ann> disconnect 4008 reconnect=0
         ann> CLOSE 4008
         ann> GONE",
    );
}

/// A flood was served ten times a second all the same, and each time what had been refused was forgotten: fifty
/// connections kept a core busy for as long as they liked.
#[test]
fn who_floods_and_is_served_now_and_then_is_sent_away_too() {
    let mut script = "open ann\n".to_owned();
    script.push_str("ann: ping\nann> pong\n".repeat(20).as_str());
    // In each round one is served and two are not.
    for _ in 0..3 {
        script.push_str("wait 100\nann: ping\nann> pong\n");
        script.push_str("ann: ping\nann> error rate_limited after=100\n".repeat(2).as_str());
    }
    script.push_str("ann> disconnect 4008 reconnect=0\nann> CLOSE 4008\nann> GONE\n");
    check_with(slow, &script);
}
