//! Which shards listen to which pattern.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};

use fanfare_protocol::{ChannelName, ChannelPattern};

use super::channel::ShardCounts;
use crate::patterns::PatternIndex;
use crate::ports::broker::ShardId;

/// The patterns. Written by `Listen` and `Unlisten`, read by every publish.
#[derive(Default)]
pub(super) struct Listening {
    patterns: RwLock<PatternIndex<ShardCounts>>,
    /// How many there are, so that without any a publish takes no lock for them.
    count: AtomicUsize,
    /// Counts their changes.
    generation: AtomicU64,
}

/// The shards that listen to patterns which a channel matches, as it was found at some time.
#[derive(Clone, Copy)]
pub(super) struct Found {
    pub(super) shards: u64,
    generation: u64,
}

impl Listening {
    /// How many patterns there are.
    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Finds the shards for a channel. Done before the channel is locked, because others wait for that lock.
    pub(super) fn find(&self, channel: &ChannelName) -> Found {
        let generation = self.generation.load(Ordering::Acquire);
        let mut shards = 0;
        if self.count() > 0 {
            let patterns = self.patterns.read().unwrap_or_else(PoisonError::into_inner);
            patterns.for_each_match(channel.as_str(), |counts| shards |= counts.mask());
        }
        Found { shards, generation }
    }

    /// What was found, if nobody listens to another pattern since. Asked under the channel's lock: who listens misses
    /// nothing between two messages that it gets.
    pub(super) fn confirm(&self, found: Found) -> Option<u64> {
        (found.generation == self.generation.load(Ordering::Acquire)).then_some(found.shards)
    }

    /// One more of a shard's connections listens to a pattern.
    pub(super) fn listen(&self, shard: ShardId, pattern: &ChannelPattern) {
        let mut patterns = self.patterns.write().unwrap_or_else(PoisonError::into_inner);
        patterns.entry(pattern, ShardCounts::default).add(shard);
        self.generation.fetch_add(1, Ordering::Release);
        self.count.store(patterns.len(), Ordering::Release);
    }

    /// One of them no longer does.
    pub(super) fn unlisten(&self, shard: ShardId, pattern: &ChannelPattern) {
        let mut patterns = self.patterns.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(counts) = patterns.get_mut(pattern) {
            counts.remove(shard);
            if counts.mask() == 0 {
                patterns.remove(pattern);
            }
        }
        self.count.store(patterns.len(), Ordering::Release);
    }
}
