//! The topics dialect: channels with a roster, in one of two spellings, and correlated messages of the application.
//!
//! - `decode`: a message into a command
//! - `encode`: an event into an object

mod decode;
mod encode;

use fanfare_protocol::dialect::{DecodeLimits, Habits};
use fanfare_protocol::{Command, Dialect, Event, FrameKind, Incoming, Rejection};

/// The topics dialect, WebSocket subprotocol [`Topics::SUBPROTOCOL`].
#[derive(Debug, Clone, Copy)]
pub struct Topics {
    /// The longest `content` of a message, in characters.
    pub content_characters_max: u32,
}

impl Default for Topics {
    fn default() -> Self {
        Self { content_characters_max: 1000 }
    }
}

impl Topics {
    /// What the client asks for in `Sec-WebSocket-Protocol`.
    pub const SUBPROTOCOL: &'static str = "fanfare.topics";
}

impl Dialect for Topics {
    fn decode(&self, message: Incoming<'_>, limits: &DecodeLimits) -> Result<Command, Rejection> {
        decode::decode(message, self.content_characters_max, limits)
    }

    fn habits(&self) -> Habits {
        Habits { greets: true, hears_members: true, hears_roster: true, repeats: true, ..Habits::default() }
    }

    fn encode(&self, event: &Event<'_>, out: &mut Vec<u8>) -> Option<FrameKind> {
        encode::encode(event, out).then_some(FrameKind::Text)
    }
}
