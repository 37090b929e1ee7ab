//! One connection's state in the engine.
//!
//! What a session does with each command is a file of its own, all of them `impl Shard`:
//!
//! - [`authenticate`]: who is there, and who no longer
//! - [`authorise`]: what they may do
//! - [`room`]: the greeting, and the one room of a connection that knows no other
//! - [`subscribe`]: subscribe, unsubscribe, and what their replies do
//! - [`publish`]: message and publish
//! - [`query`]: presence, history, users, status
//! - [`request`]: calls of the application's handlers

mod authenticate;
mod authorise;
mod publish;
mod query;
mod request;
mod room;
mod subscribe;

pub(crate) use publish::ClientMessage;
pub(crate) use subscribe::Joining;

use std::net::IpAddr;

use fanfare_protocol::{ChannelName, CloseCode, ConnectionId, ErrorCode, UserId};
use smallvec::SmallVec;

use crate::auth::{Grant, Identity};
use crate::outbox::Outbox;
use crate::ports::application::Peer;
use crate::ports::lane::Lane;
use crate::rate::Meter;

/// A session's key in its shard. Keys are used again; a [`ConnectionId`] is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionKey(pub u32);

impl SessionKey {
    /// No session's key: what asks in no session's name asks with it.
    pub(crate) const NOBODY: SessionKey = SessionKey(u32::MAX);
}

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Talking.
    Open,
    /// Our close frame is queued or sent; the peer's is awaited.
    Closing,
    /// The peer has closed or run out of time: write what can be written and drop the connection.
    Over,
}

/// How the peer ended the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It broke the transport's protocol: it is told so with this code.
    Violation(CloseCode),
    /// It sent its close frame, perhaps with a code.
    Closed(Option<u16>),
    /// It asked to be disconnected: our close frame comes first.
    Asked,
    /// Its side of the connection ended without a word.
    HungUp,
}

/// What is known of a connection when it opens.
#[derive(Debug, Clone)]
pub struct Opening {
    /// How its events are encoded.
    pub lane: Lane,
    /// Who it is.
    pub identity: Identity,
    /// Whether it has to authenticate before anything else, within the deadline.
    pub must_authenticate: bool,
    /// Whether a token said so that came with the request.
    pub by_token: bool,
    /// What most connections do not have.
    pub special: Option<Box<Special>>,
    /// Where it comes from, if anyone cares.
    pub address: Option<IpAddr>,
    /// When, in milliseconds of Unix time.
    pub opened_unix_ms: u64,
}

/// What is particular about a connection; boxed because most WebSockets have none of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Special {
    /// The room it named, where its dialect knows but one.
    pub room: Option<ChannelName>,
    /// Whether the session outlives its connection, for a while: it may come back over any transport.
    pub resumable: bool,
    /// Why it is let in only to be told that it is not.
    pub refused: Option<Refused>,
}

/// Why a connection is not let in: the code and the text for the client.
pub type Refused = (ErrorCode, Box<str>);

/// Messages given up since the client was last told, per channel; boxed because hardly any session has it.
pub(crate) type Lagged = SmallVec<[(ChannelName, u64); 2]>;

/// A subscription of a session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subscription {
    /// The shard's key of the channel.
    pub(crate) channel: u32,
    pub(crate) state: SubscriptionState,
    /// Whether its beginning stands in the channel's history, and its end has to.
    pub(crate) posted: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SubscriptionState {
    /// The authority was asked whether it is allowed; this is the ticket.
    Authorising(u32),
    /// The broker was asked; this is the ticket.
    Asked(u32),
    /// A member, with this slot.
    Member(u32),
}

/// Grants beside those of the credential; boxed because hardly any session has some.
#[derive(Debug, Default)]
pub(crate) struct Given(Option<Box<GivenGrants>>);

type GivenGrants = SmallVec<[Grant; 1]>;

impl Given {
    pub(crate) fn grants(&self) -> &[Grant] {
        self.0.as_deref().map_or(&[], |grants| grants)
    }

    /// Adds one, in place of an older one for the same topic.
    pub(crate) fn add(&mut self, grant: Grant) {
        let grants = self.0.get_or_insert_default();
        grants.retain(|older| older.scope != grant.scope);
        grants.push(grant);
    }

    /// Keeps those for which it is true; whether any had to go.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&Grant) -> bool) -> bool {
        let Some(grants) = &mut self.0 else { return false };
        let before = grants.len();
        grants.retain(|grant| keep(grant));
        let gone = grants.len() < before;
        if grants.is_empty() {
            self.0 = None;
        }
        gone
    }
}

/// Whether it is known who a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Authentication {
    /// As far as it has to be, and it has not sent a message yet.
    Fresh,
    /// As far as it has to be.
    Done,
    /// The first message has to say so.
    Awaited,
    /// It has; nothing else is taken until the authority has answered.
    Verifying,
    /// A newer token is being looked at; until then the old one holds.
    Refreshing,
}

/// What carries a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    /// Nothing: only a resumable session is ever without.
    Gone,
    /// A connection whose peer cannot answer the transport's own pings.
    Silent,
    /// A connection whose peer answers them.
    Answering,
}

