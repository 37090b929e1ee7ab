//! What a session may do: rules, names and grants, and what happens when they change.

use fanfare_protocol::command::{SubscribeOptions, Topic};
use fanfare_protocol::{ErrorCode, Event, RequestId};

use super::{SessionKey, Subscription, SubscriptionState};
use crate::auth::{Access, Denial, Grant, Operation, Rules, Scope, Standing, decide};
use crate::namespace::Namespace;
use crate::ports::authority::{Asked, Finding, Matter, Verdict};
use crate::shard::{Question, Shard};

impl Shard {
    /// Whether a session may carry out an operation.
    pub(crate) fn allowed(
        &self,
        key: SessionKey,
        rules: &Rules,
        operation: Operation,
        topic: &Topic,
    ) -> Result<(), Denial> {
        // Looked up only for the rule that asks for it: most publishes need not.
        let is_member = *rules.of(operation) == Access::Members && self.is_member(key, topic);
        self.allowed_as(key, rules, operation, topic, is_member)
    }

    /// The same as if it were, or were not, subscribed.
    pub(crate) fn allowed_as(
        &self,
        key: SessionKey,
        rules: &Rules,
        operation: Operation,
        topic: &Topic,
        is_member: bool,
    ) -> Result<(), Denial> {
        match self.sessions.get(key.0 as usize) {
            Some(session) => {
                decide(rules, &session.opening.identity, session.given.grants(), operation, topic, is_member)
            }
            None => Ok(()),
        }
    }

    fn is_member(&self, key: SessionKey, topic: &Topic) -> bool {
        let Some(session) = self.sessions.get(key.0 as usize) else { return false };
        let channel = self.find_channel(topic);
        session.subscriptions.iter().any(|subscription| {
            Some(subscription.channel) == channel
                && matches!(subscription.state, SubscriptionState::Member(_))
        })
    }

    /// Tells which rule stands against a request.
    pub(crate) fn deny(&mut self, key: SessionKey, id: Option<&RequestId>, denial: Denial) {
        self.fail_with(key, id, ErrorCode::PermissionDenied, &denial.text());
    }

    /// Asks the authority whether a subscription is allowed that the rules leave open. It is pending meanwhile, so that
    /// it can be given up, and cannot be asked for twice.
    pub(crate) fn authorise(
        &mut self,
        key: SessionKey,
        id: Option<RequestId>,
        topic: &Topic,
        mut options: Box<SubscribeOptions>,
        namespace: &std::sync::Arc<Namespace>,
    ) {
        let matter = match options.token.take() {
            Some(token) => Matter::SubscriptionToken(topic.clone(), token),
            None => Matter::Subscription(topic.clone()),
        };
        let channel = self.channel_entry(topic, namespace);
        let Some(session) = self.sessions.get(key.0 as usize) else { return };
        let (peer, shard) = (session.peer(), self.id);
        let ticket = self.ask(key, id, Question::Authorise { topic: topic.clone(), options });
        let state = SubscriptionState::Authorising(ticket.slot());
        self.begin_subscription(key, Subscription { channel, state, posted: false });
        self.authority.ask(Asked { shard, ticket, peer, matter });
    }

    /// A subscription that stands gets a newer token.
    pub(crate) fn renew(
        &mut self,
        key: SessionKey,
        id: Option<RequestId>,
        topic: &Topic,
        token: fanfare_protocol::command::Secret,
    ) {
        let Some(session) = self.sessions.get(key.0 as usize) else { return };
        let (peer, shard) = (session.peer(), self.id);
        let ticket = self.ask(key, id, Question::Renew { topic: topic.clone() });
        let matter = Matter::SubscriptionToken(topic.clone(), token);
        self.authority.ask(Asked { shard, ticket, peer, matter });
    }

    /// The authority's answer to [`Shard::authorise`].
    pub(crate) fn authorised(
        &mut self,
        key: SessionKey,
        id: Option<RequestId>,
        ticket: u32,
        topic: &Topic,
        options: SubscribeOptions,
        verdict: Verdict,
    ) {
        let Some(session) = self.sessions.get_mut(key.0 as usize) else { return };
        let asked = SubscriptionState::Authorising(ticket);
        let Some(index) = session.subscriptions.iter().position(|s| s.state == asked) else {
            let text = "unsubscribed before the answer came";
            return self.fail_with(key, id.as_ref(), ErrorCode::NotSubscribed, text);
        };
        let subscription = session.subscriptions.swap_remove(index);
        let granted = self.take_grant(key, topic, verdict);
        let mut refused_by = ErrorCode::PermissionDenied;
        match granted {
            Ok(()) => {
                self.subscribe(key, id, topic, options);
                if !self.is_subscribed(key, topic) {
                    self.forget_grant(key, topic);
                }
            }
            Err((code, text)) => {
                refused_by = code;
                self.fail_with(key, id.as_ref(), code, &text);
            }
        }
        // Only now: the channel's entry, if it is new, belongs to the subscription that has taken over.
        self.channels[subscription.channel as usize].pending -= 1;
        self.drop_channel_if_unused(subscription.channel);
        self.close_if_roomless(key, refused_by);
    }

