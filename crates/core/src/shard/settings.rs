//! What a node is told once, for all of its shards.

use std::sync::Arc;

use crate::auth::Access;
use crate::limits::{Deadlines, Limits, RateLimits};
use crate::namespace::Namespaces;

/// What every shard of a node shares and none changes.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Bounds.
    pub limits: Limits,
    /// How long things may take.
    pub deadlines: Deadlines,
    /// How much may be asked for in a time.
    pub rate_limits: RateLimits,
    /// Settings of channels.
    pub namespaces: Arc<Namespaces>,
    /// Who may ask whether a user is there, independent of channels.
    pub users: Access,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            deadlines: Deadlines::default(),
            rate_limits: RateLimits::default(),
            namespaces: Arc::default(),
            users: Access::Authenticated,
        }
    }
}
