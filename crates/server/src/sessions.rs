//! Sessions over any transport: what a client without a WebSocket connects with, and what a client keeps that changes
//! from one transport to another.
//!
//! - [`pass`]: what a client shows to be let back into its session
//! - [`handover`]: how a worker gets the socket of a response that it will write itself
//! - [`endpoints`]: the HTTP requests
//! - [`reconnection`]: when an EventSource connects again
//! - [`request`]: what they say

pub(crate) mod endpoints;
pub(crate) mod handover;
mod pass;
mod reconnection;
mod request;

pub(crate) use pass::Passes;
pub(crate) use request::{Listened, Query, Resumption};
