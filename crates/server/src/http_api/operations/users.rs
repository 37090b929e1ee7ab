//! `users`: whether people are online.

use std::borrow::Cow;
use std::sync::Arc;

use fanfare_protocol::UserId;
use fanfare_protocol::event::UserState;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http_api::ApiState;
use crate::http_api::error::ApiError;
use crate::http_api::fields::{self, Scope};
use crate::http_api::operation::Operation;
use crate::http_api::query::{Parameter, ParameterKind};
use crate::http_api::reply::Moment;
use crate::http_api::schemas::User;

/// Which users.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"users": ["ann", "bob"]}))]
pub(in crate::http_api) struct UsersRequest<'a> {
    /// Their ids.
    #[schema(value_type = Vec<User>, required = true, min_items = 1, max_items = 1000)]
    users: Option<Vec<Cow<'a, str>>>,
}

/// What is known of them.
#[derive(Serialize, ToSchema)]
pub(in crate::http_api) struct UsersReply {
    /// One entry for each, in the order asked.
    users: Vec<ListedUser>,
}

/// A user, independent of channels.
#[derive(Serialize, ToSchema)]
pub(in crate::http_api) struct ListedUser {
    /// Their id.
    #[schema(value_type = User)]
    user: String,
    /// `online`, `away` or `offline`.
    status: &'static str,
    /// When they were last connected, in seconds of Unix time; nothing if never seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = f64, required = false)]
    last_seen: Option<Moment>,
}

impl From<UserState> for ListedUser {
    fn from(state: UserState) -> Self {
        let UserState { user, status, last_seen_ms } = state;
        Self { user: user.to_string(), status: status.as_str(), last_seen: last_seen_ms.map(Moment) }
    }
}

pub(in crate::http_api) struct Users(Vec<UserId>);

impl Operation for Users {
    const NAME: &'static str = "users";
    const ABOUT: &'static str = "Get whether users are online and when they were last seen";
    const QUERY: Option<&'static [Parameter]> =
        Some(&[Parameter::required("users", ParameterKind::List, "A user; repeated for each")]);
    type Request<'a> = UsersRequest<'a>;
    type Reply = UsersReply;

    fn understand(request: UsersRequest<'_>, _scope: &Scope<'_>) -> Result<Self, ApiError> {
        Ok(Self(fields::users(&fields::required(request.users, "users")?, "users")?))
    }

    async fn perform(self, state: &Arc<ApiState>) -> Result<UsersReply, ApiError> {
        let users = state.fanfare.users(self.0).await?;
        Ok(UsersReply { users: users.into_iter().map(Into::into).collect() })
    }
}
