//! `presence_counts`: how many are in each of several channels.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use fanfare_protocol::{ChannelName, ErrorCode};
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http_api::ApiState;
use crate::http_api::error::ApiError;
use crate::http_api::fields::{self, LIST_MAX, Scope};
use crate::http_api::operation::Operation;
use crate::http_api::query::{Parameter, ParameterKind};
use crate::http_api::schemas::Channel;

/// Which channels.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"channels": ["chat:lobby", "chat:garden"]}))]
pub(in crate::http_api) struct PresenceCountsRequest<'a> {
    /// Which channels.
    #[schema(value_type = Vec<Channel>, required = true, max_items = 1000)]
    channels: Option<Vec<Cow<'a, str>>>,
}

/// How many are there.
#[derive(Serialize, ToSchema)]
pub(in crate::http_api) struct PresenceCountsReply {
    /// By the channel's name.
    channels: BTreeMap<String, PresenceCount>,
}

/// How many are in a channel.
#[derive(Serialize, ToSchema)]
pub(in crate::http_api) struct PresenceCount {
    /// Users.
    users: u32,
    /// Connections.
    connections: u32,
}

pub(in crate::http_api) struct PresenceCounts(Vec<ChannelName>);

impl Operation for PresenceCounts {
    const NAME: &'static str = "presence_counts";
    const ABOUT: &'static str = "Count the members of channels";
    const QUERY: Option<&'static [Parameter]> =
        Some(&[Parameter::required("channels", ParameterKind::List, "Which channels; repeated for each")]);
    const ERRORS: &'static [ErrorCode] =
        &[ErrorCode::InvalidChannel, ErrorCode::UnknownNamespace, ErrorCode::PresenceDisabled];
    type Request<'a> = PresenceCountsRequest<'a>;
    type Reply = PresenceCountsReply;

    fn understand(request: PresenceCountsRequest<'_>, _scope: &Scope<'_>) -> Result<Self, ApiError> {
        let names = fields::required(request.channels, "channels")?;
        if names.len() > LIST_MAX {
            return Err(ApiError::invalid("channels", &format!("a list of at most {LIST_MAX}")));
        }
        let channel =
            |(index, name): (usize, &Cow<'_, str>)| fields::channel(name, &format!("channels[{index}]"));
        Ok(Self(names.iter().enumerate().map(channel).collect::<Result<_, _>>()?))
    }

    async fn perform(self, state: &Arc<ApiState>) -> Result<PresenceCountsReply, ApiError> {
        let counts = self.0.into_iter().map(async |channel| {
            let members = state.fanfare.presence(channel.clone(), true).await?;
            let count = PresenceCount { users: members.users, connections: members.connections };
            Ok::<_, ApiError>((channel.to_string(), count))
        });
        Ok(PresenceCountsReply { channels: try_join_all(counts).await?.into_iter().collect() })
    }
}
