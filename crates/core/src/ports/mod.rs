//! What the engine needs from outside, and what others may implement.
//!
//! - [`broker`]: numbers publications and carries them to every shard that has subscribers
//! - [`application`]: the handlers of whoever embeds Fanfare
//! - [`lane`]: turns an event into the bytes that go on the wire

pub mod application;
pub mod authority;
pub mod broker;
pub mod lane;
