//! One numbered message of a channel.

use std::sync::Arc;

use crate::ids::{ConnectionId, Position};
use crate::names::{ChannelName, UserId};
use crate::payload::Payload;

/// A message of a channel, as every subscriber on every node gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// Where it was published.
    pub channel: ChannelName,
    /// Its own place: the offset is this message's.
    pub position: Position,
    /// The user it came from; none when the backend published it in nobody's name.
    pub from: Option<UserId>,
    /// That user's name for people, where a credential said it.
    pub from_name: Option<Arc<str>>,
    /// What it is.
    pub kind: Kind,
    /// The connection it came from, if any.
    pub connection: Option<ConnectionId>,
    /// Whether that connection gets no copy.
    pub exclude_sender: bool,
    /// What was sent.
    pub data: Payload,
    /// Labels that subscribers may filter by, and the key that conflation goes by.
    pub labels: Option<Box<Labels>>,
    /// When the broker numbered it, in milliseconds of Unix time.
    pub timestamp_ms: u64,
}

/// What an entry of a channel's history is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Kind {
    /// What somebody said.
    #[default]
    Message,
    /// That somebody came.
    Join,
    /// That somebody went.
    Leave,
}

impl Kind {
    /// The word for an entry that somebody did not say; none for what somebody said.
    pub fn entry(self) -> Option<&'static str> {
        match self {
            Kind::Message => None,
            Kind::Join => Some("join"),
            Kind::Leave => Some("leave"),
        }
    }
}

/// The optional parts of a publication, out of the way of the many that have none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Labels {
    /// Name and value pairs; a subscription's filter looks at these and at nothing else.
    pub tags: Vec<(Box<str>, Box<str>)>,
    /// Under `keep_latest`, a newer message of the same key replaces an older one that still waits.
    pub key: Option<Box<str>>,
}

impl Publication {
    /// The value of a tag.
    pub fn tag(&self, name: &str) -> Option<&str> {
        let labels = self.labels.as_ref()?;
        labels.tags.iter().find(|(tag, _)| &**tag == name).map(|(_, value)| &**value)
    }

    /// The key that conflation goes by.
    pub fn key(&self) -> Option<&str> {
        self.labels.as_ref()?.key.as_deref()
    }
}

/// What a subscription wants of a channel's messages: every named tag must have one of the values given.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Filter {
    /// Tag name and the values that pass.
    pub any_of: Vec<(Box<str>, Vec<Box<str>>)>,
}

impl Filter {
    /// What it takes to keep it.
    pub fn bytes(&self) -> usize {
        let text = size_of::<Box<str>>();
        let values = |values: &[Box<str>]| values.iter().map(|value| value.len() + text).sum::<usize>();
        let one = size_of::<(Box<str>, Vec<Box<str>>)>();
        self.any_of.iter().map(|(name, any_of)| name.len() + one + values(any_of)).sum()
    }

    /// Whether the publication passes.
    pub fn passes(&self, publication: &Publication) -> bool {
        self.any_of.iter().all(|(name, values)| {
            publication.tag(name).is_some_and(|value| values.iter().any(|wanted| &**wanted == value))
        })
    }
}
