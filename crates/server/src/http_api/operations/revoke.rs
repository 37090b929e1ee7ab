//! `revoke`: take tokens back.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;
use utoipa::ToSchema;

use super::Done;
use crate::clock::unix_ms;
use crate::http_api::ApiState;
use crate::http_api::error::ApiError;
use crate::http_api::fields::{self, Addressed, Scope, Text};
use crate::http_api::operation::Operation;
use crate::http_api::schemas::{TokenId, User};
use crate::revocations::{Revoked, TOKEN_ID_BYTES_MAX};

const WAYS: [&str; 4] = ["token", "tokens", "user", "users"];

/// How far the backend's clock may be ahead of ours.
const CLOCKS_APART_MS: u64 = 60_000;

/// Which tokens. Exactly one of `token`, `tokens`, `user` and `users`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"user": "ann"}))]
pub(in crate::http_api) struct RevokeRequest<'a> {
    /// The token with this id, its claim `jti`.
    #[schema(value_type = Option<TokenId>, required = false)]
    token: Text<'a>,
    /// The tokens with these ids.
    #[schema(value_type = Option<Vec<TokenId>>, required = false, min_items = 1, max_items = 1000)]
    tokens: Option<Vec<Cow<'a, str>>>,
    /// Every token of this user.
    #[schema(value_type = Option<User>, required = false)]
    user: Text<'a>,
    /// Every token of these users.
    #[schema(value_type = Option<Vec<User>>, required = false, min_items = 1, max_items = 1000)]
    users: Option<Vec<Cow<'a, str>>>,
    /// With `user` or `users`: only tokens issued before this time, in seconds of Unix time; otherwise all of before the
    /// end of this second. A token without `iat` counts as older.
    #[schema(value_type = Option<f64>, required = false)]
    before: Option<f64>,
}

pub(in crate::http_api) struct Revoke(Revoked);

impl Operation for Revoke {
    const NAME: &'static str = "revoke";
    const ABOUT: &'static str = "Take tokens back, and close the connections that came with them";
    const IN_BATCH: bool = true;
    const ONE_OF: &'static [&'static [&'static str]] = &[&["token", "tokens", "user", "users"]];
    type Request<'a> = RevokeRequest<'a>;
    type Reply = Done;

    fn understand(request: RevokeRequest<'_>, _scope: &Scope<'_>) -> Result<Self, ApiError> {
        let RevokeRequest { token, tokens, user, users, before } = &request;
        let given = [token.is_some(), tokens.is_some(), user.is_some(), users.is_some()];
        fields::exactly_one(given.iter().filter(|given| **given).count(), &WAYS)?;
        let ids = match (token, tokens) {
            (Some(id), _) => vec![token_id(id, "token")?],
            (None, Some(ids)) => {
                fields::not_too_many(ids.len(), "tokens")?;
                let id = |(index, id): (usize, &Cow<'_, str>)| token_id(id, &format!("tokens[{index}]"));
                ids.iter().enumerate().map(id).collect::<Result<_, _>>()?
            }
            (None, None) => {
                let users = Addressed { user, users, roles: &None, connection: &None }.users()?;
                return Ok(Self(Revoked::Users(users, issued_before_ms(*before)?)));
            }
        };
        if before.is_some() {
            return Err(ApiError::invalid("before", "given with \"user\" or \"users\" only"));
        }
        Ok(Self(Revoked::Tokens(ids)))
    }

    async fn perform(self, state: &Arc<ApiState>) -> Result<Done, ApiError> {
        state.fanfare.revoke(self.0).await?;
        Ok(Done {})
    }
}

fn token_id(id: &str, field: &str) -> Result<Box<str>, ApiError> {
    match id.len() {
        1..=TOKEN_ID_BYTES_MAX => Ok(id.into()),
        _ => Err(ApiError::invalid(field, &format!("a string of 1 to {TOKEN_ID_BYTES_MAX} bytes"))),
    }
}

/// Most tokens say when they were issued in whole seconds: those of the present one are meant too.
fn issued_before_ms(before: Option<f64>) -> Result<u64, ApiError> {
    let now_ms = unix_ms();
    let Some(seconds) = before else { return Ok((now_ms / 1000 + 1) * 1000) };
    let ms = (seconds * 1000.0).ceil();
    if ms < 0.0 || ms > (now_ms + CLOCKS_APART_MS) as f64 {
        return Err(ApiError::invalid("before", "seconds of Unix time, not in the future"));
    }
    Ok(ms as u64)
}
