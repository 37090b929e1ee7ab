//! The broker port: every publication goes through it, also when there is only one node.
//!
//! # Contract
//!
//! **Order.** A broker numbers the publications of a channel contiguously within an epoch, and every shard
//! gets them in that order. The epoch changes whenever the numbering cannot be continued.
//!
//! **Splice.** The reply to [`Request::Subscribe`] enters the shard's inbox at the very place in the channel's
//! order that it describes: publications up to its position were pushed before it (or are in its replay),
//! those after it are pushed after it. The engine relies on this and keeps no second bookkeeping.
//!
//! **Atomicity.** A publish that was answered with a position is in the channel's history (as far as the
//! namespace keeps one) and on its way to every interested shard. One that failed was not numbered. What is no message is
//! answered with the place of the message that it follows. What says that somebody came or went is kept beside the
//! history and never displaces a message; it is not refused because a shard is behind, since there are no more of them
//! than connections. What only passes by is not kept.
//!
//! **Failure.** Every request is answered exactly once, also when the broker is gone: then with an
//! [`ErrorCode`], within the broker's own deadline. `unavailable` says that certainly nothing was done, `outcome_unknown`
//! that nobody knows.
//!
//! **Blocking.** `submit` is called by shards and must not wait for anything but a short lock.

use std::sync::Arc;

use fanfare_protocol::command::{HistoryRange, Status, Topic};
use fanfare_protocol::event::{Direct, Member, Members, UserState};
use fanfare_protocol::publication::{Kind, Labels};
use fanfare_protocol::{
    ChannelName, ChannelPattern, CloseCode, ConnectionId, ErrorCode, Payload, Position, Publication, UserId,
};

use super::application::Answer;
use super::authority::Verdict;
use crate::namespace::{Namespace, Namespaces};
use crate::shard::Shard;

/// One of a node's shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ShardId(pub u8);

/// Which question of a shard a reply belongs to. Its number is never given to another question of the shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ticket(pub u64);

/// Numbers, keeps and carries publications; knows who is where. See the module for the contract.
pub trait Broker: Send + Sync {
    /// Takes a request. The reply goes where `reply` says, at once or later.
    fn submit(&self, request: Request, reply: ReplyTo);

    /// Lets time pass: expiry of history, keys and grace periods. Called a few times a second.
    fn tick(&self);

    /// The settings of namespaces have changed: lets go of history that they do not keep any more. Offsets stay. What a
    /// request brings as its namespace counts before and after.
    fn namespaces_changed(&self, namespaces: &Namespaces);

    /// Whether publishers had better pause because some shard is behind.
    fn congested(&self) -> bool {
        false
    }
}

/// Carries deliveries into the shards.
pub trait Inboxes: Send + Sync {
    /// Appends to the shard's inbox and wakes it. Never blocks, never reorders.
    fn push(&self, shard: ShardId, delivery: Delivery);

    /// How many deliveries wait there.
    fn waiting(&self, shard: ShardId) -> usize;

    /// How many shards there are.
    fn shards(&self) -> u8;
}

/// Where a reply goes.
pub enum ReplyTo {
    /// Nobody wants it.
    Nobody,
    /// Into the shard's inbox, as [`Delivery::Reply`].
    Shard(ShardId, Ticket),
    /// To a caller outside the shards. Must be quick: it may run under the broker's lock.
    Callback(Box<dyn FnOnce(Reply) + Send>),
}

/// What a broker is asked.
#[derive(Debug)]
pub enum Request {
    /// Number, keep and deliver a message, or deliver what is no message.
    Publish(Publish),
    /// A connection joins a channel.
    Subscribe(Subscribe),
    /// A connection leaves a channel. Follows every `Subscribe` exactly once, also an unanswered one, but not
    /// one that was answered with a failure.
    Unsubscribe(Unsubscribe),
    /// One more of a shard's connections listens to a pattern.
    Listen(ShardId, ChannelPattern),
    /// One of them no longer does. Follows every `Listen` exactly once.
    Unlisten(ShardId, ChannelPattern),
    /// Past messages.
    History {
        /// Which channel.
        channel: ChannelName,
        /// Which of its messages.
        range: HistoryRange,
    },
    /// Who is there.
    Presence {
        /// Which channel.
        channel: ChannelName,
        /// Only the numbers.
        counts_only: bool,
    },
    /// A message to everyone, users or roles, on every node.
    Direct(Target, Arc<Direct>),
    /// Something to be done with connections, on every node.
    Instruct(Target, Instruction),
    /// A user's connection opened.
    UserOpened(UserId, ConnectionId),
    /// A user's connection closed.
    UserClosed(UserId, ConnectionId),
    /// What a connection says of its user's status. A user is away where all connections say so.
    SetStatus(UserId, ConnectionId, Status),
    /// What is known of users.
    Users(Vec<UserId>),
    /// Channels that have subscribers, in the order of their names.
    Channels {
        /// Only names that begin so.
        prefix: Box<str>,
        /// Only names after this one.
        after: Option<ChannelName>,
        /// At most so many.
        limit: usize,
    },
    /// How many channels and users there are.
    Counts,
}

