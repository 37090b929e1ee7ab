//! HTTP/2: WebSockets by extended CONNECT (RFC 8441), and requests, as streams of one connection.
//!
//! - `connection`: a client by the h2 crate, with tokio-tungstenite on its streams
//! - `conversation`: clients that talk, over TLS and without, and `curl`
//! - `refusals`: who is not let in, and how they are told
//! - `ends`: how streams and connections end, from either side
//! - `bounds`: too many, too fast, too slow

mod bounds;
mod connection;
mod conversation;
mod ends;
mod refusals;
