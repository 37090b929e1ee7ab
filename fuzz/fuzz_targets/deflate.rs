//! Compression: any offer has an answer, any compressed stream ends within the limits, and what we compress is read again.

#![no_main]

#[path = "../../crates/wire/tests/support/mod.rs"]
mod support;

use fanfare_wire::deflate::{Deflater, Inflater, WINDOW_BITS};
use fanfare_wire::handshake::DeflateAgreement;
use fanfare_wire::{Decoder, Message, OpCode, Role, encode_deflated};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let values = data.split(|byte| *byte == 0);
    if let Ok(Some(agreement)) = DeflateAgreement::choose(values) {
        assert!(WINDOW_BITS.contains(&agreement.window_bits()));
        assert!(agreement.answer().is_ascii());
    }
    let Some((limits, stream)) = support::limits_from(data) else { return };
    let mut inflater = Inflater::default();
    let mut stream = stream.to_vec();
    let mut rest = stream.as_mut_slice();
    let mut decoder = Decoder::with_deflate(Role::Server);
    while !rest.is_empty() {
        let Ok(decoded) = decoder.decode(rest, &limits) else { break };
        let consumed = decoded.consumed;
        assert!(consumed > 0, "no progress");
        if let Some(Message::Deflated(deflated)) = decoded.message {
            match inflater.inflate(deflated, limits.message_bytes_max) {
                Ok(Message::Text(text)) => assert!(text.len() <= limits.message_bytes_max),
                Ok(Message::Binary(bytes)) => assert!(bytes.len() <= limits.message_bytes_max),
                Ok(other) => panic!("{other:?} was compressed"),
                Err(violation) => {
                    assert!(matches!(violation.close_code(), 1007 | 1009), "{violation:?}");
                    break;
                }
            }
            // Room is made in steps, the last of which is cut at the limit.
            assert!(inflater.buffered_bytes() <= (limits.message_bytes_max + 1).max(8));
        }
        rest = &mut rest[consumed..];
    }
    let Some((&choice, message)) = data.split_first() else { return };
    let mut deflater = Deflater::new(u32::from(choice % 10), 9 + choice / 10 % 7);
    let Some(payload) = deflater.deflate(message) else { panic!("it is not complete") };
    let mut frame = Vec::new();
    encode_deflated(&mut frame, OpCode::Binary, payload);
    let heard = support::hear_deflated(Role::Client, &support::LIMITS, [&frame[..]]);
    assert_eq!(heard.events, [support::Event::Binary(message.to_vec())]);
});