impl Request {
    /// Whether it makes a difference to anybody that it was carried out.
    pub fn changes_anything(&self) -> bool {
        match self {
            Self::History { .. }
            | Self::Presence { .. }
            | Self::Users(_)
            | Self::Channels { .. }
            | Self::Counts => false,
            Self::Publish(_)
            | Self::Subscribe(_)
            | Self::Unsubscribe(_)
            | Self::Listen(..)
            | Self::Unlisten(..)
            | Self::Direct(..)
            | Self::Instruct(..)
            | Self::UserOpened(..)
            | Self::UserClosed(..)
            | Self::SetStatus(..) => true,
        }
    }
}

/// A message to be numbered.
#[derive(Debug, Clone)]
pub struct Publish {
    /// Where to.
    pub channel: ChannelName,
    /// The channel's settings.
    pub namespace: Arc<Namespace>,
    /// The user it comes from.
    pub from: Option<UserId>,
    /// That user's name for people.
    pub from_name: Option<Arc<str>>,
    /// What it is.
    pub kind: Kind,
    /// Whether `from` is the name that stands for a connection without a user.
    pub anonymous: bool,
    /// The connection it comes from.
    pub connection: Option<ConnectionId>,
    /// Whether that connection gets no copy.
    pub exclude_sender: bool,
    /// What.
    pub data: Payload,
    /// Tags and key.
    pub labels: Option<Box<Labels>>,
    /// The first result under this key is the result of every repetition.
    pub idempotency_key: Option<IdempotencyKey>,
}

/// An idempotency key together with the sender whose key it is: whoever guesses the key of another sender gets a result of
/// their own. Different senders or keys never make the same one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(Box<str>);

impl IdempotencyKey {
    /// A key of the backend.
    pub fn of_backend(key: &str) -> Self {
        Self(format!("b:{key}").into())
    }

    /// A key of a user, on whichever connection.
    pub fn of_user(user: &UserId, key: &str) -> Self {
        let user = user.as_str();
        Self(format!("u{}:{user}{key}", user.len()).into())
    }

    /// A key of a connection without a user.
    pub fn of_connection(connection: ConnectionId, key: &str) -> Self {
        Self(format!("c{connection}:{key}").into())
    }

    /// As text, for who keeps it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same, owned.
    pub fn into_text(self) -> Box<str> {
        self.0
    }
}

/// A connection that joins a channel.
#[derive(Debug, Clone)]
pub struct Subscribe {
    /// The shard of the connection.
    pub shard: ShardId,
    /// Where to.
    pub channel: ChannelName,
    /// The channel's settings.
    pub namespace: Arc<Namespace>,
    /// The user, or the name that stands for an anonymous connection.
    pub member: UserId,
    /// The connection. Of several connections of a user the newest that lives speaks for it.
    pub connection: ConnectionId,
    /// The user's name for people.
    pub name: Option<Arc<str>>,
    /// Whether it is to hear who comes and goes, whatever the namespace says.
    pub hears_members: bool,
    /// Whether its coming and going are written into the channel's history.
    pub posts_entries: bool,
    /// What the others see of it.
    pub info: Option<Payload>,
    /// Where the client was.
    pub recover: Option<Position>,
    /// Without `recover`: how many of the last messages to replay.
    pub history: u32,
    /// Whether the members are wanted along.
    pub presence: bool,
}

/// A connection that leaves a channel.
#[derive(Debug, Clone)]
pub struct Unsubscribe {
    /// The shard of the connection.
    pub shard: ShardId,
    /// Which channel.
    pub channel: ChannelName,
    /// The user, or the name that stands for an anonymous connection.
    pub member: UserId,
    /// The connection.
    pub connection: ConnectionId,
    /// As it was when it joined.
    pub hears_members: bool,
    /// Whether the user said so, so that there is no grace period.
    pub deliberate: bool,
}

/// Who is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Every connection.
    Everyone,
    /// Every connection of these users.
    Users(Vec<UserId>),
    /// Every connection that has one of these roles.
    Roles(Vec<Box<str>>),
    /// One connection.
    Connection(ConnectionId),
    /// Every connection that came with, or holds a grant of, a token with one of these ids.
    Tokens(Vec<Box<str>>),
}

