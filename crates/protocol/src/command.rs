//! What a client asks, whatever dialect it asked in.

use crate::ids::{Position, RequestId};
use crate::names::{ChannelName, ChannelPattern, UserId};
use crate::payload::Payload;
use crate::publication::{Filter, Labels};

/// A client's message, decoded and validated in form but not yet allowed.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Asks for the connection's own data and the server's bounds.
    Connect {
        /// Comes back in the reply.
        id: Option<RequestId>,
    },
    /// Says who is there: as the first message, or later with a newer token for the same user.
    Authenticate {
        /// Comes back in the reply.
        id: Option<RequestId>,
        /// The credential; it never reaches a log.
        token: Secret,
    },
    /// Joins a channel, or starts listening to a pattern.
    Subscribe {
        /// Comes back in the reply.
        id: Option<RequestId>,
        /// Which messages.
        topic: Topic,
        /// How.
        options: SubscribeOptions,
    },
    /// Leaves.
    Unsubscribe {
        /// Comes back in the reply.
        id: Option<RequestId>,
        /// What to leave.
        topic: Topic,
    },
    /// Publishes without asking for an acknowledgement.
    Message {
        /// Comes back if it fails.
        id: Option<RequestId>,
        /// Where to; none for the connection's own room.
        channel: Option<ChannelName>,
        /// What.
        data: Payload,
        /// Tags and key.
        labels: Option<Box<Labels>>,
        /// Whether the sender gets its copy like the others.
        echo: bool,
    },
    /// Publishes, asks for an acknowledgement, and leaves the sender out unless it says otherwise.
    Publish {
        /// Comes back in the reply.
        id: Option<RequestId>,
        /// Where to.
        channel: ChannelName,
        /// What.
        data: Payload,
        /// Tags and key.
        labels: Option<Box<Labels>>,
        /// Whether the sender gets a copy too.
        echo: bool,
        /// The first result under this key is the result of every repetition.
        idempotency_key: Option<Box<str>>,
    },
    /// Asks who is in a channel.
    Presence {
        /// Comes back in the reply.
        id: Option<RequestId>,
        /// Where.
        channel: ChannelName,
        /// Only the numbers.
        counts_only: bool,
    },
    /// Asks for past messages.
    History {
        /// Comes back in the reply.
        id: Option<RequestId>,
        /// Where.
        channel: ChannelName,
        /// Which.
        range: HistoryRange,
    },
    /// Calls a handler of the application.
    Request {
        /// Comes back in the reply.
        id: Option<RequestId>,
        /// The handler's name.
        method: Box<str>,
        /// Its argument.
        data: Payload,
    },
    /// Sets the user's own status.
    SetStatus {
        /// Comes back in the reply.
        id: Option<RequestId>,
        /// The new one.
        status: Status,
    },
    /// Asks whether users are online and when they were last seen.
    Users {
        /// Comes back in the reply.
        id: Option<RequestId>,
        /// About whom.
        users: Vec<UserId>,
    },
    /// Asks for a pong; for clients that cannot see the protocol's own pings.
    Ping {
        /// Comes back in the reply.
        id: Option<RequestId>,
    },
    /// Asks for the server's time; for clients that measure the way there and back.
    Heartbeat {
        /// Comes back in the reply.
        id: Option<RequestId>,
        /// The client's own time as JSON, which comes back as it came.
        sent: Box<str>,
    },
    /// Answers an application-level ping of the server.
    Pong,
    /// Says goodbye; the server closes.
    Disconnect,
    /// A type the dialect does not know: the application's, if it has a handler for it.
    Custom {
        /// Comes back in the reply.
        id: Option<RequestId>,
        /// The type's name, as the client wrote it.
        kind: Box<str>,
        /// Its argument.
        data: Payload,
    },
}

impl Command {
    /// The request's id, which comes back in the reply.
    pub fn id(&self) -> Option<&RequestId> {
        match self {
            Command::Connect { id }
            | Command::Authenticate { id, .. }
            | Command::Subscribe { id, .. }
            | Command::Unsubscribe { id, .. }
            | Command::Message { id, .. }
            | Command::Publish { id, .. }
            | Command::Presence { id, .. }
            | Command::History { id, .. }
            | Command::Request { id, .. }
            | Command::SetStatus { id, .. }
            | Command::Users { id, .. }
            | Command::Ping { id }
            | Command::Heartbeat { id, .. }
            | Command::Custom { id, .. } => id.as_ref(),
            Command::Pong | Command::Disconnect => None,
        }
    }
}

/// Text that must not reach a log or an error message. It has no `Display`, and its `Debug` does not show it.
///
/// Commands are compared as wholes, in tests and transcripts, so it has a `==`; nothing is admitted by it, since a
/// credential is verified by its signature. In case something ever is, it looks at every byte of texts of the same
/// length before it answers: its time tells whether the lengths differ, and no more.
#[derive(Clone)]
pub struct Secret(Box<str>);

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        let pairs = self.0.bytes().zip(other.0.bytes());
        // The compiler may not find out that the answer is known at the first difference.
        let difference = pairs.fold(0, |found, (a, b)| std::hint::black_box(found | (a ^ b)));
        self.0.len() == other.0.len() && difference == 0
    }
}

impl Eq for Secret {}

impl Secret {
    /// Wraps a credential.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The credential itself, for the one place that verifies it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<secret>")
    }
}

/// What one can subscribe to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Topic {
    /// One channel.
    Channel(ChannelName),
    /// Every channel whose name the pattern matches, live messages only.
    Pattern(ChannelPattern),
}

impl Topic {
    /// The namespace whose settings hold.
    pub fn namespace(&self) -> &str {
        match self {
            Topic::Channel(name) => name.namespace(),
            Topic::Pattern(pattern) => pattern.namespace(),
        }
    }

    /// The name or pattern as text.
    pub fn as_str(&self) -> &str {
        match self {
            Topic::Channel(name) => name.as_str(),
            Topic::Pattern(pattern) => pattern.as_str(),
        }
    }
}

/// How to subscribe.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SubscribeOptions {
    /// Where the client was: it gets what it missed since, or is told that it cannot.
    pub recover: Option<Position>,
    /// Without `recover`: how many of the last messages it wants first. 1 is the last value.
    pub history: u32,
    /// Only messages that pass.
    pub filter: Option<Box<Filter>>,
    /// What other members see of this one.
    pub info: Option<Payload>,
    /// Wants the members along with the reply.
    pub presence: bool,
    /// A token that allows this subscription where the connection's own does not.
    pub token: Option<Secret>,
}

/// Which past messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HistoryRange {
    /// Messages after this place (or before it when reversed). From the end or beginning without one.
    pub since: Option<Position>,
    /// At most so many; 0 asks only for the place of the newest.
    pub limit: u32,
    /// Newest first.
    pub reverse: bool,
}

/// A user's status, independent of channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Status {
    /// Connected and active.
    #[default]
    Online,
    /// Connected, and says it is not looking.
    Away,
    /// Not connected.
    Offline,
}

impl Status {
    /// The word used in every dialect.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Online => "online",
            Status::Away => "away",
            Status::Offline => "offline",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn a_secret_is_equal_to_itself_and_not_shown() {
        let secret = Secret::new("canary");
        assert_eq!(secret, Secret::new("canary"));
        for other in ["", "canar", "canarx", "Canary", "canary "] {
            assert_ne!(secret, Secret::new(other));
        }
        assert!(!format!("{secret:?}").contains("canary"));
    }
}
