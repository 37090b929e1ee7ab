//! Application data, passed through as the bytes it came as.

use bytes::Bytes;

/// What an application sends. Fanfare never looks inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// One JSON value, already known to be well-formed, in the sender's own spelling.
    Json(Bytes),
    /// Text that is not JSON. Dialects that speak JSON write it as a string.
    Text(Bytes),
    /// Anything else.
    Binary(Bytes),
}

impl Payload {
    /// The JSON value `null`.
    pub fn null() -> Self {
        Payload::Json(Bytes::from_static(b"null"))
    }

    /// The bytes, whatever they are.
    pub fn bytes(&self) -> &Bytes {
        match self {
            Payload::Json(bytes) | Payload::Text(bytes) | Payload::Binary(bytes) => bytes,
        }
    }
}
