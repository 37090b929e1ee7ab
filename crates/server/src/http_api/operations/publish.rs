//! `publish`: one message to one channel.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use fanfare_protocol::{ChannelName, ErrorCode};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::handle::{Message, Published};
use crate::http_api::ApiState;
use crate::http_api::error::ApiError;
use crate::http_api::fields::{self, Scope, Text, present};
use crate::http_api::operation::Operation;
use crate::http_api::schemas::{Base64, Channel, Epoch, Label, Offset, Tags, User};

/// A message to a channel. Either `data` or `binary`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"channel": "chat:lobby", "data": {"text": "hello"}, "from": "ann"}))]
pub(in crate::http_api) struct PublishRequest<'a> {
    /// Where to.
    #[schema(value_type = Channel, required = true)]
    channel: Text<'a>,
    /// Any JSON value; subscribers get it byte for byte.
    #[serde(borrow, default, deserialize_with = "present")]
    #[schema(value_type = Value, required = false)]
    data: Option<&'a RawValue>,
    /// Bytes in base64; subscribers get them as bytes.
    #[schema(value_type = Option<Base64>, required = false)]
    binary: Text<'a>,
    /// The user in whose name; nobody's without.
    #[schema(value_type = Option<User>, required = false)]
    from: Text<'a>,
    /// Labels that subscriptions may filter by.
    #[schema(value_type = Option<Tags>, required = false)]
    tags: Option<BTreeMap<Cow<'a, str>, Cow<'a, str>>>,
    /// Where only the latest is kept for slow subscribers: of what.
    #[schema(value_type = Option<Label>, required = false)]
    key: Text<'a>,
    /// The first result under this key is the result of every repetition.
    #[schema(value_type = Option<Label>, required = false)]
    idempotency_key: Text<'a>,
}

/// Where the message stands in its channel.
#[derive(Serialize, ToSchema)]
pub(in crate::http_api) struct PublishReply {
    /// Its number; numbers of one epoch are contiguous.
    #[schema(value_type = Offset)]
    offset: u64,
    /// The life of the numbering.
    #[schema(value_type = Epoch)]
    epoch: String,
    /// Whether the idempotency key had been used, so that this is the first result again.
    duplicate: bool,
}

impl From<Published> for PublishReply {
    fn from(published: Published) -> Self {
        let Published { position, duplicate } = published;
        Self { offset: position.offset, epoch: position.epoch.to_string(), duplicate }
    }
}

pub(in crate::http_api) struct Publish {
    channel: ChannelName,
    message: Message,
}

impl Operation for Publish {
    const NAME: &'static str = "publish";
    const ABOUT: &'static str = "Publish a message to a channel";
    const IN_BATCH: bool = true;
    const KEYED: bool = true;
    const ONE_OF: &'static [&'static [&'static str]] = &[&["data", "binary"]];
    const ERRORS: &'static [ErrorCode] = &[ErrorCode::InvalidChannel, ErrorCode::UnknownNamespace];
    type Request<'a> = PublishRequest<'a>;
    type Reply = PublishReply;

    fn understand(request: PublishRequest<'_>, scope: &Scope<'_>) -> Result<Self, ApiError> {
        let channel = fields::channel(&fields::required(request.channel, "channel")?, "channel")?;
        let message = Message {
            data: scope.payload(request.data, &request.binary, "data")?,
            from: request.from.map(|id| fields::user(&id, "from")).transpose()?,
            labels: fields::labels(request.tags, &request.key)?,
            idempotency_key: scope.idempotency_key(&request.idempotency_key)?,
        };
        Ok(Self { channel, message })
    }

    async fn perform(self, state: &Arc<ApiState>) -> Result<PublishReply, ApiError> {
        Ok(state.fanfare.publish(self.channel, self.message).await?.into())
    }
}
