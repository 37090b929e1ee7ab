//! Patterns and filters.

use fanfare_core::patterns::PatternIndex;
use fanfare_protocol::ChannelPattern;
use fanfare_testkit::rng::Rng;
use fanfare_testkit::{check, check_with};

#[test]
fn a_pattern_gets_the_live_messages_of_every_channel_it_matches() {
    check(
        "open ann shard=1
         open bob
         ann: subscribe #1 orders.*
         ann> subscribed #1 orders.* replayed=0
         bob: publish #1 orders.eu 1
         ann> message orders.eu A.1 1
         bob> published #1 A.1
         bob: publish #2 orders 2
         bob> published #2 B.1
         bob: publish #3 orders.eu.paid 3
         bob> published #3 C.1
         bob: publish #4 shop:orders.eu 4
         bob> published #4 D.1
         ann: unsubscribe #2 orders.*
         ann> unsubscribed #2 orders.*
         bob: publish #5 orders.eu 5
         bob> published #5 A.2",
    );
}

#[test]
fn each_of_overlapping_subscriptions_gets_its_own_copy() {
    check(
        "open ann
         ann: subscribe a.b
         ann> subscribed a.b A.0 replayed=0
         ann: subscribe a.*
         ann> subscribed a.* replayed=0
         ann: subscribe >
         ann> subscribed > replayed=0
         api publish a.b 1
         ann> message a.b A.1 1
         ann> message a.b A.1 1
         ann> message a.b A.1 1
         api> published A.1
         ann: unsubscribe a.b
         ann> unsubscribed a.b
         ann: unsubscribe >
         ann> unsubscribed >
         api publish a.b 2
         ann> message a.b A.2 2
         api> published A.2
         ann: publish a.b 3
         ann> published A.3",
    );
}

#[test]
fn a_pattern_has_no_history_and_no_presence() {
    check(
        "open ann
         ann: subscribe #1 a.* recover=A.1
         ann> error #1 invalid_field
         ann: subscribe #2 a.* history=1
         ann> error #2 invalid_field
         ann: subscribe #3 a.* presence
         ann> error #3 invalid_field",
    );
}

#[test]
fn shards_share_a_pattern_and_leave_it_one_by_one() {
    check(
        "open ann
         open bob
         open cid shard=1
         ann: subscribe a.>
         ann> subscribed a.> replayed=0
         bob: subscribe a.>
         bob> subscribed a.> replayed=0
         cid: subscribe a.>
         cid> subscribed a.> replayed=0
         ann cut
         api publish a.x 1
         bob> message a.x A.1 1
         cid> message a.x A.1 1
         api> published A.1
         cid cut
         api publish a.x 2
         bob> message a.x A.2 2
         api> published A.2
         bob: unsubscribe a.>
         bob> unsubscribed a.>
         api publish a.x 3
         api> published A.3",
    );
}

#[test]
fn a_filter_passes_messages_whose_tags_have_one_of_the_values() {
    check(
        "open ann
         open bob lane=b
         ann: subscribe x filter=lang:en|de,kind:news
         ann> subscribed x A.0 replayed=0
         bob: subscribe x
         bob> subscribed x A.0 replayed=0
         api publish x 1 tag=lang:en tag=kind:news
         ann> message x A.1 1
         bob> message x A.1 1
         api> published A.1
         api publish x 2 tag=lang:fr tag=kind:news
         bob> message x A.2 2
         api> published A.2
         api publish x 3 tag=lang:de
         bob> message x A.3 3
         api> published A.3
         api publish x 4
         bob> message x A.4 4
         api> published A.4
         api publish x 5 tag=kind:news tag=lang:de
         ann> message x A.5 5
         bob> message x A.5 5
         api> published A.5",
    );
}

#[test]
fn a_filter_holds_for_patterns_too() {
    check(
        "open ann
         ann: subscribe a.* filter=t:1
         ann> subscribed a.* replayed=0
         api publish a.x 1 tag=t:1
         ann> message a.x A.1 1
         api> published A.1
         api publish a.x 2 tag=t:2
         api> published A.2",
    );
}