/// One connection's state.
#[derive(Debug)]
pub struct Session {
    /// Which connection.
    pub(crate) id: ConnectionId,
    pub(crate) opening: Opening,
    pub(crate) phase: Phase,
    pub(crate) authentication: Authentication,
    /// What it may do beyond its credential: by subscription tokens, by the application, by the backend.
    pub(crate) given: Given,
    /// When the next thing expires that is looked at, in the shard's time; never is the end of time.
    pub(crate) expiry_due_ms: u64,
    /// How long before its token expires it is to be told so; 0 once it was.
    pub(crate) warning_ms: u32,
    /// What it has asked for lately.
    pub(crate) meter: Meter,
    /// By how many the messages refused as too many outnumber those that were taken.
    pub(crate) refused: u32,
    pub(crate) subscriptions: SmallVec<[Subscription; 1]>,
    pub(crate) outbox: Outbox,
    /// When anything was last heard from the peer.
    pub(crate) heard_ms: u64,
    /// When the last ping was sent.
    pub(crate) pinged_ms: u64,
    /// Since when a write has made no progress.
    pub(crate) blocked_since_ms: Option<u64>,
    /// Since when a message has been unfinished.
    pub(crate) unfinished_since_ms: Option<u64>,
    /// Requests to the broker that are unanswered.
    pub(crate) broker_in_flight: u16,
    /// Requests to the application that are unanswered.
    pub(crate) calls_in_flight: u16,
    /// How the peer ended, while answers to what it asked before are still to come.
    pub(crate) ending: Option<Ending>,
    /// Messages given up since the client was last told, per channel.
    pub(crate) lagged: Option<Box<Lagged>>,
    /// Whether it stands in the queue of urgent writes.
    pub(crate) urgent: bool,
    /// Whether it stands in the queue of bulk writes.
    pub(crate) bulk: bool,
    /// Whether a deadline for blocked writes is set.
    pub(crate) write_watched: bool,
    /// Whether a deadline for an unfinished message is set.
    pub(crate) unfinished_watched: bool,
    /// What carries it.
    pub(crate) link: Link,
    /// Whether a deadline for the next connection is set.
    pub(crate) resume_watched: bool,
}

impl Session {
    pub(crate) fn new(id: ConnectionId, opening: Opening, now_ms: u64) -> Self {
        let authentication = match opening.must_authenticate {
            true => Authentication::Awaited,
            false => Authentication::Fresh,
        };
        Self {
            id,
            opening,
            phase: Phase::Open,
            authentication,
            given: Given::default(),
            expiry_due_ms: u64::MAX,
            warning_ms: 0,
            meter: Meter::default(),
            refused: 0,
            subscriptions: SmallVec::new(),
            outbox: Outbox::default(),
            heard_ms: now_ms,
            pinged_ms: 0,
            blocked_since_ms: None,
            unfinished_since_ms: None,
            broker_in_flight: 0,
            calls_in_flight: 0,
            ending: None,
            lagged: None,
            urgent: false,
            bulk: false,
            write_watched: false,
            unfinished_watched: false,
            link: Link::Answering,
            resume_watched: false,
        }
    }

    /// Which connection.
    pub fn id(&self) -> ConnectionId {
        self.id
    }

    /// What was known of it when it opened.
    pub fn opening(&self) -> &Opening {
        &self.opening
    }

    /// The one room it is in, where its dialect knows but one.
    pub fn room(&self) -> Option<&ChannelName> {
        self.opening.special.as_deref()?.room.as_ref()
    }

    /// Why it was not let in, if it is there only to hear of it.
    pub(crate) fn refused(&self) -> Option<&Refused> {
        self.opening.special.as_deref()?.refused.as_ref()
    }

    /// Whether it outlives its connection.
    pub fn is_resumable(&self) -> bool {
        self.opening.special.as_deref().is_some_and(|special| special.resumable)
    }

    /// Whether it has sent a message since it was known as far as it has to be.
    pub fn has_spoken(&self) -> bool {
        self.authentication != Authentication::Fresh
    }

    /// Whether it has said who it is, as far as it has to.
    pub fn is_authenticated(&self) -> bool {
        matches!(
            self.authentication,
            Authentication::Fresh | Authentication::Done | Authentication::Refreshing
        )
    }

    /// Whether it came with, or was given something by, a token with one of these ids.
    pub(crate) fn holds_token(&self, ids: &[Box<str>]) -> bool {
        let own = self.opening.identity.standing.iter().filter_map(|standing| standing.token_id.as_ref());
        let given = self.given.grants().iter().filter_map(|grant| grant.token_id.as_ref());
        own.chain(given).any(|id| ids.contains(id))
    }

    /// Who it is, for the application.
    pub(crate) fn peer(&self) -> Peer {
        let user = self.opening.identity.user.clone();
        Peer { connection: self.id, user, room: self.room().cloned() }
    }

    /// How many subscriptions it has.
    pub fn subscriptions(&self) -> usize {
        self.subscriptions.len()
    }

    /// How many bytes wait to be written to it.
    pub fn outbox_bytes(&self) -> usize {
        self.outbox.bytes()
    }

    /// The user's id, or for an anonymous connection its own.
    pub(crate) fn member_name(&self) -> UserId {
        match &self.opening.identity.user {
            Some(user) => user.clone(),
            None => anonymous(self.id),
        }
    }
}

/// The name that stands for an anonymous connection.
fn anonymous(id: ConnectionId) -> UserId {
    let name = id.to_string();
    match UserId::new(&name) {
        Ok(name) => name,
        // Hexadecimal digits and a dash are always a valid name.
        Err(_) => unreachable!("a connection id is no valid user id: {name}"),
    }
}
