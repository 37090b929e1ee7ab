//! Who may connect, at the socket: tokens by every road, places of users, and tokens that were taken back. Tokens are
//! signed and clients are written by others.
//!
//! - `roads`: each way a token can come, and what is refused how
//! - `modes`: who needs one
//! - `rust_client`: how the client of this project renews its tokens
//! - `forged`: every forged token at every entry point
//! - `places`: bounds and rates that a user's connections share
//! - `subscriptions`: tokens and handlers that allow one
//! - `revocation`: by token and by user, now and after a restart

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed unwrap is a failed test")]

mod forged;
#[path = "../../../auth/tests/forged/mod.rs"]
mod forgeries;
mod modes;
mod places;
#[allow(dead_code, reason = "made for the tests at the socket, which need more of it")]
#[path = "../socket/support/process.rs"]
mod process;
mod revocation;
mod roads;
mod rust_client;
mod subscriptions;
mod support;
mod told;

use support::{PATIENCE, within};
