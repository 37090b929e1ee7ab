//! Compressed messages: the RFC's own examples, what breaks its rules, and flate2 by itself as a second opinion.

mod support;

use fanfare_wire::deflate::{Deflater, Inflater, WINDOW_BITS};
use fanfare_wire::{Limits, OpCode, Role, encode_deflated};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use proptest::collection::vec;
use proptest::prelude::*;
use support::{Event, Heard, LIMITS, frame, hear, hear_deflated, text};

const SMALL: Limits = Limits { message_bytes_max: 1000, fragments_max: 4 };

/// "Hello", compressed.
const HELLO: [u8; 7] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];

/// A text message in one compressed frame.
fn compressed(payload: &[u8]) -> Vec<u8> {
    frame(Role::Server, 0xc1, payload)
}

fn heard(limits: &Limits, bytes: &[u8]) -> Heard {
    let whole = hear_deflated(Role::Server, limits, [bytes]);
    if bytes.len() < 4096 {
        assert_eq!(whole, hear_deflated(Role::Server, limits, bytes.chunks(1)), "however it is cut");
    }
    whole
}

fn refusal(bytes: &[u8]) -> Option<(u16, &'static str)> {
    heard(&SMALL, bytes).violation.map(|violation| (violation.close_code(), violation.reason()))
}

/// Compressed by flate2, flushed as messages are.
fn deflated_by_flate2(message: &[u8], level: u32) -> Vec<u8> {
    let mut stream = Compress::new(Compression::new(level), false);
    let mut out = Vec::with_capacity(message.len() + message.len() / 4 + 100);
    assert!(stream.compress_vec(message, &mut out, FlushCompress::Sync).is_ok());
    assert_eq!(out.split_off(out.len() - 4), [0, 0, 0xff, 0xff]);
    out
}

#[test]
fn the_examples_of_the_rfc_say_hello() {
    let fragments = [frame(Role::Server, 0x41, &HELLO[..3]), frame(Role::Server, 0x80, &HELLO[3..])].concat();
    let stored = [&[0x00, 0x05, 0x00, 0xfa, 0xff][..], b"Hello", &[0x00]].concat();
    let last_block = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
    let two_blocks = [0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00];
    for bytes in [
        compressed(&HELLO),
        fragments,
        compressed(&stored),
        compressed(&last_block),
        compressed(&two_blocks),
        frame(Role::Server, 0x81, b"Hello"),
    ] {
        assert_eq!(heard(&SMALL, &bytes).events, [text("Hello")], "{bytes:02x?}");
    }
}

#[test]
fn nothing_is_kept_from_one_message_for_the_next() {
    // "Hello" again, as a reference to the message before.
    let again = [0xf2, 0x00, 0x11, 0x00, 0x00];
    assert_eq!(refusal(&[compressed(&HELLO), compressed(&HELLO)].concat()), None);
    let heard = heard(&SMALL, &[compressed(&HELLO), compressed(&again)].concat());
    assert_eq!(heard.events, [text("Hello")]);
    assert_eq!(heard.violation.map(|violation| violation.close_code()), Some(1007));
}

#[test]
fn an_empty_message_may_be_compressed() {
    assert_eq!(heard(&SMALL, &compressed(&[0x00])).events, [text("")]);
    assert_eq!(heard(&SMALL, &frame(Role::Server, 0xc2, &[])).events, [Event::Binary(vec![])]);
}

#[test]
fn the_bit_means_something_on_the_first_frame_of_a_message_only() {
    let reserved = Some((1002, "reserved bit set"));
    for first in [0xc8, 0xc9, 0xca, 0xd1, 0xe1, 0xc3] {
        assert_eq!(refusal(&frame(Role::Server, first, &[])), reserved, "{first:02x}");
    }
    let begun = frame(Role::Server, 0x41, &HELLO[..3]);
    let marked_again = frame(Role::Server, 0xc0, &HELLO[3..]);
    assert_eq!(refusal(&[begun, marked_again].concat()), reserved);
    let plain = frame(Role::Server, 0x01, b"Hel");
    assert_eq!(refusal(&[plain, frame(Role::Server, 0xc0, b"lo")].concat()), reserved);
}

#[test]
fn without_an_agreement_the_bit_means_nothing() {
    let heard = hear(Role::Server, &SMALL, [&compressed(&HELLO)[..]]);
    assert_eq!(heard.violation.map(|violation| violation.reason()), Some("reserved bit set"));
}

#[test]
fn control_frames_may_come_between_the_fragments() {
    let bytes = [
        frame(Role::Server, 0x41, &HELLO[..3]),
        frame(Role::Server, 0x89, b"there?"),
        frame(Role::Server, 0x80, &HELLO[3..]),
    ];
    assert_eq!(heard(&SMALL, &bytes.concat()).events, [Event::Ping(b"there?".to_vec()), text("Hello")]);
}

#[test]
fn text_is_checked_when_it_is_inflated() {
    let wrong = deflated_by_flate2(b"wrong \xff", 6);
    assert_eq!(refusal(&compressed(&wrong)), Some((1007, "text is not utf-8")));
    let binary = frame(Role::Server, 0xc2, &wrong);
    assert_eq!(heard(&SMALL, &binary).events, [Event::Binary(b"wrong \xff".to_vec())]);
}

#[test]
fn what_is_no_deflate_data_is_refused() {
    let broken = Some((1007, "compressed data is not deflate"));
    // A block of the type that there is not, a stored block whose length is contradicted, a reference to before the
    // beginning.
    for payload in [&[0x07][..], &[0x00, 0x05, 0x00, 0x00, 0x00, b'H'], &[0x02, 0x33, 0x00]] {
        assert_eq!(refusal(&compressed(payload)), broken, "{payload:02x?}");
    }
}

