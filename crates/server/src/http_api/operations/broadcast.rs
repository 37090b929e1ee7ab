//! `broadcast`: the simplest form, to a room or to every connection.

use std::sync::Arc;

use fanfare_core::ports::broker::Target;
use fanfare_protocol::event::Direct;
use fanfare_protocol::{ChannelName, Payload};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::publish::PublishReply;
use super::send::now_ms;
use crate::handle::Message;
use crate::http_api::ApiState;
use crate::http_api::error::ApiError;
use crate::http_api::fields::{self, Scope, Text, present};
use crate::http_api::operation::Operation;

/// A message to a room, or without one to every connection.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http_api) struct BroadcastRequest<'a> {
    /// Which channel.
    #[schema(value_type = String, required = false, example = "chat:lobby")]
    room: Text<'a>,
    /// Any JSON value.
    #[serde(borrow, default, deserialize_with = "present")]
    #[schema(value_type = Value, required = true)]
    message: Option<&'a RawValue>,
}

/// Where the message stands in its room; empty without a room.
#[derive(Serialize, ToSchema)]
pub(in crate::http_api) struct BroadcastReply {
    #[serde(flatten)]
    #[schema(value_type = PublishReply)]
    published: Option<PublishReply>,
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
            let published = state.fanfare.publish(room, Message::new(self.message)).await?;
            return Ok(BroadcastReply { published: Some(published.into()) });
        }
        let direct = Direct { from: None, data: self.message, timestamp_ms: now_ms() };
        state.fanfare.send(Target::Everyone, direct).await?;
        Ok(BroadcastReply { published: None })
    }
}
