//! What one end writes the other end reads.

mod support;

use fanfare_wire::{
    HEADER_BYTES_MAX, OpCode, Role, encode_close, encode_close_masked, encode_frame, encode_frame_masked,
    encode_header,
};
use proptest::collection::vec;
use proptest::prelude::*;
use support::{Event, KEY, LIMITS, hear_whole};

fn check(opcode: OpCode, payload: &[u8], key: [u8; 4], expected: &Event) {
    let mut plain = Vec::new();
    encode_frame(&mut plain, opcode, payload);
    assert_eq!(hear_whole(Role::Client, &LIMITS, &plain).events.as_slice(), std::slice::from_ref(expected));
    let mut masked = Vec::new();
    encode_frame_masked(&mut masked, opcode, payload, key);
    assert_eq!(hear_whole(Role::Server, &LIMITS, &masked).events.as_slice(), std::slice::from_ref(expected));
    assert!(masked.len() - payload.len() <= HEADER_BYTES_MAX);
}

proptest! {
    #[test]
    fn text(text in "\\PC{0,300}", key: [u8; 4]) {
        check(OpCode::Text, text.as_bytes(), key, &Event::Text(text.clone()));
    }

    #[test]
    fn binary(bytes in prop_oneof![vec(any::<u8>(), 0..300), vec(any::<u8>(), 65_500..65_600)], key: [u8; 4]) {
        check(OpCode::Binary, &bytes, key, &Event::Binary(bytes.clone()));
    }

    #[test]
    fn ping_and_pong(bytes in vec(any::<u8>(), 0..=125), key: [u8; 4]) {
        check(OpCode::Ping, &bytes, key, &Event::Ping(bytes.clone()));
        check(OpCode::Pong, &bytes, key, &Event::Pong(bytes.clone()));
    }

    #[test]
    fn close(code in 3000..5000u16, reason in "\\PC{0,80}", key: [u8; 4]) {
        let mut plain = Vec::new();
        encode_close(&mut plain, code, &reason);
        let mut masked = Vec::new();
        encode_close_masked(&mut masked, code, &reason, key);
        let heard = hear_whole(Role::Client, &LIMITS, &plain);
        prop_assert_eq!(&heard, &hear_whole(Role::Server, &LIMITS, &masked));
        let Some(Event::Close(Some((heard_code, heard_reason)))) = heard.events.first() else {
            panic!("no close in {heard:?}");
        };
        prop_assert_eq!(*heard_code, code);
        prop_assert!(reason.starts_with(heard_reason));
        prop_assert!(reason.len() <= 123 || heard_reason.len() > 119);
    }
}

#[test]
fn a_long_reason_is_cut_between_characters() {
    for (reason, kept) in
        [("x".repeat(124), 123), ("€".repeat(50), 123), (format!("ab{}", "€".repeat(50)), 122)]
    {
        let mut bytes = Vec::new();
        encode_close(&mut bytes, 1000, &reason);
        let expected = Event::Close(Some((1000, reason[..kept].to_owned())));
        assert_eq!(hear_whole(Role::Client, &LIMITS, &bytes).events, [expected]);
    }
}

#[test]
fn codes_that_may_not_travel_make_an_empty_close() {
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000] {
        let mut bytes = Vec::new();
        encode_close(&mut bytes, code, "reason");
        assert_eq!(bytes, [0x88, 0x00]);
        let mut bytes = Vec::new();
        encode_close_masked(&mut bytes, code, "reason", KEY);
        assert_eq!(bytes, [0x88, 0x80, KEY[0], KEY[1], KEY[2], KEY[3]]);
    }
}

#[test]
fn headers_are_as_short_as_they_can_be() {
    for (payload_bytes, header) in [
        (0, &[0x82, 0][..]),
        (125, &[0x82, 125]),
        (126, &[0x82, 126, 0, 126]),
        (65535, &[0x82, 126, 0xff, 0xff]),
        (65536, &[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
    ] {
        let mut out = vec![0xaa];
        encode_header(&mut out, OpCode::Binary, payload_bytes);
        assert_eq!(out[1..], *header);
    }
}
