//! `broadcast`: the simplest form, to a room or to every connection.

use std::sync::Arc;

use fanfare_core::ports::broker::Target;
use fanfare_protocol::event::Direct;
use fanfare_protocol::{ChannelName, Payload};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::send::now_ms;
use crate::handle::Message;
use crate::http_api::ApiState;
use crate::http_api::error::ApiError;
use crate::http_api::fields::{self, Scope, Text, given, present};
use crate::http_api::operation::Operation;

/// A message to a room, or without one to every connection.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http_api) struct BroadcastRequest<'a> {
    /// Which channel. It may be left out, but not be `null`: a caller whose room got lost does not mean everyone.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = String, min_length = 1, max_length = 255, required = false, example = "chat:lobby")]
    room: Text<'a>,
    /// Any JSON value.
    #[serde(borrow, default, deserialize_with = "present")]
    #[schema(value_type = Value, required = true)]
    message: Option<&'a RawValue>,
}

/// Where the message stands in its room; empty without a room.
#[derive(Serialize, ToSchema)]
pub(in crate::http_api) struct BroadcastReply {
    /// Its number.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u64, required = false)]
    offset: Option<u64>,
    /// The life of the numbering.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    epoch: Option<String>,
}

pub(in crate::http_api) struct Broadcast {
    room: Option<ChannelName>,
    message: Payload,
}

impl Operation for Broadcast {
    const NAME: &'static str = "broadcast";
    const ABOUT: &'static str = "Send a message to a room or to everyone";
    const IN_BATCH: bool = true;
    type Request<'a> = BroadcastRequest<'a>;
    type Reply = BroadcastReply;

    fn understand(request: BroadcastRequest<'_>, scope: &Scope<'_>) -> Result<Self, ApiError> {
        let room = request.room.map(|room| fields::channel(&room, "room")).transpose()?;
        let message = fields::required(request.message, "message")?;
        Ok(Self { room, message: scope.payload(Some(message), &None, "message")? })
    }

    async fn perform(self, state: &Arc<ApiState>) -> Result<BroadcastReply, ApiError> {
        if let Some(room) = self.room {
            let position = state.fanfare.publish(room, Message::new(self.message)).await?.position;
            let (offset, epoch) = (Some(position.offset), Some(position.epoch.to_string()));
            return Ok(BroadcastReply { offset, epoch });
        }
        let direct = Direct { from: None, data: self.message, timestamp_ms: now_ms() };
        state.fanfare.send(Target::Everyone, direct).await?;
        Ok(BroadcastReply { offset: None, epoch: None })
    }
}
