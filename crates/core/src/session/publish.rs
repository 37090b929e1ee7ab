//! Publishing by clients.

use fanfare_protocol::publication::Labels;
use fanfare_protocol::{ChannelName, ErrorCode, Payload, RequestId};

use super::SessionKey;
use crate::ports::broker::{Publish, ReplyTo, Request};
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
        if namespace.rules.publish == crate::auth::Access::Nobody {
            let text = "clients may not publish in this namespace";
            return self.fail_with(key, id.as_ref(), ErrorCode::PermissionDenied, text);
        }
        let Some(session) = self.sessions.get(key.0 as usize) else { return };
        let publish = Publish {
            channel: message.channel,
            namespace,
            from: Some(session.member_name()),
            connection: Some(session.id),
            exclude_sender: !message.echo,
            data: message.data,
            labels: message.labels,
            idempotency_key: message.idempotency_key,
        };
        let ticket = self.ask(key, id, Question::Publish { acknowledge });
        self.broker.submit(Request::Publish(publish), ReplyTo::Shard(self.id, ticket));
    }
}
