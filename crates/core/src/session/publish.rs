//! Publishing by clients.

use fanfare_protocol::command::Topic;
use fanfare_protocol::publication::{Kind, Labels};
use fanfare_protocol::{ChannelName, ErrorCode, Payload, RequestId};

use super::SessionKey;
use crate::auth::Operation;
use crate::ports::broker::{IdempotencyKey, Publish, ReplyTo, Request};
use crate::shard::{Question, Shard};

/// A client's message, on its way to the broker.
pub(crate) struct ClientMessage {
    pub(crate) channel: ChannelName,
    pub(crate) data: Payload,
    pub(crate) labels: Option<Box<Labels>>,
    pub(crate) echo: bool,
    pub(crate) idempotency_key: Option<Box<str>>,
}

impl Shard {
    /// Publishes and acknowledges; `acknowledge` is false for messages that want no answer but a failure.
    pub(crate) fn publish(
        &mut self,
        key: SessionKey,
        id: Option<RequestId>,
        message: ClientMessage,
        acknowledge: bool,
    ) {
        let Some(namespace) = self.settings.namespaces.get(message.channel.namespace()).cloned() else {
            return self.fail(key, id.as_ref(), ErrorCode::UnknownNamespace);
        };
        let topic = Topic::Channel(message.channel.clone());
        if let Err(denial) = self.allowed(key, &namespace.rules, Operation::Publish, &topic) {
            return self.deny(key, id.as_ref(), denial);
        }
        if namespace.data_bytes_max > 0 && message.data.bytes().len() > namespace.data_bytes_max {
            return self.fail(key, id.as_ref(), ErrorCode::DataTooLarge);
        }
        let Some(session) = self.sessions.get(key.0 as usize) else { return };
        let idempotency_key = message.idempotency_key.map(|key| match &session.opening.identity.user {
            Some(user) => IdempotencyKey::of_user(user, &key),
            None => IdempotencyKey::of_connection(session.id, &key),
        });
        let is_passing = message.labels.as_ref().is_some_and(|labels| labels.word.is_some());
        let publish = Publish {
            channel: message.channel,
            namespace,
            anonymous: session.opening.identity.user.is_none(),
            from: Some(session.member_name()),
            from_name: session.opening.identity.name().cloned(),
            kind: if is_passing { Kind::Passing } else { Kind::Message },
            connection: Some(session.id),
            exclude_sender: !message.echo,
            data: message.data,
            labels: message.labels,
            idempotency_key,
        };
        let Topic::Channel(channel) = topic else { return };
        let acknowledge = acknowledge.then_some(channel);
        let ticket = self.ask(key, id, Question::Publish { acknowledge });
        self.broker.submit(Request::Publish(publish), ReplyTo::Shard(self.id, ticket));
    }
}
