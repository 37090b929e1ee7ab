//! The chat dialect: a connection is in one room, and everything that happens there has one form.
//!
//! - `decode`: a message into a command
//! - `encode`: an event into an object

mod decode;
mod encode;

use fanfare_protocol::dialect::{DecodeLimits, Habits};
use fanfare_protocol::{Command, Dialect, Event, FrameKind, Incoming, Rejection};

/// The chat dialect, WebSocket subprotocol [`Chat::SUBPROTOCOL`].
#[derive(Debug, Clone, Copy)]
pub struct Chat {
    /// How many entries of the room's history a newcomer gets.
    pub history_on_join: u32,
}

impl Default for Chat {
    fn default() -> Self {
        Self { history_on_join: 100 }
    }
}

impl Chat {
    /// What the client asks for in `Sec-WebSocket-Protocol`.
    pub const SUBPROTOCOL: &'static str = "fanfare.chat";
}

impl Dialect for Chat {
    fn decode(&self, message: Incoming<'_>, limits: &DecodeLimits) -> Result<Command, Rejection> {
        decode::decode(message, limits)
    }

    fn habits(&self) -> Habits {
        Habits {
            hears_members: true,
            one_room: true,
            posts_entries: true,
            history_on_join: self.history_on_join,
            ..Habits::default()
        }
    }

    fn encode(&self, event: &Event<'_>, out: &mut Vec<u8>) -> Option<FrameKind> {
        encode::encode(event, out).then_some(FrameKind::Text)
    }
}
