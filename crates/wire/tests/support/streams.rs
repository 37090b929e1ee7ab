//! Random streams of frames: mostly legal, with every rule broken now and then.

#![allow(dead_code, unreachable_pub, reason = "shared by several crates")]

use fanfare_wire::Role;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::support::{LengthForm, frame_in_form};

/// A stream for a receiver with this role: legal frames, illegal frames, then perhaps a few bytes
/// flipped and the end cut off.
pub fn streams(role: Role) -> impl Strategy<Value = Vec<u8>> {
    let flips = vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
    let cut = prop_oneof![3 => Just(None), 1 => any::<prop::sample::Index>().prop_map(Some)];
    (vec(frames(role), 0..8), prop_oneof![2 => Just(Vec::new()), 1 => flips], cut).prop_map(
        |(frames, flips, cut)| {
            let mut bytes = frames.concat();
            for (at, value) in flips {
                if !bytes.is_empty() {
                    let at = at.index(bytes.len());
                    bytes[at] = value;
                }
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len() + 1));
            }
            bytes
        },
    )
}

/// Pieces to cut a stream into; what is left after the last cut is one more piece.
pub fn cuts() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![vec(1..4usize, 0..64), vec(1..200usize, 0..16)]
}

/// Cuts a stream into pieces of these lengths.
pub fn pieces<'b>(mut bytes: &'b [u8], cuts: &[usize]) -> Vec<&'b [u8]> {
    let mut pieces = Vec::new();
    for &cut in cuts {
        let (piece, rest) = bytes.split_at(cut.min(bytes.len()));
        pieces.push(piece);
        bytes = rest;
    }
    pieces.push(bytes);
    pieces
}

fn frames(role: Role) -> impl Strategy<Value = Vec<u8>> {
    (first_bytes(), payloads(), keys(role), forms()).prop_map(|(first, payload, key, form)| {
        // A control frame is short unless it is about being too long.
        let too_long = first & 0x08 != 0 && form == LengthForm::Shortest && payload.len() > 125;
        let payload = if too_long && payload.len() < 1000 { &payload[..125] } else { &payload[..] };
        frame_in_form(first, payload, key, form)
    })
}

fn first_bytes() -> impl Strategy<Value = u8> {
    let data = prop::sample::select(vec![0x81u8, 0x82, 0x01, 0x02, 0x00, 0x00, 0x80, 0x80]);
    let control = prop::sample::select(vec![0x89u8, 0x8A, 0x88]);
    prop_oneof![20 => data, 6 => control, 1 => any::<u8>()]
}

fn keys(role: Role) -> impl Strategy<Value = Option<[u8; 4]>> {
    let right = match role {
        Role::Server => any::<[u8; 4]>().prop_map(Some).boxed(),
        Role::Client => Just(None).boxed(),
    };
    prop_oneof![40 => right, 1 => any::<Option<[u8; 4]>>()]
}

fn forms() -> impl Strategy<Value = LengthForm> {
    prop_oneof![
        40 => Just(LengthForm::Shortest),
        1 => Just(LengthForm::SixteenBits),
        1 => Just(LengthForm::SixtyFourBits),
    ]
}

fn payloads() -> impl Strategy<Value = Vec<u8>> {
    let text = prop_oneof!["[a-z]{0,8}", "\\PC{0,40}", "[a-zß€😀]{100,300}"];
    let close =
        (prop::sample::select(vec![999u16, 1000, 1004, 1005, 1011, 1014, 1015, 3000, 5000]), "[a-zß]{0,9}")
            .prop_map(|(code, reason)| [&code.to_be_bytes()[..], reason.as_bytes()].concat());
    let cut_text = ("[ß€😀]{1,9}", any::<prop::sample::Index>())
        .prop_map(|(text, cut)| text.as_bytes()[cut.index(text.len())..].to_vec());
    prop_oneof![
        6 => text.prop_map(String::into_bytes),
        2 => cut_text.clone(),
        2 => cut_text.prop_map(|mut bytes| { bytes.reverse(); bytes }),
        2 => vec(any::<u8>(), 0..20),
        1 => vec(any::<u8>(), 120..132),
        1 => vec(any::<u8>(), 65_530..65_540),
        3 => close,
        3 => Just(Vec::new()),
    ]
}
