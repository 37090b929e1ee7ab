//! What has arrived of a frame or message that did not come in one piece.

use crate::close::CloseFrame;
use crate::deflate::Deflated;
use crate::header::{CONTROL_BYTES_MAX, Expect, HEADER_BYTES_MAX, Header, OpCode, Open};
use crate::mask;
use crate::message::Message;
use crate::utf8::TextBuffer;
use crate::violation::Violation;

/// Exists only while something is unfinished, and until the message it assembled was looked at.
#[derive(Default)]
pub(crate) struct Partial {
    /// The header being received; empty between headers.
    header: HeaderBytes,
    /// The frame whose payload is being received.
    frame: Option<Frame>,
    /// Frames begun of the open data message; 0 when none is open.
    frames: u32,
    payload: Payload,
    control: ControlBytes,
}

#[derive(Default)]
struct HeaderBytes {
    bytes: [u8; HEADER_BYTES_MAX],
    len: usize,
}

struct Frame {
    opcode: OpCode,
    fin: bool,
    /// Rotated so that its first byte falls on the next payload byte.
    key: Option<[u8; 4]>,
    rest_bytes: usize,
}

/// The payload of the open data message. It grows with what arrives and never by what is announced,
/// so that an empty promise costs nothing.
enum Payload {
    Text(TextBuffer),
    Binary(Vec<u8>),
    /// What it says, and whether it is UTF-8, is seen when it is inflated.
    Deflated(OpCode, Vec<u8>),
}

/// A control frame may come between two fragments, so its payload has its own place (§5.4).
struct ControlBytes {
    bytes: [u8; CONTROL_BYTES_MAX],
    len: usize,
}

impl Partial {
    /// Nothing is unfinished: what is still held has been delivered.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.frames == 0 && self.frame.is_none() && self.header.len == 0
    }

    pub(crate) fn in_payload(&self) -> bool {
        self.frame.is_some()
    }

    pub(crate) fn in_header(&self) -> bool {
        self.header.len > 0
    }

    pub(crate) fn open(&self) -> Option<Open> {
        (self.frames > 0).then(|| Open {
            frames: self.frames,
            bytes: self.payload.len(),
            compressed: matches!(self.payload, Payload::Deflated(..)),
        })
    }

    /// Heap bytes held, this struct included.
    pub(crate) fn held_bytes(&self) -> usize {
        size_of::<Self>() + self.payload.capacity()
    }

    /// Goes on reading a header that began in an earlier input; says how many bytes it took.
    ///
    /// With nothing held yet this is how the start of a header is put aside.
    pub(crate) fn take_header(
        &mut self,
        expect: &Expect<'_>,
        input: &[u8],
    ) -> Result<(Option<Header>, usize), Violation> {
        let mut taken = 0;
        for &byte in input {
            let Some(slot) = self.header.bytes.get_mut(self.header.len) else { break };
            *slot = byte;
            self.header.len += 1;
            taken += 1;
            if let Some((header, _)) = expect.parse(&self.header.bytes[..self.header.len])? {
                self.header.len = 0;
                return Ok((Some(header), taken));
            }
        }
        Ok((None, taken))
    }

    /// Begins a frame whose payload goes through here.
    pub(crate) fn begin(&mut self, header: Header) {
        match header.opcode {
            opcode if header.compressed => self.payload = Payload::Deflated(opcode, Vec::new()),
            OpCode::Text => self.payload = Payload::Text(TextBuffer::default()),
            OpCode::Binary => self.payload = Payload::Binary(Vec::new()),
            OpCode::Close | OpCode::Ping | OpCode::Pong => self.control.len = 0,
            OpCode::Continuation => {}
        }
        if !header.opcode.is_control() {
            self.frames = self.frames.saturating_add(1);
        }
        let Header { opcode, fin, key, payload_bytes, .. } = header;
        self.frame = Some(Frame { opcode, fin, key, rest_bytes: payload_bytes });
    }

    /// Takes payload of the current frame; says how many bytes it took and what they completed.
    pub(crate) fn take_payload(
        &mut self,
        input: &mut [u8],
    ) -> Result<(usize, Option<Message<'_>>), Violation> {
        let Some(frame) = &mut self.frame else { return Ok((0, None)) };
        let taken = frame.rest_bytes.min(input.len());
        let piece = &mut input[..taken];
        if let Some(key) = &mut frame.key {
            mask::mask(piece, *key);
            *key = mask::advance(*key, taken);
        }
        frame.rest_bytes -= taken;
        let (opcode, fin, unfinished) = (frame.opcode, frame.fin, frame.rest_bytes > 0);
        if opcode.is_control() {
            self.control.push(piece);
        } else {
            self.payload.push(piece)?;
        }
        if unfinished {
            return Ok((taken, None));
        }
        self.frame = None;
        let message = match opcode {
            OpCode::Ping => Some(Message::Ping(self.control.payload())),
            OpCode::Pong => Some(Message::Pong(self.control.payload())),
            OpCode::Close => Some(Message::Close(CloseFrame::parse(self.control.payload())?)),
            OpCode::Continuation | OpCode::Text | OpCode::Binary if fin => {
                self.frames = 0;
                Some(self.payload.complete()?)
            }
            OpCode::Continuation | OpCode::Text | OpCode::Binary => None,
        };
        Ok((taken, message))
    }
}

impl Payload {
    fn push(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        match self {
            Payload::Text(text) => text.push(bytes),
            Payload::Binary(binary) | Payload::Deflated(_, binary) => {
                binary.extend_from_slice(bytes);
                Ok(())
            }
        }
    }

    fn complete(&self) -> Result<Message<'_>, Violation> {
        match self {
            Payload::Text(text) => text.complete().map(Message::Text),
            Payload::Binary(binary) => Ok(Message::Binary(binary)),
            Payload::Deflated(opcode, payload) => Ok(Message::Deflated(Deflated::new(*opcode, payload))),
        }
    }

    fn len(&self) -> usize {
        match self {
            Payload::Text(text) => text.len(),
            Payload::Binary(binary) | Payload::Deflated(_, binary) => binary.len(),
        }
    }

    fn capacity(&self) -> usize {
        match self {
            Payload::Text(text) => text.capacity(),
            Payload::Binary(binary) | Payload::Deflated(_, binary) => binary.capacity(),
        }
    }
}

impl Default for Payload {
    fn default() -> Self {
        Payload::Binary(Vec::new())
    }
}

impl ControlBytes {
    /// The header was refused if it announced more than fits, so everything does.
    fn push(&mut self, bytes: &[u8]) {
        for (slot, &byte) in self.bytes.iter_mut().skip(self.len).zip(bytes) {
            *slot = byte;
            self.len += 1;
        }
    }

    fn payload(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Default for ControlBytes {
    fn default() -> Self {
        ControlBytes { bytes: [0; CONTROL_BYTES_MAX], len: 0 }
    }
}
