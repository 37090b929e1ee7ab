//! From bytes to messages.

use crate::deflate::Deflated;
use crate::header::{Expect, Header};
use crate::mask;
use crate::message::Message;
use crate::partial::Partial;
use crate::violation::Violation;

/// Which end of the connection we are: it decides whether input must or must not be masked (§5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// We accepted the connection: frames from the client are masked.
    Server,
    /// We opened the connection: frames from the server are not masked.
    Client,
}

/// What a peer may make us hold. Passed with every call, so that connections share one copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest text or binary message, all its fragments together.
    pub message_bytes_max: usize,
    /// The most frames one message may come in, empty ones included. A message in a single frame
    /// always passes.
    pub fragments_max: u32,
}

/// Turns the bytes of one connection into messages.
///
/// A decoder between messages is 16 bytes and owns no memory, so that idle connections are free.
/// A frame that lies whole in the input is handed out where it lies; only messages in pieces are
/// gathered in memory of their own, which grows with what has arrived.
pub struct Decoder {
    partial: Option<Box<Partial>>,
    role: Role,
    deflates: bool,
    failed: Option<Violation>,
}

/// The outcome of one [`Decoder::decode`].
#[derive(Debug)]
pub struct Decoded<'a> {
    /// Bytes used up at the front of the input; at least one unless the input was empty.
    pub consumed: usize,
    /// The message those bytes completed, if they completed one.
    pub message: Option<Message<'a>>,
}

impl Decoder {
    /// A decoder at the first byte after the handshake.
    pub fn new(role: Role) -> Self {
        Decoder { partial: None, role, deflates: false, failed: None }
    }

    /// One for a connection that has agreed on permessage-deflate: messages may be
    /// [compressed](Message::Deflated).
    pub fn with_deflate(role: Role) -> Self {
        Decoder { deflates: true, ..Decoder::new(role) }
    }

    /// Reads at most one frame from the front of `input`, unmasking it in place.
    ///
    /// Call again with the rest while `consumed < input.len()`. What was consumed is never needed
    /// again once the message has been looked at. Control frames are delivered when they come, also
    /// between the fragments of a message (§5.4). Bytes after a Close are the caller's to ignore.
    ///
    /// Every rule is enforced as soon as it can be: a frame from its header alone, text at the first
    /// byte that cannot be UTF-8. After a violation every further call returns the same one.
    pub fn decode<'a>(&'a mut self, input: &'a mut [u8], limits: &Limits) -> Result<Decoded<'a>, Violation> {
        self.release();
        if let Some(violation) = self.failed {
            return Err(violation);
        }
        let outcome = read_frame(self.role, self.deflates, &mut self.partial, input, limits);
        if let Err(violation) = &outcome {
            self.failed = Some(*violation);
        }
        outcome
    }

    /// Frees the memory of a message that was assembled and delivered; does nothing in the middle of
    /// one.
    ///
    /// A delivered message borrows that memory, so it can only be freed once the caller is done with
    /// it: here, after the input is used up, or by the next [`decode`](Decoder::decode).
    pub fn release(&mut self) {
        if !self.mid_message() {
            self.partial = None;
        }
    }

    /// A message or a frame header has begun and is not finished: the peer owes us bytes, and the
    /// caller's deadline for unfinished messages runs. After a violation it owes nothing.
    pub fn mid_message(&self) -> bool {
        self.failed.is_none() && self.partial.as_ref().is_some_and(|partial| !partial.is_at_rest())
    }

    /// Heap bytes this decoder holds; 0 between messages.
    pub fn buffered_bytes(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| partial.held_bytes())
    }
}

/// One frame, or as much of it as there is.
fn read_frame<'a>(
    role: Role,
    deflates: bool,
    partial: &'a mut Option<Box<Partial>>,
    input: &'a mut [u8],
    limits: &Limits,
) -> Result<Decoded<'a>, Violation> {
    if partial.as_ref().is_some_and(|partial| partial.in_payload()) {
        return gather(partial, None, input, 0);
    }
    let open = partial.as_ref().and_then(|partial| partial.open());
    let expect = Expect { role, deflates, limits, open };
    let (header, header_bytes) = read_header(partial, &expect, input)?;
    let Some(header) = header else { return Ok(Decoded { consumed: header_bytes, message: None }) };

    let whole = input.len() - header_bytes >= header.payload_bytes;
    let alone = header.opcode.is_control() || (header.fin && open.is_none());
    if !(whole && alone) {
        return gather(partial, Some(header), input, header_bytes);
    }
    let consumed = header_bytes + header.payload_bytes;
    let payload = &mut input[header_bytes..consumed];
    if let Some(key) = header.key {
        mask::mask(payload, key);
    }
    let message = match header.compressed {
        true => Message::Deflated(Deflated::new(header.opcode, payload)),
        false => Message::from_frame(header.opcode, payload)?,
    };
    Ok(Decoded { consumed, message: Some(message) })
}

/// A header from the input, or from its beginning in the partial and its end in the input.
fn read_header(
    partial: &mut Option<Box<Partial>>,
    expect: &Expect<'_>,
    input: &[u8],
) -> Result<(Option<Header>, usize), Violation> {
    if !partial.as_ref().is_some_and(|partial| partial.in_header()) {
        if let Some((header, header_bytes)) = expect.parse(input)? {
            return Ok((Some(header), header_bytes));
        }
        if input.is_empty() {
            return Ok((None, 0));
        }
    }
    partial.get_or_insert_default().take_header(expect, input)
}

/// Takes payload into the partial, where messages in pieces come together.
fn gather<'a>(
    partial: &'a mut Option<Box<Partial>>,
    begin: Option<Header>,
    input: &mut [u8],
    header_bytes: usize,
) -> Result<Decoded<'a>, Violation> {
    let partial = partial.get_or_insert_default();
    if let Some(header) = begin {
        partial.begin(header);
    }
    let (taken, message) = partial.take_payload(&mut input[header_bytes..])?;
    Ok(Decoded { consumed: header_bytes + taken, message })
}
