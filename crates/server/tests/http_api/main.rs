//! The HTTP API over real sockets: every operation through a real HTTP client, with WebSocket clients that see
//! what it does.

// Helpers outside of test functions fail as tests do.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod cross_origin;
mod document;
mod instructions;
mod messages;
mod questions;
mod refusals;
mod support;
mod verbatim;
