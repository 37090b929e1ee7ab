//! A dialect in WebSocket frames: one event is one frame, whoever it is for.

use std::sync::Arc;

use fanfare_core::ports::lane::LaneEncoder;
use fanfare_protocol::{Dialect, Event, FrameKind};
use fanfare_wire::{OpCode, encode_close, encode_frame, encode_header};

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
    fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        self.payload.clear();
        let Some(kind) = self.dialect.encode(event, &mut self.payload) else { return };
        let opcode = match kind {
            FrameKind::Text => OpCode::Text,
            FrameKind::Binary => OpCode::Binary,
        };
        encode_header(out, opcode, self.payload.len());
        out.extend_from_slice(&self.payload);
        // One page of history must not keep a megabyte for good.
        self.payload.shrink_to(64 * 1024);
    }

    fn ping(&mut self, out: &mut Vec<u8>) {
        encode_frame(out, OpCode::Ping, b"");
    }

    fn pong(&mut self, payload: &[u8], out: &mut Vec<u8>) {
        encode_frame(out, OpCode::Pong, payload);
    }

    fn close(&mut self, number: u16, reason: &str, out: &mut Vec<u8>) {
        encode_close(out, number, reason);
    }
}
