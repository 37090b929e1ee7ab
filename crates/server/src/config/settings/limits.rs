//! The engine's bounds.

use fanfare_core::limits::MESSAGE_BYTES_CEILING;

use super::{MIB, Setting};
use crate::config::kinds::{Bytes, Count, Flag, Kind};

pub(super) const TABLE: &[Setting] = &[
    setting!(
        "limits.message_bytes_max",
        limits.message_bytes_max,
        Bytes::new(1024, MESSAGE_BYTES_CEILING),
        "the largest message from a client"
    ),
    setting!(
        "limits.fragments_max",
        limits.fragments_max,
        Count::<u32>::new(1, 1 << 24),
        "the most frames of one message"
    ),
    setting!(
        "limits.subscriptions_per_connection_max",
        limits.subscriptions_per_connection_max,
        Count::<usize>::new(1, 1_000_000),
        "the most channels and patterns of one connection"
    ),
    setting!(
        "limits.connections_per_user_max",
        limits.connections_per_user_max,
        Count::<u32>::new(1, u32::MAX as u64),
        "the most connections of one user on a node"
    ),
    setting!(
        "limits.connections_per_ip_max",
        limits.connections_per_ip_max,
        Count::<u32>::new(1, u32::MAX as u64),
        "the most connections from one address"
    ),
    setting!(
        "limits.limit_loopback",
        limits.limit_loopback,
        Flag,
        "whether the bound per address holds for loopback peers, which normally are a proxy"
    ),
    setting!(
        "limits.connections_max",
        limits.connections_max,
        Count::<u32>::new(1, u32::MAX as u64),
        "the most connections of the node"
    ),
    setting!(
        "limits.outbox_bytes_max",
        limits.outbox_bytes_max,
        Bytes::new(64 * 1024, 1024 * MIB),
        "bytes that may wait for one slow connection"
    ),
    setting!(
        "limits.resume_bytes_max",
        limits.resume_bytes_max,
        Bytes::new(1024, 1024 * MIB),
        "bytes that a session keeps of what it was given, for the next connection"
    ),
    setting!(
        "limits.replay_bytes_max",
        limits.replay_bytes_max,
        Bytes::new(1024, 1024 * MIB),
        "the most bytes of one recovery or one page of history"
    ),
    setting!(
        "limits.requests_in_flight_max",
        limits.requests_in_flight_max,
        Count::<u32>::new(1, 65_535),
        "the most unanswered requests of one connection"
    ),
    setting!(
        "limits.inbox_deliveries_max",
        limits.inbox_deliveries_max,
        Count::<usize>::new(16, 1 << 32),
        "deliveries that may wait in front of one shard"
    ),
    setting!(
        "limits.history_bytes_max",
        limits.history_bytes_max,
        Bytes::new(0, 1 << 44),
        "bytes of history that are kept in memory"
    ),
    setting!(
        "limits.history_page_max",
        limits.history_page_max,
        Count::<u32>::new(1, 1_000_000),
        "the longest page of history"
    ),
    setting!(
        "limits.presence_listed_max",
        limits.presence_listed_max,
        Count::<usize>::new(1, 1_000_000),
        "members listed in one presence reply"
    ),
    setting!(
        "limits.join_leave_users_max",
        limits.join_leave_users_max,
        Count::<u32>::new(0, u32::MAX as u64),
        "users in a channel up to which join and leave events are sent"
    ),
    setting!(
        "limits.last_seen_users_max",
        limits.last_seen_users_max,
        Count::<usize>::new(0, 1 << 32),
        "users who left and of whom the time they were last seen is kept"
    ),
    setting!(
        "limits.idempotency_keys_max",
        limits.idempotency_keys_max,
        Count::<usize>::new(0, 1 << 32),
        "idempotency keys remembered per channel"
    ),
    setting!(
        "limits.info_bytes_max",
        limits.info_bytes_max,
        Bytes::new(0, MESSAGE_BYTES_CEILING),
        "the largest info of a subscription"
    ),
    setting!(
        "limits.filter_bytes_max",
        limits.filter_bytes_max,
        Bytes::new(0, MESSAGE_BYTES_CEILING),
        "the largest filter of a subscription, as it is kept"
    ),
    setting!(
        "limits.fanout_slice",
        limits.fanout_slice,
        Count::<usize>::new(1, 1 << 20),
        "members given their copy before other work gets its turn"
    ),
];
