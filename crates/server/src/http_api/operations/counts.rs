//! `counts`: the node in numbers.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http_api::ApiState;
use crate::http_api::error::ApiError;
use crate::http_api::fields::Scope;
use crate::http_api::operation::Operation;
use crate::http_api::query::Parameter;

/// Nothing to say.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({}))]
pub(in crate::http_api) struct CountsRequest {}

/// The node in numbers.
#[derive(Serialize, ToSchema)]
pub(in crate::http_api) struct CountsReply {
    /// Connections of this node.
    connections: usize,
    /// Channels with subscribers or history.
    channels: usize,
    /// Channels with subscribers.
    channels_subscribed: usize,
    /// Users online.
    users: usize,
    /// Bytes of history held.
    history_bytes: usize,
}

pub(in crate::http_api) struct Counts;

impl Operation for Counts {
    const NAME: &'static str = "counts";
    const ABOUT: &'static str = "Count connections, channels and users";
    const QUERY: Option<&'static [Parameter]> = Some(&[]);
    type Request<'a> = CountsRequest;
    type Reply = CountsReply;

    fn understand(_request: CountsRequest, _scope: &Scope<'_>) -> Result<Self, ApiError> {
        Ok(Self)
    }

    async fn perform(self, state: &Arc<ApiState>) -> Result<CountsReply, ApiError> {
        let counts = state.fanfare.counts().await?;
        Ok(CountsReply {
            connections: counts.connections,
            channels: counts.channels,
            channels_subscribed: counts.channels_subscribed,
            users: counts.users,
            history_bytes: counts.history_bytes,
        })
    }
}
