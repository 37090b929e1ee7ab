//! How much one connection and one user may ask for in a time.

use fanfare_core::limits::Excess;

use super::{HOUR_MS, Setting};
use crate::config::kinds::{Choice, Cost, Count, Kind, Millis};

const RATE_MAX: u64 = 1_000_000;

const EXCESS: &[(&str, Excess)] = &[("error", Excess::Error), ("close", Excess::Close)];

pub(super) const TABLE: &[Setting] = &[
    setting!(
        "rate_limits.connection_per_second",
        rate_limits.connection.per_second,
        Count::<u32>::new(0, RATE_MAX),
        "messages a second of one connection; 0 is without bound"
    ),
    setting!(
        "rate_limits.connection_burst",
        rate_limits.connection.burst,
        Count::<u32>::new(1, RATE_MAX),
        "messages that one connection can have saved up"
    ),
    setting!(
        "rate_limits.user_per_second",
        rate_limits.user.per_second,
        Count::<u32>::new(0, RATE_MAX),
        "messages a second of all connections of one user on a node; 0 is without bound"
    ),
    setting!(
        "rate_limits.user_burst",
        rate_limits.user.burst,
        Count::<u32>::new(1, RATE_MAX),
        "messages that one user can have saved up"
    ),
    setting!(
        "rate_limits.window_messages",
        rate_limits.window_messages,
        Count::<u32>::new(0, RATE_MAX),
        "messages of one connection within a fixed window; 0 is without bound"
    ),
    setting!(
        "rate_limits.window",
        rate_limits.window_ms,
        Millis::<u32>::new(100, HOUR_MS),
        "how long that window is"
    ),
    setting!(
        "rate_limits.interval",
        rate_limits.interval_ms,
        Millis::<u32>::new(0, HOUR_MS),
        "the shortest time between two messages of one connection; 0 is without bound"
    ),
    setting!("rate_limits.excess", rate_limits.excess, Choice(EXCESS), "what happens to who exceeds a rate"),
    setting!(
        "rate_limits.refusals_max",
        rate_limits.refusals_max,
        Count::<u32>::new(1, RATE_MAX),
        "by how many messages refused may outnumber those taken before the connection is closed"
    ),
    setting!(
        "rate_limits.cost_publish",
        rate_limits.costs.publish,
        Cost,
        "what a message or publish counts for, in messages"
    ),
    setting!(
        "rate_limits.cost_subscribe",
        rate_limits.costs.subscribe,
        Cost,
        "what a subscribe or unsubscribe counts for, in messages"
    ),
    setting!(
        "rate_limits.cost_history",
        rate_limits.costs.history,
        Cost,
        "what a history request counts for, in messages"
    ),
    setting!(
        "rate_limits.cost_presence",
        rate_limits.costs.presence,
        Cost,
        "what a presence, users or status request counts for, in messages"
    ),
    setting!(
        "rate_limits.cost_request",
        rate_limits.costs.request,
        Cost,
        "what a request, or a message of the application's own type counts for, in messages"
    ),
    setting!(
        "rate_limits.cost_other",
        rate_limits.costs.other,
        Cost,
        "what any other message counts for, in messages"
    ),
    setting!(
        "rate_limits.cost_ping",
        rate_limits.costs.ping,
        Cost,
        "what a ping or pong counts for, in messages"
    ),
];
