//! One thread's share of the node.

/// One thread's share of the node.
pub struct Shard {}
