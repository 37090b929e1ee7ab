//! The application's side: handlers that run outside the shards.

use fanfare_protocol::{ChannelName, ConnectionId, ErrorCode, Payload, UserId};

use super::broker::{ShardId, Ticket};

/// What the application is told or asked. Calls are made from a shard and must return at once; the work
/// happens elsewhere, bounded in time, and its result comes back through the shard's inbox.
pub trait Application: Send + Sync {
    /// Whether there is a handler for this method of `request`.
    fn has_method(&self, method: &str) -> bool;

    /// Whether there is a handler for this message type.
    fn has_message_type(&self, kind: &str) -> bool;

    /// Starts a handler. Exactly one [`Delivery::Answer`](super::broker::Delivery::Answer) with the ticket
    /// follows, a timeout included.
    fn call(&self, call: Call);

    /// Tells that a connection has gone.
    fn disconnected(&self, peer: Peer);
}

/// Who a handler is called for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// The connection.
    pub connection: ConnectionId,
    /// Its user; none while anonymous.
    pub user: Option<UserId>,
    /// The one room it is in, where its dialect knows but one.
    pub room: Option<ChannelName>,
}

/// A handler's call.
#[derive(Debug)]
pub struct Call {
    /// Where the answer goes.
    pub shard: ShardId,
    /// Which question it answers.
    pub ticket: Ticket,
    /// Who asks.
    pub peer: Peer,
    /// What for.
    pub target: CallTarget,
    /// The argument.
    pub data: Payload,
}

/// Which handler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallTarget {
    /// The one for a method of `request`.
    Method(Box<str>),
    /// The one for a message type.
    MessageType(Box<str>),
}

/// A handler's result: data, or a code with a text for the client.
pub type Answer = Result<Option<Payload>, (ErrorCode, String)>;

/// No handlers at all.
#[derive(Debug, Default, Clone, Copy)]
pub struct NoApplication;

impl Application for NoApplication {
    fn has_method(&self, _method: &str) -> bool {
        false
    }

    fn has_message_type(&self, _kind: &str) -> bool {
        false
    }

    fn call(&self, _call: Call) {}

    fn disconnected(&self, _peer: Peer) {}
}
