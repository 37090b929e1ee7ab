//! Sessions over every transport: a WebSocket, server-sent events, a stream of lines, long polling, and messages that are
//! posted.
//!
//! - `endpoints`: what each request is answered with, and how each is refused
//! - `transports`: the same conversation over each of them, and from one to another
//! - `one_way`: channels that are listened to without a session
//! - `polling`: one address for a hand-written client that asks again and again
//! - `reconnection`: an EventSource always comes back, and misses nothing by it
//! - `ends`: how a session ends, and how each transport is told
//! - `waiting`: sessions without a connection: presence, seats, bounds
//! - `bounds`: slow readers, batches, rates, limits
//! - `bytes`: what matters at the socket: old clients, pipelined requests, TLS, somebody else's server
//! - `draining`: the binary when it is told to stop

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed unwrap is a failed test")]

mod bounds;
mod bytes;
mod client;
mod draining;
mod endpoints;
mod ends;
mod one_way;
mod polling;
mod reconnection;
#[path = "../socket/support/mod.rs"]
#[allow(dead_code, reason = "the cases at the socket use the rest")]
mod support;
mod transports;
mod waiting;
