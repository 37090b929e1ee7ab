//! What is known of the message in a chunk.

use std::rc::Rc;

use fanfare_protocol::command::Topic;
use fanfare_protocol::event::Subscribed;
use fanfare_protocol::{ChannelName, Event, Position, Publication};

use crate::namespace::OutboxPolicy;

/// What has to be known of the one message in a chunk.
#[derive(Debug, PartialEq, Eq)]
pub struct Tag {
    /// The channel's name: a shard's key of it may be in use again when the client is told.
    pub channel: ChannelName,
    /// The message's place there.
    pub position: Position,
    /// What conflation goes by.
    pub key: Option<Box<str>>,
    /// Whether it may be given up, and for what.
    pub policy: OutboxPolicy,
}

impl Tag {
    pub(super) fn is_replaced_by(&self, newer: &Self) -> bool {
        self.policy == OutboxPolicy::KeepLatest
            && self.key.is_some()
            && self.key == newer.key
            && self.channel == newer.channel
    }
}

/// The tag of an event that brings a session to a place in a channel.
pub(crate) fn place(event: &Event<'_>) -> Option<Rc<Tag>> {
    match event {
        Event::Message(publication) => Some(tag(OutboxPolicy::Disconnect, publication)),
        // The replay behind it is still to come.
        Event::Subscribed(Subscribed { topic: Topic::Channel(channel), position, replayed, .. }) => {
            let (channel, mut position) = (channel.clone(), (*position)?);
            position.offset = position.offset.saturating_sub(u64::from(*replayed));
            Some(Rc::new(Tag { channel, position, key: None, policy: OutboxPolicy::Disconnect }))
        }
        _ => None,
    }
}

/// The tag of a message under its channel's policy.
pub fn tag(policy: OutboxPolicy, publication: &Publication) -> Rc<Tag> {
    let key = match policy {
        OutboxPolicy::KeepLatest => publication.key().map(Into::into),
        OutboxPolicy::Disconnect | OutboxPolicy::DropOldest => None,
    };
    Rc::new(Tag { channel: publication.channel.clone(), position: publication.position, key, policy })
}
