//! `send`: a message that belongs to no channel, to users, roles or one connection.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use fanfare_core::ports::broker::Target;
use fanfare_protocol::ErrorCode;
use fanfare_protocol::event::Direct;
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::Done;
use crate::http_api::ApiState;
use crate::http_api::error::ApiError;
use crate::http_api::fields::{self, Addressed, Scope, Text, present};
use crate::http_api::operation::Operation;
use crate::http_api::schemas::{Base64, Connection, User};

/// A message to people. Exactly one of `user`, `users`, `roles` and `connection`; either `data` or `binary`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"user": "ann", "data": {"type": "invitation", "to": "chat:lobby"}}))]
pub(in crate::http_api) struct SendRequest<'a> {
    /// To every connection of this user.
    #[schema(value_type = Option<User>, required = false)]
    user: Text<'a>,
    /// To every connection of these users.
    #[schema(value_type = Option<Vec<User>>, required = false, min_items = 1, max_items = 1000)]
    users: Option<Vec<Cow<'a, str>>>,
    /// To every connection that has one of these roles.
    #[schema(value_type = Option<Vec<String>>, required = false, min_items = 1, max_items = 1000)]
    roles: Option<Vec<Cow<'a, str>>>,
    /// To this connection.
    #[schema(value_type = Option<Connection>, required = false)]
    connection: Text<'a>,
    /// Any JSON value.
    #[serde(borrow, default, deserialize_with = "present")]
    #[schema(value_type = Value, required = false)]
    data: Option<&'a RawValue>,
    /// Bytes in base64.
    #[schema(value_type = Option<Base64>, required = false)]
    binary: Text<'a>,
    /// The user in whose name; nobody's without.
    #[schema(value_type = Option<User>, required = false)]
    from: Text<'a>,
    /// Whether `data`, which has to be an object, is the whole message in every dialect. Then nothing says who sent it.
    #[serde(default)]
    #[schema(required = false)]
    verbatim: bool,
}

pub(in crate::http_api) struct Send {
    target: Target,
    message: Direct,
}

impl Operation for Send {
    const NAME: &'static str = "send";
    const ABOUT: &'static str = "Send a message to users, roles or a connection";
    const IN_BATCH: bool = true;
    const ONE_OF: &'static [&'static [&'static str]] =
        &[&["user", "users", "roles", "connection"], &["data", "binary"]];
    type Request<'a> = SendRequest<'a>;
    type Reply = Done;

    fn understand(request: SendRequest<'_>, scope: &Scope<'_>) -> Result<Self, ApiError> {
        let SendRequest { user, users, roles, connection, data, binary, from, verbatim } = &request;
        let target =
            Addressed { user, users, roles, connection }.target(&["user", "users", "roles", "connection"])?;
        if *verbatim && from.is_some() {
            let text = "a message that goes out verbatim says itself who sent it";
            return Err(ApiError::new(ErrorCode::InvalidField, text).at("from"));
        }
        let payload = scope.payload(*data, binary, "data")?;
        let message = Direct {
            from: from.as_deref().map(|id| fields::user(id, "from")).transpose()?,
            data: if *verbatim { fields::verbatim(payload, "data")? } else { payload },
            verbatim: *verbatim,
            timestamp_ms: now_ms(),
        };
        Ok(Self { target, message })
    }

    async fn perform(self, state: &Arc<ApiState>) -> Result<Done, ApiError> {
        state.fanfare.send(self.target, self.message).await?;
        Ok(Done {})
    }
}

pub(super) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
