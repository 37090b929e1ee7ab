//! Frame headers (§5.2): everything that can be refused before any payload is read.

use crate::decoder::{Limits, Role};
use crate::deflate::compressed_bytes_max;
use crate::violation::{Rule, Violation};

/// The longest header: two bytes, a 64-bit length and a masking key.
pub const HEADER_BYTES_MAX: usize = 14;

/// RSV1: the message is compressed (RFC 7692, section 6).
pub(crate) const COMPRESSED_BIT: u8 = 0x40;

/// The longest payload of a control frame (§5.5).
pub(crate) const CONTROL_BYTES_MAX: usize = 125;

/// What a frame carries (§11.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpCode {
    /// The next piece of a fragmented message.
    Continuation,
    /// A message of UTF-8 text, or its first piece.
    Text,
    /// A message of bytes, or its first piece.
    Binary,
    /// The end of the conversation.
    Close,
    /// A question whether the peer is alive.
    Ping,
    /// The answer to a ping, or an unsolicited heartbeat.
    Pong,
}

impl OpCode {
    pub(crate) fn bits(self) -> u8 {
        match self {
            OpCode::Continuation => 0x0,
            OpCode::Text => 0x1,
            OpCode::Binary => 0x2,
            OpCode::Close => 0x8,
            OpCode::Ping => 0x9,
            OpCode::Pong => 0xA,
        }
    }

    fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0x0 => Some(OpCode::Continuation),
            0x1 => Some(OpCode::Text),
            0x2 => Some(OpCode::Binary),
            0x8 => Some(OpCode::Close),
            0x9 => Some(OpCode::Ping),
            0xA => Some(OpCode::Pong),
            _ => None,
        }
    }

    pub(crate) fn is_control(self) -> bool {
        matches!(self, OpCode::Close | OpCode::Ping | OpCode::Pong)
    }
}

/// A header that passed every rule.
#[derive(Clone, Copy)]
pub(crate) struct Header {
    pub(crate) opcode: OpCode,
    pub(crate) fin: bool,
    /// It begins a message that is compressed.
    pub(crate) compressed: bool,
    pub(crate) key: Option<[u8; 4]>,
    pub(crate) payload_bytes: usize,
}

/// The fragmented message that is open while a header arrives.
#[derive(Clone, Copy)]
pub(crate) struct Open {
    pub(crate) frames: u32,
    pub(crate) bytes: usize,
    pub(crate) compressed: bool,
}

/// What a header is judged against.
pub(crate) struct Expect<'a> {
    pub(crate) role: Role,
    /// Messages may be compressed.
    pub(crate) deflates: bool,
    pub(crate) limits: &'a Limits,
    pub(crate) open: Option<Open>,
}

