//! What has happened in a shard: plain numbers, summed over the shards when somebody asks.

use fanfare_protocol::{CloseCode, ErrorCode};

/// Upper bounds of the delay histogram's buckets, in milliseconds.
pub const DELAY_BUCKETS_MS: [u64; 8] = [1, 2, 5, 10, 25, 100, 1000, 10_000];

/// Counted since the shard began.
#[derive(Debug, Clone, Default)]
pub struct Counters {
    /// Sessions opened.
    pub opened: u64,
    /// Sessions over, by the code they were closed with; none when the connection just ended.
    pub closed: Vec<(Option<CloseCode>, u64)>,
    /// Messages from clients.
    pub messages_in: u64,
    /// Copies of messages put into outboxes.
    pub messages_out: u64,
    /// Messages given up under a channel's policy.
    pub messages_dropped: u64,
    /// Publications that reached the shard.
    pub publications: u64,
    /// Errors told to clients.
    pub errors: Vec<(ErrorCode, u64)>,
    /// Publications by the time from their numbering to their fan-out here; the last bucket is unbounded.
    pub delay: [u64; DELAY_BUCKETS_MS.len() + 1],
    /// The sum of those times, in milliseconds.
    pub delay_ms_sum: u64,
}

impl Counters {
    pub(crate) fn error(&mut self, code: ErrorCode) {
        count(&mut self.errors, code);
    }

    pub(crate) fn closed(&mut self, code: Option<CloseCode>) {
        count(&mut self.closed, code);
    }

    pub(crate) fn delayed(&mut self, delay_ms: u64) {
        let bucket = DELAY_BUCKETS_MS.iter().position(|bound| delay_ms <= *bound);
        self.delay[bucket.unwrap_or(DELAY_BUCKETS_MS.len())] += 1;
        self.delay_ms_sum += delay_ms;
    }
}

/// The few that occur stand in a list; most of the codes never do.
fn count<K: PartialEq>(counts: &mut Vec<(K, u64)>, key: K) {
    match counts.iter_mut().find(|(known, _)| *known == key) {
        Some((_, count)) => *count += 1,
        None => counts.push((key, 1)),
    }
}
