//! The fault proxy between plain sockets: each fault does what it says, and nothing else.

// Helpers outside of test functions fail as tests do.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod breaks;
mod orders;
mod patience;
mod support;
