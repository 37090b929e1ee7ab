//! Who may come in, and how they say who they are.

use std::collections::BTreeMap;
use std::path::PathBuf;

use fanfare_auth::Algorithm;
use fanfare_core::auth::Access;

use crate::secrets::Secret;

/// Authentication's part.
pub struct AuthConfig {
    /// Whether connections have to authenticate.
    pub mode: AuthMode,
    /// How a WebSocket hears that its token is not good.
    pub errors: AuthErrors,
    /// Who may ask whether a user is connected, independent of channels.
    pub allow_users: Access,
    /// Where the generated signing secret is kept; in the data directory if no file is named.
    pub secret_file: Option<PathBuf>,
    /// The issuers whose tokens are taken, beside those signed with the generated secret.
    pub issuers: BTreeMap<String, IssuerConfig>,
    /// The cookie that may hold a token; none if it is empty.
    pub cookie: String,
    /// What has to come along with the cookie.
    pub csrf: Csrf,
    /// The cookie that holds the CSRF token, for [`Csrf::DoubleSubmit`].
    pub csrf_cookie: String,
    /// How far clocks may be apart, in milliseconds.
    pub leeway_ms: u32,
    /// The longest that a token may have to live, in milliseconds.
    pub token_lifetime_max_ms: u64,
    /// The most revocations remembered. Beyond it: the API answers `overloaded`.
    pub revocations_max: usize,
}

/// Whether connections have to authenticate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AuthMode {
    /// [`AuthMode::Open`] where only this host can connect, no proxy is trusted and no issuer is configured; otherwise
    /// [`AuthMode::Required`].
    #[default]
    Auto,
    /// A connection without a valid token is refused.
    Required,
    /// A connection without a token is anonymous; one with a bad token is refused.
    Optional,
    /// A connection may simply say which user it is (`?user=`): for development.
    Open,
}

/// How a WebSocket hears that its token is not good, unless its client asks for one of them with `?errors=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AuthErrors {
    /// By the status 401. Browsers show it to no page.
    #[default]
    Status,
    /// By an error on the connection, which is then closed with 4001: as after a first message with such a token.
    Close,
}

/// What a browser has to send along with a cookie that authenticates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Csrf {
    /// The value of a second cookie.
    #[default]
    DoubleSubmit,
    /// The HMAC of the token in the cookie, made by the backend with the signing secret.
    Signed,
}

/// One issuer, as `[issuers.NAME]` has it.
#[derive(Default)]
pub struct IssuerConfig {
    /// The claim `iss`.
    pub issuer: Option<String>,
    /// What `aud` has to name one of.
    pub audience: Vec<String>,
    /// Which algorithms; empty is all that fit the keys.
    pub algorithms: Vec<Algorithm>,
    /// A shared secret for HMAC.
    pub secret: Option<Secret>,
    /// The same, in a file.
    pub secret_file: Option<PathBuf>,
    /// Public keys in PEM.
    pub public_key_file: Option<PathBuf>,
    /// A key set in a file.
    pub jwks_file: Option<PathBuf>,
    /// Where a key set is fetched.
    pub jwks_url: Option<String>,
    /// The claim that names the user.
    pub user_claim: Option<String>,
    /// The claim that lists the user's roles.
    pub roles_claim: Option<String>,
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            mode: AuthMode::Auto,
            errors: AuthErrors::Status,
            allow_users: Access::Authenticated,
            secret_file: None,
            issuers: BTreeMap::new(),
            cookie: String::new(),
            csrf: Csrf::DoubleSubmit,
            csrf_cookie: "fanfare_csrf".to_owned(),
            leeway_ms: 5_000,
            token_lifetime_max_ms: 30 * 86_400_000,
            revocations_max: 100_000,
        }
    }
}
