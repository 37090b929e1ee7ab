//! The body of Close frames (§5.5.1, §7.4).

use crate::violation::{Rule, Violation};

/// Why the peer closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseFrame<'a> {
    /// The status code, one of those that may travel: 1000–1003, 1007–1014, 3000–4999.
    pub code: u16,
    /// Text for people; may be empty.
    pub reason: &'a str,
}

impl<'a> CloseFrame<'a> {
    /// Reads the payload of a Close frame; an empty one carries no frame.
    pub(crate) fn parse(payload: &'a [u8]) -> Result<Option<Self>, Violation> {
        let Some((code, reason)) = payload.split_first_chunk::<2>() else {
            return if payload.is_empty() { Ok(None) } else { Err(Rule::CloseOneByte.into()) };
        };
        let code = u16::from_be_bytes(*code);
        if !may_travel(code) {
            return Err(Rule::CloseCode.into());
        }
        let reason = simdutf8::basic::from_utf8(reason).map_err(|_| Rule::CloseUtf8)?;
        Ok(Some(CloseFrame { code, reason }))
    }
}

/// The codes an endpoint may send: those IANA lists, the range for libraries and the private one.
///
/// 1004 has no meaning yet; 1005, 1006 and 1015 only name what an endpoint saw locally (§7.4.1).
pub(crate) fn may_travel(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}
