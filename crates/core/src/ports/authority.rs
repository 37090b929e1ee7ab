//! The authority: verifies tokens and, where the application wants to, decides about subscriptions. It works outside
//! the shards, so that a signature never holds up a message.

use fanfare_protocol::command::{Secret, Topic};
use fanfare_protocol::{ErrorCode, UserId};

use super::application::Peer;
use super::broker::{ShardId, Ticket};
use crate::auth::{Grant, Identity, Standing};

/// Who says who somebody is. Calls are made from a shard and must return at once; each of those that ask is answered by
/// exactly one [`Delivery::Verdict`](super::broker::Delivery::Verdict) with its ticket, a timeout included.
pub trait Authority: Send + Sync {
    /// Whether connections can authenticate at all.
    fn takes_tokens(&self) -> bool;

    /// Whether the application wants to be asked about subscriptions that neither rules nor tokens allow.
    fn decides_subscriptions(&self) -> bool;

    /// Starts to find out.
    fn ask(&self, question: Asked);

    /// Whether the credential was revoked. Looked at when a session opens and when a verdict arrives: a revocation is
    /// noted before it is delivered to the shards, so that none falls in between.
    fn is_revoked(&self, user: Option<&UserId>, standing: &Standing) -> bool;
}

/// A question to the authority.
#[derive(Debug)]
pub struct Asked {
    /// Where the verdict goes.
    pub shard: ShardId,
    /// Which question it answers.
    pub ticket: Ticket,
    /// Who asks.
    pub peer: Peer,
    /// What is to be found out.
    pub matter: Matter,
}

/// What is to be found out.
#[derive(Debug)]
pub enum Matter {
    /// Who the bearer of this token is. When the peer has a user already, it must be the same one.
    Connection(Secret),
    /// Whether this token allows the peer to subscribe.
    SubscriptionToken(Topic, Secret),
    /// Whether the application allows the peer to subscribe.
    Subscription(Topic),
}

/// What was found out, or a code with a text for the client.
pub type Verdict = Result<Finding, (ErrorCode, String)>;

/// What was found out.
#[derive(Debug, Clone)]
pub enum Finding {
    /// To [`Matter::Connection`].
    Identity(Box<Identity>),
    /// To the others.
    Grant(Grant),
}

/// A connection's place among those of its user: it counts, and it shares the user's rate with them.
pub trait Place: Send + Sync {
    /// Takes from the user's rate, in thousandths of a message.
    ///
    /// # Errors
    /// With the milliseconds after which there is enough.
    fn spend(&self, cost: u32) -> Result<(), u32>;
}

/// No authority at all: nobody can authenticate.
#[derive(Debug, Default, Clone, Copy)]
pub struct NoAuthority;

impl Authority for NoAuthority {
    fn takes_tokens(&self) -> bool {
        false
    }

    fn decides_subscriptions(&self) -> bool {
        false
    }

    fn ask(&self, _question: Asked) {}

    fn is_revoked(&self, _user: Option<&UserId>, _standing: &Standing) -> bool {
        false
    }
}
