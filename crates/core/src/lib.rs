//! The engine.

pub mod limits;
pub mod namespace;
pub mod ports;
pub mod shard;
