//! What enters a shard from the broker and the application.

use std::sync::Arc;

use fanfare_protocol::command::{SubscribeOptions, Topic};
use fanfare_protocol::{ChannelName, CloseCode, ErrorCode, Event, Publication};

use super::{Asking, Question, Shard};
use crate::auth::{Denial, Grant, Operation, Operations, Scope};
use crate::ports::authority::Verdict;
use crate::ports::broker::{Delivery, Instruction, Reply, Target, Ticket};
use crate::session::{Phase, Session, SessionKey};

impl Shard {
    /// Takes one delivery. `unix_ms` is the wall clock's time, for measuring delays.
    pub fn deliver(&mut self, delivery: Delivery, unix_ms: u64) {
        self.set_unix(unix_ms);
        match delivery {
            Delivery::Publication(publication) => self.published(&publication, unix_ms),
            Delivery::Presence { channel, member, joined } => {
                self.moved(&channel, &member, joined);
            }
            Delivery::PresenceTold { channel, told } => self.presence_told(&channel, told),
            Delivery::Direct(target, message) => {
                let mut keys = self.keys_of(&target);
                // Who has not said who it is yet is nobody, not somebody like everyone.
                keys.retain(|key| self.sessions[*key as usize].is_authenticated());
                self.give_to(&keys, &Event::Direct(&message));
            }
            Delivery::Instruct(target, instruction) => self.instruct(&target, &instruction),
            Delivery::Reply(ticket, reply) => self.replied(ticket, reply),
            Delivery::Answer(ticket, answer) => {
                if let Some(asking) = self.questions.take(ticket)
                    && self.is_current(&asking)
                {
                    self.answered(asking.key, asking.id.as_ref(), answer);
                    self.finish_if_answered(asking.key);
                }
            }
            Delivery::Verdict(ticket, verdict) => self.judged(ticket, verdict),
            Delivery::Lost(channel) => self.lost(&channel),
            Delivery::Inspect(look) => look(self),
        }
    }

    fn published(&mut self, publication: &Arc<Publication>, unix_ms: u64) {
        self.counters.publications += 1;
        self.counters.delayed(unix_ms.saturating_sub(publication.timestamp_ms));
        let mut keys = smallvec::SmallVec::<[u32; 4]>::new();
        keys.extend(self.by_name.get(&publication.channel).copied());
        if !self.by_pattern.is_empty() && !self.is_restricted(&publication.channel) {
            self.by_pattern.for_each_match(publication.channel.as_str(), |key| keys.push(*key));
        }
        for key in keys {
            let channel = &mut self.channels[key as usize];
            if channel.members.is_empty() {
                continue;
            }
            self.waiting_bytes += channel.enqueue(publication, &mut self.lanes);
            self.schedule(key);
        }
    }

    /// Whether a channel is private or bound to users: nobody hears of it by a pattern.
    fn is_restricted(&self, channel: &ChannelName) -> bool {
        let namespace = self.settings.namespaces.get(channel.namespace());
        namespace.is_some_and(|namespace| namespace.rules.privacy.is_restricted(channel.as_str()))
    }

    fn judged(&mut self, ticket: Ticket, verdict: Verdict) {
        let Some(asking) = self.questions.take(ticket) else { return };
        if !self.is_current(&asking) {
            return;
        }
        let Asking { key, id, question, .. } = asking;
        if let Some(session) = self.sessions.get_mut(key.0 as usize) {
            session.broker_in_flight = session.broker_in_flight.saturating_sub(1);
        }
        match question {
            // Who is on the way out becomes nobody any more.
            _ if self.phase(key) != Phase::Open => {}
            Question::Authenticate => self.authenticated(key, id.as_ref(), verdict),
            Question::Authorise { topic, options } => {
                self.authorised(key, id, ticket.slot(), &topic, *options, verdict);
            }
            Question::Renew { topic } => self.renewed(key, id.as_ref(), &topic, verdict),
            // An authority that answers what it was not asked is defective.
            _ => self.fail(key, id.as_ref(), ErrorCode::Internal),
        }
        self.finish_if_answered(key);
    }

