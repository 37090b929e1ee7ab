//! Fanfare's own protocol, in its two encodings.
//!
//! `spec/SPEC.md` describes it for people who write clients, `spec/fanfare.proto` is the schema of the
//! binary encoding, and `spec/cases/native/` holds a transcript for every message and every error.
//!
//! In the order a message travels:
//!
//! - [`json`]: text messages, one JSON object each: [`NativeJson`], or one a line: [`NativeLines`]
//! - [`protobuf`]: binary messages, one Protocol Buffers message each: [`NativeProtobuf`]
//!
//! `fanfare-json` has what dialects that speak JSON share: reading, writing, and why a message is refused.
//!
//! ```
//! use fanfare_dialect_native::NativeJson;
//! use fanfare_protocol::dialect::DecodeLimits;
//! use fanfare_protocol::{Command, Dialect, Event, Incoming};
//!
//! let ping = Incoming::Text(r#"{"type":"ping","id":7}"#);
//! let Ok(Command::Ping { id }) = NativeJson.decode(ping, &DecodeLimits::default()) else { panic!() };
//! let mut out = Vec::new();
//! NativeJson.encode(&Event::Pong { id: id.as_ref() }, &mut out);
//! assert_eq!(out, br#"{"type":"pong","id":7}"#);
//! ```

pub mod json;
pub mod protobuf;

pub use json::{NativeJson, NativeLines};
pub use protobuf::NativeProtobuf;

/// How many messages `history` gives to a client that does not say how many it wants.
pub const HISTORY_LIMIT_DEFAULT: u32 = 100;
