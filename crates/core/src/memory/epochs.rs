//! Which life of its numbering a channel is in.
//!
//! The epoch of a channel that is not kept is known all the same: it depends on the channel's name and on how often a
//! numbering was given up. So asking keeps nothing, and who is told an epoch before the first message finds it again.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU32, Ordering};

use fanfare_protocol::{ChannelName, Epoch};

/// Channels that share a count of lives: when one of them gives up its numbering, all that are not kept begin anew.
const COUNTS: usize = 1 << 16;

#[derive(Debug)]
pub(super) struct Epochs {
    hasher: foldhash::quality::FixedState,
    /// How often a numbering was given up. Written and read under the lock of the channel's stripe.
    lives: Box<[AtomicU32]>,
}

impl Epochs {
    /// `seed` makes epochs unique among runs.
    pub(super) fn new(seed: u64) -> Self {
        let hasher = foldhash::quality::FixedState::with_seed(seed);
        Self { hasher, lives: (0..COUNTS).map(|_| AtomicU32::new(0)).collect() }
    }

    /// The epoch of a channel that is not kept, should it begin now.
    pub(super) fn next(&self, channel: &ChannelName) -> Epoch {
        let hash = self.hasher.hash_one(channel);
        let life = u64::from(self.lives(hash).load(Ordering::Relaxed));
        // An odd factor makes each life of a channel another epoch (Fibonacci hashing).
        Epoch(hash.wrapping_add(life.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
    }

    /// The numbering of a channel is given up: its epoch is never given again.
    pub(super) fn given_up(&self, channel: &ChannelName) {
        self.lives(self.hasher.hash_one(channel)).fetch_add(1, Ordering::Relaxed);
    }

    fn lives(&self, hash: u64) -> &AtomicU32 {
        &self.lives[hash as usize % COUNTS]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn an_epoch_stays_until_it_is_given_up_and_never_comes_again() {
        let epochs = Epochs::new(7);
        let channel = ChannelName::new("a").unwrap();
        let mut seen = HashSet::new();
        for _ in 0..1000 {
            let epoch = epochs.next(&channel);
            assert_eq!(epoch, epochs.next(&channel));
            assert!(seen.insert(epoch), "{epoch} came twice");
            epochs.given_up(&channel);
        }
        assert!(seen.insert(Epochs::new(8).next(&channel)), "another run");
    }
}
