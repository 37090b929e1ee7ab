//! However a stream is cut, the same is heard.

#![no_main]

#[path = "../../crates/wire/tests/support/mod.rs"]
mod support;

use fanfare_wire::Role;
use libfuzzer_sys::fuzz_target;
use support::{hear, hear_bytewise, hear_whole};

fuzz_target!(|data: &[u8]| {
    let Some((limits, rest)) = support::limits_from(data) else { return };
    let Some((&[role, cut_a, cut_b], stream)) = rest.split_first_chunk::<3>() else { return };
    let role = if role & 1 == 0 { Role::Server } else { Role::Client };
    let whole = hear_whole(role, &limits, stream);
    assert_eq!(whole, hear_bytewise(role, &limits, stream));
    let (head, tail) = stream.split_at(usize::from(cut_a).min(stream.len()));
    let pieces = [head].into_iter().chain(tail.chunks(usize::from(cut_b).max(1)));
    assert_eq!(whole, hear(role, &limits, pieces));
});
