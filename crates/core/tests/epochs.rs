//! The lives of numberings: who holds a place finds it again for a while, and an epoch never comes twice.

use fanfare_testkit::{Bench, Setup, check, check_with};

/// The channel was forgotten with its only member, so that nothing was missed and `recovered` was false.
#[test]
fn who_was_alone_before_the_first_message_has_recovered() {
    check(
        "open ann
         ann: subscribe x
         ann> subscribed x A.0 replayed=0
         ann cut
         wait 15000
         open ann
         ann: subscribe #1 x recover=A.0
         ann> subscribed #1 x A.0 recovered=true replayed=0
         ann cut
         wait 3600000
         api publish x 1
         api> published A.1
         open ann
         ann: subscribe #2 x recover=A.0
         ann> subscribed #2 x A.1 recovered=true replayed=1
         ann> message x A.1 1",
    );
}

/// Each look made an epoch that nobody ever saw again.
#[test]
fn a_look_at_a_channel_that_was_never_used_keeps_nothing_and_tells_its_epoch() {
    let mut bench = Bench::new(&Setup::default());
    bench.run(
        "open ann
         ann: history #1 x
         ann> history #1 x A.0 []
         ann: history #2 x
         ann> history #2 x A.0 []",
    );
    assert_eq!(bench.broker.census().channels, 0);
    bench.run("ann: subscribe #3 x recover=A.0\nann> subscribed #3 x A.0 recovered=true replayed=0");
    bench.end();
}

/// Without history a place is held in the numbering alone, also by who only looked.
#[test]
fn a_numbering_lasts_as_long_as_somebody_may_hold_a_place_in_it() {
    check_with(
        |setup| {
            setup.fallback.history_size = 0;
            setup.settings.deadlines.position_ms = 60_000;
        },
        "open ann
         ann: subscribe x
         ann> subscribed x A.0 replayed=0
         api publish x 1
         ann> message x A.1 1
         api> published A.1
         ann: unsubscribe x
         ann> unsubscribed x
         wait 50000
         ann: history #1 x
         ann> error #1 history_disabled
         ann: subscribe #2 x recover=A.1
         ann> subscribed #2 x A.1 recovered=true replayed=0
         ann: unsubscribe x
         ann> unsubscribed x
         wait 80000
         ann: subscribe #3 x recover=A.1
         ann> subscribed #3 x B.0 recovered=false replayed=0",
    );
}

/// Whoever comes back after an epoch was given up must not be taken for somebody who missed nothing.
#[test]
fn an_epoch_that_was_given_up_never_comes_again() {
    let mut bench = Bench::new(&Setup::default());
    bench.run("open ann");
    for life in 0..50 {
        let epoch = match life {
            0..26 => char::from(b'A' + life).to_string(),
            _ => format!("E{life}"),
        };
        bench.run(&format!(
            "ann: subscribe x
             ann> subscribed x {epoch}.0 replayed=0
             api publish x 1
             ann> message x {epoch}.1 1
             api> published {epoch}.1
             ann: unsubscribe x
             ann> unsubscribed x"
        ));
        bench.skip(7_200_000);
        bench.wait(20_000);
        assert_eq!(bench.broker.census().channels, 0);
    }
    bench.end();
}
