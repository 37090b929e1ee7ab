//! Metrics: a snapshot of the node's numbers, and how Prometheus reads it.
//!
//! Shards count in plain memory of their own; a scrape asks each for a [`NodeMetrics`], adds them up and
//! encodes the sum. Labels are taken from closed sets only — dialects, error codes, close codes — never
//! from anything a client chose: a flood of names must not become a flood of time series.

mod calls;
mod distribution;
mod encode;
mod format;
mod process;

use std::collections::BTreeMap;

use fanfare_core::shard::DELAY_BUCKETS_MS;
use fanfare_protocol::ErrorCode;

pub(crate) use calls::ApiCalls;
pub use calls::{CALL_BUCKETS_US, Calls};
pub use distribution::{Distribution, OUTBOX_BYTES, ROOM_SIZES};
pub use encode::Pages;
pub use format::Format;
pub use process::ProcessMetrics;

/// The numbers of a node, or of one shard of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeMetrics {
    /// Connections now, by dialect.
    pub connections: BTreeMap<&'static str, u64>,
    /// Connections opened since the start.
    pub opened: u64,
    /// Connections closed since the start, by the name of the close code; `abnormal` is without any.
    pub closed: BTreeMap<&'static str, u64>,
    /// Handshakes refused since the start, by reason.
    pub refused: BTreeMap<ErrorCode, u64>,
    /// Tokens that were looked at since the start, by what came of it: `accepted`, or the code of the refusal.
    pub authentications: BTreeMap<&'static str, u64>,
    /// Messages from clients.
    pub messages_in: u64,
    /// Copies of messages put into outboxes.
    pub messages_out: u64,
    /// Bytes read from sockets, framing included.
    pub bytes_in: u64,
    /// Bytes written to sockets, framing included.
    pub bytes_out: u64,
    /// Writes to sockets; each carries everything that was waiting.
    pub writes: u64,
    /// Errors told to clients, by code.
    pub errors: BTreeMap<ErrorCode, u64>,
    /// Publications that reached a shard; one that has subscribers in two shards counts twice.
    pub publications: u64,
    /// Publications that slow subscribers did not get, by their channel's policy.
    pub dropped: u64,
    /// Subscriptions now.
    pub subscriptions: u64,
    /// Channels with subscribers or history now.
    pub channels: u64,
    /// Channels with subscribers now.
    pub channels_subscribed: u64,
    /// Users online now.
    pub users: u64,
    /// Bytes of history held now.
    pub history_bytes: u64,
    /// Deliveries that wait in front of the shards now.
    pub inbox_waiting: u64,
    /// Bytes that wait in all outboxes now.
    pub outbox_bytes: u64,
    /// Connections by the bytes that wait in their outboxes now; those with empty ones are left out.
    pub outbox_depths: Distribution,
    /// Channels by their number of subscribers now.
    pub room_sizes: Distribution,
    /// Milliseconds from a publication's numbering to its fan-out.
    pub fanout_delay_ms: Distribution,
    /// Calls of the HTTP API, by operation.
    pub calls: BTreeMap<&'static str, Calls>,
}

impl Default for NodeMetrics {
    fn default() -> Self {
        Self {
            connections: BTreeMap::new(),
            opened: 0,
            closed: BTreeMap::new(),
            refused: BTreeMap::new(),
            authentications: BTreeMap::new(),
            messages_in: 0,
            messages_out: 0,
            bytes_in: 0,
            bytes_out: 0,
            writes: 0,
            errors: BTreeMap::new(),
            publications: 0,
            dropped: 0,
            subscriptions: 0,
            channels: 0,
            channels_subscribed: 0,
            users: 0,
            history_bytes: 0,
            inbox_waiting: 0,
            outbox_bytes: 0,
            outbox_depths: Distribution::new(OUTBOX_BYTES),
            room_sizes: Distribution::new(ROOM_SIZES),
            fanout_delay_ms: Distribution::new(&DELAY_BUCKETS_MS),
            calls: BTreeMap::new(),
        }
    }
}

impl NodeMetrics {
    /// Adds another part of the node.
    pub fn add(&mut self, other: &NodeMetrics) {
        add_counts(&mut self.connections, &other.connections);
        add_counts(&mut self.closed, &other.closed);
        add_counts(&mut self.refused, &other.refused);
        add_counts(&mut self.authentications, &other.authentications);
        add_counts(&mut self.errors, &other.errors);
        self.opened += other.opened;
        self.messages_in += other.messages_in;
        self.messages_out += other.messages_out;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.writes += other.writes;
        self.publications += other.publications;
        self.dropped += other.dropped;
        self.subscriptions += other.subscriptions;
        self.channels += other.channels;
        self.channels_subscribed += other.channels_subscribed;
        self.users += other.users;
        self.history_bytes += other.history_bytes;
        self.inbox_waiting += other.inbox_waiting;
        self.outbox_bytes += other.outbox_bytes;
        self.outbox_depths.add(&other.outbox_depths);
        self.room_sizes.add(&other.room_sizes);
        self.fanout_delay_ms.add(&other.fanout_delay_ms);
        for (operation, calls) in &other.calls {
            self.calls.entry(operation).or_default().add(calls);
        }
    }
}

fn add_counts<K: Ord + Copy>(sum: &mut BTreeMap<K, u64>, more: &BTreeMap<K, u64>) {
    for (key, count) in more {
        *sum.entry(*key).or_default() += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_node_is_the_sum_of_its_shards() {
        let mut shard = NodeMetrics { opened: 3, outbox_bytes: 10, ..NodeMetrics::default() };
        shard.connections.insert("native", 2);
        shard.closed.insert("normal", 1);
        shard.room_sizes.record(4);
        let mut node = NodeMetrics::default();
        node.add(&shard);
        node.add(&shard);
        assert_eq!((node.opened, node.outbox_bytes, node.connections["native"]), (6, 20, 4));
        assert_eq!((node.closed["normal"], node.room_sizes.count(), node.room_sizes.sum()), (2, 2, 8));
    }
}
