//! A dialect in WebSocket frames: one event is one frame, whoever it is for. And a dialect without any framing, for
//! connections whose framing depends on how far they have come.

use std::sync::Arc;

use fanfare_core::ports::lane::LaneEncoder;
use fanfare_protocol::dialect::Habits;
use fanfare_protocol::{Dialect, Event, FrameKind};
use fanfare_wire::{OpCode, encode_close, encode_frame, encode_header};

/// What an encoder keeps of its buffer: one page of history must not hold a megabyte for good.
pub(super) const SCRATCH_BYTES_KEPT: usize = 64 * 1024;

pub(super) fn opcode(kind: FrameKind) -> OpCode {
    match kind {
        FrameKind::Text => OpCode::Text,
        FrameKind::Binary => OpCode::Binary,
    }
}

/// Frames a dialect's events (RFC 6455, section 5).
pub(crate) struct WebSocketLane {
    dialect: Arc<dyn Dialect>,
    payload: Vec<u8>,
}

impl WebSocketLane {
    pub(crate) fn new(dialect: Arc<dyn Dialect>) -> Self {
        Self { dialect, payload: Vec::new() }
    }
}

impl LaneEncoder for WebSocketLane {
    fn habits(&self) -> Habits {
        self.dialect.habits()
    }

    fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        self.payload.clear();
        let Some(kind) = self.dialect.encode(event, &mut self.payload) else { return };
        encode_header(out, opcode(kind), self.payload.len());
        out.extend_from_slice(&self.payload);
        self.payload.shrink_to(SCRATCH_BYTES_KEPT);
    }

    fn ping(&mut self, out: &mut Vec<u8>) {
        encode_frame(out, OpCode::Ping, b"");
    }

    fn pong(&mut self, payload: &[u8], out: &mut Vec<u8>) {
        encode_frame(out, OpCode::Pong, payload);
    }

    fn close(&mut self, number: u16, reason: &str, _wait_ms: u32, out: &mut Vec<u8>) {
        encode_close(out, number, reason);
    }
}

/// Leaves a dialect's events as they are, behind a byte that says which kind of message each is.
pub(crate) struct BareLane {
    dialect: Arc<dyn Dialect>,
}

impl BareLane {
    /// Stands before a text message.
    pub(crate) const TEXT: u8 = b'T';
    /// Stands before a binary message.
    pub(crate) const BINARY: u8 = b'B';
    /// Stands before the number of a connection's end, how long the client is to wait, and the reason.
    pub(crate) const CLOSE: u8 = b'X';
    /// Stands for a place in a channel without any message.
    pub(crate) const PLACE: u8 = b'P';

    pub(crate) fn new(dialect: Arc<dyn Dialect>) -> Self {
        Self { dialect }
    }
}

impl LaneEncoder for BareLane {
    fn habits(&self) -> Habits {
        self.dialect.habits()
    }

    fn is_bare(&self) -> bool {
        true
    }

    fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        let begin = out.len();
        out.push(Self::TEXT);
        match self.dialect.encode(event, out) {
            Some(FrameKind::Text) => {}
            Some(FrameKind::Binary) => out[begin] = Self::BINARY,
            None => out.truncate(begin),
        }
    }

    fn place(&mut self, out: &mut Vec<u8>) {
        out.push(Self::PLACE);
    }

    fn ping(&mut self, _out: &mut Vec<u8>) {}

    fn pong(&mut self, _payload: &[u8], _out: &mut Vec<u8>) {}

    fn close(&mut self, number: u16, reason: &str, wait_ms: u32, out: &mut Vec<u8>) {
        out.push(Self::CLOSE);
        out.extend_from_slice(&number.to_be_bytes());
        out.extend_from_slice(&wait_ms.to_be_bytes());
        out.extend_from_slice(reason.as_bytes());
    }
}
