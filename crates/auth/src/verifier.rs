//! From a token to a verdict.

use std::sync::Arc;

use fanfare_core::auth::{Grant, Standing};
use fanfare_protocol::command::Topic;
use fanfare_protocol::{ErrorCode, UserId};

use crate::settings::{IssuerSettings, TokenRules};

/// Verifies tokens. Cheap to clone.
#[derive(Clone)]
pub struct Verifier {
    _inner: Arc<()>,
}

/// Who the bearer of a token is.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified {
    /// The user; none where the token names none.
    pub user: Option<UserId>,
    /// What else the token says.
    pub standing: Standing,
}

/// Why a token was not accepted. The text names the rule that it breaks, and nothing that the token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenError {
    /// `authentication_failed` or `token_expired`.
    pub code: ErrorCode,
    /// For the developer who meets it.
    pub text: String,
}

impl Verifier {
    /// A verifier of these issuers' tokens.
    ///
    /// # Errors
    /// In a sentence, when the keys of an issuer cannot be used.
    pub fn new(_issuers: Vec<IssuerSettings>, _rules: TokenRules) -> Result<Self, String> {
        Ok(Self { _inner: Arc::new(()) })
    }

    /// Verifies a connection's token.
    ///
    /// # Errors
    /// When it is not accepted.
    #[allow(clippy::unused_async)]
    pub async fn connection(&self, _token: &str, _now_unix_ms: u64) -> Result<Verified, TokenError> {
        Err(refused())
    }

    /// Verifies a token that allows a subscription: it names the topic, and the user if the connection has one.
    ///
    /// # Errors
    /// When it is not accepted.
    #[allow(clippy::unused_async)]
    pub async fn subscription(
        &self,
        _token: &str,
        _topic: &Topic,
        _user: Option<&UserId>,
        _now_unix_ms: u64,
    ) -> Result<Grant, TokenError> {
        Err(refused())
    }
}

fn refused() -> TokenError {
    let code = ErrorCode::AuthenticationFailed;
    TokenError { code, text: code.text().to_owned() }
}
