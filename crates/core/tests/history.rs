//! History: bounds, expiry, pages, the last value, and recovery that is all or nothing.

use fanfare_testkit::{Bench, Setup, check, check_with};

#[test]
fn the_last_messages_are_replayed_to_a_newcomer_who_asks() {
    check(
        "open ann
         api publish x 1
         api> published A.1
         api publish x 2
         api> published A.2
         api publish x 3
         api> published A.3
         ann: subscribe #1 x history=2
         ann> subscribed #1 x A.3 replayed=2
         ann> message x A.2 2
         ann> message x A.3 3",
    );
}

#[test]
fn the_last_value_comes_unasked_where_the_namespace_says_so() {
    check_with(
        |setup| setup.namespace("price", |n| n.replay_on_subscribe = 1),
        "open ann
         api publish price:gold 10
         api> published A.1
         api publish price:gold 11
         api> published A.2
         ann: subscribe price:gold
         ann> subscribed price:gold A.2 replayed=1
         ann> message price:gold A.2 11",
    );
}

#[test]
fn only_so_many_messages_are_kept() {
    check_with(
        |setup| setup.fallback.history_size = 2,
        "open ann
         api publish x 1
         api> published A.1
         api publish x 2
         api> published A.2
         api publish x 3
         api> published A.3
         ann: history #1 x
         ann> history #1 x A.3 [A.2 2, A.3 3]
         ann: subscribe #2 x recover=A.1
         ann> subscribed #2 x A.3 recovered=true replayed=2
         ann> message x A.2 2
         ann> message x A.3 3
         ann: unsubscribe x
         ann> unsubscribed x
         ann: subscribe #3 x recover=A.0
         ann> subscribed #3 x A.3 recovered=false replayed=0",
    );
}

#[test]
fn messages_are_kept_only_so_long() {
    check_with(
        |setup| setup.fallback.history_ttl_ms = 1000,
        "open ann
         ann: subscribe x
         ann> subscribed x A.0 replayed=0
         api publish x 1
         ann> message x A.1 1
         api> published A.1
         wait 600
         api publish x 2
         ann> message x A.2 2
         api> published A.2
         wait 400
         ann: history #1 x
         ann> history #1 x A.2 [A.2 2]
         wait 600
         ann: history #2 x
         ann> history #2 x A.2 []
         open bob
         bob: subscribe #1 x recover=A.2
         bob> subscribed #1 x A.2 recovered=true replayed=0
         bob: unsubscribe x
         bob> unsubscribed x
         bob: subscribe #2 x recover=A.1
         bob> subscribed #2 x A.2 recovered=false replayed=0",
    );
}

#[test]
fn pages_go_forward_and_backward_and_say_whether_more_lies_beyond() {
    check(
        "open ann
         ann: history #0 x
         ann> history #0 x A.0 []
         api publish x 1
         api> published A.1
         api publish x 2
         api> published A.2
         api publish x 3
         api> published A.3
         ann: history #1 x limit=2
         ann> history #1 x A.3 [A.1 1, A.2 2] more
         ann: history #2 x limit=2 since=A.2
         ann> history #2 x A.3 [A.3 3]
         ann: history #3 x limit=2 reverse
         ann> history #3 x A.3 [A.3 3, A.2 2] more
         ann: history #4 x limit=2 reverse since=A.2
         ann> history #4 x A.3 [A.1 1]
         ann: history #5 x limit=0
         ann> history #5 x A.3 [] more
         ann: history #6 x since=A.3
         ann> history #6 x A.3 []
         ann: history #7 x reverse since=A.1
         ann> history #7 x A.3 []
         ann: history #8 x reverse since=A.4 limit=1
         ann> history #8 x A.3 [A.3 3] more
         ann: history #9 x since=A.4
         ann> error #9 history_unavailable
         ann: history #10 x since=A.0 limit=1
         ann> history #10 x A.3 [A.1 1] more
         ann: history #11 x reverse since=A.5
         ann> error #11 history_unavailable
         ann: history #12 y since=A.1
         ann> error #12 history_unavailable
         ann: history #13 y
         ann> history #13 y B.0 []
         ann: history #14 y since=B.0
         ann> history #14 y B.0 []
         ann: history #15 x since=B.0
         ann> error #15 history_unavailable",
    );
}

