//! What a connection expects as soon as it is settled who it is: a greeting, and the one room that it comes with and
//! goes with; and the entries of that room's history that say so.

use bytes::Bytes;
use fanfare_protocol::command::{SubscribeOptions, Topic};
use fanfare_protocol::publication::Kind;
use fanfare_protocol::{CloseCode, ErrorCode, Payload, RequestId};

use super::{Phase, SessionKey, Subscription, SubscriptionState};
use crate::ports::broker::{Publish, Reply, ReplyTo, Request};
use crate::shard::{Question, Shard};

impl Shard {
    /// It is settled who a connection is.
    pub(crate) fn welcome(&mut self, key: SessionKey) {
        let Some(session) = self.session(key) else { return };
        if self.lanes.habits(session.opening.lane).greets {
            self.connect(key, None);
        }
        if let Some(room) = self.own_room(key) {
            self.subscribe(key, None, &room, SubscribeOptions::default());
            self.close_if_roomless(key, ErrorCode::PermissionDenied);
        }
    }

    /// The one room of the session, where its dialect knows no other.
    pub(crate) fn own_room(&self, key: SessionKey) -> Option<Topic> {
        let session = self.session(key)?;
        let room = session.room()?;
        self.lanes.habits(session.opening.lane).one_room.then(|| Topic::Channel(room.clone()))
    }

    /// Whether the session may be in its own room only.
    pub(crate) fn is_bound(&self, key: SessionKey) -> bool {
        self.session(key).is_some_and(|session| self.lanes.habits(session.opening.lane).one_room)
    }

    /// Whether the session is on the way into its room. What its client says meanwhile waits: it would miss its own
    /// copies.
    pub(crate) fn is_entering(&self, key: SessionKey) -> bool {
        let Some(session) = self.session(key) else { return false };
        let is_member = |state| matches!(state, SubscriptionState::Member(_));
        session.room().is_some()
            && session.phase == Phase::Open
            && session.is_authenticated()
            && !session.subscriptions.iter().any(|subscription| is_member(subscription.state))
            && self.is_bound(key)
    }

    /// Ends a session that is not, or no longer, in the room that it is there for.
    pub(crate) fn close_if_roomless(&mut self, key: SessionKey, code: ErrorCode) {
        if self.own_room(key).is_some_and(|room| !self.is_subscribed(key, &room)) {
            let close = if code.retry() { CloseCode::TryAgainLater } else { CloseCode::Forbidden };
            self.close(key, close, None);
        }
    }

    /// The session has become a member of its room and has seen the past: everybody is told so by an entry.
    pub(crate) fn post_coming(&mut self, key: SessionKey, channel: u32) {
        let Some(coming) = self.entry(key, channel, Kind::Join) else { return };
        let Some(going) = self.entry(key, channel, Kind::Leave) else { return };
        let ticket = self.ask(key, None, Question::Enter(Box::new(going)));
        self.broker.submit(Request::Publish(coming), ReplyTo::Shard(self.id, ticket));
    }

    /// The broker's answer to [`Shard::post_coming`]. `key` is none if the session has gone meanwhile; then, and if
    /// it is no member any more, its going is still to be told.
    pub(crate) fn posted(
        &mut self,
        key: Option<SessionKey>,
        id: Option<&RequestId>,
        going: Publish,
        reply: &Reply,
    ) {
        let channel = self.find_channel(&Topic::Channel(going.channel.clone()));
        let session = key.and_then(|key| self.sessions.get_mut(key.0 as usize));
        let subscription = session.and_then(|session| {
            let is_member = |s: &&mut Subscription| matches!(s.state, SubscriptionState::Member(_));
            session.subscriptions.iter_mut().filter(is_member).find(|s| Some(s.channel) == channel)
        });
        match (reply, subscription) {
            (Reply::Published { .. }, Some(subscription)) => subscription.posted = true,
            (Reply::Published { .. }, None) => {
                self.broker.submit(Request::Publish(going), ReplyTo::Nobody);
            }
            (_, Some(_)) if let Some(key) = key => {
                let code = if let Reply::Failed(code) = reply { *code } else { ErrorCode::Internal };
                self.fail(key, id, code);
                self.close(key, CloseCode::TryAgainLater, None);
            }
            _ => {}
        }
    }

    /// The session is a member of its room no more: the others are told so by an entry, as they were of its coming.
    pub(crate) fn post_going(&self, key: SessionKey, channel: u32) {
        if let Some(going) = self.entry(key, channel, Kind::Leave) {
            self.broker.submit(Request::Publish(going), ReplyTo::Nobody);
        }
    }

    /// What says that the session came into its room or left it; none where that is not the habit.
    fn entry(&self, key: SessionKey, channel: u32, kind: Kind) -> Option<Publish> {
        let session = self.session(key)?;
        let entry = &self.channels[channel as usize];
        let Topic::Channel(channel) = &entry.topic else { return None };
        if session.room() != Some(channel) || !self.lanes.habits(session.opening.lane).posts_entries {
            return None;
        }
        let from = session.member_name();
        let from_name = session.opening.identity.name().cloned();
        let name = from_name.as_deref().unwrap_or(from.as_str());
        let did = if kind == Kind::Leave { "left" } else { "joined" };
        let text = format!("{name} {did} the room");
        Some(Publish {
            channel: channel.clone(),
            namespace: entry.namespace.clone(),
            kind,
            anonymous: session.opening.identity.user.is_none(),
            connection: Some(session.id),
            exclude_sender: false,
            data: Payload::Text(Bytes::from(text)),
            labels: None,
            idempotency_key: None,
            from: Some(from),
            from_name,
        })
    }
}