/// What is to be done with connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Instruction {
    /// Subscribe them.
    Subscribe(Topic),
    /// Unsubscribe them.
    Unsubscribe(Topic),
    /// Close them.
    Disconnect(CloseCode),
    /// Take back what they were given: close those whose own credential is meant, and end the subscriptions of those
    /// who only hold a grant of the token.
    Revoke {
        /// Only credentials that were issued before this point of Unix time, in milliseconds, or say nothing of it.
        before_unix_ms: u64,
    },
}

/// What a broker answers.
#[derive(Debug)]
pub enum Reply {
    /// To `Publish`.
    Published {
        /// The message's place.
        position: Position,
        /// Whether the idempotency key had been used.
        duplicate: bool,
    },
    /// To `Subscribe`.
    Subscribed(Box<Subscribed>),
    /// To `History`.
    History(Box<HistoryPage>),
    /// To `Presence`.
    Presence(Box<Members>),
    /// To `Users`.
    Users(Vec<UserState>),
    /// To `Channels`.
    Channels(Vec<ChannelState>),
    /// To `Counts`.
    Counts {
        /// Channels with subscribers or history.
        channels: usize,
        /// Users online.
        users: usize,
        /// Bytes of history held.
        history_bytes: usize,
    },
    /// To anything that has no other answer.
    Done,
    /// The request was not carried out.
    Failed(ErrorCode),
}

/// The outcome of a subscription.
#[derive(Debug, Clone, PartialEq)]
pub struct Subscribed {
    /// The place of the channel's newest message.
    pub position: Position,
    /// The answer to `recover`.
    pub recovered: Option<bool>,
    /// Messages up to `position` that the subscriber is to get first, and what is kept beside them, oldest first.
    pub replay: Vec<Arc<Publication>>,
    /// The members, when they were asked for.
    pub presence: Option<Members>,
    /// The subscriber as the others see it, where it hears who comes.
    pub own: Option<Box<Member>>,
    /// Whether there are too many members for anybody to be told who comes and goes.
    pub crowded: bool,
}

impl Subscribed {
    /// How many numbered messages are in the replay.
    pub fn replayed(&self) -> u32 {
        self.replay.iter().filter(|publication| publication.kind.is_numbered()).count() as u32
    }
}

/// A page of history.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryPage {
    /// The messages and what is kept beside them, in the order asked for.
    pub publications: Vec<Arc<Publication>>,
    /// The place of the channel's newest message.
    pub position: Position,
    /// Whether further messages lie beyond the last one of these.
    pub more: bool,
}

/// A channel in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelState {
    /// Its name.
    pub channel: ChannelName,
    /// Connections subscribed to it.
    pub connections: u32,
    /// Users in it; the same as `connections` where there is no presence.
    pub users: u32,
}

/// What enters a shard from outside, in order.
pub enum Delivery {
    /// A message of a channel that the shard has subscribers of, directly or by pattern.
    Publication(Arc<Publication>),
    /// A user joined or left such a channel.
    Presence {
        /// Which channel.
        channel: ChannelName,
        /// Who.
        member: Arc<Member>,
        /// Joined or left.
        joined: bool,
    },
    /// Too many are in such a channel for anybody to be told who comes and goes, from now on; or they are few enough again.
    PresenceTold {
        /// Which channel.
        channel: ChannelName,
        /// Whether it is told.
        told: bool,
    },
    /// A message to those of the shard's connections that are meant.
    Direct(Target, Arc<Direct>),
    /// Something to be done with those of the shard's connections that are meant.
    Instruct(Target, Instruction),
    /// A broker's reply.
    Reply(Ticket, Reply),
    /// The answer of an application's handler.
    Answer(Ticket, Answer),
    /// What the authority has found out.
    Verdict(Ticket, Verdict),
    /// Continuity of a channel was lost: its subscribers must be told.
    Lost(ChannelName),
    /// A look at the shard, for metrics and listings. Must be quick.
    Inspect(Box<dyn FnOnce(&Shard) + Send>),
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn different_senders_or_keys_never_make_the_same_idempotency_key() {
        let words = ["", "a", "ab", "b", "1:a", "u1:a", "b:", "c", ":", "2:ab"];
        let mut keys = HashSet::new();
        let mut count = 0;
        for key in words {
            let users = words.iter().filter_map(|user| UserId::new(user).ok());
            let mut all: Vec<_> = users.map(|user| IdempotencyKey::of_user(&user, key)).collect();
            all.push(IdempotencyKey::of_backend(key));
            all.push(IdempotencyKey::of_connection(ConnectionId { node: 1, serial: 7 }, key));
            count += all.len();
            keys.extend(all);
        }
        assert_eq!(keys.len(), count);
    }
}