#[test]
fn pages_end_at_the_bounds_of_count_and_bytes_but_always_advance() {
    check_with(
        |setup| {
            setup.settings.limits.history_page_max = 2;
            setup.settings.limits.replay_bytes_max = 1;
        },
        "open ann
         api publish x 1
         api> published A.1
         api publish x 2
         api> published A.2
         ann: history #1 x
         ann> history #1 x A.2 [A.1 1] more
         ann: history #2 x since=A.1
         ann> history #2 x A.2 [A.2 2]",
    );
    check_with(
        |setup| setup.settings.limits.history_page_max = 2,
        "open ann
         api publish x 1
         api> published A.1
         api publish x 2
         api> published A.2
         api publish x 3
         api> published A.3
         ann: history #1 x
         ann> history #1 x A.3 [A.1 1, A.2 2] more
         ann: subscribe #2 x history=100
         ann> subscribed #2 x A.3 replayed=2
         ann> message x A.2 2
         ann> message x A.3 3",
    );
}

#[test]
fn recovery_gives_everything_missed_or_says_that_it_cannot() {
    check(
        "open ann
         open bob
         bob: subscribe x
         bob> subscribed x A.0 replayed=0
         ann: subscribe x
         ann> subscribed x A.0 replayed=0
         api publish x 1
         ann> message x A.1 1
         bob> message x A.1 1
         api> published A.1
         ann cut
         api publish x 2
         bob> message x A.2 2
         api> published A.2
         api publish x 3
         bob> message x A.3 3
         api> published A.3
         open ann lane=b shard=1
         ann: subscribe #1 x recover=A.1
         ann> subscribed #1 x A.3 recovered=true replayed=2
         ann> message x A.2 2
         ann> message x A.3 3
         ann: unsubscribe x
         ann> unsubscribed x
         // Nothing missed.
         ann: subscribe #2 x recover=A.3
         ann> subscribed #2 x A.3 recovered=true replayed=0
         ann: unsubscribe x
         ann> unsubscribed x
         // A place in the future, and one of another epoch.
         ann: subscribe #3 x recover=A.4
         ann> subscribed #3 x A.3 recovered=false replayed=0
         ann: unsubscribe x
         ann> unsubscribed x
         ann: subscribe #4 x recover=Z.1
         ann> subscribed #4 x A.3 recovered=false replayed=0
         ann: unsubscribe x
         ann> unsubscribed x
         // What cannot be recovered may still be begun with the last messages.
         ann: subscribe #5 x recover=Z.1 history=1
         ann> subscribed #5 x A.3 recovered=false replayed=1
         ann> message x A.3 3",
    );
}

#[test]
fn recovery_of_too_many_bytes_is_refused_as_a_whole() {
    check_with(
        |setup| setup.settings.limits.replay_bytes_max = 1000,
        "open ann
         ann: subscribe x
         ann> subscribed x A.0 replayed=0
         ann: publish #1 x 1
         ann> published #1 A.1
         ann: publish #2 x 2
         ann> published #2 A.2
         ann: publish #3 x 3
         ann> published #3 A.3
         ann: publish #4 x 4
         ann> published #4 A.4
         ann: publish #5 x 5
         ann> published #5 A.5
         ann: publish #6 x 6
         ann> published #6 A.6
         ann: unsubscribe x
         ann> unsubscribed x
         ann: subscribe #3 x recover=A.0
         ann> subscribed #3 x A.6 recovered=false replayed=0
         ann: unsubscribe x
         ann> unsubscribed x
         ann: subscribe #4 x recover=A.4
         ann> subscribed #4 x A.6 recovered=true replayed=2
         ann> message x A.5 5
         ann> message x A.6 6",
    );
}

#[test]
fn without_history_only_who_missed_nothing_has_recovered() {
    check_with(
        |setup| setup.fallback.history_size = 0,
        "open eve
         eve: subscribe x
         eve> subscribed x A.0 replayed=0
         open ann
         ann: subscribe #1 x recover=A.0
         ann> subscribed #1 x A.0 recovered=true replayed=0
         ann: unsubscribe x
         ann> unsubscribed x
         api publish x 1
         eve> message x A.1 1
         api> published A.1
         ann: subscribe #2 x recover=A.0
         ann> subscribed #2 x A.1 recovered=false replayed=0",
    );
}

#[test]
fn a_forgotten_channel_begins_a_new_epoch() {
    check_with(
        |setup| (setup.fallback.history_ttl_ms, setup.fallback.presence) = (1000, false),
        "open ann
         api publish x 1
         api> published A.1
         wait 30000
         api publish x 2
         api> published B.1
         ann: subscribe #1 x recover=A.1
         ann> subscribed #1 x B.1 recovered=false replayed=0",
    );
}

