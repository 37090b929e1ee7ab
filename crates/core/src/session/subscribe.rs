//! Subscribing and unsubscribing.

use std::sync::Arc;

use fanfare_protocol::command::{SubscribeOptions, Topic};
use fanfare_protocol::dialect::Habits;
use fanfare_protocol::event::{self, Members, Subscribed};
use fanfare_protocol::publication::Filter;
use fanfare_protocol::{ErrorCode, Event, Payload, RequestId};

use super::{Session, SessionKey, Subscription, SubscriptionState};
use crate::auth::Operation;
use crate::channel::Member;
use crate::namespace::{ClientInfo, Namespace};
use crate::ports::broker::{self, Reply, ReplyTo, Request, Subscribe, Unsubscribe};
use crate::shard::{Question, Shard};

/// A subscription that the broker was asked for.
#[derive(Debug)]
pub(crate) struct Joining {
    /// The shard's key of the channel.
    pub(crate) channel: u32,
    pub(crate) filter: Option<Box<Filter>>,
    /// Whether a recovery was asked for that the rules do not allow.
    pub(crate) recovery_refused: bool,
    /// Whether the backend asked, to whom no rule applies.
    pub(crate) by_backend: bool,
    /// Whether entries of the room's history say that the session came and went.
    pub(crate) posts_entries: bool,
}

impl Shard {
    pub(crate) fn subscribe(
        &mut self,
        key: SessionKey,
        id: Option<RequestId>,
        topic: &Topic,
        options: SubscribeOptions,
    ) {
        self.subscribe_as(key, id, topic, options, false);
    }

    /// The same; what the backend asks for needs no permission.
    pub(crate) fn subscribe_as(
        &mut self,
        key: SessionKey,
        id: Option<RequestId>,
        topic: &Topic,
        options: SubscribeOptions,
        by_backend: bool,
    ) {
        let Some(namespace) = self.settings.namespaces.get(topic.namespace()).cloned() else {
            return self.fail(key, id.as_ref(), ErrorCode::UnknownNamespace);
        };
        if matches!(topic, Topic::Pattern(_)) {
            if !namespace.patterns {
                let text = "clients may not subscribe by pattern in this namespace";
                return self.fail_with(key, id.as_ref(), ErrorCode::PermissionDenied, text);
            }
            if options.recover.is_some() || options.history > 0 || options.presence {
                let text = "a pattern has no history and no presence of its own";
                return self.fail_with(key, id.as_ref(), ErrorCode::InvalidField, text);
            }
        }
        if let Some(member) = self.oversized(&options) {
            let text = format!("\"{member}\" is larger than this server keeps for a subscription");
            return self.fail_with(key, id.as_ref(), ErrorCode::InvalidField, &text);
        }
        if let Some(state) = self.subscription_state(key, topic) {
            return match options.token {
                Some(token) if !matches!(state, SubscriptionState::Authorising(_)) => {
                    self.renew(key, id, topic, token);
                }
                None if self.takes_repetition(key) => self.subscribe_again(key, id, topic),
                _ => self.fail(key, id.as_ref(), ErrorCode::AlreadySubscribed),
            };
        }
        let Some(session) = self.sessions.get(key.0 as usize) else { return };
        if session.subscriptions.len() >= self.settings.limits.subscriptions_per_connection_max {
            return self.fail(key, id.as_ref(), ErrorCode::SubscriptionLimit);
        }
        let allowed = match by_backend {
            true => Ok(()),
            false => self.allowed(key, &namespace.rules, Operation::Subscribe, topic),
        };
        match allowed {
            // A token that comes along is looked at also where the rules ask for none: it may allow more than they do.
            Ok(()) if options.token.is_none() || !self.authority.takes_tokens() => {
                self.join(key, id, topic, options, namespace, by_backend);
            }
            Err(denial) if !denial.can_be_granted() || !self.can_ask(&options) => {
                self.deny(key, id.as_ref(), denial);
            }
            _ => self.authorise(key, id, topic, Box::new(options), &namespace),
        }
    }

