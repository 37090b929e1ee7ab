//! Text is UTF-8 (§5.6, §8.1), wherever it is cut, and a wrong byte ends the connection at once.

mod support;

use fanfare_wire::Role;
use support::{LIMITS, frame, hear, hear_bytewise, hear_whole, text};

/// Ends that are wrong whatever follows, and the number of bytes after which that is certain.
const WRONG: &[(&[u8], usize)] = &[
    (b"\x80", 1),
    (b"\xbf", 1),
    (b"\xfe", 1),
    (b"\xff", 1),
    (b"\xc0\xaf", 1),
    (b"\xc1\xbf", 1),
    (b"\xe0\x80\xaf", 2),
    (b"\xe0\x9f\xbf", 2),
    (b"\xf0\x80\x80\xaf", 2),
    (b"\xf0\x8f\xbf\xbf", 2),
    (b"\xed\xa0\x80", 2),
    (b"\xed\xbf\xbf", 2),
    (b"\xf4\x90\x80\x80", 2),
    (b"\xf5\x80\x80\x80", 1),
    (b"\xf8\x88\x80\x80\x80", 1),
    (b"\xe2\x82\x20", 3),
    (b"\xe2\x20", 2),
    (b"\xf0\x9f\x98\x20", 4),
    (b"\xc3\xc3", 2),
];

/// Around the block sizes of vectorised checks, where cut characters are easiest to lose.
const PREFIX_BYTES: &[usize] = &[0, 1, 3, 31, 61, 62, 63, 64, 65, 127, 128, 300];

#[test]
fn a_wrong_byte_fails_before_the_frame_ends() {
    for &(wrong, certain_after) in WRONG {
        for &prefix_bytes in PREFIX_BYTES {
            let payload = [&vec![b'a'; prefix_bytes], wrong, &[b'z'; 500]].concat();
            let bytes = frame(Role::Server, 0x81, &payload);
            let header_bytes = bytes.len() - payload.len();
            let certain = header_bytes + prefix_bytes + certain_after;

            let before = hear_whole(Role::Server, &LIMITS, &bytes[..certain - 1]);
            assert_eq!(before.violation, None, "{wrong:02x?} after {prefix_bytes}");
            for heard in [
                hear_whole(Role::Server, &LIMITS, &bytes[..certain]),
                hear_bytewise(Role::Server, &LIMITS, &bytes[..certain]),
                hear_whole(Role::Server, &LIMITS, &bytes),
            ] {
                let code = heard.violation.map(|violation| violation.close_code());
                assert_eq!(code, Some(1007), "{wrong:02x?} after {prefix_bytes}");
            }
        }
    }
}

#[test]
fn a_wrong_byte_fails_before_the_last_fragment() {
    for &(wrong, certain_after) in WRONG {
        // One byte a fragment, and a ping in between that must not disturb the check.
        let mut bytes = frame(Role::Server, 0x01, b"");
        for byte in &wrong[..certain_after] {
            bytes.extend(frame(Role::Server, 0x00, &[*byte]));
            bytes.extend(frame(Role::Server, 0x89, b"\xff"));
        }
        let heard = hear_whole(Role::Server, &LIMITS, &bytes);
        assert_eq!(heard.violation.map(|violation| violation.close_code()), Some(1007), "{wrong:02x?}");
        assert_eq!(heard.events.len(), certain_after - 1, "{wrong:02x?}");
    }
}

#[test]
fn text_that_ends_inside_a_character_is_wrong() {
    for payload in [&b"\xc3"[..], b"abc\xe2\x82", b"\xf0\x9f\x98"] {
        let whole = frame(Role::Server, 0x81, payload);
        let fragments = [frame(Role::Server, 0x01, payload), frame(Role::Server, 0x80, b"")].concat();
        for bytes in [whole, fragments] {
            for heard in
                [hear_whole(Role::Server, &LIMITS, &bytes), hear_bytewise(Role::Server, &LIMITS, &bytes)]
            {
                assert_eq!(heard.violation.map(|violation| violation.close_code()), Some(1007));
            }
        }
    }
}

#[test]
fn characters_may_be_cut_between_fragments_and_reads() {
    let message = "aß€😀\u{10ffff}\u{0}\u{fffd}".repeat(20);
    for size in 1..70 {
        let pieces: Vec<&[u8]> = message.as_bytes().chunks(size).collect();
        let mut bytes = frame(Role::Server, 0x01, b"");
        for piece in &pieces {
            bytes.extend(frame(Role::Server, 0x00, piece));
        }
        bytes.extend(frame(Role::Server, 0x80, b""));
        assert_eq!(hear_whole(Role::Server, &LIMITS, &bytes).events, [text(&message)]);
        let bytes = frame(Role::Server, 0x81, message.as_bytes());
        assert_eq!(hear(Role::Server, &LIMITS, bytes.chunks(size)).events, [text(&message)]);
    }
}

#[test]
fn binary_may_be_anything() {
    let payload: Vec<u8> = (0..=255).collect();
    let bytes = frame(Role::Server, 0x82, &payload);
    assert_eq!(hear_bytewise(Role::Server, &LIMITS, &bytes).violation, None);
}
