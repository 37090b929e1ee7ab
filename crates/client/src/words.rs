//! The native protocol in JSON, the client's side of it: calls into text, text into what was said.

mod incoming;
mod outgoing;

pub(crate) use incoming::{Answer, Said, understand};
pub(crate) use outgoing::{Call, write};
