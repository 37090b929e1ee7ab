//! The JSON encoding: each message is one text frame with one object.
//!
//! - `decode`: a message into a command
//! - `fields`: reads the members that only this dialect has
//! - `encode`: an event into an object
//! - `lines`: the same, for clients that take several messages in one

mod decode;
mod encode;
mod fields;
mod lines;

use fanfare_protocol::dialect::{DecodeLimits, Habits};
use fanfare_protocol::{Command, Dialect, Event, FrameKind, Incoming, Rejection};

pub use lines::NativeLines;

/// The native protocol as JSON text, WebSocket subprotocol [`NativeJson::SUBPROTOCOL`].
#[derive(Debug, Clone, Copy, Default)]
pub struct NativeJson;

impl NativeJson {
    /// What the client asks for in `Sec-WebSocket-Protocol`.
    pub const SUBPROTOCOL: &'static str = "fanfare.native.json";
}

impl Dialect for NativeJson {
    fn decode(&self, message: Incoming<'_>, limits: &DecodeLimits) -> Result<Command, Rejection> {
        decode::decode(message, limits)
    }

    fn habits(&self) -> Habits {
        Habits { confirms_tokens: true, ..Habits::default() }
    }

    fn encode(&self, event: &Event<'_>, out: &mut Vec<u8>) -> Option<FrameKind> {
        encode::encode(event, out);
        Some(FrameKind::Text)
    }
}
