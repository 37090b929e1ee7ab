//! The Protocol Buffers encoding: each message is one binary frame with one message of `spec/fanfare.proto`.
//!
//! - `messages`: what the schema compiles to
//! - `decode`: a message into a command
//! - `encode`: an event into a message

mod decode;
mod encode;
#[rustfmt::skip]
#[allow(missing_docs, unreachable_pub, reason = "compiled; the schema has the comments")]
mod messages;

use std::fmt;

use fanfare_json::Failure;
use fanfare_protocol::dialect::{DecodeLimits, Habits};
use fanfare_protocol::{Command, Dialect, ErrorCode, Event, FrameKind, Incoming, Rejection};

/// The native protocol as Protocol Buffers, WebSocket subprotocol [`NativeProtobuf::SUBPROTOCOL`].
#[derive(Debug, Clone, Copy, Default)]
pub struct NativeProtobuf;

impl NativeProtobuf {
    /// What the client asks for in `Sec-WebSocket-Protocol`.
    pub const SUBPROTOCOL: &'static str = "fanfare.native.protobuf";
}

impl Dialect for NativeProtobuf {
    fn decode(&self, message: Incoming<'_>, limits: &DecodeLimits) -> Result<Command, Rejection> {
        match message {
            Incoming::Binary(bytes) => decode::decode(bytes, limits),
            Incoming::Text(_) => {
                let text = "this connection speaks Protocol Buffers, which go in binary messages";
                Err(Failure::new(ErrorCode::WrongFrameKind, text).reject(None))
            }
        }
    }

    fn habits(&self) -> Habits {
        Habits { confirms_tokens: true, ..Habits::default() }
    }

    fn encode(&self, event: &Event<'_>, out: &mut Vec<u8>) -> Option<FrameKind> {
        encode::encode(event, out);
        Some(FrameKind::Binary)
    }
}

impl fmt::Debug for messages::Subscribe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The token stays out.
        f.debug_struct("Subscribe").field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl fmt::Debug for messages::Authenticate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}
