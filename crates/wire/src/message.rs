//! What a decoder hands out.

use crate::close::CloseFrame;
use crate::deflate::Deflated;
use crate::header::OpCode;
use crate::violation::{Rule, Violation};

/// A whole message, borrowed from the input or from the decoder until the next call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Text, checked to be UTF-8 (§5.6).
    Text(&'a str),
    /// Bytes (§5.6).
    Binary(&'a [u8]),
    /// A compressed message, on a connection that has agreed on it:
    /// [`Inflater::inflate`](crate::deflate::Inflater::inflate) says what it is.
    Deflated(Deflated<'a>),
    /// The caller owes a pong with the same payload, at most 125 bytes (§5.5.2).
    Ping(&'a [u8]),
    /// The answer to a ping, or a heartbeat nobody asked for (§5.5.3).
    Pong(&'a [u8]),
    /// The peer sends nothing after this: answer with a Close and do not decode any further (§5.5.1).
    Close(Option<CloseFrame<'a>>),
}

impl<'a> Message<'a> {
    /// A message from the payload of one unfragmented frame.
    pub(crate) fn from_frame(opcode: OpCode, payload: &'a [u8]) -> Result<Self, Violation> {
        match opcode {
            OpCode::Text => match simdutf8::basic::from_utf8(payload) {
                Ok(text) => Ok(Message::Text(text)),
                Err(_) => Err(Rule::Utf8.into()),
            },
            OpCode::Binary => Ok(Message::Binary(payload)),
            OpCode::Ping => Ok(Message::Ping(payload)),
            OpCode::Pong => Ok(Message::Pong(payload)),
            OpCode::Close => CloseFrame::parse(payload).map(Message::Close),
            OpCode::Continuation => Err(Rule::ContinuationOutside.into()),
        }
    }
}
