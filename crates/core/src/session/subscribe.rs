//! Subscribing and unsubscribing.

use fanfare_protocol::command::{SubscribeOptions, Topic};
use fanfare_protocol::event::Subscribed;
use fanfare_protocol::{ErrorCode, Event, RequestId};

use super::{SessionKey, Subscription, SubscriptionState};
use crate::channel::Member;
use crate::ports::broker::{self, Reply, ReplyTo, Request, Subscribe};
use crate::shard::{Question, Shard};

impl Shard {
    pub(crate) fn subscribe(
        &mut self,
        key: SessionKey,
        id: Option<RequestId>,
        topic: &Topic,
        mut options: SubscribeOptions,
    ) {
        let namespace = match topic {
            Topic::Channel(channel) => channel.namespace(),
            Topic::Pattern(pattern) => pattern.namespace(),
        };
        let Some(namespace) = self.settings.namespaces.get(namespace).cloned() else {
            return self.fail(key, id.as_ref(), ErrorCode::UnknownNamespace);
        };
        if matches!(topic, Topic::Pattern(_)) {
            if !namespace.patterns {
                return self.fail(key, id.as_ref(), ErrorCode::PermissionDenied);
            }
            if options.recover.is_some() || options.history > 0 || options.presence {
                let text = "a pattern has no history and no presence of its own";
                return self.fail_with(key, id.as_ref(), ErrorCode::InvalidField, text);
            }
        }
        let Some(session) = self.sessions.get(key.0 as usize) else { return };
        if session.subscriptions.len() >= self.settings.limits.subscriptions_per_connection_max {
            return self.fail(key, id.as_ref(), ErrorCode::SubscriptionLimit);
        }
        let channel = self.channel_entry(topic, &namespace);
        let Some(session) = self.sessions.get(key.0 as usize) else { return };
        if session.subscriptions.iter().any(|subscription| subscription.channel == channel) {
            return self.fail(key, id.as_ref(), ErrorCode::AlreadySubscribed);
        }
        let request = match topic {
            Topic::Channel(name) => Request::Subscribe(Subscribe {
                shard: self.id,
                channel: name.clone(),
                member: session.member_name(),
                info: options.info.take(),
                recover: options.recover,
                history: options.history.max(namespace.replay_on_subscribe),
                presence: options.presence && namespace.presence,
                namespace,
            }),
            Topic::Pattern(pattern) => Request::Listen(self.id, pattern.clone()),
        };
        let ticket = self.ask(key, id, Question::Subscribe { channel, filter: options.filter });
        let Some(session) = self.sessions.get_mut(key.0 as usize) else { return };
        session
            .subscriptions
            .push(Subscription { channel, state: SubscriptionState::Asked(ticket.0 as u32) });
        self.channels[channel as usize].pending += 1;
        self.broker.submit(request, ReplyTo::Shard(self.id, ticket));
    }

