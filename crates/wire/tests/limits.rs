//! What a peer can make us hold, and when we refuse.

mod support;

use fanfare_wire::{Decoder, Limits, Role};
use support::{Event, KEY, LIMITS, frame, hear_whole};

const SMALL: Limits = Limits { message_bytes_max: 1000, fragments_max: 4 };

fn refusal(bytes: &[u8]) -> Option<(u16, &'static str)> {
    hear_whole(Role::Server, &SMALL, bytes)
        .violation
        .map(|violation| (violation.close_code(), violation.reason()))
}

#[test]
fn an_idle_decoder_is_sixteen_bytes() {
    assert!(size_of::<Decoder>() <= 16);
    assert_eq!(Decoder::new(Role::Server).buffered_bytes(), 0);
}

#[test]
fn a_message_up_to_the_limit_passes_and_one_byte_more_fails_by_its_header() {
    let fits = frame(Role::Server, 0x82, &[0; 1000]);
    assert_eq!(refusal(&fits), None);
    let too_big = frame(Role::Server, 0x82, &[0; 1001]);
    assert_eq!(refusal(&too_big[..4]), Some((1009, "message too big")));
    let huge = [&[0x82, 0xff][..], &(u64::MAX >> 1).to_be_bytes()].concat();
    assert_eq!(refusal(&huge), Some((1009, "message too big")));
    assert_eq!(refusal(&huge[..9]), None);
}

#[test]
fn fragments_share_the_limit() {
    let first = frame(Role::Server, 0x02, &[0; 600]);
    assert_eq!(refusal(&[first.clone(), frame(Role::Server, 0x80, &[0; 400])].concat()), None);
    let second = frame(Role::Server, 0x80, &[0; 401]);
    assert_eq!(refusal(&[&first[..], &second[..4]].concat()), Some((1009, "message too big")));
    // A character cut between the fragments counts with all its bytes.
    let text = frame(Role::Server, 0x01, &[&[b'a'; 999][..], b"\xc3"].concat());
    assert_eq!(
        refusal(&[text, frame(Role::Server, 0x80, b"\x9f")].concat()),
        Some((1009, "message too big"))
    );
}

#[test]
fn control_frames_are_outside_the_message_limit() {
    let limits = Limits { message_bytes_max: 0, fragments_max: 0 };
    let heard = hear_whole(Role::Server, &limits, &frame(Role::Server, 0x89, &[b'p'; 125]));
    assert_eq!(heard.events, [Event::Ping(vec![b'p'; 125])]);
}

#[test]
fn empty_fragments_count() {
    let mut bytes = frame(Role::Server, 0x01, b"");
    for _ in 0..3 {
        bytes.extend(frame(Role::Server, 0x00, b""));
        bytes.extend(frame(Role::Server, 0x89, b""));
    }
    assert_eq!(refusal(&bytes), None);
    bytes.extend(frame(Role::Server, 0x80, b""));
    assert_eq!(refusal(&bytes), Some((1009, "message in too many fragments")));
}

#[test]
fn the_fragment_count_starts_anew_with_every_message() {
    let message = [frame(Role::Server, 0x01, b"a"), frame(Role::Server, 0x80, b"b")].concat();
    assert_eq!(refusal(&message.repeat(50)), None);
}

#[test]
fn a_promise_of_bytes_costs_nothing() {
    let limits = Limits { message_bytes_max: 1 << 40, fragments_max: 1 };
    let mut header = [&[0x82, 0xff][..], &(1u64 << 39).to_be_bytes(), &KEY].concat();
    let mut decoder = Decoder::new(Role::Server);
    decoder.decode(&mut header, &limits).expect("the header is legal");
    assert!(decoder.mid_message());
    assert!(decoder.buffered_bytes() < 512, "{}", decoder.buffered_bytes());
    decoder.decode(&mut [0; 100], &limits).expect("payload");
    assert!(decoder.buffered_bytes() < 1024, "{}", decoder.buffered_bytes());
}

#[test]
fn memory_goes_back_once_the_message_was_read() {
    let mut bytes = frame(Role::Server, 0x82, &[1; 50_000]);
    let (head, tail) = bytes.split_at_mut(100);
    let mut decoder = Decoder::new(Role::Server);
    assert!(decoder.decode(head, &LIMITS).expect("legal").message.is_none());
    assert!(decoder.mid_message());
    assert!(decoder.decode(tail, &LIMITS).expect("legal").message.is_some());
    assert!(!decoder.mid_message());
    decoder.release();
    assert_eq!(decoder.buffered_bytes(), 0);
}

#[test]
fn the_next_call_frees_a_delivered_message_too() {
    let mut bytes = frame(Role::Server, 0x82, &[1; 50_000]);
    let (head, tail) = bytes.split_at_mut(100);
    let mut decoder = Decoder::new(Role::Server);
    decoder.decode(head, &LIMITS).expect("legal");
    decoder.decode(tail, &LIMITS).expect("legal");
    decoder.decode(&mut [], &LIMITS).expect("nothing to read");
    assert_eq!(decoder.buffered_bytes(), 0);
}

#[test]
fn a_violation_gives_the_memory_back() {
    let mut decoder = Decoder::new(Role::Server);
    let mut bytes = frame(Role::Server, 0x01, &[b'a'; 10_000]);
    decoder.decode(&mut bytes, &LIMITS).expect("legal");
    assert!(decoder.decode(&mut [0xff], &LIMITS).is_err());
    decoder.release();
    assert_eq!((decoder.buffered_bytes(), decoder.mid_message()), (0, false));
}

#[test]
fn whole_frames_are_never_copied() {
    let mut decoder = Decoder::new(Role::Server);
    let mut bytes = frame(Role::Server, 0x81, &[b'a'; 10_000]);
    decoder.decode(&mut bytes, &LIMITS).expect("legal");
    assert_eq!(decoder.buffered_bytes(), 0);
}
