//! RFC 6455 (WebSocket) as pure functions of bytes: no socket, no clock, no task.
//!
//! Bytes come in, messages go out; whoever owns the socket decides when to read, write and give up.
//! Every limit is passed in by the caller, every input has an answer, and nothing here panics on what
//! a peer sends. The modules in the order a connection meets them:
//!
//! | module | question it answers |
//! |---|---|
//! | [`handshake`] | does this HTTP head open a WebSocket (server), and did the server agree (client)? |
//! | `header` | is this frame allowed here, judged from its header alone? |
//! | `mask` | what did the masked bytes say? |
//! | `utf8` | is this text still UTF-8, wherever it was cut? |
//! | `partial` | what has arrived of a message that did not come in one piece? |
//! | `decoder` | which message is next? |
//! | [`deflate`] | what does a compressed message say, and how is one made? |
//! | `close` | may this Close frame say that? |
//! | `violation` | which rule was broken, and with which code does the connection end? |
//! | `encode` | how is a message written? |
//! | [`sse`] | how is one written where there is no WebSocket? |
//!
//! Both ends are covered: [`Role`] says which one *we* are. Of extensions the server's end knows permessage-deflate
//! (RFC 7692) without context takeover; whoever does not negotiate it never meets a compressed message.
//!
//! ```
//! use fanfare_wire::{Decoder, Limits, Message, OpCode, Role, encode_frame_masked};
//!
//! // A client writes two messages ...
//! let mut bytes = Vec::new();
//! encode_frame_masked(&mut bytes, OpCode::Text, b"hello", [1, 2, 3, 4]);
//! encode_frame_masked(&mut bytes, OpCode::Ping, b"", [5, 6, 7, 8]);
//!
//! // ... and the server reads them back out of its receive buffer.
//! let limits = Limits { message_bytes_max: 64 * 1024, fragments_max: 64 };
//! let mut decoder = Decoder::new(Role::Server);
//! let mut seen = Vec::new();
//! let mut rest = bytes.as_mut_slice();
//! while !rest.is_empty() {
//!     let decoded = decoder.decode(rest, &limits)?;
//!     let consumed = decoded.consumed;
//!     if let Some(message) = decoded.message {
//!         seen.push(format!("{message:?}"));
//!     }
//!     rest = &mut rest[consumed..];
//! }
//! decoder.release(); // an assembled message gives its memory back
//! assert_eq!(seen, [r#"Text("hello")"#, "Ping([])"]);
//! assert!(!decoder.mid_message());
//! # Ok::<(), fanfare_wire::Violation>(())
//! ```

pub mod deflate;
pub mod handshake;
pub mod sse;

mod close;
mod decoder;
mod encode;
mod header;
mod mask;
mod message;
mod partial;
mod utf8;
mod violation;

pub use close::CloseFrame;
pub use decoder::{Decoded, Decoder, Limits, Role};
pub use encode::{
    encode_close, encode_close_masked, encode_deflated, encode_frame, encode_frame_masked, encode_header,
    encode_header_masked,
};
pub use header::{HEADER_BYTES_MAX, OpCode};
pub use message::Message;
pub use violation::Violation;
