//! One message of a channel.

use std::sync::Arc;

use crate::ids::{ConnectionId, Position};
use crate::names::{ChannelName, UserId};
use crate::payload::Payload;

/// A message of a channel, as every subscriber on every node gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// Where it was published.
    pub channel: ChannelName,
    /// Its own place: the offset is this message's. What is not numbered has the place of the message that it follows.
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

/// What a publication is. Messages are numbered and kept in the history; all else is neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Kind {
    /// What somebody said.
    #[default]
    Message,
    /// That somebody came; kept for a while beside the history.
    Join,
    /// That somebody went; kept for a while beside the history.
    Leave,
    /// What an application calls by a word of its own, [`Labels::word`], and nobody has to get later.
    Passing,
}

impl Kind {
    /// Whether it says that somebody came or went.
    pub fn is_entry(self) -> bool {
        matches!(self, Self::Join | Self::Leave)
    }

    /// Whether it has an offset of its own.
    pub fn is_numbered(self) -> bool {
        self == Self::Message
    }
}

/// The optional parts of a publication, out of the way of the many that have none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Labels {
    /// Name and value pairs; a subscription's filter looks at these and at nothing else.
    pub tags: Vec<(Box<str>, Box<str>)>,
    /// Under `keep_latest`, a newer message of the same key replaces an older one that still waits.
    pub key: Option<Box<str>>,
    /// What the sender calls it, where it is no message but only passes by: [`Kind::Passing`].
    pub word: Option<Box<str>>,
}

impl Publication {
    /// What it is called where it is no message: `join`, `leave`, or the sender's own word.
    pub fn entry(&self) -> Option<&str> {
        match self.kind {
            Kind::Message => None,
            Kind::Join => Some("join"),
            Kind::Leave => Some("leave"),
            Kind::Passing => self.labels.as_ref()?.word.as_deref(),
        }
    }

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