/// The bound on bytes was kept per stripe of the table, a 64th each: one channel with a hundred large messages
/// was above it for ever, so that every publish threw away all its neighbours' histories and sorted the stripe.
#[test]
fn history_within_the_bound_is_kept_however_unevenly_it_lies() {
    let mut setup = Setup::default();
    setup.settings.limits.history_bytes_max = 1_000_000;
    let mut bench = Bench::new(&setup);
    let large = "x".repeat(10_000);
    for channel in 0..200 {
        bench.run(&format!("api publish small:{channel} 1\napi> published {}.1", epoch(channel)));
    }
    for offset in 1..=70 {
        bench.run(&format!("api publish large {large}\napi> published {}.{offset}", epoch(200)));
    }
    bench.run("open ann");
    for channel in 0..200 {
        let at = epoch(channel);
        bench.run(&format!("ann: history small:{channel}\nann> history small:{channel} {at}.1 [{at}.1 1]"));
    }
    bench.end();
}

fn epoch(index: usize) -> String {
    match index {
        0..26 => char::from(b'A' + index as u8).to_string(),
        _ => format!("E{index}"),
    }
}

/// The channel that was just published to was spared when room was made, so that one channel alone could hold
/// any number of bytes.
#[test]
fn one_channel_alone_keeps_to_the_bound_on_bytes() {
    let mut setup = Setup::default();
    setup.fallback.history_size = 1_000_000;
    setup.settings.limits.history_bytes_max = 100_000;
    let mut bench = Bench::new(&setup);
    let large = "x".repeat(1000);
    for offset in 1..=300 {
        bench.run(&format!("api publish x {large}\napi> published A.{offset}"));
        assert!(bench.broker.census().history_bytes <= 100_000, "after {offset} messages");
    }
    bench.run(
        "open ann
         ann: subscribe x recover=A.100
         ann> subscribed x A.300 recovered=false replayed=0",
    );
    bench.end();
}

/// Keys were bounded per channel, and channels were not: a client that used a new channel and a long key for every
/// message made the server grow without end, for nothing of it was history.
#[test]
fn idempotency_keys_keep_to_the_bound_on_bytes_too() {
    let mut setup = Setup::default();
    setup.fallback.history_size = 0;
    setup.settings.limits.history_bytes_max = 100_000;
    let mut bench = Bench::new(&setup);
    let key = "k".repeat(200);
    for channel in 0..1000 {
        let at = epoch(channel);
        bench.run(&format!("api publish c:{channel} 1 idem={key}\napi> published {at}.1"));
        let census = bench.broker.census();
        assert!(census.history_bytes <= 100_000, "{census:?}");
        assert!(census.channels < 200, "{census:?}");
    }
    // The youngest are still remembered.
    let at = epoch(999);
    bench.run(&format!("api publish c:999 1 idem={key}\napi> published {at}.1 again"));
}

/// Neither a channel's entry nor its name was counted: a byte each in channels without number held several times the
/// bound.
#[test]
fn many_channels_of_one_byte_each_keep_to_the_bound() {
    let mut setup = Setup::default();
    setup.settings.limits.history_bytes_max = 100_000;
    let mut bench = Bench::new(&setup);
    let name = "n".repeat(240);
    for channel in 0..1000 {
        bench.run(&format!("api publish {name}:{channel} 1\napi> published {}.1", epoch(channel)));
        let census = bench.broker.census();
        assert!(census.history_bytes <= 100_000 && census.channels <= 170, "{census:?}");
    }
    bench.end();
}

/// The publish that went above the bound sorted all channels of the node and threw a tenth of them away.
#[test]
fn a_publish_above_the_bound_makes_room_for_itself_and_not_for_all() {
    let mut setup = Setup::default();
    setup.settings.limits.history_bytes_max = 1_000_000;
    let mut bench = Bench::new(&setup);
    let mut channels = 0;
    for channel in 0..2000 {
        bench.run(&format!("api publish c:{channel} 1\napi> published {}.1", epoch(channel)));
        let before = std::mem::replace(&mut channels, bench.broker.census().channels);
        assert!(channels + 1 >= before, "{before} channels became {channels}");
    }
    assert!((500..1999).contains(&channels), "{channels}");
    // It is those used longest ago that went, wherever they lie.
    bench.run("open ann");
    for channel in 2000 - channels..2000 {
        let at = epoch(channel);
        bench.run(&format!("ann: history c:{channel}\nann> history c:{channel} {at}.1 [{at}.1 1]"));
    }
    bench.end();
}

