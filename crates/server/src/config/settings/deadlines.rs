//! How long things may take.

use super::{HOUR_MS, Setting};
use crate::config::kinds::{Kind, Millis, OptionalMillis};

pub(super) const TABLE: &[Setting] = &[
    setting!(
        "deadlines.handshake",
        deadlines.handshake_ms,
        Millis::<u32>::new(10, HOUR_MS),
        "from accept to the end of the request's head"
    ),
    setting!(
        "deadlines.keep_alive",
        deadlines.keep_alive_ms,
        Millis::<u32>::new(10, HOUR_MS),
        "from an answer to the next request on the same connection of HTTP/1.1"
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
        "deadlines.authentication",
        deadlines.authentication_ms,
        Millis::<u32>::new(10, HOUR_MS),
        "from the handshake to the first message that authenticates"
    ),
    setting!(
        "deadlines.expiry_warning",
        deadlines.expiry_warning_ms,
        Millis::<u32>::new(0, HOUR_MS),
        "how long before its token expires a client is told"
    ),
    setting!(
        "deadlines.close",
        deadlines.close_ms,
        Millis::<u32>::new(0, HOUR_MS),
        "from the server's close frame to the client's"
    ),
    setting!(
        "deadlines.resume",
        deadlines.resume_ms,
        Millis::<u32>::new(1_000, HOUR_MS),
        "for how long a session without a connection waits for its client"
    ),
    setting!(
        "deadlines.position",
        deadlines.position_ms,
        Millis::<u32>::new(1_000, HOUR_MS * 24),
        "for how long a channel that nobody uses goes on numbering from where it is"
    ),
    setting!(
        "deadlines.drain",
        deadlines.drain_ms,
        OptionalMillis(Millis::<u32>::new(0, HOUR_MS)),
        "over which clients are told to come back elsewhere at shutdown; empty for a node that stands alone"
    ),
];