    /// The member that is larger than its bound, if one is.
    fn oversized(&self, options: &SubscribeOptions) -> Option<&'static str> {
        let limits = &self.settings.limits;
        let info_bytes = options.info.as_ref().map_or(0, |info| info.bytes().len());
        let filter_bytes = options.filter.as_ref().map_or(0, |filter| filter.bytes());
        match (info_bytes > limits.info_bytes_max, filter_bytes > limits.filter_bytes_max) {
            (true, _) => Some("info"),
            (_, true) => Some("filter"),
            _ => None,
        }
    }

    /// What other members see beside the session: what its token says, or what it says itself where that may reach them.
    fn info(
        &self,
        key: SessionKey,
        own: Option<Payload>,
        topic: &Topic,
        namespace: &Namespace,
    ) -> Option<Payload> {
        let admitted = match namespace.client_info {
            ClientInfo::Nobody => false,
            ClientInfo::Publishers => {
                own.is_some()
                    && self.allowed_as(key, &namespace.rules, Operation::Publish, topic, true).is_ok()
            }
            ClientInfo::Subscribers => true,
        };
        let own = own.filter(|_| admitted);
        let standing = self.session(key)?.opening.identity.standing.as_ref();
        let signed = standing.and_then(|standing| standing.info.clone());
        if namespace.client_info_over_token { own.or(signed) } else { signed.or(own) }
    }

    /// Whether somebody could allow a subscription that the rules leave open.
    fn can_ask(&self, options: &SubscribeOptions) -> bool {
        match options.token {
            Some(_) => self.authority.takes_tokens(),
            None => self.authority.decides_subscriptions(),
        }
    }

    /// Asks the broker for what is allowed. Whoever subscribes is as good as a member for what it asks along with it.
    fn join(
        &mut self,
        key: SessionKey,
        id: Option<RequestId>,
        topic: &Topic,
        mut options: SubscribeOptions,
        namespace: Arc<Namespace>,
        by_backend: bool,
    ) {
        let may = |operation| self.allowed_as(key, &namespace.rules, operation, topic, true);
        if options.presence
            && let Err(denial) = may(Operation::Presence)
        {
            return self.deny(key, id.as_ref(), denial);
        }
        let history = may(Operation::History);
        if options.history > 0
            && let Err(denial) = history
        {
            return self.deny(key, id.as_ref(), denial);
        }
        // Who may not see the past cannot recover; a failed recovery is something that every client has to expect.
        let recovery_refused = history.is_err() && options.recover.take().is_some();
        // An entry lies in the history like a message, so it takes the same right.
        let may_post = may(Operation::Publish).is_ok();
        let unasked = if by_backend || history.is_ok() { namespace.replay_on_subscribe } else { 0 };
        let info = self.info(key, options.info.take(), topic, &namespace);
        let channel = self.channel_entry(topic, &namespace);
        let Some(session) = self.sessions.get(key.0 as usize) else { return };
        let habits = self.lanes.habits(session.opening.lane);
        let posts_entries = habits.posts_entries && may_post;
        let by_habit = if history.is_ok() { habits.history_on_join } else { 0 };
        let request = match topic {
            Topic::Channel(name) => Request::Subscribe(Subscribe {
                shard: self.id,
                channel: name.clone(),
                member: session.member_name(),
                connection: session.id,
                name: session.opening.identity.name().cloned(),
                hears_members: hears_presence(habits),
                posts_entries,
                info,
                recover: options.recover,
                history: options.history.max(unasked).max(by_habit),
                presence: options.presence && namespace.presence,
                namespace,
            }),
            Topic::Pattern(pattern) => Request::Listen(self.id, pattern.clone()),
        };
        let joining =
            Joining { channel, filter: options.filter, recovery_refused, by_backend, posts_entries };
        let ticket = self.ask(key, id, Question::Subscribe(joining));
        let state = SubscriptionState::Asked(ticket.slot());
        self.begin_subscription(key, Subscription { channel, state, posted: false });
        self.broker.submit(request, ReplyTo::Shard(self.id, ticket));
    }

    /// Notes a subscription that is not decided yet, and keeps its channel's entry.
    pub(crate) fn begin_subscription(&mut self, key: SessionKey, subscription: Subscription) {
        let Some(session) = self.sessions.get_mut(key.0 as usize) else { return };
        session.subscriptions.push(subscription);
        self.channels[subscription.channel as usize].pending += 1;
    }

    /// The broker's answer: from this very place in the channel's order on, the session is a member.
    pub(crate) fn subscribed(
        &mut self,
        key: SessionKey,
        id: Option<&RequestId>,
        ticket: u32,
        asked: Joining,
        reply: Reply,
    ) {
        let Joining { channel, filter, recovery_refused, by_backend, posts_entries } = asked;
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
                if recovery_refused {
                    outcome.recovered = Some(false);
                }
                if !by_backend {
                    self.withhold(key, &topic, &mut outcome);
                }
                Some(*outcome)
            }
            Reply::Done => None,
            other => {
                self.sessions[key.0 as usize].subscriptions.swap_remove(index);
                self.drop_channel_if_unused(channel);
                self.forget_grant(key, &topic);
                let code = if let Reply::Failed(code) = other { code } else { ErrorCode::Internal };
                self.fail(key, id, code);
                return self.close_if_roomless(key, code);
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
                replayed: outcome.map_or(0, broker::Subscribed::replayed),
                presence: outcome.and_then(|outcome| outcome.presence.as_ref()),
            }),
        );
        self.began(key, channel, &topic, outcome);
        if posts_entries {
            self.post_coming(key, channel);
        }
    }

    /// What a new member gets after the answer, and what the others hear of it.
    fn began(&mut self, key: SessionKey, channel: u32, topic: &Topic, outcome: Option<&broker::Subscribed>) {
        let Some(session) = self.sessions.get(key.0 as usize) else { return };
        let habits = self.lanes.habits(session.opening.lane);
        if habits.hears_members
            && let Topic::Channel(channel) = topic
            && let Some(member) = outcome.and_then(|outcome| outcome.own.as_deref())
        {
            self.send(key, &Event::Joined { channel, member });
        }
        if let Topic::Channel(name) = topic
            && outcome.is_some_and(|outcome| outcome.crowded)
            && (habits.hears_members || self.channels[channel as usize].namespace.join_leave)
        {
            self.send(key, &Event::PresenceIncomplete { channel: name });
        }
        if let Some(outcome) = outcome {
            self.replay(key, outcome);
        }
        if habits.hears_roster {
            self.want_roster(channel);
        }
    }

    /// Takes out what the session may not see any more: what it asked by may have been replaced, or have ended, while the
    /// answer was under way.
    fn withhold(&self, key: SessionKey, topic: &Topic, outcome: &mut broker::Subscribed) {
        let Some(namespace) = self.settings.namespaces.get(topic.namespace()) else { return };
        let may = |operation| self.allowed_as(key, &namespace.rules, operation, topic, true).is_ok();
        if !outcome.replay.is_empty() && !may(Operation::History) {
            outcome.replay = Vec::new();
            outcome.recovered = outcome.recovered.map(|_| false);
        }
        if outcome.presence.is_some() && !may(Operation::Presence) {
            outcome.presence = None;
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
        match index {
            Some(index) => {
                let subscription = session.subscriptions.swap_remove(index);
                self.leave(key, subscription, true);
            }
            None if self.takes_repetition(key) => {}
            None => return self.fail(key, id, ErrorCode::NotSubscribed),
        }
        self.send(key, &Event::Unsubscribed { id, topic, reason: None });
    }

    /// Whether to subscribe or unsubscribe twice is no error in the session's dialect.
    fn takes_repetition(&self, key: SessionKey) -> bool {
        self.session(key).is_some_and(|session| self.lanes.habits(session.opening.lane).repeats)
    }

    /// Answers a subscription that the session has, or has asked for, already. The broker is asked who is there, so that
    /// the answer comes behind that to the first time.
    fn subscribe_again(&mut self, key: SessionKey, id: Option<RequestId>, topic: &Topic) {
        let Topic::Channel(channel) = topic.clone() else {
            return self.fail(key, id.as_ref(), ErrorCode::AlreadySubscribed);
        };
        let Some(session) = self.session(key) else { return };
        let counts_only = !self.lanes.habits(session.opening.lane).hears_roster;
        let ticket = self.ask(key, id, Question::Again { topic: topic.clone() });
        self.broker.submit(Request::Presence { channel, counts_only }, ReplyTo::Shard(self.id, ticket));
    }

    /// The broker's answer to [`Shard::subscribe_again`]: the session is told what it was told the first time, and nobody
    /// else hears of it.
    pub(crate) fn subscribed_already(
        &mut self,
        key: SessionKey,
        id: Option<&RequestId>,
        topic: &Topic,
        members: &Members,
    ) {
        let state = self.subscription_state(key, topic);
        let (Topic::Channel(channel), Some(SubscriptionState::Member(_))) = (topic, state) else {
            return self.fail(key, id, ErrorCode::AlreadySubscribed);
        };
        let answer = Subscribed { id, topic, position: None, recovered: None, replayed: 0, presence: None };
        self.send(key, &Event::Subscribed(answer));
        let unix_ms = self.unix_ms();
        let Some(session) = self.session(key) else { return };
        let habits = self.lanes.habits(session.opening.lane);
        if habits.hears_members {
            let member = Self::as_member(session, unix_ms);
            self.send(key, &Event::Joined { channel, member: &member });
        }
        let keeps =
            self.settings.namespaces.get(channel.namespace()).is_some_and(|namespace| namespace.presence);
        if habits.hears_roster && keeps && members.users <= self.settings.limits.join_leave_users_max {
            self.send(key, &Event::Presence { id: None, channel, members });
        }
    }

    /// The session as the others see it, as far as it says itself.
    fn as_member(session: &Session, unix_ms: u64) -> event::Member {
        let identity = &session.opening.identity;
        event::Member {
            user: session.member_name(),
            name: identity.name().cloned(),
            connections: 1,
            info: identity.standing.as_ref().and_then(|standing| standing.info.clone()),
            posted: false,
            joined_ms: unix_ms,
            last_seen_ms: unix_ms,
        }
    }

    /// Ends a subscription that is no longer allowed, and says why.
    pub(crate) fn end_subscription(&mut self, key: SessionKey, topic: &Topic, reason: ErrorCode) {
        let channel = self.find_channel(topic);
        let Some(session) = self.sessions.get_mut(key.0 as usize) else { return };
        let index = session.subscriptions.iter().position(|s| Some(s.channel) == channel);
        let Some(index) = index else { return };
        let subscription = session.subscriptions.swap_remove(index);
        self.leave(key, subscription, true);
        self.send(key, &Event::Unsubscribed { id: None, topic, reason: Some(reason) });
        self.close_if_roomless(key, reason);
    }

    /// Whether the session has, or has asked for, a subscription to the topic.
    pub(crate) fn is_subscribed(&self, key: SessionKey, topic: &Topic) -> bool {
        self.subscription_state(key, topic).is_some()
    }

    fn subscription_state(&self, key: SessionKey, topic: &Topic) -> Option<SubscriptionState> {
        let channel = self.find_channel(topic)?;
        let subscription = self.session(key)?.subscriptions.iter().find(|s| s.channel == channel);
        subscription.map(|subscription| subscription.state)
    }

    /// Takes the session out of a channel. The subscription is no longer in the session's list.
    pub(crate) fn leave(&mut self, key: SessionKey, subscription: Subscription, deliberate: bool) {
        let channel = subscription.channel;
        let topic = self.channels[channel as usize].topic.clone();
        self.forget_grant(key, &topic);
        let Some(session) = self.sessions.get(key.0 as usize) else { return };
        let (member, connection) = (session.member_name(), session.id);
        let hears_members = hears_presence(self.lanes.habits(session.opening.lane));
        match subscription.state {
            SubscriptionState::Authorising(_) => {
                // The broker has not heard of it.
                self.channels[channel as usize].pending -= 1;
                return self.drop_channel_if_unused(channel);
            }
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
        let request = match topic {
            Topic::Channel(channel) => Request::Unsubscribe(Unsubscribe {
                shard: self.id,
                channel,
                member,
                connection,
                hears_members,
                deliberate,
            }),
            Topic::Pattern(pattern) => Request::Unlisten(self.id, pattern),
        };
        self.broker.submit(request, ReplyTo::Nobody);
        if subscription.posted {
            self.post_going(key, channel);
        }
        self.drop_channel_if_unused(channel);
    }

    fn move_slot(&mut self, session: u32, channel: u32, slot: u32) {
        let Some(session) = self.sessions.get_mut(session as usize) else { return };
        if let Some(subscription) = session.subscriptions.iter_mut().find(|s| s.channel == channel) {
            subscription.state = SubscriptionState::Member(slot);
        }
    }
}

/// Whether the broker has to tell such a member who comes and who goes.
fn hears_presence(habits: Habits) -> bool {
    habits.hears_members || habits.hears_roster
}
