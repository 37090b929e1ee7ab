//! Which issuers are trusted, with which keys and for what.

use std::time::Duration;

/// What a signature is made with (RFC 7518, section 3.1; RFC 8037 for EdDSA).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Algorithm {
    HS256,
    HS384,
    HS512,
    RS256,
    RS384,
    RS512,
    ES256,
    ES384,
    ES512,
    EdDSA,
}

/// One issuer.
pub struct IssuerSettings {
    /// What the operator calls it: for logs and error texts.
    pub name: String,
    /// The claim `iss`; none takes tokens that have none.
    pub issuer: Option<String>,
    /// What the claim `aud` has to name one of; empty takes tokens with any audience or none.
    pub audience: Vec<String>,
    /// Which algorithms; empty is all that fit the keys.
    pub algorithms: Vec<Algorithm>,
    /// The keys.
    pub keys: KeySettings,
    /// The claim that names the user; a path through objects is written with dots.
    pub user_claim: String,
    /// The claim that lists the user's roles.
    pub roles_claim: String,
}

/// Where an issuer's keys come from.
pub enum KeySettings {
    /// A secret that both sides know, for HMAC.
    Secret(Vec<u8>),
    /// Public keys or certificates in PEM.
    Pem(Vec<u8>),
    /// A key set (RFC 7517) in JSON.
    Jwks(Vec<u8>),
    /// A key set that is fetched from this fixed address, and again when a key id is unknown.
    JwksUrl(String),
}

/// What holds for the tokens of every issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRules {
    /// How far the clocks may be apart; at most 30 s.
    pub leeway: Duration,
    /// The longest that a token may have to live: revocations are remembered for so long.
    pub lifetime_max: Duration,
    /// The largest token, in bytes.
    pub bytes_max: usize,
    /// The most grants of one token.
    pub grants_max: usize,
}

impl Default for TokenRules {
    fn default() -> Self {
        Self {
            leeway: Duration::from_secs(5),
            lifetime_max: Duration::from_secs(30 * 86_400),
            bytes_max: 8 * 1024,
            grants_max: 256,
        }
    }
}