impl Expect<'_> {
    /// Reads a header from the front of `bytes` and says how long it is; `None` wants more bytes.
    ///
    /// Each byte is judged as soon as it is there, always in the same order, so that a header which
    /// trickles in breaks the same rule as one that comes whole.
    pub(crate) fn parse(&self, bytes: &[u8]) -> Result<Option<(Header, usize)>, Violation> {
        let Some((&first, bytes)) = bytes.split_first() else { return Ok(None) };
        let opcode = self.opcode(first)?;
        let Some((&second, bytes)) = bytes.split_first() else { return Ok(None) };
        let masked = self.masked(second)?;
        let code = second & 0x7F;
        if opcode.is_control() && usize::from(code) > CONTROL_BYTES_MAX {
            return Err(Rule::ControlTooLong.into());
        }
        let Some((announced, length_bytes)) = extended_length(code, bytes)? else { return Ok(None) };
        let compressed = first & COMPRESSED_BIT != 0;
        let payload_bytes = self.within_limits(opcode, compressed, announced)?;
        let key = bytes.get(length_bytes..).and_then(|rest| rest.first_chunk::<4>()).copied();
        if masked && key.is_none() {
            return Ok(None);
        }
        let key = key.filter(|_| masked);
        let header_bytes = 2 + length_bytes + if masked { 4 } else { 0 };
        Ok(Some((Header { opcode, fin: first & 0x80 != 0, compressed, key, payload_bytes }, header_bytes)))
    }

    /// The first byte: FIN, the reserved bits and the opcode (§5.2, §5.4, §5.5).
    fn opcode(&self, first: u8) -> Result<OpCode, Violation> {
        let fin = first & 0x80 != 0;
        let opcode = OpCode::from_bits(first & 0x0F);
        // One reserved bit may have a meaning, and only where a message begins (RFC 7692, section 6).
        let begins_data = matches!(opcode, Some(OpCode::Text | OpCode::Binary));
        let meaningless = if self.deflates && begins_data { 0x70 & !COMPRESSED_BIT } else { 0x70 };
        if first & meaningless != 0 {
            return Err(Rule::ReservedBit.into());
        }
        let opcode = opcode.ok_or(Rule::ReservedOpcode)?;
        let broken = match (opcode, self.open) {
            (OpCode::Close | OpCode::Ping | OpCode::Pong, _) if fin => None,
            (OpCode::Close | OpCode::Ping | OpCode::Pong, _) => Some(Rule::ControlFragmented),
            (OpCode::Continuation, None) => Some(Rule::ContinuationOutside),
            // Counted by frames and not by bytes: a flood of empty fragments costs work too.
            (OpCode::Continuation, Some(open)) if open.frames >= self.limits.fragments_max => {
                Some(Rule::TooManyFragments)
            }
            (OpCode::Continuation, Some(_)) | (OpCode::Text | OpCode::Binary, None) => None,
            (OpCode::Text | OpCode::Binary, Some(_)) => Some(Rule::MessageInside),
        };
        broken.map_or(Ok(opcode), |rule| Err(rule.into()))
    }

    /// A client masks and a server does not; each end refuses the other (§5.1).
    fn masked(&self, second: u8) -> Result<bool, Violation> {
        let masked = second & 0x80 != 0;
        match (self.role, masked) {
            (Role::Server, false) => Err(Rule::Unmasked.into()),
            (Role::Client, true) => Err(Rule::Masked.into()),
            _ => Ok(masked),
        }
    }

    /// Refuses a message by its announced length, before one byte of it is stored.
    fn within_limits(&self, opcode: OpCode, compressed: bool, announced: u64) -> Result<usize, Violation> {
        let held = self.open.map_or(0, |open| open.bytes);
        let payload_bytes = usize::try_from(announced).map_err(|_| Rule::MessageTooBig)?;
        let is_compressed = self.open.map_or(compressed, |open| open.compressed);
        let bytes_max = match is_compressed {
            true => compressed_bytes_max(self.limits.message_bytes_max),
            false => self.limits.message_bytes_max,
        };
        let fits = held.checked_add(payload_bytes).is_some_and(|sum| sum <= bytes_max);
        if fits || opcode.is_control() { Ok(payload_bytes) } else { Err(Rule::MessageTooBig.into()) }
    }
}

/// The payload length and the number of extra bytes it took; only the shortest form is legal (§5.2).
fn extended_length(code: u8, bytes: &[u8]) -> Result<Option<(u64, usize)>, Violation> {
    match code {
        126 => {
            let Some(length) = bytes.first_chunk::<2>() else { return Ok(None) };
            let length = u16::from_be_bytes(*length);
            if length < 126 { Err(Rule::LengthNotMinimal.into()) } else { Ok(Some((u64::from(length), 2))) }
        }
        127 => {
            let Some(length) = bytes.first_chunk::<8>() else { return Ok(None) };
            let length = u64::from_be_bytes(*length);
            if length >> 63 != 0 {
                Err(Rule::LengthTopBit.into())
            } else if length <= u64::from(u16::MAX) {
                Err(Rule::LengthNotMinimal.into())
            } else {
                Ok(Some((length, 8)))
            }
        }
        short => Ok(Some((u64::from(short), 0))),
    }
}
