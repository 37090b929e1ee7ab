//! `disconnect`: close connections.

use std::borrow::Cow;
use std::sync::Arc;

use fanfare_core::ports::broker::Target;
use fanfare_protocol::CloseCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Done;
use crate::http_api::ApiState;
use crate::http_api::error::ApiError;
use crate::http_api::fields::{Addressed, Scope, Text};
use crate::http_api::operation::Operation;
use crate::http_api::schemas::{ClosingCode, Connection, User};

/// What a backend may close with: neither what accuses the client of breaking the protocol nor what a server
/// says of itself.
pub(in crate::http_api) const CLOSING_CODES: [CloseCode; 7] = [
    CloseCode::Normal,
    CloseCode::PolicyViolation,
    CloseCode::ServiceRestart,
    CloseCode::TryAgainLater,
    CloseCode::Disconnected,
    CloseCode::Unauthenticated,
    CloseCode::Forbidden,
];

/// Whom, and why. Exactly one of `user`, `users` and `connection`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"user": "ann", "code": 4003}))]
pub(in crate::http_api) struct DisconnectRequest<'a> {
    /// Every connection of this user.
    #[schema(value_type = Option<User>, required = false)]
    user: Text<'a>,
    /// Every connection of these users.
    #[schema(value_type = Option<Vec<User>>, required = false, min_items = 1, max_items = 1000)]
    users: Option<Vec<Cow<'a, str>>>,
    /// This connection.
    #[schema(value_type = Option<Connection>, required = false)]
    connection: Text<'a>,
    /// The close code: 1000, 1008, 1012, 1013, 4000, 4001 or 4003. With 1012 and 1013 clients connect again.
    #[schema(value_type = Option<ClosingCode>, required = false, default = 4000)]
    code: Option<u16>,
}

pub(in crate::http_api) struct Disconnect {
    target: Target,
    code: CloseCode,
}

impl Operation for Disconnect {
    const NAME: &'static str = "disconnect";
    const ABOUT: &'static str = "Close connections";
    const IN_BATCH: bool = true;
    const ONE_OF: &'static [&'static [&'static str]] = &[&["user", "users", "connection"]];
    type Request<'a> = DisconnectRequest<'a>;
    type Reply = Done;

    fn understand(request: DisconnectRequest<'_>, _scope: &Scope<'_>) -> Result<Self, ApiError> {
        let DisconnectRequest { user, users, connection, code } = &request;
        let target =
            Addressed { user, users, roles: &None, connection }.target(&["user", "users", "connection"])?;
        let number = code.unwrap_or(CloseCode::Disconnected.number());
        let code = CLOSING_CODES.into_iter().find(|code| code.number() == number).ok_or_else(|| {
            ApiError::invalid(
                "code",
                &format!("one of {}", CLOSING_CODES.map(|code| code.number().to_string()).join(", ")),
            )
        })?;
        Ok(Self { target, code })
    }

    async fn perform(self, state: &Arc<ApiState>) -> Result<Done, ApiError> {
        state.fanfare.disconnect(self.target, self.code).await?;
        Ok(Done {})
    }
}