    /// The broker's answer: from this very place in the channel's order on, the session is a member.
    pub(crate) fn subscribed(
        &mut self,
        key: SessionKey,
        id: Option<&RequestId>,
        ticket: u32,
        channel: u32,
        filter: Option<Box<fanfare_protocol::publication::Filter>>,
        reply: Reply,
    ) {
        let Some(session) = self.sessions.get(key.0 as usize) else { return };
        let asked = SubscriptionState::Asked(ticket);
        let Some(index) = session.subscriptions.iter().position(|s| s.state == asked) else {
            // It was unsubscribed before the answer came; who asked is owed an answer all the same.
            return self.fail_with(key, id, ErrorCode::NotSubscribed, "unsubscribed before the answer came");
        };
        let (lane, topic) = (session.opening.lane, self.channels[channel as usize].topic.clone());
        self.channels[channel as usize].pending -= 1;
        let outcome = match reply {
            Reply::Subscribed(mut outcome) => {
                if let Some(filter) = &filter {
                    outcome.replay.retain(|publication| filter.passes(publication));
                }
                if !self.takes_replay(key, &outcome.replay) {
                    outcome.replay = Vec::new();
                    outcome.recovered = outcome.recovered.map(|_| false);
                }
                Some(*outcome)
            }
            Reply::Done => None,
            other => {
                self.sessions[key.0 as usize].subscriptions.swap_remove(index);
                self.drop_channel_if_unused(channel);
                let code = if let Reply::Failed(code) = other { code } else { ErrorCode::Internal };
                return self.fail(key, id, code);
            }
        };
        // Members so far get what waits; the new one has it in its replay or has no claim to it.
        self.fan_out_channel(channel);
        let slot = self.channels[channel as usize].add(Member { session: key.0, lane, filter });
        self.sessions[key.0 as usize].subscriptions[index].state = SubscriptionState::Member(slot);
        let outcome = outcome.as_ref();
        self.send(
            key,
            &Event::Subscribed(Subscribed {
                id,
                topic: &topic,
                position: outcome.map(|outcome| outcome.position),
                recovered: outcome.and_then(|outcome| outcome.recovered),
                replayed: outcome.map_or(0, |outcome| outcome.replay.len() as u32),
                presence: outcome.and_then(|outcome| outcome.presence.as_ref()),
            }),
        );
        if let Some(outcome) = outcome {
            self.replay(key, outcome);
        }
    }

    fn replay(&mut self, key: SessionKey, outcome: &broker::Subscribed) {
        if outcome.replay.is_empty() {
            return;
        }
        self.counters.messages_out += outcome.replay.len() as u64;
        self.send_exempt(key, outcome.replay.iter().map(|publication| Event::Message(publication)));
    }

    pub(crate) fn unsubscribe(&mut self, key: SessionKey, id: Option<&RequestId>, topic: &Topic) {
        let channel = self.find_channel(topic);
        let Some(session) = self.sessions.get_mut(key.0 as usize) else { return };
        let index =
            channel.and_then(|channel| session.subscriptions.iter().position(|s| s.channel == channel));
        let Some(index) = index else {
            return self.fail(key, id, ErrorCode::NotSubscribed);
        };
        let subscription = session.subscriptions.swap_remove(index);
        self.leave(key, subscription, true);
        self.send(key, &Event::Unsubscribed { id, topic, reason: None });
    }

    /// Takes the session out of a channel. The subscription is no longer in the session's list.
    pub(crate) fn leave(&mut self, key: SessionKey, subscription: Subscription, deliberate: bool) {
        let Some(session) = self.sessions.get(key.0 as usize) else { return };
        let member = session.member_name();
        let channel = subscription.channel;
        match subscription.state {
            SubscriptionState::Asked(_) => self.channels[channel as usize].pending -= 1,
            SubscriptionState::Member(slot) => {
                // What was published before the leave is still for the member.
                if deliberate {
                    self.fan_out_channel(channel);
                }
                let waiting = self.channels[channel as usize].waiting_bytes();
                let moved = self.channels[channel as usize].remove(slot);
                self.waiting_bytes -= waiting - self.channels[channel as usize].waiting_bytes();
                if let Some(moved) = moved {
                    self.move_slot(moved, channel, slot);
                }
            }
        }
        let request = match &self.channels[channel as usize].topic {
            Topic::Channel(name) => {
                Request::Unsubscribe { shard: self.id, channel: name.clone(), member, deliberate }
            }
            Topic::Pattern(pattern) => Request::Unlisten(self.id, pattern.clone()),
        };
        self.broker.submit(request, ReplyTo::Nobody);
        self.drop_channel_if_unused(channel);
    }

    fn move_slot(&mut self, session: u32, channel: u32, slot: u32) {
        let Some(session) = self.sessions.get_mut(session as usize) else { return };
        if let Some(subscription) = session.subscriptions.iter_mut().find(|s| s.channel == channel) {
            subscription.state = SubscriptionState::Member(slot);
        }
    }
}
