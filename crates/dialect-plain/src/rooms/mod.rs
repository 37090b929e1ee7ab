//! The rooms dialect: join, leave, message, in one flat object.
//!
//! - `decode`: a message into a command
//! - `encode`: an event into an object

mod decode;
mod encode;

use fanfare_protocol::dialect::{DecodeLimits, Habits};
use fanfare_protocol::{Command, Dialect, Event, FrameKind, Incoming, Rejection};

/// The rooms dialect, WebSocket subprotocol [`Rooms::SUBPROTOCOL`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Rooms;

impl Rooms {
    /// What the client asks for in `Sec-WebSocket-Protocol`.
    pub const SUBPROTOCOL: &'static str = "fanfare.rooms";
}

impl Dialect for Rooms {
    fn decode(&self, message: Incoming<'_>, limits: &DecodeLimits) -> Result<Command, Rejection> {
        decode::decode(message, limits)
    }

    fn habits(&self) -> Habits {
        Habits { confirms_tokens: true, hears_members: true, repeats: true, ..Habits::default() }
    }

    fn encode(&self, event: &Event<'_>, out: &mut Vec<u8>) -> Option<FrameKind> {
        encode::encode(event, out).then_some(FrameKind::Text)
    }
}