    /// Whether the session that asked is still the one with that key.
    fn is_current(&self, asking: &Asking) -> bool {
        self.sessions.get(asking.key.0 as usize).is_some_and(|session| session.id.serial == asking.serial)
    }

    fn replied(&mut self, ticket: Ticket, reply: Reply) {
        let Some(asking) = self.questions.take(ticket) else { return };
        let is_current = self.is_current(&asking);
        let Asking { key, id, question, .. } = asking;
        match question {
            Question::Roster { channel } => return self.roster(&channel, &reply),
            Question::Enter(going) if !is_current => return self.posted(None, None, *going, &reply),
            _ if !is_current => return,
            _ => {}
        }
        let id = id.as_ref();
        if let Some(session) = self.sessions.get_mut(key.0 as usize) {
            session.broker_in_flight = session.broker_in_flight.saturating_sub(1);
        }
        match (question, reply) {
            (Question::Subscribe(joining), reply) => {
                self.subscribed(key, id, ticket.slot(), joining, reply);
            }
            (Question::Enter(going), reply) => self.posted(Some(key), id, *going, &reply),
            (_, Reply::Failed(code)) => self.fail(key, id, code),
            (question, _) if let Some(denial) = self.no_longer_allowed(key, &question) => {
                self.deny(key, id, denial);
            }
            (Question::Publish { acknowledge: None }, Reply::Published { .. }) => {}
            (Question::Publish { acknowledge: Some(channel) }, Reply::Published { position, duplicate }) => {
                self.send(key, &Event::Published { id, channel: &channel, position, duplicate });
            }
            (Question::Again { topic }, Reply::Presence(members)) => {
                self.subscribed_already(key, id, &topic, &members);
            }
            (Question::Presence { channel }, Reply::Presence(members)) => {
                self.send(key, &Event::Presence { id, channel: &channel, members: &members });
            }
            (Question::History { .. }, Reply::History(page))
                if !self.takes_replay(key, &page.publications) =>
            {
                let text = "earlier pages have not been read yet";
                self.fail_with(key, id, ErrorCode::Overloaded, text);
            }
            (Question::History { channel }, Reply::History(page)) => {
                let (publications, position, more) = (&page.publications[..], page.position, page.more);
                let event = Event::History { id, channel: &channel, publications, position, more };
                self.send_exempt(key, std::iter::once(event));
            }
            (Question::Users, Reply::Users(users)) => {
                self.send(key, &Event::Users { id, users: &users });
            }
            (Question::SetStatus { status }, Reply::Done) => {
                self.send(key, &Event::StatusSet { id, status });
            }
            // A broker that answers another question than it was asked is defective.
            _ => self.fail(key, id, ErrorCode::Internal),
        }
        self.finish_if_answered(key);
    }

    /// Why a session that asked to see something may not see it any more: what it asked by may have been revoked, or
    /// have expired, while the answer was under way.
    fn no_longer_allowed(&self, key: SessionKey, question: &Question) -> Option<Denial> {
        let (channel, operation) = match question {
            Question::Presence { channel } => (channel, Operation::Presence),
            Question::History { channel } => (channel, Operation::History),
            _ => return None,
        };
        let namespace = self.settings.namespaces.get(channel.namespace())?;
        let topic = Topic::Channel(channel.clone());
        // Who has left meanwhile asked as a member.
        let is_member = self.may_stay(key, &topic);
        self.allowed_as(key, &namespace.rules, operation, &topic, is_member).err()
    }

