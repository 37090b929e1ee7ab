//! The five plain dialects of small clients that somebody wrote by hand. Members of one channel who speak different ones
//! hear each other, each in its own form.
//!
//! `docs/dialects.md` describes them and says how an event of one appears in the others; `spec/cases/` has a folder of
//! transcripts for each.
//!
//! - [`rooms`]: join, leave, message, in one flat object: [`Rooms`]
//! - [`envelope`]: a type, a payload, a request's id: [`Envelope`]
//! - [`topics`]: channels with a roster, and messages that are correlated: [`Topics`]
//! - [`chat`]: one room, and one form for everything: [`Chat`]
//! - [`raw`]: one room, and no form at all: [`Raw`]
//! - `token`: the messages that say who is there
//! - `content`: payloads, and who sent them
//!
//! ```
//! use fanfare_dialect_plain::Rooms;
//! use fanfare_protocol::dialect::DecodeLimits;
//! use fanfare_protocol::{Command, Dialect, Event, Incoming};
//!
//! let ping = Incoming::Text(r#"{"type":"ping"}"#);
//! assert_eq!(Rooms.decode(ping, &DecodeLimits::default()), Ok(Command::Ping { id: None }));
//! let mut out = Vec::new();
//! Rooms.encode(&Event::Pong { id: None }, &mut out);
//! assert_eq!(out, br#"{"type":"pong"}"#);
//! ```

pub mod chat;
mod content;
pub mod envelope;
pub mod raw;
pub mod rooms;
mod token;
pub mod topics;

pub use chat::Chat;
pub use envelope::Envelope;
pub use raw::Raw;
pub use rooms::Rooms;
pub use topics::Topics;
