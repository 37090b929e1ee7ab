//! The opening handshake (§4) as checks on HTTP heads: [`check`] judges a request that some HTTP
//! library has parsed, [`check_connect`] one of HTTP/2, [`ClientRequest`] writes one and judges the answer, and
//! [`DeflateAgreement`] says what becomes of an offer to compress.
//!
//! Nothing here decides who may connect: origins, tokens and the choice of a subprotocol are the
//! caller's.

mod client;
mod deflate;
mod list;
mod server;

pub use client::{ClientRequest, HandshakeError, RESPONSE_BYTES_MAX, Response};
pub use deflate::{DeflateAgreement, MalformedExtensions};
pub use server::{Accepted, ExtendedConnect, Refusal, Request, check, check_connect};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

/// Appended to the client's key, so that only a server which knows WebSocket can answer (§1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The `Sec-WebSocket-Accept` that answers a `Sec-WebSocket-Key` (§4.2.2).
pub fn accept_key(sec_websocket_key: &[u8]) -> String {
    let digest = Sha1::new().chain_update(sec_websocket_key).chain_update(GUID).finalize();
    STANDARD.encode(digest)
}
