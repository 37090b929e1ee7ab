//! The rules a peer can break, and the close code each one costs.

use std::fmt;

/// A peer broke the protocol: the connection ends with [`close_code`](Violation::close_code).
///
/// It is always the peer's fault and never worth a retry on the same connection. After one, the
/// stream has no known frame boundary any more, so the decoder answers the same violation for ever.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Violation(Rule);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    ReservedBit,
    ReservedOpcode,
    ControlFragmented,
    ControlTooLong,
    ContinuationOutside,
    MessageInside,
    Unmasked,
    Masked,
    LengthNotMinimal,
    LengthTopBit,
    CloseOneByte,
    CloseCode,
    Utf8,
    CloseUtf8,
    MessageTooBig,
    TooManyFragments,
    Deflate,
}

impl Violation {
    /// The status code to send in our Close frame (§7.4.1): 1002 for a broken rule, 1007 for text
    /// that is not UTF-8 and data that cannot be inflated, 1009 for a message beyond the limits in bytes or in fragments.
    ///
    /// Too many fragments count as "too big" and not as a policy violation (1008): the cure is the
    /// same for the sender, a smaller or less chopped message.
    pub fn close_code(&self) -> u16 {
        match self.0 {
            Rule::Utf8 | Rule::CloseUtf8 | Rule::Deflate => 1007,
            Rule::MessageTooBig | Rule::TooManyFragments => 1009,
            _ => 1002,
        }
    }

    /// What was wrong in a few words, short enough for a Close frame's reason.
    pub fn reason(&self) -> &'static str {
        match self.0 {
            Rule::ReservedBit => "reserved bit set",
            Rule::ReservedOpcode => "reserved opcode",
            Rule::ControlFragmented => "fragmented control frame",
            Rule::ControlTooLong => "control frame over 125 bytes",
            Rule::ContinuationOutside => "continuation without a message",
            Rule::MessageInside => "new message inside a fragmented one",
            Rule::Unmasked => "unmasked frame from a client",
            Rule::Masked => "masked frame from a server",
            Rule::LengthNotMinimal => "length not in its shortest form",
            Rule::LengthTopBit => "length over 63 bits",
            Rule::CloseOneByte => "close payload of one byte",
            Rule::CloseCode => "close code not allowed",
            Rule::Utf8 => "text is not utf-8",
            Rule::CloseUtf8 => "close reason is not utf-8",
            Rule::MessageTooBig => "message too big",
            Rule::TooManyFragments => "message in too many fragments",
            Rule::Deflate => "compressed data is not deflate",
        }
    }
}

impl From<Rule> for Violation {
    fn from(rule: Rule) -> Self {
        Violation(rule)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl fmt::Debug for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Violation({}, {:?})", self.close_code(), self.reason())
    }
}

impl std::error::Error for Violation {}
