//! The rules of RFC 6455 about frames, a table for each section. Every case runs in one piece and
//! byte by byte.

mod support;

use fanfare_wire::{Role, Violation};
use support::{Event, Heard, KEY, LIMITS, LengthForm, frame, frame_in_form, hear_bytewise, hear_whole, text};

fn check(role: Role, bytes: &[u8]) -> Heard {
    let heard = hear_whole(role, &LIMITS, bytes);
    assert_eq!(heard, hear_bytewise(role, &LIMITS, bytes), "{bytes:02x?}");
    heard
}

#[track_caller]
fn delivers(role: Role, bytes: &[u8], events: &[Event]) {
    let heard = check(role, bytes);
    assert_eq!((heard.violation, heard.events.as_slice()), (None, events), "{bytes:02x?}");
}

#[track_caller]
fn fails(role: Role, bytes: &[u8], code: u16, reason: &str) {
    let heard = check(role, bytes);
    let violation = heard.violation.as_ref();
    let outcome = violation.map(|violation| (Violation::close_code(violation), Violation::reason(violation)));
    assert_eq!(outcome, Some((code, reason)), "{bytes:02x?}");
}

/// Frames in a row, masked with the usual key.
fn frames(frames: &[(u8, &[u8])]) -> Vec<u8> {
    frames.iter().flat_map(|(first, payload)| frame(Role::Server, *first, payload)).collect()
}

