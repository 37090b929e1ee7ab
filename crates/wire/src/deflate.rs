//! Messages that are compressed one by one (RFC 7692, section 7.2): no context is kept from one to the next, so that
//! one compressed message serves many receivers and a connection costs no memory.
//!
//! [`Inflater`] and [`Deflater`] are large. Each thread needs one inflater, and one deflater for each window that its
//! peers asked for.

use std::ops::RangeInclusive;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use crate::header::OpCode;
use crate::message::Message;
use crate::violation::{Rule, Violation};

/// What every compressed message would end with, and is left out (RFC 7692, section 7.2.1).
const TAIL: &[u8] = &[0, 0, 0xFF, 0xFF];

/// The largest window; what one end cannot know the other keeps to.
pub const WINDOW_BITS_MAX: u8 = 15;

/// The windows, as powers of two, in which we can compress. A window of 256 bytes (8) is not among them: zlib cannot
/// make a raw stream that keeps to it.
pub const WINDOW_BITS: RangeInclusive<u8> = 9..=WINDOW_BITS_MAX;

/// Room for what comes out, at first; and what is kept of it from one message to the next.
const FIRST_BYTES: usize = 4 * 1024;
const KEPT_BYTES: usize = 64 * 1024;

/// How long a message of so many bytes may be in compressed form: what cannot be made smaller grows by the headers of
/// its blocks, the more the smaller the window is.
pub(crate) fn compressed_bytes_max(message_bytes: usize) -> usize {
    message_bytes.saturating_add(message_bytes / 4).saturating_add(64)
}

/// A whole message as it came, not inflated yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deflated<'a> {
    opcode: OpCode,
    payload: &'a [u8],
}

impl<'a> Deflated<'a> {
    /// A message that came without a decoder.
    pub fn new(opcode: OpCode, payload: &'a [u8]) -> Self {
        Self { opcode, payload }
    }
}

/// Inflates messages, one after the other, of any number of connections.
#[derive(Debug, Default)]
pub struct Inflater {
    /// Made when the first message comes.
    stream: Option<Box<Decompress>>,
    message: Vec<u8>,
}

impl Inflater {
    /// The message itself: as long as the limit at most, and checked to be UTF-8 if it is text.
    ///
    /// Memory grows with what comes out, up to one byte beyond the limit, and never by what is promised.
    ///
    /// # Errors
    /// When more than `message_bytes_max` bytes come out (1009), and when the payload is no DEFLATE data or the text no
    /// UTF-8 (1007). The connection is over, as after every [`Violation`].
    pub fn inflate(
        &mut self,
        deflated: Deflated<'_>,
        message_bytes_max: usize,
    ) -> Result<Message<'_>, Violation> {
        let stream = self.stream.get_or_insert_with(|| {
            // Whatever window the peer chose, it fits into the largest.
            Box::new(Decompress::new_with_window_bits(false, WINDOW_BITS_MAX))
        });
        self.message.clear();
        self.message.shrink_to(KEPT_BYTES);
        stream.reset(false);
        for piece in [deflated.payload, TAIL] {
            inflate_piece(stream, piece, &mut self.message, message_bytes_max)?;
        }
        Message::from_frame(deflated.opcode, &self.message)
    }

    /// Heap bytes of the message that was inflated last.
    pub fn buffered_bytes(&self) -> usize {
        self.message.capacity()
    }
}

fn inflate_piece(
    stream: &mut Decompress,
    mut piece: &[u8],
    out: &mut Vec<u8>,
    bytes_max: usize,
) -> Result<(), Violation> {
    loop {
        if out.len() == out.capacity() {
            // One byte more than may come, to see that it does.
            let room = out.len().max(FIRST_BYTES).min(bytes_max.saturating_add(1) - out.len());
            out.reserve_exact(room);
        }
        let taken_before = stream.total_in();
        let status = stream.decompress_vec(piece, out, FlushDecompress::Sync).map_err(|_| Rule::Deflate)?;
        piece = &piece[(stream.total_in() - taken_before) as usize..];
        if out.len() > bytes_max {
            return Err(Rule::MessageTooBig.into());
        }
        match status {
            // A block that says it is the last is followed by a new stream in the same message (section 7.2.3.5).
            Status::StreamEnd => {
                stream.reset(false);
                if piece.is_empty() {
                    return Ok(());
                }
            }
            // What is full is enlarged; with room left, everything that can come out has.
            Status::Ok | Status::BufError if out.len() < out.capacity() => {
                return if piece.is_empty() { Ok(()) } else { Err(Rule::Deflate.into()) };
            }
            Status::Ok | Status::BufError => {}
        }
    }
}

/// Compresses messages, one after the other, for any number of connections.
#[derive(Debug)]
pub struct Deflater {
    stream: Compress,
    compressed: Vec<u8>,
}

impl Deflater {
    /// Compresses at a level from 0, not at all, to 9, as small as can be; back references reach no further than
    /// two to the power of `window_bits`, which is one of [`WINDOW_BITS`].
    pub fn new(level: u32, window_bits: u8) -> Self {
        let window_bits = window_bits.clamp(*WINDOW_BITS.start(), *WINDOW_BITS.end());
        let stream = Compress::new_with_window_bits(Compression::new(level.min(9)), false, window_bits);
        Self { stream, compressed: Vec::new() }
    }

    /// The payload of a compressed frame that carries this message, whether that is smaller or not; none if the stream
    /// fails, which leaves the message to be sent as it is.
    pub fn deflate(&mut self, message: &[u8]) -> Option<&[u8]> {
        self.compressed.clear();
        self.compressed.shrink_to(KEPT_BYTES);
        self.compressed.reserve(compressed_bytes_max(message.len()));
        self.stream.reset();
        let status = self.stream.compress_vec(message, &mut self.compressed, FlushCompress::Sync);
        // A flush is complete when it leaves room.
        let is_complete = status.is_ok() && self.compressed.len() < self.compressed.capacity();
        self.compressed.strip_suffix(TAIL).filter(|_| is_complete)
    }
}
