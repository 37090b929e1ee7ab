//! What the server tells.

use std::collections::BTreeMap;

use fanfare_protocol::{Payload, Position};
use serde::de::DeserializeOwned;

use crate::error::Error;

/// What happens in a subscription, in its order.
#[derive(Debug, Clone)]
pub enum Event {
    /// A message, past or live. Each comes once, whatever happens to the connection.
    Message(Message),
    /// A user came. Not told of those who were there before, nor of what happened during an
    /// interruption.
    Joined(Member),
    /// A user's last connection left.
    Left(Member),
    /// There was an interruption, and every message since then follows.
    Recovered,
    /// There was an interruption, and messages since then are lost: whoever keeps a copy of the channel's
    /// state should load it anew.
    Lost,
    /// The server let messages go because this connection was too slow, as the namespace's policy wants it.
    Lagged {
        /// How many.
        dropped: u64,
    },
    /// The server ended the subscription, or refused it after an interruption. Nothing follows.
    Ended(Option<Error>),
}

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Where it was published; none if it was sent to this client and not to a channel.
    pub channel: Option<String>,
    /// The sender's user id, or for an anonymous one its connection; none from the backend in nobody's name.
    pub from: Option<String>,
    /// What was sent.
    pub data: Payload,
    /// Its place in the channel; none if it belongs to no channel, or is an entry.
    pub offset: Option<u64>,
    /// Where it is no numbered message: `join` or `leave` if it says that the sender came or went, or what the sender calls
    /// it.
    pub entry: Option<String>,
    /// When the server took it, in milliseconds of Unix time.
    pub timestamp_ms: u64,
    /// Labels that subscribers may filter by.
    pub tags: BTreeMap<String, String>,
    /// What a newer message of the same key replaces.
    pub key: Option<String>,
}

impl Message {
    /// The data as a value of the caller's own type.
    ///
    /// # Errors
    /// When the data is not JSON, or not of that form.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        payload_json(&self.data)
    }
}

/// Reads a payload as JSON.
pub(crate) fn payload_json<T: DeserializeOwned>(payload: &Payload) -> Result<T, Error> {
    match payload {
        Payload::Json(bytes) => {
            serde_json::from_slice(bytes).map_err(|error| Error::invalid(format!("the data: {error}")))
        }
        Payload::Text(_) | Payload::Binary(_) => Err(Error::invalid("the data is not JSON")),
    }
}

/// A user in a channel: all their connections are one member.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// The user id, or for an anonymous connection its own.
    pub user: String,
    /// How many connections of the user are subscribed.
    pub connections: u32,
    /// What the newest of them that said anything says about the user; JSON.
    pub info: Option<Payload>,
    /// When the user came, in milliseconds of Unix time.
    pub joined_ms: u64,
    /// When the user was last known to be there, in milliseconds of Unix time.
    pub last_seen_ms: u64,
}

/// Who is in a channel.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Members {
    /// The members, or the first of them where they are many.
    pub members: Vec<Member>,
    /// How many users there are in all.
    pub users: u32,
    /// How many connections there are in all.
    pub connections: u32,
}

/// The server's answer to a subscription.
#[derive(Debug, Clone, PartialEq)]
pub struct Subscribed {
    /// The place of the channel's newest message; none for patterns.
    pub position: Option<Position>,
    /// The answer to `recover`.
    pub recovered: Option<bool>,
    /// How many messages follow that were published before the answer.
    pub replayed: u32,
    /// The members, if they were asked for.
    pub members: Option<Members>,
}

/// The server's answer to a publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// The message's place in its channel.
    pub position: Position,
    /// Whether the idempotency key had been used before, so that nothing new was published.
    pub duplicate: bool,
}

/// Past messages.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// In the order asked for.
    pub messages: Vec<Message>,
    /// The place of the channel's newest message.
    pub position: Position,
    /// Whether further messages lie beyond the last one of these.
    pub more: bool,
}
