//! The engine: sessions, channels, fan-out, history and presence, without any I/O.
//!
//! In the order a message travels:
//!
//! - [`session`]: one connection's state, and what each command does
//! - [`shard`]: one thread's sessions and channels, a deterministic state machine
//! - [`ports`]: what the engine needs from outside: broker, application, lanes
//! - [`memory`]: the broker of a single node
//! - [`outbox`]: what waits to be written to one connection
//! - [`namespace`], [`limits`], [`patterns`]: settings, bounds, and the index of topic patterns
//!
//! The engine names no dialect, no driver and no product, never waits, and reads no clock.

pub mod auth;
mod channel;
pub mod limits;
pub mod memory;
pub mod namespace;
pub mod outbox;
pub mod patterns;
pub mod ports;
pub mod rate;
pub mod session;
pub mod shard;
mod timers;
