//! Looking into the node: its connections, its counts, its metrics. Nothing here changes anything.
//!
//! A shard is looked at between two of its turns and must not be kept long; what can be done outside it is.

use std::net::IpAddr;

use fanfare_core::ports::broker::{Reply, Request};
use fanfare_core::ports::lane::Lane;
use fanfare_core::session::Session;
use fanfare_core::shard::{Counters, DELAY_BUCKETS_MS, Shard};
use fanfare_protocol::command::Topic;
use fanfare_protocol::{ChannelName, CloseCode, ConnectionId, ErrorCode, UserId};

use crate::handle::Fanfare;
use crate::metrics::{Distribution, NodeMetrics};

/// Which connections to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionFilter {
    /// Only this user's.
    pub user: Option<UserId>,
    /// Only those subscribed to this channel by its name.
    pub channel: Option<ChannelName>,
    /// Only those after this one, in the order of their ids.
    pub after: Option<ConnectionId>,
    /// At most so many.
    pub limit: usize,
}

/// A connection in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionState {
    /// Which connection.
    pub connection: ConnectionId,
    /// Whose; none while anonymous.
    pub user: Option<UserId>,
    /// The name of what it speaks.
    pub dialect: &'static str,
    /// Where it comes from, if that is known.
    pub address: Option<IpAddr>,
    /// When it connected, in milliseconds of Unix time.
    pub connected_ms: u64,
    /// What it is subscribed to.
    pub subscriptions: Vec<Topic>,
    /// Bytes that wait to be written to it.
    pub outbox_bytes: usize,
}

/// The node in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeCounts {
    /// Connections of this node.
    pub connections: usize,
    /// Channels with subscribers or history.
    pub channels: usize,
    /// Channels with subscribers.
    pub channels_subscribed: usize,
    /// Users online.
    pub users: usize,
    /// Bytes of history held.
    pub history_bytes: usize,
}

/// A listed connection before its dialect has a name.
struct Found {
    state: ConnectionState,
    lane: Lane,
}

impl Fanfare {
    /// Connections of this node, in the order of their ids.
    pub async fn connections(&self, filter: ConnectionFilter) -> Vec<ConnectionState> {
        let limit = filter.limit;
        let found = self.inspect(move |shard| find(shard, &filter)).await;
        let mut found: Vec<Found> = found.into_iter().flatten().collect();
        found.sort_unstable_by_key(|found| found.state.connection);
        found.truncate(limit);
        let named = |found: Found| ConnectionState { dialect: self.dialect_name(found.lane), ..found.state };
        found.into_iter().map(named).collect()
    }

    /// The node in numbers.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn counts(&self) -> Result<NodeCounts, ErrorCode> {
        let connections = self.inspect(|shard| shard.sessions().count()).await.into_iter().sum();
        match self.ask(Request::Counts).await? {
            Reply::Counts { channels, users, history_bytes } => {
                let channels_subscribed = self.channels("", None, usize::MAX).await?.len();
                Ok(NodeCounts { connections, channels, channels_subscribed, users, history_bytes })
            }
            _ => Err(ErrorCode::Internal),
        }
    }

    /// Everything that is counted, summed over the shards.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn metrics(&self) -> Result<NodeMetrics, ErrorCode> {
        let mut node = NodeMetrics { calls: self.calls.get(), ..NodeMetrics::default() };
        // A dialect that nobody speaks now has a sample too.
        node.connections = self.dialects.names().map(|name| (name, 0)).collect();
        for (shard, lanes) in self.inspect(measure).await {
            node.add(&shard);
            for (lane, connections) in lanes {
                *node.connections.entry(self.dialect_name(lane)).or_default() += connections;
            }
        }
        for traffic in self.traffic() {
            node.bytes_in += traffic.bytes_in;
            node.bytes_out += traffic.bytes_out;
            node.writes += traffic.writes;
        }
        node.refused = self.admission.refusals();
        node.authentications = self.outcomes.by_word();
        node.inbox_waiting = self.inbox_waiting() as u64;
        if let Reply::Counts { channels, users, history_bytes } = self.ask(Request::Counts).await? {
            node.channels = channels as u64;
            node.users = users as u64;
            node.history_bytes = history_bytes as u64;
        }
        // A channel's members may be spread over the shards; only the broker knows how many there are.
        for channel in self.channels("", None, usize::MAX).await? {
            node.channels_subscribed += 1;
            node.room_sizes.record(u64::from(channel.connections));
        }
        Ok(node)
    }

    fn dialect_name(&self, lane: Lane) -> &'static str {
        self.dialects.of(lane).map_or("unknown", |dialect| dialect.name)
    }
}

fn find(shard: &Shard, filter: &ConnectionFilter) -> Vec<Found> {
    let wanted = |session: &&Session| {
        filter.after.is_none_or(|after| session.id() > after)
            && filter.user.as_ref().is_none_or(|user| session.opening().identity.user.as_ref() == Some(user))
            && filter.channel.as_ref().is_none_or(|channel| is_subscribed(shard, session, channel))
    };
    let mut sessions: Vec<&Session> = shard.sessions().filter(wanted).collect();
    sessions.sort_unstable_by_key(|session| session.id());
    sessions.truncate(filter.limit);
    sessions.into_iter().map(|session| state(shard, session)).collect()
}

fn is_subscribed(shard: &Shard, session: &Session, channel: &ChannelName) -> bool {
    shard.topics(session).any(|topic| matches!(topic, Topic::Channel(name) if name == channel))
}

fn state(shard: &Shard, session: &Session) -> Found {
    let opening = session.opening();
    let state = ConnectionState {
        connection: session.id(),
        user: opening.identity.user.clone(),
        dialect: "",
        address: opening.address,
        connected_ms: opening.opened_unix_ms,
        subscriptions: shard.topics(session).cloned().collect(),
        outbox_bytes: session.outbox_bytes(),
    };
    Found { state, lane: opening.lane }
}

/// One shard's part of the metrics, with its connections still by lane.
fn measure(shard: &Shard) -> (NodeMetrics, Vec<(Lane, u64)>) {
    let mut part = counted(shard.counters());
    let mut lanes: Vec<(Lane, u64)> = Vec::new();
    for session in shard.sessions() {
        let lane = session.opening().lane;
        match lanes.iter_mut().find(|(known, _)| *known == lane) {
            Some((_, count)) => *count += 1,
            None => lanes.push((lane, 1)),
        }
        part.subscriptions += session.subscriptions() as u64;
        let waiting = session.outbox_bytes() as u64;
        if waiting > 0 {
            part.outbox_bytes += waiting;
            part.outbox_depths.record(waiting);
        }
    }
    (part, lanes)
}

fn counted(counters: &Counters) -> NodeMetrics {
    let mut part = NodeMetrics {
        opened: counters.opened,
        messages_in: counters.messages_in,
        messages_out: counters.messages_out,
        publications: counters.publications,
        dropped: counters.messages_dropped,
        fanout_delay_ms: Distribution::counted(&DELAY_BUCKETS_MS, &counters.delay, counters.delay_ms_sum),
        ..NodeMetrics::default()
    };
    for (code, count) in &counters.closed {
        *part.closed.entry(code.map_or("abnormal", CloseCode::as_str)).or_default() += count;
    }
    for (code, count) in &counters.errors {
        *part.errors.entry(*code).or_default() += count;
    }
    part
}