#[test]
fn section_5_7_examples() {
    delivers(Role::Client, &[0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f], &[text("Hello")]);
    let masked = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    delivers(Role::Server, &masked, &[text("Hello")]);
    let fragmented = [0x01, 0x03, 0x48, 0x65, 0x6c, 0x80, 0x02, 0x6c, 0x6f];
    delivers(Role::Client, &fragmented, &[text("Hello")]);
    let ping = [0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];
    delivers(Role::Client, &ping, &[Event::Ping(b"Hello".to_vec())]);
    let pong = [0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    delivers(Role::Server, &pong, &[Event::Pong(b"Hello".to_vec())]);
    let short = [&[0x82, 0x7e, 0x01, 0x00][..], &[9; 256]].concat();
    delivers(Role::Client, &short, &[Event::Binary(vec![9; 256])]);
    let long = [&[0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0][..], &[9; 65536]].concat();
    delivers(Role::Client, &long, &[Event::Binary(vec![9; 65536])]);
}

#[test]
fn section_5_1_a_client_masks_and_a_server_does_not() {
    for first in [0x81, 0x82, 0x88, 0x89, 0x8a, 0x01] {
        fails(Role::Server, &[first, 0x00], 1002, "unmasked frame from a client");
        fails(Role::Client, &[first, 0x80], 1002, "masked frame from a server");
    }
}

#[test]
fn section_5_2_reserved_bits_and_opcodes() {
    for bits in [0x40, 0x20, 0x10, 0x50, 0x70] {
        for opcode in [0x81, 0x82, 0x88, 0x89, 0x8a, 0x00] {
            fails(Role::Server, &[opcode | bits], 1002, "reserved bit set");
        }
    }
    for opcode in (0x3..=0x7).chain(0xb..=0xf) {
        fails(Role::Server, &[0x80 | opcode], 1002, "reserved opcode");
        fails(Role::Client, &[opcode], 1002, "reserved opcode");
    }
}

#[test]
fn section_5_2_lengths_come_in_their_shortest_form() {
    for (bytes, form) in [
        (0, LengthForm::SixteenBits),
        (125, LengthForm::SixteenBits),
        (0, LengthForm::SixtyFourBits),
        (126, LengthForm::SixtyFourBits),
        (65535, LengthForm::SixtyFourBits),
    ] {
        let frame = frame_in_form(0x82, &vec![0; bytes], Some(KEY), form);
        fails(Role::Server, &frame, 1002, "length not in its shortest form");
    }
    for bytes in [0, 1, 125, 126, 127, 65535, 65536, 65537] {
        let payload = vec![b'x'; bytes];
        delivers(Role::Server, &frame(Role::Server, 0x82, &payload), &[Event::Binary(payload.clone())]);
        delivers(Role::Client, &frame(Role::Client, 0x82, &payload), &[Event::Binary(payload)]);
    }
}

#[test]
fn section_5_2_a_length_has_63_bits() {
    let lengths: [[u8; 8]; 2] = [[0xff; 8], [0x80, 0, 0, 0, 0, 0, 0, 0]];
    for length in lengths {
        fails(Role::Server, &[&[0x82, 0xff][..], &length].concat(), 1002, "length over 63 bits");
    }
}

#[test]
fn section_5_3_masking_at_every_length_and_cut() {
    for bytes in 0..40 {
        let payload: Vec<u8> = (0..bytes).collect();
        delivers(Role::Server, &frame(Role::Server, 0x82, &payload), &[Event::Binary(payload)]);
    }
}

#[test]
fn section_5_4_fragments() {
    let whole = frames(&[(0x01, b"a"), (0x00, b""), (0x00, b"b"), (0x80, b"c")]);
    delivers(Role::Server, &whole, &[text("abc")]);
    delivers(Role::Server, &frames(&[(0x02, b""), (0x80, b"")]), &[Event::Binary(Vec::new())]);
    let one_after_another = frames(&[(0x01, b"a"), (0x80, b"b"), (0x02, b"c"), (0x80, b"d"), (0x81, b"e")]);
    delivers(Role::Server, &one_after_another, &[text("ab"), Event::Binary(b"cd".to_vec()), text("e")]);

    for first in [0x00, 0x80] {
        fails(Role::Server, &frames(&[(first, b"x")]), 1002, "continuation without a message");
        let after_one = frames(&[(0x81, b"x"), (first, b"x")]);
        fails(Role::Server, &after_one, 1002, "continuation without a message");
        let after_fragments = frames(&[(0x01, b"x"), (0x80, b"x"), (first, b"x")]);
        fails(Role::Server, &after_fragments, 1002, "continuation without a message");
    }
    for first in [0x01, 0x81, 0x02, 0x82] {
        let inside = frames(&[(0x01, b"x"), (first, b"x")]);
        fails(Role::Server, &inside, 1002, "new message inside a fragmented one");
    }
}

#[test]
fn section_5_4_control_frames_between_fragments_are_heard_at_once() {
    let stream = frames(&[(0x01, b"a"), (0x89, b"1"), (0x00, b"b"), (0x8a, b"2"), (0x80, b"c"), (0x89, b"")]);
    let events =
        [Event::Ping(b"1".to_vec()), Event::Pong(b"2".to_vec()), text("abc"), Event::Ping(Vec::new())];
    delivers(Role::Server, &stream, &events);
    let closed = frames(&[(0x01, b"a"), (0x88, b"\x03\xe8bye")]);
    delivers(Role::Server, &closed, &[Event::Close(Some((1000, "bye".to_owned())))]);
}

#[test]
fn section_5_5_control_frames_are_short_and_whole() {
    for opcode in [0x8, 0x9, 0xa] {
        fails(Role::Server, &frames(&[(opcode, b"")]), 1002, "fragmented control frame");
        for length in [126, 127] {
            fails(Role::Server, &[0x80 | opcode, 0x80 | length], 1002, "control frame over 125 bytes");
        }
    }
    let longest = [b'x'; 125];
    delivers(Role::Server, &frames(&[(0x89, &longest)]), &[Event::Ping(longest.to_vec())]);
}

#[test]
fn section_7_4_close_codes() {
    let close = |code: u16, reason: &[u8]| frames(&[(0x88, &[&code.to_be_bytes()[..], reason].concat())]);
    delivers(Role::Server, &frames(&[(0x88, b"")]), &[Event::Close(None)]);
    fails(Role::Server, &frames(&[(0x88, b"\x03")]), 1002, "close payload of one byte");
    for code in (0..=5100).chain([9999, 65535]) {
        let allowed = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
        if allowed {
            delivers(Role::Server, &close(code, b"ok"), &[Event::Close(Some((code, "ok".to_owned())))]);
        } else {
            fails(Role::Server, &close(code, b""), 1002, "close code not allowed");
        }
    }
    let longest = [b'r'; 123];
    let reason = String::from_utf8_lossy(&longest).into_owned();
    delivers(Role::Server, &close(1000, &longest), &[Event::Close(Some((1000, reason)))]);
    for reason in [&b"\xff"[..], b"\xe2\x82", b"a\xc0\xaf"] {
        fails(Role::Server, &close(1000, reason), 1007, "close reason is not utf-8");
    }
}
