//! What a subscription brings along: who gets to see it, and how large it may be.

use fanfare_core::auth::Access;
use fanfare_core::namespace::{ClientInfo, Namespace};
use fanfare_testkit::{Setup, check_with};

/// What a subscriber says of itself reached every member, also where it may not say anything, past the bounds and rates of
/// messages.
#[test]
fn what_a_client_says_of_itself_reaches_others_only_where_it_may_publish() {
    let namespaces = |setup: &mut Setup| {
        let loud = |n: &mut Namespace| n.join_leave = true;
        setup.namespace("open", loud);
        setup.namespace("quiet", |n| {
            loud(n);
            n.rules.publish = Access::Nobody;
        });
        setup.namespace("wide", |n| {
            loud(n);
            n.rules.publish = Access::Nobody;
            n.client_info = ClientInfo::Subscribers;
            n.client_info_over_token = true;
        });
        setup.namespace("none", |n| {
            loud(n);
            n.client_info = ClientInfo::Nobody;
        });
    };
    check_with(
        namespaces,
        "open ann
         ann: subscribe open:x
         ann> subscribed open:x A.0 replayed=0
         ann: subscribe quiet:x
         ann> subscribed quiet:x B.0 replayed=0
         ann: subscribe wide:x
         ann> subscribed wide:x C.0 replayed=0
         ann: subscribe none:x
         ann> subscribed none:x D.0 replayed=0
         open bob
         bob: subscribe open:x info=me
         ann> joined open:x bob*1(me)
         bob> subscribed open:x A.0 replayed=0
         bob: subscribe quiet:x info=me
         ann> joined quiet:x bob*1
         bob> subscribed quiet:x B.0 replayed=0
         bob: subscribe wide:x info=me
         ann> joined wide:x bob*1(me)
         bob> subscribed wide:x C.0 replayed=0
         bob: subscribe none:x info=me
         ann> joined none:x bob*1
         bob> subscribed none:x D.0 replayed=0
         open cid info=signed
         cid: subscribe open:x info=me
         ann> joined open:x cid*1(signed)
         bob> joined open:x cid*1(signed)
         cid> subscribed open:x A.0 replayed=0
         cid: subscribe wide:x info=me
         ann> joined wide:x cid*1(me)
         bob> joined wide:x cid*1(me)
         cid> subscribed wide:x C.0 replayed=0",
    );
}

/// 128 subscriptions with an `info` of 60 KB each on ten connections kept 82 MB for one user.
#[test]
fn what_a_subscription_brings_along_has_a_bound() {
    check_with(
        |setup| {
            setup.settings.limits.info_bytes_max = 4;
            setup.settings.limits.filter_bytes_max = 100;
        },
        "open ann
         ann: subscribe #1 a info=12345
         ann> error #1 invalid_field
         ann: subscribe #2 a info=1234
         ann> subscribed #2 a A.0 replayed=0
         ann: subscribe #3 b filter=t:1
         ann> subscribed #3 b B.0 replayed=0
         ann: subscribe #4 c filter=t:1|2|3|4|5|6
         ann> error #4 invalid_field",
    );
}