/// Replays went past the filter: whoever subscribed with one got everything that was missed, and only then
/// what it had asked for.
#[test]
fn a_filter_holds_for_replays_as_for_live_messages() {
    check(
        "open ann
         api publish x 1 tag=t:1
         api> published A.1
         api publish x 2 tag=t:2
         api> published A.2
         api publish x 3 tag=t:1
         api> published A.3
         ann: subscribe #1 x history=10 filter=t:1
         ann> subscribed #1 x A.3 replayed=2
         ann> message x A.1 1
         ann> message x A.3 3
         ann: unsubscribe x
         ann> unsubscribed x
         ann: subscribe #2 x recover=A.1 filter=t:2
         ann> subscribed #2 x A.3 recovered=true replayed=1
         ann> message x A.2 2",
    );
}

#[test]
fn join_events_pass_every_filter() {
    check_with(
        |setup| setup.fallback.join_leave = true,
        "open ann
         open bob
         ann: subscribe x filter=t:1
         ann> subscribed x A.0 replayed=0
         bob: subscribe x
         ann> joined x bob*1
         bob> subscribed x A.0 replayed=0",
    );
}

fn drawn_name(rng: &mut Rng, tokens: &[&str]) -> String {
    let namespace = *rng.pick(&["", "", "n:", "n:m:", ":"]);
    let count = 1 + rng.below(4);
    let topic: Vec<&str> = (0..count).map(|_| *rng.pick(tokens)).collect();
    format!("{namespace}{}", topic.join("."))
}

/// All patterns that began with a wildcard were in one list, which every publish went through. The index that took
/// its place finds what that list would have found, and after any removals too.
#[test]
fn the_index_finds_what_each_pattern_by_itself_says() {
    for seed in 0..200 {
        let mut rng = Rng::new(seed);
        let mut index = PatternIndex::default();
        let mut known: Vec<ChannelPattern> = Vec::new();
        for _ in 0..200 {
            let drawn = drawn_name(&mut rng, &["a", "b", "*", "*", ">"]);
            if let Ok(pattern) = ChannelPattern::new(&drawn) {
                *index.entry(&pattern, || pattern.clone()) = pattern.clone();
                if !known.contains(&pattern) {
                    known.push(pattern);
                }
            }
            if !known.is_empty() && rng.chance(30) {
                let gone = known.swap_remove(rng.below(known.len()));
                assert_eq!(index.remove(&gone), Some(gone.clone()), "seed {seed}");
                assert_eq!((index.remove(&gone), index.get(&gone)), (None, None), "seed {seed}");
            }
            let name = drawn_name(&mut rng, &["a", "b", "c", "", "*", ">"]);
            let mut found = Vec::new();
            index.for_each_match(&name, |pattern| found.push(pattern.clone()));
            found.sort_unstable();
            let mut wanted: Vec<_> = known.iter().filter(|pattern| pattern.matches(&name)).cloned().collect();
            wanted.sort_unstable();
            assert_eq!(found, wanted, "{name} with seed {seed}");
            assert_eq!((index.len(), index.is_empty()), (known.len(), known.is_empty()));
            assert!(known.iter().all(|pattern| index.get_mut(pattern).is_some()), "seed {seed}");
        }
    }
}

/// The tree held `a.*` and `:a.*` for one pattern, for their namespace is the same: leaving one was leaving both.
#[test]
fn patterns_without_a_namespace_and_with_an_empty_one_are_two() {
    check(
        "open ann
         ann: subscribe a.*
         ann> subscribed a.* replayed=0
         ann: subscribe :a.*
         ann> subscribed :a.* replayed=0
         ann: unsubscribe :a.*
         ann> unsubscribed :a.*
         api publish a.b 1
         ann> message a.b A.1 1
         api> published A.1",
    );
}
