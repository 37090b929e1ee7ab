//! Which issuers are trusted, with which keys and for what.

use std::time::Duration;

/// The largest token that is taken, in bytes, unless [`TokenRules`] say otherwise.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;

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

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::HS256,
        Self::HS384,
        Self::HS512,
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::ES256,
        Self::ES384,
        Self::ES512,
        Self::EdDSA,
    ];

    /// Its name in a token's header.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HS256 => "HS256",
            Self::HS384 => "HS384",
            Self::HS512 => "HS512",
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::ES512 => "ES512",
            Self::EdDSA => "EdDSA",
        }
    }

    /// The algorithm of a name; names are told apart by case (RFC 7515, section 4.1.1).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }

    /// The fewest bytes of a secret, for HMAC: as many as its hash has (RFC 7518, section 3.2). None for the others,
    /// which take no secret.
    pub fn secret_bytes_min(self) -> Option<usize> {
        match self {
            Self::HS256 => Some(32),
            Self::HS384 => Some(48),
            Self::HS512 => Some(64),
            _ => None,
        }
    }
}

/// One issuer.
pub struct IssuerSettings {
    /// What the operator calls it: for logs and error texts.
    pub name: String,
    /// The claim `iss`; none takes tokens that have none.
    pub issuer: Option<String>,
    /// What the claim `aud` has to name one of; empty takes tokens with any audience or none.
    pub audience: Vec<String>,
    /// Which algorithms; empty is all that fit the keys. Each key is good for its own kind only: an RSA key for RS256,
    /// RS384 and RS512, a key on P-256, P-384 or P-521 for ES256, ES384 or ES512, an Ed25519 key for EdDSA, a secret
    /// for those of HS256, HS384 and HS512 whose hash is not longer than it.
    pub algorithms: Vec<Algorithm>,
    /// The keys.
    pub keys: KeySettings,
    /// The claim that names the user. A path through objects is written with dots; a claim whose name has the dots in
    /// it comes first.
    pub user_claim: String,
    /// The claim that lists the user's roles, written in the same way.
    pub roles_claim: String,
}

impl IssuerSettings {
    /// An issuer with these keys whose tokens have no `iss`, any audience, and the user in `sub`.
    pub fn new(name: &str, keys: KeySettings) -> Self {
        Self {
            name: name.to_owned(),
            issuer: None,
            audience: Vec::new(),
            algorithms: Vec::new(),
            keys,
            user_claim: "sub".to_owned(),
            roles_claim: "roles".to_owned(),
        }
    }
}

/// Where an issuer's keys come from.
pub enum KeySettings {
    /// A secret that both sides know, for HMAC; at least 32 random bytes.
    Secret(Vec<u8>),
    /// Public keys or certificates in PEM. A certificate's dates and signature are not looked at: its key is trusted
    /// because it is configured.
    Pem(Vec<u8>),
    /// A key set (RFC 7517) in JSON.
    Jwks(Vec<u8>),
    /// A key set that is fetched from this fixed address, https or on this host: every 30 s by
    /// [`Verifier::keep_fresh`](crate::Verifier::keep_fresh), and at most every 10 s because of an unknown key id.
    JwksUrl(String),
}

/// What holds for the tokens of every issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRules {
    /// How far the clocks may be apart; at most 30 s.
    pub leeway: Duration,
    /// The longest that a token may have to live, from now and from its `iat`. One is accepted until `leeway` after its
    /// end, so a revocation is remembered for both together. Without `iat` a token that is refused for its length becomes
    /// good as its end comes nearer, and a revocation from before may be forgotten by then.
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
            bytes_max: TOKEN_BYTES_MAX,
            grants_max: 256,
        }
    }
}
