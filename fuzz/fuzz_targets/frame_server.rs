//! What any client can send: no panic, no stall, and never more memory than the limits allow.

#![no_main]

#[path = "../../crates/wire/tests/support/mod.rs"]
mod support;

use fanfare_wire::{Decoder, Role};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((limits, stream)) = support::limits_from(data) else { return };
    let mut stream = stream.to_vec();
    let mut rest = stream.as_mut_slice();
    let mut decoder = Decoder::new(Role::Server);
    // A growing buffer holds at most twice what is in it, and the state around it has a fixed size.
    let held_bytes_max = 2 * limits.message_bytes_max + 512;
    while !rest.is_empty() {
        let Ok(decoded) = decoder.decode(rest, &limits) else { break };
        let consumed = decoded.consumed;
        assert!(consumed > 0, "no progress");
        assert!(decoder.buffered_bytes() <= held_bytes_max, "{} bytes held", decoder.buffered_bytes());
        rest = &mut rest[consumed..];
    }
    decoder.release();
    assert!(decoder.mid_message() || decoder.buffered_bytes() == 0, "memory held between messages");
});
