//! However the network cuts a stream, the decoder says the same.

#[path = "support/streams.rs"]
mod streams;
mod support;

use fanfare_wire::{Limits, Role};
use proptest::prelude::*;
use streams::{cuts, pieces, streams};
use support::{LIMITS, hear, hear_bytewise, hear_whole};

fn check(role: Role, limits: &Limits, bytes: &[u8], cuts: &[usize]) {
    let whole = hear_whole(role, limits, bytes);
    assert_eq!(whole, hear(role, limits, pieces(bytes, cuts)), "cut at {cuts:?}");
    if bytes.len() < 4096 {
        assert_eq!(whole, hear_bytewise(role, limits, bytes));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn any_cut_sounds_the_same_to_a_server(bytes in streams(Role::Server), cuts in cuts()) {
        check(Role::Server, &LIMITS, &bytes, &cuts);
    }

    #[test]
    fn any_cut_sounds_the_same_to_a_client(bytes in streams(Role::Client), cuts in cuts()) {
        check(Role::Client, &LIMITS, &bytes, &cuts);
    }

    #[test]
    fn any_cut_meets_the_same_limit(bytes in streams(Role::Server), cuts in cuts(), max in 0..400usize) {
        let limits = Limits { message_bytes_max: max, fragments_max: 3 };
        check(Role::Server, &limits, &bytes, &cuts);
    }
}