/// The numbering went with the last member: a sole subscriber of a quiet channel without history who was cut off for
/// a moment was told that messages were lost.
#[test]
fn a_sole_subscriber_who_missed_nothing_has_recovered_without_history_too() {
    let mut setup = Setup::default();
    setup.fallback.history_size = 0;
    let mut bench = Bench::new(&setup);
    bench.run(
        "open ann
         ann: subscribe x
         ann> subscribed x A.0 replayed=0
         api publish x 1
         ann> message x A.1 1
         api> published A.1
         ann cut
         wait 60000
         open ann
         ann: subscribe #1 x recover=A.1
         ann> subscribed #1 x A.1 recovered=true replayed=0
         ann cut
         wait 60000
         api publish x 2
         api> published A.2
         open ann
         ann: subscribe #2 x recover=A.1
         ann> subscribed #2 x A.2 recovered=false replayed=0
         ann cut
         // It does not last for ever.
         wait 630000
         open ann
         ann: subscribe #3 x recover=A.2
         ann> subscribed #3 x B.0 recovered=false replayed=0",
    );
    bench.end();
}

/// What is left of channels that everyone has left counts, or joining and leaving would grow it without end.
#[test]
fn numberings_that_nobody_came_back_to_keep_to_the_bound() {
    let mut setup = Setup::default();
    (setup.fallback.history_size, setup.fallback.presence) = (0, false);
    setup.settings.limits.history_bytes_max = 50_000;
    let mut bench = Bench::new(&setup);
    bench.run("open ann");
    for channel in 0..500 {
        let at = epoch(channel);
        bench.run(&format!(
            "ann: subscribe c:{channel}
             ann> subscribed c:{channel} {at}.0 replayed=0
             api publish c:{channel} 1
             ann> message c:{channel} {at}.1 1
             api> published {at}.1
             ann: unsubscribe c:{channel}
             ann> unsubscribed c:{channel}"
        ));
        let census = bench.broker.census();
        assert!(census.history_bytes <= 50_000 && census.channels < 100, "{census:?}");
    }
    bench.run("ann: subscribe c:499 recover=E499.1\nann> subscribed c:499 E499.1 recovered=true replayed=0");
    bench.run("ann: subscribe c:0 recover=A.1\nann> subscribed c:0 E500.0 recovered=false replayed=0");
    bench.end();
}

/// Only the data was counted, so that tags of 32 KB a message were free.
#[test]
fn tags_and_keys_count_as_bytes_of_history() {
    let mut setup = Setup::default();
    setup.settings.limits.history_bytes_max = 100_000;
    let mut bench = Bench::new(&setup);
    let tag = "x".repeat(1000);
    for offset in 1..=90 {
        bench.run(&format!("api publish x 1 tag=t:{tag} key={tag}\napi> published A.{offset}"));
    }
    bench.run("open ann");
    bench.run("ann: subscribe x recover=A.0\nann> subscribed x A.90 recovered=false replayed=0");
    bench.end();
}

#[test]
fn when_bytes_run_out_the_longest_unused_channels_are_forgotten_honestly() {
    let mut setup = Setup::default();
    setup.settings.limits.history_bytes_max = 9_000;
    let mut bench = Bench::new(&setup);
    bench.run(
        "open ann
         ann: subscribe a
         ann> subscribed a A.0 replayed=0",
    );
    let data = "x".repeat(3000);
    for (channel, epoch) in [("a", "A"), ("b", "B"), ("c", "C")] {
        bench.run("wait 10");
        let heard = if channel == "a" { format!("ann> message a A.1 {data}\n") } else { String::new() };
        bench.run(&format!("api publish {channel} {data}\n{heard}api> published {epoch}.1"));
    }
    bench.run("ann: history #1 a\nann> history #1 a A.1 []");
    bench.run(&format!("ann: history #2 c\nann> history #2 c C.1 [C.1 {data}]"));
    bench.run(
        "open bob\nbob: subscribe #1 a recover=A.0\nbob> subscribed #1 a A.1 recovered=false replayed=0",
    );
    bench.run("bob: subscribe #2 c recover=C.1\nbob> subscribed #2 c C.1 recovered=true replayed=0");
    bench.end();
}
