//! What enters a shard from the broker and the application.

use std::sync::Arc;

use fanfare_protocol::command::{SubscribeOptions, Topic};
use fanfare_protocol::{CloseCode, ErrorCode, Event, Publication};

use super::{Asking, Question, Shard};
use crate::ports::broker::{Delivery, Instruction, Reply, Target, Ticket};
use crate::session::{Phase, SessionKey};

impl Shard {
    /// Takes one delivery. `unix_ms` is the wall clock's time, for measuring delays.
    pub fn deliver(&mut self, delivery: Delivery, unix_ms: u64) {
        match delivery {
            Delivery::Publication(publication) => self.published(&publication, unix_ms),
            Delivery::Presence { channel, member, joined } => {
                if let Some(key) = self.by_name.get(&channel).copied() {
                    let event = match joined {
                        true => Event::Joined { channel: &channel, member: &member },
                        false => Event::Left { channel: &channel, member: &member },
                    };
                    self.waiting_bytes += self.channels[key as usize].enqueue_event(&event, &mut self.lanes);
                    self.schedule(key);
                }
            }
            Delivery::Direct(target, message) => {
                let keys = self.keys_of(&target);
                self.give_to(&keys, &Event::Direct(&message));
            }
            Delivery::Instruct(target, instruction) => self.instruct(&target, &instruction),
            Delivery::Reply(ticket, reply) => self.replied(ticket, reply),
            Delivery::Answer(ticket, answer) => {
                if let Some(asking) = self.take_question(ticket)
                    && self.is_current(&asking)
                {
                    self.answered(asking.key, asking.id.as_ref(), answer);
                    self.finish_if_answered(asking.key);
                }
            }
            Delivery::Verdict(..) => {}
            Delivery::Lost(channel) => self.lost(&channel),
            Delivery::Inspect(look) => look(self),
        }
    }

    fn published(&mut self, publication: &Arc<Publication>, unix_ms: u64) {
        self.counters.publications += 1;
        self.counters.delayed(unix_ms.saturating_sub(publication.timestamp_ms));
        let mut keys = smallvec::SmallVec::<[u32; 4]>::new();
        keys.extend(self.by_name.get(&publication.channel).copied());
        self.by_pattern.for_each_match(publication.channel.as_str(), |key| keys.push(*key));
        for key in keys {
            let channel = &mut self.channels[key as usize];
            if channel.members.is_empty() {
                continue;
            }
            self.waiting_bytes += channel.enqueue(publication, &mut self.lanes);
            self.schedule(key);
        }
    }

    fn take_question(&mut self, ticket: Ticket) -> Option<Asking> {
        self.questions.try_remove(usize::try_from(ticket.0).ok()?)
    }

    /// Whether the session that asked is still the one with that key.
    fn is_current(&self, asking: &Asking) -> bool {
        self.sessions.get(asking.key.0 as usize).is_some_and(|session| session.id.serial == asking.serial)
    }

    fn replied(&mut self, ticket: Ticket, reply: Reply) {
        let Some(asking) = self.take_question(ticket) else { return };
        if !self.is_current(&asking) {
            return;
        }
        let Asking { key, id, question, .. } = asking;
        let id = id.as_ref();
        if let Some(session) = self.sessions.get_mut(key.0 as usize) {
            session.broker_in_flight = session.broker_in_flight.saturating_sub(1);
        }
        match (question, reply) {
            (Question::Subscribe { channel, filter }, reply) => {
                self.subscribed(key, id, ticket.0 as u32, channel, filter, reply);
            }
            (_, Reply::Failed(code)) => self.fail(key, id, code),
            (Question::Publish { acknowledge: false }, Reply::Published { .. }) => {}
            (Question::Publish { .. }, Reply::Published { position, duplicate }) => {
                self.send(key, &Event::Published { id, position, duplicate });
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
            Target::Tokens(_) => Vec::new(),
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
                    self.subscribe(key, None, topic, SubscribeOptions::default());
                }
                Instruction::Unsubscribe(topic) if self.is_subscribed(key, topic) => {
                    self.unsubscribe(key, None, topic);
                }
                Instruction::Disconnect(code) => self.close(key, *code, None),
                Instruction::Revoke { .. } => {}
                // Already as it is meant to be.
                Instruction::Subscribe(_) | Instruction::Unsubscribe(_) => {}
            }
        }
    }

    fn is_subscribed(&self, key: SessionKey, topic: &Topic) -> bool {
        let channel = self.find_channel(topic);
        self.session(key).is_some_and(|session| {
            channel.is_some_and(|channel| session.subscriptions.iter().any(|s| s.channel == channel))
        })
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
