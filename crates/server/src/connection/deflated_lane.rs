//! A dialect in WebSocket frames that may be compressed (RFC 7692): each event is compressed once, whoever it is for,
//! and no connection has a context of its own.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use fanfare_core::ports::lane::LaneEncoder;
use fanfare_protocol::dialect::Habits;
use fanfare_protocol::{Dialect, Event};
use fanfare_wire::deflate::Deflater;
use fanfare_wire::{OpCode, encode_close, encode_deflated, encode_frame};

use super::lane::{SCRATCH_BYTES_KEPT, opcode};
use crate::config::CompressionConfig;

/// What compresses for all lanes of a shard: one deflater for each window that some client asked for, made when its
/// first message comes.
#[derive(Clone)]
pub(crate) struct Compressor {
    threshold_bytes: usize,
    level: u32,
    deflaters: Rc<RefCell<BTreeMap<u8, Deflater>>>,
}

impl Compressor {
    pub(crate) fn new(config: &CompressionConfig) -> Self {
        Self {
            threshold_bytes: config.threshold_bytes,
            level: u32::from(config.level),
            deflaters: Rc::default(),
        }
    }

    /// Appends a frame; its payload is compressed unless it is short.
    fn frame(&self, window_bits: u8, opcode: OpCode, payload: &[u8], out: &mut Vec<u8>) {
        if payload.len() < self.threshold_bytes {
            return encode_frame(out, opcode, payload);
        }
        let mut deflaters = self.deflaters.borrow_mut();
        let deflater = deflaters.entry(window_bits).or_insert_with(|| Deflater::new(self.level, window_bits));
        match deflater.deflate(payload) {
            Some(compressed) => encode_deflated(out, opcode, compressed),
            None => encode_frame(out, opcode, payload),
        }
    }
}

/// Frames a dialect's events, large ones compressed.
pub(crate) struct DeflatedLane {
    dialect: Arc<dyn Dialect>,
    window_bits: u8,
    compressor: Compressor,
    payload: Vec<u8>,
}

impl DeflatedLane {
    pub(crate) fn new(dialect: Arc<dyn Dialect>, window_bits: u8, compressor: Compressor) -> Self {
        Self { dialect, window_bits, compressor, payload: Vec::new() }
    }
}

impl LaneEncoder for DeflatedLane {
    fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        self.payload.clear();
        let Some(kind) = self.dialect.encode(event, &mut self.payload) else { return };
        self.compressor.frame(self.window_bits, opcode(kind), &self.payload, out);
        self.payload.shrink_to(SCRATCH_BYTES_KEPT);
    }

    fn habits(&self) -> Habits {
        self.dialect.habits()
    }

    fn joins(&self) -> bool {
        self.dialect.habits().reads_lines
    }

    fn part(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        let begin = out.len();
        // A newline ends each line, so that lines can follow each other; the last one is taken off again.
        if self.dialect.encode(event, out).is_some() && out.len() > begin {
            out.push(b'\n');
        }
    }

    fn join(&mut self, lines: &[u8], out: &mut Vec<u8>) {
        if let Some(lines) = lines.strip_suffix(b"\n") {
            self.compressor.frame(self.window_bits, OpCode::Text, lines, out);
        }
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
