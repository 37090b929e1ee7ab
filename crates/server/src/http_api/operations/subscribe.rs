//! `subscribe`: make connections listen, on the backend's behalf.

use std::borrow::Cow;
use std::sync::Arc;

use fanfare_core::ports::broker::Target;
use fanfare_protocol::ErrorCode;
use fanfare_protocol::command::Topic;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Done;
use crate::http_api::ApiState;
use crate::http_api::error::ApiError;
use crate::http_api::fields::{self, Addressed, Scope, Text};
use crate::http_api::operation::Operation;
use crate::http_api::schemas::{Channel, Connection, Pattern, User};

/// Whom, and to what. Exactly one of `user`, `users` and `connection`; either `channel` or `pattern`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"user": "ann", "channel": "chat:lobby"}))]
pub(in crate::http_api) struct SubscribeRequest<'a> {
    /// Every connection of this user.
    #[schema(value_type = Option<User>, required = false)]
    user: Text<'a>,
    /// Every connection of these users.
    #[schema(value_type = Option<Vec<User>>, required = false, min_items = 1, max_items = 1000)]
    users: Option<Vec<Cow<'a, str>>>,
    /// This connection.
    #[schema(value_type = Option<Connection>, required = false)]
    connection: Text<'a>,
    /// Which channel.
    #[schema(value_type = Option<Channel>, required = false)]
    channel: Text<'a>,
    /// Which pattern.
    #[schema(value_type = Option<Pattern>, required = false)]
    pattern: Text<'a>,
}

pub(in crate::http_api) struct Subscribe {
    target: Target,
    topic: Topic,
}

impl Operation for Subscribe {
    const NAME: &'static str = "subscribe";
    const ABOUT: &'static str = "Subscribe connections to a channel";
    const IN_BATCH: bool = true;
    const ONE_OF: &'static [&'static [&'static str]] =
        &[&["user", "users", "connection"], &["channel", "pattern"]];
    const ERRORS: &'static [ErrorCode] =
        &[ErrorCode::InvalidChannel, ErrorCode::UnknownNamespace, ErrorCode::PermissionDenied];
    type Request<'a> = SubscribeRequest<'a>;
    type Reply = Done;

    fn understand(request: SubscribeRequest<'_>, _scope: &Scope<'_>) -> Result<Self, ApiError> {
        let SubscribeRequest { user, users, connection, channel, pattern } = &request;
        let target =
            Addressed { user, users, roles: &None, connection }.target(&["user", "users", "connection"])?;
        Ok(Self { target, topic: fields::topic(channel, pattern)? })
    }

    async fn perform(self, state: &Arc<ApiState>) -> Result<Done, ApiError> {
        state.fanfare.subscribe(self.target, self.topic).await?;
        Ok(Done {})
    }
}
