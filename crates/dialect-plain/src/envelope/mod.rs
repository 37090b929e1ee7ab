//! The envelope dialect: every message is `{"type":T,"payload":P,"requestId"?:I}`.
//!
//! - `decode`: a message into a command
//! - `encode`: an event into an object

mod decode;
mod encode;

use fanfare_protocol::dialect::{DecodeLimits, Habits};
use fanfare_protocol::{Command, Dialect, Event, FrameKind, Incoming, Rejection};

/// The envelope dialect, WebSocket subprotocol [`Envelope::SUBPROTOCOL`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Envelope;

impl Envelope {
    /// What the client asks for in `Sec-WebSocket-Protocol`.
    pub const SUBPROTOCOL: &'static str = "fanfare.envelope";
}

impl Dialect for Envelope {
    fn decode(&self, message: Incoming<'_>, limits: &DecodeLimits) -> Result<Command, Rejection> {
        decode::decode(message, limits)
    }

    fn habits(&self) -> Habits {
        Habits { greets: true, repeats: true, ..Habits::default() }
    }

    fn encode(&self, event: &Event<'_>, out: &mut Vec<u8>) -> Option<FrameKind> {
        encode::encode(event, out).then_some(FrameKind::Text)
    }
}