#[test]
fn the_limit_is_on_what_comes_out() {
    let fits = deflated_by_flate2(&[b'a'; 1000], 9);
    assert_eq!(heard(&SMALL, &compressed(&fits)).events, [text(&"a".repeat(1000))]);
    let too_big = deflated_by_flate2(&[b'a'; 1001], 9);
    assert_eq!(refusal(&compressed(&too_big)), Some((1009, "message too big")));
}

#[test]
fn a_bomb_costs_no_more_than_the_limit() {
    let limits = Limits { message_bytes_max: 64 * 1024, fragments_max: 4 };
    let bomb = deflated_by_flate2(&vec![0; 60 << 20], 9);
    assert!(bomb.len() < 64 * 1024, "{}", bomb.len());
    let mut decoder = fanfare_wire::Decoder::with_deflate(Role::Server);
    let mut bytes = compressed(&bomb);
    let decoded = decoder.decode(&mut bytes, &limits).unwrap();
    let Some(fanfare_wire::Message::Deflated(deflated)) = decoded.message else { panic!() };
    let mut inflater = Inflater::default();
    let outcome = inflater.inflate(deflated, limits.message_bytes_max);
    assert_eq!(outcome.unwrap_err().close_code(), 1009);
    assert!(inflater.buffered_bytes() <= limits.message_bytes_max + 1, "{}", inflater.buffered_bytes());
}

#[test]
fn what_cannot_be_made_smaller_still_fits() {
    let mut seed = 1_u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 24) as u8
    })
    .take(64 * 1024)
    .collect();
    let limits = Limits { message_bytes_max: noise.len(), fragments_max: 4 };
    let larger = deflated_by_flate2(&noise, 6);
    assert!(larger.len() > noise.len());
    let bytes = frame(Role::Server, 0xc2, &larger);
    assert_eq!(heard(&limits, &bytes).events, [Event::Binary(noise.clone())]);
    for (level, window_bits) in (0..=9).flat_map(|level| WINDOW_BITS.map(move |bits| (level, bits))) {
        let mut deflater = Deflater::new(level, window_bits);
        let bytes = frame(Role::Server, 0xc2, deflater.deflate(&noise).unwrap_or_default());
        assert_eq!(heard(&limits, &bytes).events, [Event::Binary(noise.clone())], "{level} {window_bits}");
    }
}

/// Whether the data can be inflated by somebody who keeps no more than the window.
fn inflated_in_window(payload: &[u8], window_bits: u8) -> Vec<u8> {
    let mut stream = Decompress::new_with_window_bits(false, window_bits);
    let input = [payload, &[0, 0, 0xff, 0xff]].concat();
    let mut out = Vec::new();
    // In small pieces: what was given out before is then only to be had from the window.
    let mut piece = [0; 64];
    loop {
        let (taken, given) = (stream.total_in() as usize, stream.total_out() as usize);
        assert!(stream.decompress(&input[taken..], &mut piece, FlushDecompress::Sync).is_ok());
        let fresh = stream.total_out() as usize - given;
        if fresh == 0 {
            return out;
        }
        out.extend_from_slice(&piece[..fresh]);
    }
}

fn messages() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..300),
        vec(0..3_u8, 0..5_000),
        "(\\{\"type\":\"message\",\"channel\":\"[a-z]{1,9}\",\"data\":\\{\"x\":[0-9]{1,9}\\}\\}\n){1,200}"
            .prop_map(String::into_bytes),
    ]
}

proptest! {
    #[test]
    fn what_one_end_compresses_the_other_reads(
        messages in vec(messages(), 1..4),
        level in 0..=9_u32,
        window_bits in WINDOW_BITS,
    ) {
        let mut deflater = Deflater::new(level, window_bits);
        for message in messages {
            let Some(payload) = deflater.deflate(&message) else { panic!("it is complete") };
            prop_assert_eq!(&inflated_in_window(payload, window_bits), &message);
            let mut bytes = Vec::new();
            encode_deflated(&mut bytes, OpCode::Binary, payload);
            let heard = hear_deflated(Role::Client, &LIMITS, [&bytes[..]]);
            prop_assert_eq!(heard.events, [Event::Binary(message)]);
        }
    }

    #[test]
    fn what_flate2_compresses_is_read(message in messages(), level in 0..=9_u32) {
        let bytes = frame(Role::Server, 0xc2, &deflated_by_flate2(&message, level));
        prop_assert_eq!(hear_deflated(Role::Server, &LIMITS, [&bytes[..]]).events, [Event::Binary(message)]);
    }

    #[test]
    fn any_data_is_read_as_flate2_reads_it_or_refused(payload in vec(any::<u8>(), 0..200)) {
        let bytes = frame(Role::Server, 0xc2, &payload);
        let ours = hear_deflated(Role::Server, &LIMITS, [&bytes[..]]);
        let mut out = Vec::with_capacity(1 << 20);
        let input = [&payload[..], &[0, 0, 0xff, 0xff]].concat();
        let mut stream = Decompress::new(false);
        let theirs = stream.decompress_vec(&input, &mut out, FlushDecompress::Sync);
        match theirs {
            Err(_) => prop_assert_eq!(ours.violation.map(|violation| violation.close_code()), Some(1007)),
            // It stops at the block that says it is the last; the rest of the message is ours to read.
            Ok(_) if ours.violation.is_some() => prop_assert!(stream.total_in() < input.len() as u64),
            Ok(_) => match &ours.events[..] {
                [Event::Binary(message)] => prop_assert!(message.starts_with(&out)),
                other => prop_assert!(false, "{other:?}"),
            },
        }
    }
}
