//! Questions: presence, history, users, status.

use fanfare_protocol::command::{HistoryRange, Status, Topic};
use fanfare_protocol::{ChannelName, ErrorCode, RequestId, UserId};

use super::SessionKey;
use crate::auth::{Access, Operation};
use crate::ports::broker::{ReplyTo, Request};
use crate::shard::{Question, Shard};

impl Shard {
    pub(crate) fn presence(
        &mut self,
        key: SessionKey,
        id: Option<RequestId>,
        channel: ChannelName,
        counts_only: bool,
    ) {
        let Some(namespace) = self.settings.namespaces.get(channel.namespace()).cloned() else {
            return self.fail(key, id.as_ref(), ErrorCode::UnknownNamespace);
        };
        let topic = Topic::Channel(channel.clone());
        if let Err(denial) = self.allowed(key, &namespace.rules, Operation::Presence, &topic) {
            return self.deny(key, id.as_ref(), denial);
        }
        if !namespace.presence {
            return self.fail(key, id.as_ref(), ErrorCode::PresenceDisabled);
        }
        let ticket = self.ask(key, id, Question::Presence { channel: channel.clone() });
        self.broker.submit(Request::Presence { channel, counts_only }, ReplyTo::Shard(self.id, ticket));
    }

    pub(crate) fn history(
        &mut self,
        key: SessionKey,
        id: Option<RequestId>,
        channel: ChannelName,
        range: HistoryRange,
    ) {
        let Some(namespace) = self.settings.namespaces.get(channel.namespace()).cloned() else {
            return self.fail(key, id.as_ref(), ErrorCode::UnknownNamespace);
        };
        let topic = Topic::Channel(channel.clone());
        if let Err(denial) = self.allowed(key, &namespace.rules, Operation::History, &topic) {
            return self.deny(key, id.as_ref(), denial);
        }
        if namespace.history_size == 0 {
            return self.fail(key, id.as_ref(), ErrorCode::HistoryDisabled);
        }
        let ticket = self.ask(key, id, Question::History { channel: channel.clone() });
        self.broker.submit(Request::History { channel, range }, ReplyTo::Shard(self.id, ticket));
    }

    pub(crate) fn users(&mut self, key: SessionKey, id: Option<RequestId>, users: Vec<UserId>) {
        let Some(session) = self.sessions.get(key.0 as usize) else { return };
        let allowed = match self.settings.users {
            Access::Everyone => true,
            Access::Authenticated => session.opening.identity.user.is_some(),
            _ => false,
        };
        if !allowed {
            let text = "the rule auth.allow_users does not admit this connection";
            return self.fail_with(key, id.as_ref(), ErrorCode::PermissionDenied, text);
        }
        let ticket = self.ask(key, id, Question::Users);
        self.broker.submit(Request::Users(users), ReplyTo::Shard(self.id, ticket));
    }

    pub(crate) fn set_status(&mut self, key: SessionKey, id: Option<RequestId>, status: Status) {
        let Some(session) = self.sessions.get(key.0 as usize) else { return };
        let Some(user) = session.opening.identity.user.clone() else {
            let text = "an anonymous connection has no status";
            return self.fail_with(key, id.as_ref(), ErrorCode::PermissionDenied, text);
        };
        if status == Status::Offline {
            let text = "a connected user is online or away";
            return self.fail_with(key, id.as_ref(), ErrorCode::InvalidField, text);
        }
        let connection = session.id;
        let ticket = self.ask(key, id, Question::SetStatus { status });
        self.broker.submit(Request::SetStatus(user, connection, status), ReplyTo::Shard(self.id, ticket));
    }
}
