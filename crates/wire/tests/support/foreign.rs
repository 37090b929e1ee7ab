//! tungstenite as the second opinion on every stream, so that the codec is not only held against
//! itself.
//!
//! The two may differ where the RFC leaves room or tungstenite is laxer, and nowhere else:
//!
//! 1. We refuse a frame from its header, and text from its first wrong byte; tungstenite waits for the
//!    whole frame. On a stream that ends first it has seen no error yet.
//! 2. tungstenite takes lengths that are not in their shortest form (§5.2 forbids them), on control
//!    frames too, where we refuse every extended length as too long (§5.5).
//! 3. tungstenite does not know close code 1014, which IANA has listed since.

#![allow(dead_code, unreachable_pub, reason = "shared by several crates")]

use std::io::{self, Read, Write};

use fanfare_wire::{Limits, Role};
use tungstenite::error::{Error, ProtocolError};
use tungstenite::protocol::{Role as ForeignRole, WebSocket, WebSocketConfig};

use crate::support::{Event, Heard, hear_whole};

/// Where difference 2 shows.
const LAXER: &[&str] = &["length not in its shortest form", "control frame over 125 bytes"];

/// What tungstenite made of a stream.
#[derive(Debug)]
pub struct ForeignHeard {
    pub events: Vec<Event>,
    /// The error, unless it was only that the stream ended.
    pub error: Option<String>,
}

/// Reads from a slice and swallows the answers.
struct Tape<'a>(&'a [u8]);

impl Read for Tape<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Tape<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Feeds tungstenite with a stream, up to the first Close.
pub fn hear_foreign(role: Role, limits: &Limits, bytes: &[u8]) -> ForeignHeard {
    let role = match role {
        Role::Server => ForeignRole::Server,
        Role::Client => ForeignRole::Client,
    };
    let config = WebSocketConfig::default()
        .max_message_size(Some(limits.message_bytes_max))
        .max_frame_size(Some(limits.message_bytes_max))
        .read_buffer_size(4096);
    let mut socket = WebSocket::from_raw_socket(Tape(bytes), role, Some(config));
    let mut events = Vec::new();
    loop {
        match socket.read() {
            Ok(tungstenite::Message::Text(text)) => events.push(Event::Text(text.to_string())),
            Ok(tungstenite::Message::Binary(bytes)) => events.push(Event::Binary(bytes.to_vec())),
            Ok(tungstenite::Message::Ping(bytes)) => events.push(Event::Ping(bytes.to_vec())),
            Ok(tungstenite::Message::Pong(bytes)) => events.push(Event::Pong(bytes.to_vec())),
            Ok(tungstenite::Message::Close(frame)) => {
                // It answers a forbidden code by pretending that the peer sent this.
                if frame.as_ref().is_some_and(|frame| frame.reason.as_str() == "Protocol violation") {
                    return ForeignHeard { events, error: Some("close code".to_owned()) };
                }
                events.push(Event::Close(frame.map(|frame| (frame.code.into(), frame.reason.to_string()))));
                return ForeignHeard { events, error: None };
            }
            Ok(tungstenite::Message::Frame(_)) => unreachable!("never returned by read"),
            Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) | Error::ConnectionClosed) => {
                return ForeignHeard { events, error: None };
            }
            Err(error) => return ForeignHeard { events, error: Some(error.to_string()) },
        }
    }
}

/// Both opinions on one stream must agree, save for the differences listed above.
pub fn check_against_foreign(role: Role, limits: &Limits, bytes: &[u8]) {
    let ours = up_to_close(hear_whole(role, limits, bytes));
    let theirs = hear_foreign(role, limits, bytes);
    let context = || format!("{role:?} {bytes:02x?}\nours {ours:?}\ntheirs {theirs:?}");
    let knows_1014 = matches!(ours.events.last(), Some(Event::Close(Some((1014, _)))));
    match &ours.violation {
        None if knows_1014 => {
            assert_eq!(ours.events[..ours.events.len() - 1], theirs.events[..], "{}", context());
            assert!(theirs.error.is_some(), "{}", context());
        }
        None => {
            assert_eq!(ours.events, theirs.events, "{}", context());
            assert!(theirs.error.is_none(), "{}", context());
        }
        Some(violation) if LAXER.contains(&violation.reason()) => {
            assert!(theirs.events.starts_with(&ours.events), "{}", context());
        }
        Some(_) => {
            assert_eq!(ours.events, theirs.events, "{}", context());
            if theirs.error.is_none() {
                let complete = &bytes[..complete_frames_bytes(bytes)];
                assert_eq!(hear_whole(role, limits, complete).violation, None, "{}", context());
            }
        }
    }
}

/// A Close is the last thing a peer says; what comes behind it is nobody's business.
fn up_to_close(mut heard: Heard) -> Heard {
    if let Some(close) = heard.events.iter().position(|event| matches!(event, Event::Close(_))) {
        heard.events.truncate(close + 1);
        heard.violation = None;
    }
    heard
}

/// Where the last frame ends that is there as a whole, going by announced lengths alone.
fn complete_frames_bytes(bytes: &[u8]) -> usize {
    let mut end = 0;
    while let Some(next) = frame_bytes(&bytes[end..]) {
        end += next;
    }
    end
}

fn frame_bytes(bytes: &[u8]) -> Option<usize> {
    let second = *bytes.get(1)?;
    let (length, header_bytes) = match second & 0x7F {
        126 => (u64::from(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?)), 4),
        127 => (u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?), 10),
        short => (u64::from(short), 2),
    };
    let key_bytes = if second & 0x80 != 0 { 4 } else { 0 };
    let frame_bytes = usize::try_from(length).ok()?.checked_add(header_bytes + key_bytes)?;
    (frame_bytes <= bytes.len()).then_some(frame_bytes)
}
