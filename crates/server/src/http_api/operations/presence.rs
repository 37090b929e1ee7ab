//! `presence`: who is in a channel.

use std::sync::Arc;

use fanfare_protocol::event::Member;
use fanfare_protocol::{ChannelName, ErrorCode};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::http_api::ApiState;
use crate::http_api::error::ApiError;
use crate::http_api::fields::{self, Scope, Text};
use crate::http_api::operation::Operation;
use crate::http_api::query::{Parameter, ParameterKind};
use crate::http_api::reply::{self, Moment};
use crate::http_api::schemas::{Channel, User};

/// Which channel.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"channel": "chat:lobby"}))]
pub(in crate::http_api) struct PresenceRequest<'a> {
    /// Which channel.
    #[schema(value_type = Channel, required = true)]
    channel: Text<'a>,
}

/// Who is there.
#[derive(Serialize, ToSchema)]
pub(in crate::http_api) struct PresenceReply {
    /// The members, or the first of them where they are many.
    members: Vec<PresentMember>,
    /// How many users are there in all.
    users: u32,
    /// How many connections are there in all.
    connections: u32,
}

/// A user in a channel: all their connections are one member.
#[derive(Serialize, ToSchema)]
pub(in crate::http_api) struct PresentMember {
    /// The user, or for an anonymous connection its id.
    #[schema(value_type = User)]
    user: String,
    /// How many of the user's connections are there; 0 while a broken one may come back.
    connections: u32,
    /// What the newest of them said about itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Value, required = false)]
    info: Option<Box<RawValue>>,
    /// When the user came, in seconds of Unix time.
    #[schema(value_type = f64)]
    joined: Moment,
    /// When the user was last known to be there, in seconds of Unix time.
    #[schema(value_type = f64)]
    last_seen: Moment,
}

impl From<Member> for PresentMember {
    fn from(member: Member) -> Self {
        Self {
            user: member.user.to_string(),
            connections: member.connections,
            info: member.info.as_ref().and_then(reply::data),
            joined: Moment(member.joined_ms),
            last_seen: Moment(member.last_seen_ms),
        }
    }
}

pub(in crate::http_api) struct Presence(ChannelName);

impl Operation for Presence {
    const NAME: &'static str = "presence";
    const ABOUT: &'static str = "Get the members of a channel";
    const QUERY: Option<&'static [Parameter]> =
        Some(&[Parameter::required("channel", ParameterKind::Text, "Which channel")]);
    const ERRORS: &'static [ErrorCode] =
        &[ErrorCode::InvalidChannel, ErrorCode::UnknownNamespace, ErrorCode::PresenceDisabled];
    type Request<'a> = PresenceRequest<'a>;
    type Reply = PresenceReply;

    fn understand(request: PresenceRequest<'_>, _scope: &Scope<'_>) -> Result<Self, ApiError> {
        Ok(Self(fields::channel(&fields::required(request.channel, "channel")?, "channel")?))
    }

    async fn perform(self, state: &Arc<ApiState>) -> Result<PresenceReply, ApiError> {
        let members = state.fanfare.presence(self.0, false).await?;
        Ok(PresenceReply {
            members: members.members.into_iter().map(Into::into).collect(),
            users: members.users,
            connections: members.connections,
        })
    }
}
