//! `unsubscribe`: end subscriptions, on the backend's behalf.

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
pub(in crate::http_api) struct UnsubscribeRequest<'a> {
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

pub(in crate::http_api) struct Unsubscribe {
    target: Target,
    topic: Topic,
}

impl Operation for Unsubscribe {
    const NAME: &'static str = "unsubscribe";
    const ABOUT: &'static str = "End subscriptions of connections";
    const IN_BATCH: bool = true;
    const ONE_OF: &'static [&'static [&'static str]] =
        &[&["user", "users", "connection"], &["channel", "pattern"]];
    const ERRORS: &'static [ErrorCode] = &[ErrorCode::InvalidChannel];
    type Request<'a> = UnsubscribeRequest<'a>;
    type Reply = Done;

    fn understand(request: UnsubscribeRequest<'_>, _scope: &Scope<'_>) -> Result<Self, ApiError> {
        let UnsubscribeRequest { user, users, connection, channel, pattern } = &request;
        let target =
            Addressed { user, users, roles: &None, connection }.target(&["user", "users", "connection"])?;
        Ok(Self { target, topic: fields::topic(channel, pattern)? })
    }

    async fn perform(self, state: &Arc<ApiState>) -> Result<Done, ApiError> {
        state.fanfare.unsubscribe(self.target, self.topic).await?;
        Ok(Done {})
    }
}
