//! Every bound of the engine, by name, in one place.
//!
//! A bound that is reached has a named outcome: an [`ErrorCode`](fanfare_protocol::ErrorCode), a
//! [`CloseCode`](fanfare_protocol::CloseCode), or a policy. None of them is silence.

/// The bounds of one node. All are configurable; the defaults are the mission's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The largest message from a client, in bytes. Beyond it: close 1009.
    pub message_bytes_max: usize,
    /// The most frames of one message. Beyond it: close 1009.
    pub fragments_max: u32,
    /// The most channels and patterns of one connection. Beyond it: error `subscription_limit`.
    pub subscriptions_per_connection_max: usize,
    /// The most connections of one user on a node. Beyond it: HTTP 429 `user_limit`.
    pub connections_per_user_max: u32,
    /// The most connections from one address; an IPv6 address counts as its /64. Beyond it: HTTP 429 `address_limit`.
    pub connections_per_ip_max: u32,
    /// Whether the bound per address holds for loopback peers too: normally they are the proxy on this host.
    pub limit_loopback: bool,
    /// The most connections of the node. Beyond it: HTTP 503 `node_full`.
    pub connections_max: u32,
    /// Bytes that may wait in one connection's outbox. Beyond it: the channel's policy.
    pub outbox_bytes_max: usize,
    /// Bytes that a resumable session keeps of what it was given, beside its outbox. Who asks for more of it when it
    /// comes back is told `session_lost`.
    pub resume_bytes_max: usize,
    /// The most bytes that one recovery, one page of history or one list of members carries. Beyond it:
    /// `recovered` is false, a page or list ends early.
    pub replay_bytes_max: usize,
    /// The most requests to the application, and the most to the broker, of one connection that are unanswered at
    /// a time. Beyond it: error `too_many_requests_in_flight`; with the broker's, nothing more is read.
    pub requests_in_flight_max: u32,
    /// Deliveries that may wait in front of one shard. Beyond it: error `overloaded` for the publisher.
    pub inbox_deliveries_max: usize,
    /// Bytes of history that the memory engine holds. Beyond it: the longest unused channels are forgotten.
    pub history_bytes_max: usize,
    /// The longest page of history.
    pub history_page_max: u32,
    /// Members listed in one presence reply. Beyond it: only the first are listed, the counts stay exact.
    pub presence_listed_max: usize,
    /// Users in a channel up to which join and leave events are sent. Beyond it: only counts tell.
    pub join_leave_users_max: u32,
    /// Users who are not connected and of whom the time they were last seen is remembered.
    /// Beyond it: the longest gone are forgotten.
    pub last_seen_users_max: usize,
    /// Idempotency keys remembered per channel. Beyond it: the oldest are forgotten.
    pub idempotency_keys_max: usize,
    /// The largest `info` of a subscription. Beyond it: error `invalid_field`. It is kept for as long as the subscription
    /// lasts, and every member gets it.
    pub info_bytes_max: usize,
    /// The largest filter of a subscription, as it is kept. Beyond it: error `invalid_field`.
    pub filter_bytes_max: usize,
    /// Members given their copy before other work gets its turn.
    pub fanout_slice: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes_max: 64 * 1024,
            fragments_max: 1024,
            subscriptions_per_connection_max: 128,
            connections_per_user_max: 10,
            connections_per_ip_max: 100,
            limit_loopback: false,
            connections_max: 100_000,
            outbox_bytes_max: 256 * 1024,
            resume_bytes_max: 64 * 1024,
            replay_bytes_max: 1024 * 1024,
            requests_in_flight_max: 64,
            inbox_deliveries_max: 65_536,
            history_bytes_max: 256 * 1024 * 1024,
            history_page_max: 1000,
            presence_listed_max: 1000,
            join_leave_users_max: 1000,
            last_seen_users_max: 100_000,
            idempotency_keys_max: 10_000,
            info_bytes_max: 4 * 1024,
            filter_bytes_max: 4 * 1024,
            fanout_slice: FANOUT_SLICE,
        }
    }
}

/// How much of each kind one connection, and one user, may ask for in a time. Each bound works alone, and each is off at 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimits {
    /// The token bucket of a connection.
    pub connection: Rate,
    /// The token bucket that all connections of a user on a node share.
    pub user: Rate,
    /// The most messages of a connection within a fixed window.
    pub window_messages: u32,
    /// How long that window is.
    pub window_ms: u32,
    /// The shortest time between two messages of a connection.
    pub interval_ms: u32,
    /// What happens to who exceeds one of them.
    pub excess: Excess,
    /// By how many the messages refused may outnumber those that were not. Beyond it: close 4008, errors or not.
    pub refusals_max: u32,
    /// What each operation counts for.
    pub costs: Costs,
}

