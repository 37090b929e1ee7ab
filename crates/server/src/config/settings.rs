//! The table of settings: one row each, and no other list of them anywhere.

use fanfare_core::limits::MESSAGE_BYTES_CEILING;

use super::kinds::{Addresses, Bytes, Choice, Count, FilePath, Filter, Flag, Given, Kind, Millis};
use super::kinds::{Refusal, Secrets, Word};
use super::{Config, LogFormat};

/// One setting of the server.
pub(super) struct Setting {
    /// As in the file, with the table's name: `limits.message_bytes_max`.
    pub(super) key: &'static str,
    /// A line for people.
    pub(super) about: &'static str,
    /// Reads a value into the configuration.
    pub(super) set: fn(&mut Config, &Given) -> Result<(), Refusal>,
    /// Writes the value in force, withholding secrets.
    pub(super) show: fn(&Config) -> String,
    /// What values it takes.
    pub(super) describe: fn() -> String,
}

macro_rules! setting {
    ($key:literal, $($field:ident).+, $kind:expr, $about:literal) => {
        Setting {
            key: $key,
            about: $about,
            set: |config, given| {
                config.$($field).+ = $kind.read(given)?;
                Ok(())
            },
            show: |config| $kind.show(&config.$($field).+),
            describe: || $kind.describe(),
        }
    };
}

/// Settings whose values are never shown.
pub(super) const SECRET: &[&str] = &["api.keys"];

impl Setting {
    /// Whether values are withheld from everything that is shown.
    pub(super) fn is_secret(&self) -> bool {
        SECRET.contains(&self.key)
    }
}

/// The setting of a key.
pub(super) fn find(key: &str) -> Option<&'static Setting> {
    groups().find(|setting| setting.key == key)
}

/// All settings, in the order in which they are shown.
pub(super) fn groups() -> impl Iterator<Item = &'static Setting> {
    [GENERAL, LIMITS, DEADLINES].into_iter().flatten()
}

const HOUR_MS: u64 = 3_600_000;
const MIB: usize = 1024 * 1024;

const FORMATS: &[(&str, LogFormat)] = &[("text", LogFormat::Text), ("json", LogFormat::Json)];

const GENERAL: &[Setting] = &[
    setting!("listen", listen, Addresses, "addresses to listen on, HTTP and WebSocket alike"),
    setting!(
        "insecure",
        insecure,
        Flag,
        "whether the server may do without authentication where others reach it"
    ),
    setting!(
        "shards",
        shards,
        Count::<u8>::new(0, 255),
        "threads that own connections; 0 is one for each core but one"
    ),
    setting!(
        "default_dialect",
        default_dialect,
        Word,
        "what is spoken at /ws when the client names no dialect"
    ),
    Setting {
        key: "data_dir",
        about: "where the server keeps what has to outlive it",
        set: |config, given| {
            config.data_dir = FilePath.read(given)?.unwrap_or_default();
            Ok(())
        },
        show: |config| FilePath.show(&Some(config.data_dir.clone())),
        describe: || FilePath.describe(),
    },
    setting!(
        "namespaces_strict",
        namespaces_strict,
        Flag,
        "whether a namespace that is not configured is an error"
    ),
    setting!("metrics", metrics, Flag, "whether /metrics is served"),
    setting!("demo", demo, Flag, "whether the demo page is served at /, and its namespace exists"),
    setting!("api.keys", api.keys, Secrets, "keys of the HTTP API; without any, one is generated"),
    Setting {
        key: "api.key_file",
        about: "where the generated key of the HTTP API is kept",
        set: |config, given| {
            config.api.key_file = FilePath.read(given)?;
            Ok(())
        },
        show: |config| FilePath.show(&Some(config.key_file())),
        describe: || FilePath.describe(),
    },
    setting!("log.filter", log.filter, Filter, "which events are logged"),
    setting!("log.format", log.format, Choice(FORMATS), "the form of a log line"),
];

const LIMITS: &[Setting] = &[
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
        "limits.fanout_slice",
        limits.fanout_slice,
        Count::<usize>::new(1, 1 << 20),
        "members given their copy before other work gets its turn"
    ),
];

const DEADLINES: &[Setting] = &[
    setting!(
        "deadlines.handshake",
        deadlines.handshake_ms,
        Millis::<u32>::new(10, HOUR_MS),
        "from accept to the end of the request's head"
    ),
    setting!(
        "deadlines.write",
        deadlines.write_ms,
        Millis::<u32>::new(10, HOUR_MS),
        "without any progress of a write"
    ),
    setting!(
        "deadlines.unfinished_message",
        deadlines.unfinished_message_ms,
        Millis::<u32>::new(10, HOUR_MS),
        "from a message's first byte to its last"
    ),
    setting!(
        "deadlines.ping_interval",
        deadlines.ping_interval_ms,
        Millis::<u32>::new(100, HOUR_MS),
        "between pings"
    ),
    setting!(
        "deadlines.pong",
        deadlines.pong_ms,
        Millis::<u32>::new(10, HOUR_MS),
        "from a ping to any sign of life"
    ),
    setting!(
        "deadlines.request",
        deadlines.request_ms,
        Millis::<u32>::new(1, HOUR_MS),
        "for a handler of the application"
    ),
    setting!(
        "deadlines.close",
        deadlines.close_ms,
        Millis::<u32>::new(0, HOUR_MS),
        "from the server's close frame to the client's"
    ),
    setting!(
        "deadlines.drain",
        deadlines.drain_ms,
        Millis::<u32>::new(0, HOUR_MS),
        "over which clients are told to come back elsewhere at shutdown"
    ),
];
