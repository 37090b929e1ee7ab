//! `channels`: the channels that have subscribers, page by page.

use std::borrow::Cow;
use std::sync::Arc;

use fanfare_protocol::{ChannelName, ErrorCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http_api::ApiState;
use crate::http_api::error::ApiError;
use crate::http_api::fields::{self, Scope, Text};
use crate::http_api::operation::Operation;
use crate::http_api::query::{Parameter, ParameterKind};
use crate::http_api::schemas::Channel;

const PAGE_DEFAULT: u32 = 100;
const PAGE_MAX: u32 = 1000;

/// Which channels.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"prefix": "chat:", "limit": 10}))]
pub(in crate::http_api) struct ChannelsRequest<'a> {
    /// Only names that begin so.
    #[schema(value_type = Option<String>, required = false, example = "chat:")]
    prefix: Text<'a>,
    /// Only names after this one: the last one of the page before.
    #[schema(value_type = Option<Channel>, required = false)]
    after: Text<'a>,
    /// At most so many.
    #[schema(value_type = Option<u32>, required = false, default = 100, maximum = 1000)]
    limit: Option<u32>,
}

/// A page of channels, in the order of their names.
#[derive(Serialize, ToSchema)]
pub(in crate::http_api) struct ChannelsReply {
    /// The channels.
    channels: Vec<ListedChannel>,
}

/// A channel that has subscribers.
#[derive(Serialize, ToSchema)]
pub(in crate::http_api) struct ListedChannel {
    /// Its name.
    #[schema(value_type = Channel)]
    channel: String,
    /// Connections subscribed to it.
    connections: u32,
    /// Users in it; the same as `connections` where there is no presence.
    users: u32,
}

pub(in crate::http_api) struct Channels {
    prefix: String,
    after: Option<ChannelName>,
    limit: u32,
}

impl Operation for Channels {
    const NAME: &'static str = "channels";
    const ABOUT: &'static str = "List channels that have subscribers";
    const QUERY: Option<&'static [Parameter]> = Some(&[
        Parameter::optional("prefix", ParameterKind::Text, "Only names that begin so"),
        Parameter::optional("after", ParameterKind::Text, "Only names after this one"),
        Parameter::optional("limit", ParameterKind::Number, "At most so many"),
    ]);
    const ERRORS: &'static [ErrorCode] = &[ErrorCode::InvalidChannel];
    type Request<'a> = ChannelsRequest<'a>;
    type Reply = ChannelsReply;

    fn understand(request: ChannelsRequest<'_>, _scope: &Scope<'_>) -> Result<Self, ApiError> {
        Ok(Self {
            prefix: request.prefix.map(Cow::into_owned).unwrap_or_default(),
            after: request.after.map(|name| fields::channel(&name, "after")).transpose()?,
            limit: fields::bounded(request.limit, "limit", PAGE_DEFAULT, PAGE_MAX)?,
        })
    }

    async fn perform(self, state: &Arc<ApiState>) -> Result<ChannelsReply, ApiError> {
        let channels = state.fanfare.channels(&self.prefix, self.after, self.limit as usize).await?;
        let listed = channels.into_iter().map(|state| ListedChannel {
            channel: state.channel.to_string(),
            connections: state.connections,
            users: state.users,
        });
        Ok(ChannelsReply { channels: listed.collect() })
    }
}
