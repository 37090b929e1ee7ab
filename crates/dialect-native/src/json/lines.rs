//! JSON messages of which a server may send several in one text message, a line each.

use fanfare_protocol::dialect::{DecodeLimits, Habits};
use fanfare_protocol::{Command, Dialect, Event, FrameKind, Incoming, Rejection};

use super::NativeJson;

/// The native protocol as lines of JSON text, WebSocket subprotocol [`NativeLines::SUBPROTOCOL`]: what is joined before
/// it is compressed becomes smaller.
///
/// Clients send as in [`NativeJson`], one message in each text message.
#[derive(Debug, Clone, Copy, Default)]
pub struct NativeLines;

impl NativeLines {
    /// What the client asks for in `Sec-WebSocket-Protocol`.
    pub const SUBPROTOCOL: &'static str = "fanfare.native.lines";
}

impl Dialect for NativeLines {
    fn decode(&self, message: Incoming<'_>, limits: &DecodeLimits) -> Result<Command, Rejection> {
        NativeJson.decode(message, limits)
    }

    fn habits(&self) -> Habits {
        Habits { reads_lines: true, ..NativeJson.habits() }
    }

    fn encode(&self, event: &Event<'_>, out: &mut Vec<u8>) -> Option<FrameKind> {
        let begin = out.len();
        let kind = NativeJson.encode(event, out);
        // Payloads are as their senders formatted them. In a JSON text a newline is a blank: in strings it is escaped.
        for byte in out.iter_mut().skip(begin).filter(|byte| **byte == b'\n') {
            *byte = b' ';
        }
        kind
    }
}