/// A token bucket: it fills steadily and holds so much at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Messages a second; 0 is without bound.
    pub per_second: u32,
    /// The most that can have been saved up; at least one message.
    pub burst: u32,
}

/// What happens to who exceeds a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Excess {
    /// Error `rate_limited`, with the time after which it may be tried again.
    #[default]
    Error,
    /// Close 4008.
    Close,
}

/// What operations count for, in thousandths of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Costs {
    /// `publish` and `message`.
    pub publish: u32,
    /// `subscribe` and `unsubscribe`: a client that comes back subscribes to everything at once.
    pub subscribe: u32,
    /// `history`.
    pub history: u32,
    /// `presence`, `users` and `status`.
    pub presence: u32,
    /// `request`, and types of the application's own.
    pub request: u32,
    /// `connect`, `auth`, and messages that cannot be understood.
    pub other: u32,
    /// `ping`, `pong`, and the transport's own pings.
    pub ping: u32,
}

impl RateLimits {
    /// No bound at all.
    pub fn off() -> Self {
        let rate = Rate { per_second: 0, burst: 1 };
        Self { connection: rate, user: rate, window_messages: 0, interval_ms: 0, ..Self::default() }
    }
}

impl Default for RateLimits {
    fn default() -> Self {
        Self {
            connection: Rate { per_second: 10, burst: 20 },
            user: Rate { per_second: 50, burst: 100 },
            window_messages: 0,
            window_ms: 60_000,
            interval_ms: 0,
            excess: Excess::Error,
            refusals_max: 100,
            costs: Costs::default(),
        }
    }
}

impl Default for Costs {
    fn default() -> Self {
        Self {
            publish: 1_000,
            subscribe: 100,
            history: 1_000,
            presence: 1_000,
            request: 1_000,
            other: 1_000,
            ping: 100,
        }
    }
}

/// The largest message that may be configured.
pub const MESSAGE_BYTES_CEILING: usize = 512 * 1024;

/// Joined publications are cut into buffers of this size, give or take a message, so that a channel's burst
/// can be given to its members in parts.
pub const BATCH_BYTES_MAX: usize = 64 * 1024;

/// How many replays of the largest size may wait in one connection's outbox, which does not bound them itself.
/// Beyond it: a recovery is refused, a page of history fails as `overloaded`.
pub const REPLAYS_WAITING_MAX: usize = 4;

/// About a third of a millisecond of kernel time for small writes.
const FANOUT_SLICE: usize = 32;

const _: () = assert!(BATCH_BYTES_MAX <= 256 * 1024 / 2, "a batch has to be a small part of a burst");

/// How long things may take, in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deadlines {
    /// From accept to the end of the request's head. Beyond it: HTTP 408.
    pub handshake_ms: u32,
    /// From an answer to the next request on a connection of HTTP/1.1. Beyond it: closed.
    pub keep_alive_ms: u32,
    /// Without any progress of a write. Beyond it: close 4011.
    pub write_ms: u32,
    /// From a message's first byte to its last. Beyond it: close 4007.
    pub unfinished_message_ms: u32,
    /// Between pings; the first one is spread over this time.
    pub ping_interval_ms: u32,
    /// From a ping to any sign of life. Beyond it: close 4010.
    pub pong_ms: u32,
    /// For an application's handler. Beyond it: error `request_timeout`.
    pub request_ms: u32,
    /// From the handshake to the first message that authenticates, where that is needed. Beyond it: close 4001.
    pub authentication_ms: u32,
    /// How long before its token expires a client is told.
    pub expiry_warning_ms: u32,
    /// From our close frame to the peer's. Beyond it: the socket is closed without.
    pub close_ms: u32,
    /// For how long a resumable session waits for its client without any connection.
    pub resume_ms: u32,
    /// For how long a channel that nobody uses goes on numbering from where it is. Beyond it, who comes back is told that
    /// messages may be missing.
    pub position_ms: u32,
    /// Over which clients are told to come back elsewhere at shutdown. None for a node that stands alone: it has no
    /// elsewhere, so it tells all at once and ends.
    pub drain_ms: Option<u32>,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            handshake_ms: 5_000,
            keep_alive_ms: 75_000,
            write_ms: 10_000,
            unfinished_message_ms: 30_000,
            ping_interval_ms: 25_000,
            pong_ms: 8_000,
            request_ms: 10_000,
            authentication_ms: 5_000,
            expiry_warning_ms: 60_000,
            close_ms: 3_000,
            resume_ms: 60_000,
            position_ms: 600_000,
            drain_ms: None,
        }
    }
}
