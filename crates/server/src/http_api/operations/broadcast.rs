//! `broadcast`: the simplest form, to a room or to every connection.

use std::sync::Arc;

use fanfare_core::ports::broker::Target;
use fanfare_protocol::event::Direct;
use fanfare_protocol::{ChannelName, ErrorCode, Payload};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::send::now_ms;
use crate::handle::{Message, Published};
use crate::http_api::ApiState;
use crate::http_api::error::ApiError;
use crate::http_api::fields::{self, Scope, Text, given, present};
use crate::http_api::operation::Operation;
use crate::http_api::schemas::{Epoch, Label, Offset, Room};

/// A message to a room, or without one to every connection.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"room": "chat:lobby", "message": "hello"}))]
pub(in crate::http_api) struct BroadcastRequest<'a> {
    /// Which channel. Left out or empty it means everyone. It may not be `null`: a caller whose room got lost does not
    /// mean everyone.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Room, required = false)]
    room: Text<'a>,
    /// Any JSON value. Either `message` or `data`.
    #[serde(borrow, default, deserialize_with = "present")]
    #[schema(value_type = Value, required = false)]
    message: Option<&'a RawValue>,
    /// The same as `message`.
    #[serde(borrow, default, deserialize_with = "present")]
    #[schema(value_type = Value, required = false)]
    data: Option<&'a RawValue>,
    /// With a room: the first result under this key is the result of every repetition.
    #[schema(value_type = Option<Label>, required = false)]
    idempotency_key: Text<'a>,
    /// Without a room: whether the message, which has to be an object, is the whole message in every dialect.
    #[serde(default)]
    #[schema(required = false)]
    verbatim: bool,
}

/// That it was sent, and with a room where the message stands there.
#[derive(Serialize, ToSchema)]
pub(in crate::http_api) struct BroadcastReply {
    /// Always true: what fails is answered with an error.
    success: bool,
    /// Its number.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Offset, required = false)]
    offset: Option<u64>,
    /// The life of the numbering.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Epoch, required = false)]
    epoch: Option<String>,
    /// Whether the idempotency key had been used, so that this is the first result again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = bool, required = false)]
    duplicate: Option<bool>,
}

pub(in crate::http_api) struct Broadcast {
    room: Option<ChannelName>,
    message: Payload,
    verbatim: bool,
    idempotency_key: Option<Box<str>>,
}

impl Operation for Broadcast {
    const NAME: &'static str = "broadcast";
    const ABOUT: &'static str = "Send a message to a room or to everyone";
    const IN_BATCH: bool = true;
    const KEYED: bool = true;
    const ONE_OF: &'static [&'static [&'static str]] = &[&["message", "data"]];
    const ERRORS: &'static [ErrorCode] = &[ErrorCode::InvalidChannel, ErrorCode::UnknownNamespace];
    type Request<'a> = BroadcastRequest<'a>;
    type Reply = BroadcastReply;

    fn understand(request: BroadcastRequest<'_>, scope: &Scope<'_>) -> Result<Self, ApiError> {
        let room = request.room.filter(|room| !room.is_empty());
        let room = room.map(|room| fields::channel(&room, "room")).transpose()?;
        if request.message.is_some() && request.data.is_some() {
            let text = "\"message\" and \"data\" are the same: give one of them";
            return Err(ApiError::new(ErrorCode::InvalidRequest, text).at("data"));
        }
        let message = fields::required(request.message.or(request.data), "message")?;
        let idempotency_key = scope.idempotency_key(&request.idempotency_key)?;
        if room.is_none() && idempotency_key.is_some() {
            let text = "a message to everyone is in no room that could remember an idempotency key";
            return Err(ApiError::new(ErrorCode::InvalidRequest, text).at("idempotency_key"));
        }
        let verbatim = request.verbatim;
        if room.is_some() && verbatim {
            let text =
                "a message to a room says where it stands there: only one to everyone can go out verbatim";
            return Err(ApiError::new(ErrorCode::InvalidField, text).at("verbatim"));
        }
        let mut message = scope.payload(Some(message), &None, "message")?;
        if verbatim {
            message = fields::verbatim(message, "message")?;
        }
        Ok(Self { room, message, verbatim, idempotency_key })
    }

    async fn perform(self, state: &Arc<ApiState>) -> Result<BroadcastReply, ApiError> {
        if let Some(room) = self.room {
            let message = Message { idempotency_key: self.idempotency_key, ..Message::new(self.message) };
            let Published { position, duplicate } = state.fanfare.publish(room, message).await?;
            let (offset, epoch) = (Some(position.offset), Some(position.epoch.to_string()));
            return Ok(BroadcastReply { success: true, offset, epoch, duplicate: Some(duplicate) });
        }
        let direct =
            Direct { from: None, data: self.message, verbatim: self.verbatim, timestamp_ms: now_ms() };
        state.fanfare.send(Target::Everyone, direct).await?;
        Ok(BroadcastReply { success: true, offset: None, epoch: None, duplicate: None })
    }
}
