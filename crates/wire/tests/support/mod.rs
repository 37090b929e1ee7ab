//! What the tests of this crate share: raw frames, and one way to listen to a decoder.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "every test file is a crate of its own and uses its part of this"
)]

use fanfare_wire::deflate::Inflater;
use fanfare_wire::{Decoder, Limits, Message, Role, Violation};

/// Large enough for everything a test sends unless the test is about limits.
pub const LIMITS: Limits = Limits { message_bytes_max: 1 << 20, fragments_max: u32::MAX };

pub const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A message that outlives the decoder's buffers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
}

impl From<Message<'_>> for Event {
    fn from(message: Message<'_>) -> Self {
        match message {
            Message::Text(text) => Event::Text(text.to_owned()),
            Message::Binary(bytes) => Event::Binary(bytes.to_vec()),
            Message::Deflated(_) => unreachable!("inflated before"),
            Message::Ping(bytes) => Event::Ping(bytes.to_vec()),
            Message::Pong(bytes) => Event::Pong(bytes.to_vec()),
            Message::Close(frame) => Event::Close(frame.map(|frame| (frame.code, frame.reason.to_owned()))),
        }
    }
}

/// Everything one stream of bytes made a decoder say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    pub events: Vec<Event>,
    pub violation: Option<Violation>,
    pub mid_message: bool,
}

/// Feeds a decoder piece by piece and checks what must hold after every call.
pub fn hear<'p>(role: Role, limits: &Limits, pieces: impl IntoIterator<Item = &'p [u8]>) -> Heard {
    listen(Decoder::new(role), limits, pieces)
}

/// The same where compression was negotiated.
pub fn hear_deflated<'p>(role: Role, limits: &Limits, pieces: impl IntoIterator<Item = &'p [u8]>) -> Heard {
    listen(Decoder::with_deflate(role), limits, pieces)
}

fn listen<'p>(mut decoder: Decoder, limits: &Limits, pieces: impl IntoIterator<Item = &'p [u8]>) -> Heard {
    let mut inflater = Inflater::default();
    let mut events = Vec::new();
    for piece in pieces {
        let mut piece = piece.to_vec();
        let mut rest = piece.as_mut_slice();
        while !rest.is_empty() {
            match decoder.decode(rest, limits) {
                Ok(decoded) => {
                    let consumed = decoded.consumed;
                    assert!(consumed > 0, "no progress");
                    match decoded.message {
                        Some(Message::Deflated(deflated)) => {
                            match inflater.inflate(deflated, limits.message_bytes_max) {
                                Ok(message) => events.push(message.into()),
                                Err(violation) => {
                                    return Heard { events, violation: Some(violation), mid_message: false };
                                }
                            }
                        }
                        message => events.extend(message.map(Event::from)),
                    }
                    rest = &mut rest[consumed..];
                }
                Err(violation) => {
                    let mid_message = decoder.mid_message();
                    let again = decoder.decode(rest, limits).err();
                    assert_eq!(again, Some(violation), "must stay failed");
                    return Heard { events, violation: Some(violation), mid_message };
                }
            }
        }
        decoder.release();
        assert_eq!(decoder.buffered_bytes() > 0, decoder.mid_message(), "memory is held in messages only");
    }
    Heard { events, violation: None, mid_message: decoder.mid_message() }
}

/// Limits from the front of arbitrary bytes, and the bytes behind them.
pub fn limits_from(data: &[u8]) -> Option<(Limits, &[u8])> {
    let (&[low, high, fragments], rest) = data.split_first_chunk::<3>()?;
    let message_bytes_max = usize::from(u16::from_le_bytes([low, high]));
    Some((Limits { message_bytes_max, fragments_max: fragments.into() }, rest))
}

/// A stream in one piece.
pub fn hear_whole(role: Role, limits: &Limits, bytes: &[u8]) -> Heard {
    hear(role, limits, [bytes])
}

/// A stream one byte at a time.
pub fn hear_bytewise(role: Role, limits: &Limits, bytes: &[u8]) -> Heard {
    hear(role, limits, bytes.chunks(1))
}

/// How a length is written; the RFC allows only the shortest form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LengthForm {
    Shortest,
    SixteenBits,
    SixtyFourBits,
}

/// Any frame, legal or not: the first byte is taken as it is.
pub fn frame_in_form(first: u8, payload: &[u8], key: Option<[u8; 4]>, form: LengthForm) -> Vec<u8> {
    let mask_bit = if key.is_some() { 0x80 } else { 0 };
    let form = match (form, payload.len()) {
        (LengthForm::Shortest, 126..=0xFFFF) => LengthForm::SixteenBits,
        (LengthForm::Shortest, 0x1_0000..) => LengthForm::SixtyFourBits,
        (form, _) => form,
    };
    let mut frame = vec![first];
    match form {
        LengthForm::Shortest => frame.push(mask_bit | payload.len() as u8),
        LengthForm::SixteenBits => {
            frame.push(mask_bit | 126);
            frame.extend_from_slice(&(payload.len() as u16).to_be_bytes());
        }
        LengthForm::SixtyFourBits => {
            frame.push(mask_bit | 127);
            frame.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend(key.into_iter().flatten());
    let key = key.unwrap_or_default();
    frame.extend(payload.iter().zip(key.into_iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// A frame in the shortest form, masked as the receiver with this role wants it.
pub fn frame(role: Role, first: u8, payload: &[u8]) -> Vec<u8> {
    let key = match role {
        Role::Server => Some(KEY),
        Role::Client => None,
    };
    frame_in_form(first, payload, key, LengthForm::Shortest)
}

pub fn text(text: &str) -> Event {
    Event::Text(text.to_owned())
}
