//! What a client is told, whatever dialect it is told in.

use std::borrow::Cow;
use std::sync::Arc;

use crate::codes::{CloseCode, ErrorCode};
use crate::command::{Status, Topic};
use crate::ids::{ConnectionId, Position, RequestId};
use crate::names::{ChannelName, UserId};
use crate::payload::Payload;
use crate::publication::Publication;

/// An event for one connection or for many. Borrowed: it lives only until it is encoded.
#[derive(Debug, Clone)]
pub enum Event<'a> {
    /// Answers `connect`, or greets.
    Connected {
        /// The request's id.
        id: Option<&'a RequestId>,
        /// This connection.
        connection: ConnectionId,
        /// Who the server takes the client for; none while anonymous.
        user: Option<&'a UserId>,
        /// How long the server takes it for that; none without end.
        expires_in_ms: Option<u64>,
        /// The server's bounds, that the client may keep to.
        bounds: ClientBounds,
    },
    /// Answers `auth`.
    Authenticated {
        /// The request's id.
        id: Option<&'a RequestId>,
        /// Who the server takes the client for; none for a token without a user.
        user: Option<&'a UserId>,
        /// How long that holds; none without end.
        expires_in_ms: Option<u64>,
    },
    /// The connection's token expires soon: the client had better send a newer one.
    Expiring {
        /// How soon the connection is closed otherwise.
        in_ms: u64,
    },
    /// Answers `subscribe`.
    Subscribed(Subscribed<'a>),
    /// Answers `unsubscribe`, or tells that the server ended the subscription (then `id` is none).
    Unsubscribed {
        /// The request's id.
        id: Option<&'a RequestId>,
        /// What was left.
        topic: &'a Topic,
        /// Why the server ended it, where it was for a reason of the client's.
        reason: Option<ErrorCode>,
    },
    /// A message of a channel, live or replayed: the bytes are the same.
    Message(&'a Publication),
    /// A message to everyone, to users or to roles; it belongs to no channel and has no offset.
    Direct(&'a Direct),
    /// Answers `publish`.
    Published {
        /// The request's id.
        id: Option<&'a RequestId>,
        /// Where.
        channel: &'a ChannelName,
        /// The message's own place.
        position: Position,
        /// Whether the idempotency key had been used, so that this is the first result again.
        duplicate: bool,
    },
    /// A user came into a channel.
    Joined {
        /// Where.
        channel: &'a ChannelName,
        /// Who.
        member: &'a Member,
    },
    /// A user's last connection left a channel, and its grace period is over.
    Left {
        /// Where.
        channel: &'a ChannelName,
        /// Who.
        member: &'a Member,
    },
    /// Answers `presence`, or tells members of a newcomer who is there.
    Presence {
        /// The request's id.
        id: Option<&'a RequestId>,
        /// Where.
        channel: &'a ChannelName,
        /// Who is there.
        members: &'a Members,
    },
    /// Nobody is told any more who comes and goes: there are too many. A [`Event::Presence`] follows when it is told again.
    PresenceIncomplete {
        /// Where.
        channel: &'a ChannelName,
    },
    /// Answers `history`.
    History {
        /// The request's id.
        id: Option<&'a RequestId>,
        /// Where.
        channel: &'a ChannelName,
        /// The messages, in the order asked for.
        publications: &'a [Arc<Publication>],
        /// The place of the channel's newest message.
        position: Position,
        /// Whether further messages lie beyond the last one of these.
        more: bool,
    },
    /// Answers `request` or a custom type.
    Response {
        /// The request's id.
        id: Option<&'a RequestId>,
        /// What the handler returned.
        data: &'a Payload,
    },
    /// Answers `status`.
    StatusSet {
        /// The request's id.
        id: Option<&'a RequestId>,
        /// The status now in force.
        status: Status,
    },
    /// Answers `users`.
    Users {
        /// The request's id.
        id: Option<&'a RequestId>,
        /// One entry for each user asked about, in that order.
        users: &'a [UserState],
    },
    /// Answers `ping`.
    Pong {
        /// The request's id.
        id: Option<&'a RequestId>,
    },
    /// Answers a heartbeat.
    Heartbeat {
        /// The request's id.
        id: Option<&'a RequestId>,
        /// The client's time, as it came.
        sent: &'a str,
        /// The server's, in milliseconds of Unix time.
        unix_ms: u64,
    },
    /// A request failed, or a message could not be understood.
    Error(ErrorEvent<'a>),
    /// The connection was too slow, and the channel's policy let older messages go.
    Lagged {
        /// Where.
        channel: &'a ChannelName,
        /// How many messages since the last such event.
        dropped: u64,
    },
    /// The connection is about to be closed.
    Disconnect {
        /// The close code that follows.
        code: CloseCode,
        /// How long to wait before connecting again; none when connecting again is no use.
        reconnect_after_ms: Option<u32>,
    },
}

/// The reply to `subscribe`.
#[derive(Debug, Clone)]
pub struct Subscribed<'a> {
    /// The request's id.
    pub id: Option<&'a RequestId>,
    /// What was subscribed to.
    pub topic: &'a Topic,
    /// The place of the channel's newest message; none for patterns.
    pub position: Option<Position>,
    /// The answer to `recover`: true only if every message since the place asked for follows.
    pub recovered: Option<bool>,
    /// How many numbered messages follow that were published before this reply.
    pub replayed: u32,
    /// The members, when they were asked for.
    pub presence: Option<&'a Members>,
}

/// A message that belongs to no channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Direct {
    /// The user it comes from; none from the backend in nobody's name.
    pub from: Option<UserId>,
    /// What was sent.
    pub data: Payload,
    /// Whether the data, if they are JSON, are the whole message in every dialect. They should be an object on one line.
    pub verbatim: bool,
    /// When, in milliseconds of Unix time.
    pub timestamp_ms: u64,
}

impl Direct {
    /// The JSON that is the whole message, whatever the dialect.
    pub fn whole(&self) -> Option<&[u8]> {
        match &self.data {
            Payload::Json(json) if self.verbatim => Some(json),
            _ => None,
        }
    }
}

/// A user in a channel: all their connections are one member.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// The user, or for an anonymous connection its id.
    pub user: UserId,
    /// The user's name for people, where a credential said it.
    pub name: Option<Arc<str>>,
    /// How many connections of the user are subscribed; 0 during the grace period.
    pub connections: u32,
    /// What the newest of them that said anything says about the user.
    pub info: Option<Payload>,
    /// Whether the coming stands in the channel's history too: a dialect that writes it there tells nobody twice.
    pub posted: bool,
    /// When the user came, in milliseconds of Unix time.
    pub joined_ms: u64,
    /// When the user was last known to be there, in milliseconds of Unix time.
    pub last_seen_ms: u64,
}

/// The members of a channel, or the first of them where they are many.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Members {
    /// Who; empty when only numbers were asked for.
    pub members: Vec<Member>,
    /// How many users are there in all.
    pub users: u32,
    /// How many connections are there in all.
    pub connections: u32,
}

/// What is known of a user, independent of channels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserState {
    /// Who.
    pub user: UserId,
    /// Online, away or offline.
    pub status: Status,
    /// When they were last connected, in milliseconds of Unix time; none if never seen.
    pub last_seen_ms: Option<u64>,
}

/// A failure, told to the client.
#[derive(Debug, Clone)]
pub struct ErrorEvent<'a> {
    /// The id of the request that failed.
    pub id: Option<&'a RequestId>,
    /// Which failure.
    pub code: ErrorCode,
    /// A text for people; what the client sent appears in it only as a bounded, escaped excerpt.
    pub text: Cow<'a, str>,
    /// How long to wait before trying again.
    pub retry_after_ms: Option<u32>,
}

/// The bounds a client may want to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientBounds {
    /// The largest message the server takes.
    pub message_bytes_max: u32,
    /// The most channels and patterns of one connection.
    pub subscriptions_max: u32,
    /// How often the server pings.
    pub ping_interval_ms: u32,
}
