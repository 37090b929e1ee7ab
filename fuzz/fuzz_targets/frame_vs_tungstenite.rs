//! tungstenite hears the same, save for the differences listed beside the comparison.

#![no_main]

#[path = "../../crates/wire/tests/support/foreign.rs"]
mod foreign;
#[path = "../../crates/wire/tests/support/mod.rs"]
mod support;

use fanfare_wire::{Limits, Role};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&role, stream)) = data.split_first() else { return };
    let role = if role & 1 == 0 { Role::Server } else { Role::Client };
    // tungstenite reserves what a header announces, so the limit also keeps the fuzzer small.
    let limits = Limits { message_bytes_max: 4096, fragments_max: u32::MAX };
    foreign::check_against_foreign(role, &limits, stream);
});