    /// The authority's answer to [`Shard::renew`].
    pub(crate) fn renewed(
        &mut self,
        key: SessionKey,
        id: Option<&RequestId>,
        topic: &Topic,
        verdict: Verdict,
    ) {
        match self.take_grant(key, topic, verdict) {
            Err((code, text)) => self.fail_with(key, id, code, &text),
            Ok(()) if !self.is_subscribed(key, topic) => {
                self.forget_grant(key, topic);
                let text = "unsubscribed before the answer came";
                self.fail_with(key, id, ErrorCode::NotSubscribed, text);
            }
            Ok(()) => {
                let subscribed = fanfare_protocol::event::Subscribed {
                    id,
                    topic,
                    position: None,
                    recovered: None,
                    replayed: 0,
                    presence: None,
                };
                self.send(key, &Event::Subscribed(subscribed));
            }
        }
    }

    fn take_grant(
        &mut self,
        key: SessionKey,
        topic: &Topic,
        verdict: Verdict,
    ) -> Result<(), (ErrorCode, String)> {
        let grant = match verdict {
            Ok(Finding::Grant(grant)) if grant.allows(Operation::Subscribe, topic) => grant,
            Ok(_) => {
                let text = "the token does not allow this subscription";
                return Err((ErrorCode::PermissionDenied, text.to_owned()));
            }
            Err(refusal) => return Err(refusal),
        };
        let Some(session) = self.sessions.get(key.0 as usize) else { return Ok(()) };
        let user = session.opening.identity.user.as_ref();
        let (token_id, issued_unix_ms) = (grant.token_id.clone(), grant.issued_unix_ms);
        let standing = Standing { token_id, issued_unix_ms, ..Standing::default() };
        if grant.has_token() && self.authority.is_revoked(user, &standing) {
            return Err((ErrorCode::TokenRevoked, ErrorCode::TokenRevoked.text().to_owned()));
        }
        if self.has_expired(grant.expires_unix_ms) {
            return Err((ErrorCode::TokenExpired, ErrorCode::TokenExpired.text().to_owned()));
        }
        // Whatever wider pattern the token is for: the grant is the subscription's, and goes with it.
        self.grant(key, Grant { scope: Scope::of(topic), ..grant });
        Ok(())
    }

    /// Gives a session a grant for one topic, in place of an older one for the same.
    pub(crate) fn grant(&mut self, key: SessionKey, grant: Grant) {
        let Some(session) = self.sessions.get_mut(key.0 as usize) else { return };
        session.given.add(grant);
        self.watch_expiry(key);
    }

    /// A grant that came with a subscription goes with it.
    pub(crate) fn forget_grant(&mut self, key: SessionKey, topic: &Topic) {
        let Some(session) = self.sessions.get_mut(key.0 as usize) else { return };
        session.given.retain(|grant| match (&grant.scope, topic) {
            (Scope::Channel(granted), Topic::Channel(left)) => granted != left,
            (Scope::Pattern(granted), Topic::Pattern(left)) => granted != left,
            _ => true,
        });
    }

    /// Ends every subscription that what the session now has would not allow it to begin.
    pub(crate) fn end_subscriptions_no_longer_allowed(&mut self, key: SessionKey, reason: ErrorCode) {
        let Some(session) = self.sessions.get(key.0 as usize) else { return };
        let topics: Vec<Topic> = session
            .subscriptions
            .iter()
            // What the authority is still looked to for is decided by its answer.
            .filter(|subscription| !matches!(subscription.state, SubscriptionState::Authorising(_)))
            .map(|subscription| self.channels[subscription.channel as usize].topic.clone())
            .collect();
        for topic in topics {
            if !self.may_stay(key, &topic) {
                self.end_subscription(key, &topic, reason);
            }
        }
    }

    /// Whether what the session now has would allow it to begin a subscription to the topic.
    pub(crate) fn may_stay(&self, key: SessionKey, topic: &Topic) -> bool {
        let Some(session) = self.sessions.get(key.0 as usize) else { return false };
        // What the backend began is the backend's to end, whatever the rules admit.
        if session.given.grants().iter().any(|grant| grant.allows(Operation::Subscribe, topic)) {
            return true;
        }
        self.settings.namespaces.get(topic.namespace()).is_some_and(|namespace| {
            self.allowed_as(key, &namespace.rules, Operation::Subscribe, topic, true).is_ok()
        })
    }
}
