//! What a connection was given: operations on channels, by name or by pattern.

use fanfare_protocol::command::Topic;
use fanfare_protocol::{ChannelName, ChannelPattern};

/// Something one can do with a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Hear what is published from now on.
    Subscribe,
    /// Publish.
    Publish,
    /// See what was published before.
    History,
    /// See who is there.
    Presence,
}

impl Operation {
    /// All of them.
    pub const ALL: [Operation; 4] =
        [Operation::Subscribe, Operation::Publish, Operation::History, Operation::Presence];

    /// The word used in tokens, in the configuration and in error texts.
    pub fn as_str(self) -> &'static str {
        match self {
            Operation::Subscribe => "subscribe",
            Operation::Publish => "publish",
            Operation::History => "history",
            Operation::Presence => "presence",
        }
    }

    /// The operation of a word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.as_str() == name)
    }
}

/// A set of operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Operations(u8);

impl Operations {
    /// None.
    pub const NONE: Self = Self(0);
    /// All that reads: subscribe, history, presence. What a grant means that names none.
    pub const READ: Self =
        Self::NONE.with(Operation::Subscribe).with(Operation::History).with(Operation::Presence);
    /// All.
    pub const ALL: Self = Self::READ.with(Operation::Publish);

    /// These and one more.
    #[must_use]
    pub const fn with(self, operation: Operation) -> Self {
        Self(self.0 | 1 << operation as u8)
    }

    /// Whether one is among them.
    pub const fn has(self, operation: Operation) -> bool {
        self.0 & 1 << operation as u8 != 0
    }
}

impl FromIterator<Operation> for Operations {
    fn from_iter<I: IntoIterator<Item = Operation>>(operations: I) -> Self {
        operations.into_iter().fold(Self::NONE, Self::with)
    }
}

/// Which channels a grant is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scope {
    /// One channel. No character of its name is a wildcard.
    Channel(ChannelName),
    /// Every channel that fits, private ones too: who writes a token says what it is for.
    Pattern(ChannelPattern),
}

impl Scope {
    /// All that a topic stands for, and nothing else.
    pub fn of(topic: &Topic) -> Self {
        match topic {
            Topic::Channel(channel) => Self::Channel(channel.clone()),
            Topic::Pattern(pattern) => Self::Pattern(pattern.clone()),
        }
    }
}

/// Operations on channels that were given to a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// On which channels.
    pub scope: Scope,
    /// Which operations.
    pub operations: Operations,
    /// When it ends, in milliseconds of Unix time; none with the connection.
    pub expires_unix_ms: Option<u64>,
    /// The id of the token it came with, where that is not the connection's own.
    pub token_id: Option<Box<str>>,
    /// When that token was issued, in milliseconds of Unix time; none where it does not say.
    pub issued_unix_ms: Option<u64>,
}

impl Grant {
    /// A grant that lasts as long as the connection.
    pub fn new(scope: Scope, operations: Operations) -> Self {
        Self { scope, operations, expires_unix_ms: None, token_id: None, issued_unix_ms: None }
    }

    /// Whether it came with a token, and not with the connection's own or by the application's or backend's decision.
    pub(crate) fn has_token(&self) -> bool {
        self.token_id.is_some() || self.issued_unix_ms.is_some() || self.expires_unix_ms.is_some()
    }

    /// Whether it allows the operation on all that the topic stands for.
    pub fn allows(&self, operation: Operation, topic: &Topic) -> bool {
        self.operations.has(operation)
            && match (&self.scope, topic) {
                (Scope::Channel(granted), Topic::Channel(asked)) => granted == asked,
                (Scope::Channel(_), Topic::Pattern(_)) => false,
                (Scope::Pattern(granted), Topic::Channel(asked)) => granted.matches(asked.as_str()),
                (Scope::Pattern(granted), Topic::Pattern(asked)) => granted.covers(asked),
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_allows_what_it_names_and_nothing_else() {
        let channel = |name| Topic::Channel(ChannelName::new(name).unwrap());
        let pattern = |text| ChannelPattern::new(text).unwrap();
        let exact = Grant::new(Scope::Channel(ChannelName::new("news:*").unwrap()), Operations::READ);
        assert!(exact.allows(Operation::Subscribe, &channel("news:*")));
        assert!(!exact.allows(Operation::Subscribe, &channel("news:today")), "a name is no pattern");
        assert!(!exact.allows(Operation::Subscribe, &Topic::Pattern(pattern("news:*"))));
        assert!(!exact.allows(Operation::Publish, &channel("news:*")));
        let wide = Grant::new(Scope::Pattern(pattern("team:7.>")), Operations::ALL);
        assert!(wide.allows(Operation::Publish, &channel("team:7.a.b")));
        assert!(!wide.allows(Operation::Publish, &channel("team:7")));
        assert!(wide.allows(Operation::Subscribe, &Topic::Pattern(pattern("team:7.*"))));
        assert!(!wide.allows(Operation::Subscribe, &Topic::Pattern(pattern("team:*.a"))));
    }

    #[test]
    fn operations_are_known_by_their_words() {
        for operation in Operation::ALL {
            assert_eq!(Operation::from_name(operation.as_str()), Some(operation));
            assert!(Operations::ALL.has(operation) && !Operations::NONE.has(operation));
        }
        assert_eq!(Operation::from_name("Publish"), None);
        assert!(!Operations::READ.has(Operation::Publish));
    }
}
