//! The JSON encoding: each message is one text frame with one object.
//!
//! - `members`: one pass over the text, by which each known member is found and nothing is built
//! - `fields`: reads one member as what its command wants it to be
//! - `decode`: members into a command
//! - `write`: strings, numbers and payloads as JSON
//! - `encode`: an event into an object

mod decode;
mod encode;
mod fields;
mod members;
mod write;

use fanfare_protocol::dialect::DecodeLimits;
use fanfare_protocol::{Command, Dialect, ErrorCode, Event, FrameKind, Incoming, Rejection};

use crate::failure::Failure;

pub(crate) use members::too_deep;

/// The native protocol as JSON text, WebSocket subprotocol [`NativeJson::SUBPROTOCOL`].
#[derive(Debug, Clone, Copy, Default)]
pub struct NativeJson;

impl NativeJson {
    /// What the client asks for in `Sec-WebSocket-Protocol`.
    pub const SUBPROTOCOL: &'static str = "fanfare.native.json";
}

impl Dialect for NativeJson {
    fn decode(&self, message: Incoming<'_>, limits: &DecodeLimits) -> Result<Command, Rejection> {
        match message {
            Incoming::Text(text) => decode::decode(text, limits),
            Incoming::Binary(_) => {
                let text = "this connection speaks JSON, which goes in text messages";
                Err(Failure::new(ErrorCode::WrongFrameKind, text).reject(None))
            }
        }
    }

    fn encode(&self, event: &Event<'_>, out: &mut Vec<u8>) -> Option<FrameKind> {
        encode::encode(event, out);
        Some(FrameKind::Text)
    }
}
