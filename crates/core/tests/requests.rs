//! Requests to the application, message types of its own, and what else is asked and answered.

use fanfare_testkit::{Bench, Setup, check, check_with};

#[test]
fn a_request_is_answered_by_its_handler() {
    check(
        "open ann
         open bob shard=1
         ann: request #1 work 1
         bob: request #1 more 2
         ann: request #2 work 3
         app answers one
         ann> response #1 one
         app fails broken
         bob> error #1 handler_failed
         app returns
         ann> response #2 null",
    );
}

#[test]
fn unknown_methods_and_types_are_named_errors() {
    check(
        "open ann
         ann: request #1 play x
         ann> error #1 unknown_method
         ann: custom #2 jump x
         ann> error #2 unknown_type
         ann: garbage #3
         ann> error #3 invalid_json
         ann: auth #4 token
         ann> error #4 authentication_disabled
         ann: ping #5
         ann> pong #5
         ann: pong
         ann: ping
         ann> pong",
    );
}

#[test]
fn a_message_type_of_the_application_is_answered_only_to_who_asked() {
    check(
        "open ann
         ann: custom move north
         app returns
         ann: custom #1 move south
         app returns
         ann> response #1 null
         ann: custom move west
         app answers ouch
         ann> response ouch
         ann: custom move east
         app fails wall
         ann> error handler_failed",
    );
}

#[test]
fn unanswered_requests_are_bounded_per_connection() {
    check_with(
        |setup| setup.settings.limits.requests_in_flight_max = 2,
        "open ann
         open bob
         ann: request #1 work a
         ann: request #2 work b
         ann: request #3 work c
         ann> error #3 too_many_requests_in_flight
         bob: request #1 work d
         app answers A
         ann> response #1 A
         ann: request #4 work e
         ann: request #5 work f
         ann> error #5 too_many_requests_in_flight
         app answers B
         ann> response #2 B
         app answers D
         bob> response #1 D
         app answers E
         ann> response #4 E",
    );
}

/// The limit's name was given to publishes too, but nothing in the engine held it: without the far end's
/// restraint, a counter of 16 bits would have overflowed.
#[test]
fn unanswered_publishes_are_bounded_per_connection() {
    check_with(
        |setup| setup.settings.limits.requests_in_flight_max = 2,
        "open ann
         hold
         ann: publish #1 x 1
         ann: subscribe #2 x
         ann: publish #3 x 3
         ann> error #3 too_many_requests_in_flight
         ann: history #4 x
         ann> error #4 too_many_requests_in_flight
         ann: unsubscribe #5 x
         ann> unsubscribed #5 x
         release
         ann> published #1 A.1
         ann> error #2 not_subscribed
         ann: publish #6 x 6
         ann> published #6 A.2",
    );
}

#[test]
fn an_answer_for_a_connection_that_has_gone_reaches_nobody() {
    let mut bench = Bench::new(&Setup::default());
    bench.run(
        "open ann
         open bob
         ann: request #1 work x
         ann cut
         open cid
         app answers late
         cid: request #1 work y
         app answers now
         cid> response #1 now",
    );
    let gone: Vec<_> = bench.application.take_gone();
    assert_eq!(gone.len(), 1);
    assert_eq!(gone[0].user.as_ref().map(|user| user.as_str()), Some("ann"));
    bench.end();
}

#[test]
fn connect_tells_who_one_is() {
    check(
        "open ann
         open bob shard=1
         ann: connect #1
         ann> connected #1 c0.1 ann
         bob: connect
         bob> connected c1.1 bob",
    );
}