    fn keys_of(&self, target: &Target) -> Vec<u32> {
        match target {
            Target::Everyone => self.sessions.iter().map(|(key, _)| key as u32).collect(),
            Target::Users(users) => {
                let mut keys: Vec<u32> =
                    users.iter().filter_map(|user| self.by_user.get(user)).flatten().copied().collect();
                keys.sort_unstable();
                keys.dedup();
                keys
            }
            Target::Roles(roles) => self
                .sessions
                .iter()
                .filter(|(_, session)| session.opening.identity.roles().iter().any(|own| roles.contains(own)))
                .map(|(key, _)| key as u32)
                .collect(),
            Target::Connection(id) => self.key_of(*id).into_iter().collect(),
            Target::Tokens(ids) => self
                .sessions
                .iter()
                .filter(|(_, session)| session.holds_token(ids))
                .map(|(key, _)| key as u32)
                .collect(),
        }
    }

    fn instruct(&mut self, target: &Target, instruction: &Instruction) {
        for key in self.keys_of(target) {
            let key = SessionKey(key);
            if self.phase(key) != Phase::Open {
                continue;
            }
            match instruction {
                Instruction::Subscribe(topic) if !self.is_subscribed(key, topic) => {
                    self.subscribe_for_the_backend(key, topic);
                }
                Instruction::Unsubscribe(topic) if self.is_subscribed(key, topic) => {
                    self.unsubscribe(key, None, topic);
                    self.close_if_roomless(key, ErrorCode::PermissionDenied);
                }
                Instruction::Disconnect(code) => {
                    // What the backend instructs is deliberate, whatever the code says to the client.
                    self.leave_all(key, true);
                    self.close(key, *code, None);
                }
                Instruction::Revoke { before_unix_ms } => self.revoke(key, target, *before_unix_ms),
                // Already as it is meant to be.
                Instruction::Subscribe(_) | Instruction::Unsubscribe(_) => {}
            }
        }
    }

    /// What the backend begins needs no rule, and is not ended by one.
    fn subscribe_for_the_backend(&mut self, key: SessionKey, topic: &Topic) {
        if !self.session(key).is_some_and(Session::is_authenticated) || self.is_bound(key) {
            return;
        }
        let scope = match topic {
            Topic::Channel(channel) => Scope::Channel(channel.clone()),
            Topic::Pattern(pattern) => Scope::Pattern(pattern.clone()),
        };
        self.grant(key, Grant::new(scope, Operations::NONE.with(Operation::Subscribe)));
        self.subscribe_as(key, None, topic, SubscribeOptions::default(), true);
        if !self.is_subscribed(key, topic) {
            self.forget_grant(key, topic);
        }
    }

    /// Takes back what came with a credential that was revoked.
    fn revoke(&mut self, key: SessionKey, target: &Target, before_unix_ms: u64) {
        let Some(session) = self.sessions.get_mut(key.0 as usize) else { return };
        let standing = session.opening.identity.standing.as_deref();
        let own = match target {
            Target::Tokens(ids) => {
                let id = standing.and_then(|standing| standing.token_id.as_ref());
                id.is_some_and(|id| ids.contains(id))
            }
            _ => standing
                .and_then(|standing| standing.issued_unix_ms)
                .is_none_or(|issued| issued < before_unix_ms),
        };
        if own {
            return self.expel(key, ErrorCode::TokenRevoked);
        }
        let taken_back = |grant: &Grant| match target {
            Target::Tokens(ids) => grant.token_id.as_ref().is_some_and(|id| ids.contains(id)),
            _ => grant.has_token() && grant.issued_unix_ms.is_none_or(|issued| issued < before_unix_ms),
        };
        if session.given.retain(|grant| !taken_back(grant)) {
            self.end_subscriptions_no_longer_allowed(key, ErrorCode::TokenRevoked);
        }
    }

    /// Members of a channel whose continuity is lost must come back and recover, or learn that they cannot.
    fn lost(&mut self, channel: &fanfare_protocol::ChannelName) {
        let Some(key) = self.by_name.get(channel).copied() else { return };
        let members: Vec<u32> = self.channels[key as usize].members.iter().map(|m| m.session).collect();
        for session in members {
            self.close(SessionKey(session), CloseCode::InsufficientState, Some(0));
        }
    }
}
