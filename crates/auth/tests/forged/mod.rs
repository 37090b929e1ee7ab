//! Tokens that nobody may come in with: each is a good one but for a single thing. A library for every test that has an
//! entry point to try; it needs `fanfare-auth`, `fanfare-protocol`, `rcgen`, `base64` and `serde_json`.
//!
//! - [`issuers`]: whom the verifier, or the server, has to trust for it
//! - [`World::good`]: one good token of each issuer, so that a refusal says something
//! - [`World::for_connections`], [`World::for_subscriptions`]: the others

#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod contents;
mod headers;
pub(crate) mod keys;
mod shapes;
mod signatures;
mod subscriptions;
mod times;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fanfare_auth::sign::SigningKey;
use fanfare_auth::{Algorithm, IssuerSettings, KeySettings};
use fanfare_protocol::ErrorCode;
use serde_json::{Value, json};

use keys::{Keys, Pair, SECRET, issuer};

/// What each token of [`World::for_connections`] would get its bearer, if it were accepted.
pub(crate) const USER: &str = "ann";
/// What each of [`World::for_subscriptions`] would let that user subscribe to.
pub(crate) const CHANNEL: &str = "news:today";

/// A token that is to be refused.
pub(crate) struct Forged {
    /// What is wrong with it.
    pub(crate) name: String,
    pub(crate) token: String,
    pub(crate) code: ErrorCode,
}

/// What the tokens are made for.
pub(crate) struct World {
    /// Unix time, in seconds.
    pub(crate) now: u64,
    /// An address at which nobody may call: it stands wherever a token can have one.
    pub(crate) url: String,
    /// What all claims have as `channel`: none for connections.
    channel: Option<&'static str>,
}

/// The trusted issuers. All ask for the audience `app` or `app2`.
///
/// `secret` has HMACs under [`SECRET`]; `pem` an RSA key and one on P-256 in PEM; `keys` one of each kind in a key set;
/// `other` a key set with another P-256 key under the same id `p256`; `narrow` the RSA key of `pem`, for RS512 only.
pub(crate) fn issuers() -> Vec<IssuerSettings> {
    let keys = Keys::get();
    let pem = format!("{}{}", keys.rsa.public_pem, keys.p256.public_pem);
    let other = json!({"keys": [other().jwk]}).to_string();
    let narrow = issuer("narrow", KeySettings::Pem(keys.rsa.public_pem.clone().into_bytes()));
    let mut issuers = vec![
        issuer("secret", KeySettings::Secret(SECRET.to_vec())),
        issuer("pem", KeySettings::Pem(pem.into_bytes())),
        issuer("keys", KeySettings::Jwks(keys.jwks().into_bytes())),
        issuer("other", KeySettings::Jwks(other.into_bytes())),
        IssuerSettings { algorithms: vec![Algorithm::RS512], ..narrow },
    ];
    for issuer in &mut issuers {
        issuer.audience = vec!["app".to_owned(), "app2".to_owned()];
    }
    issuers
}

/// The key of the issuer `other`, which has the id of one of `keys`.
pub(crate) fn other() -> &'static Pair {
    static OTHER: std::sync::OnceLock<Pair> = std::sync::OnceLock::new();
    OTHER.get_or_init(|| Pair::new(Algorithm::ES256, "p256", &rcgen::PKCS_ECDSA_P256_SHA256))
}

impl World {
    pub(crate) fn new(now: u64, url: String) -> Self {
        Self { now, url, channel: None }
    }

    /// One good token of each issuer, and its issuer.
    pub(crate) fn good(&self) -> Vec<(&'static str, String)> {
        let keys = Keys::get();
        let sign =
            |key: &SigningKey, iss| fanfare_auth::sign::sign(key, &self.claims(iss).to_string()).unwrap();
        vec![
            ("secret", sign(&SigningKey::secret(Algorithm::HS256, &SECRET).unwrap(), "secret")),
            ("pem", sign(&keys.rsa.signing(), "pem")),
            ("keys", self.with_claims(&self.claims("keys").to_string())),
            ("other", sign(&other().signing(), "other")),
            ("narrow", sign(&keys.rsa.signing_with(Algorithm::RS512), "narrow")),
        ]
    }

    /// Tokens that no connection may be opened, and none may authenticate, with.
    pub(crate) fn for_connections(&self) -> Vec<Forged> {
        [
            signatures::all(self),
            headers::all(self),
            shapes::all(self),
            times::all(self),
            contents::all(self),
            subscriptions::as_connection_tokens(self),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// The same world, for subscriptions of `ann` to `news:today`: its good tokens allow one.
    pub(crate) fn of_subscriptions(&self) -> Self {
        Self { now: self.now, url: self.url.clone(), channel: Some(CHANNEL) }
    }

    /// Tokens that `ann` may not subscribe to `news:today` with.
    pub(crate) fn for_subscriptions(&self) -> Vec<Forged> {
        let world = &self.of_subscriptions();
        [
            signatures::all(world),
            headers::all(world),
            shapes::all(world),
            times::all(world),
            contents::of_both(world),
            subscriptions::all(world),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Good claims.
    pub(crate) fn claims(&self, iss: &str) -> Value {
        let mut claims = json!({"iss": iss, "aud": "app", "sub": USER, "exp": self.now + 600});
        if let Some(channel) = self.channel {
            claims["channel"] = json!(channel);
        }
        claims
    }

    /// A token of the issuer `keys`, well signed, with these claims.
    fn with_claims(&self, claims: &str) -> String {
        token(r#"{"alg":"ES256","kid":"p256","typ":"JWT"}"#, claims, &Keys::get().p256.signing())
    }

    /// The same with good claims, of which one is as given, or absent.
    fn with_claim(&self, name: &str, value: Option<&str>) -> String {
        let mut claims = self.claims("keys");
        let members = claims.as_object_mut().unwrap();
        members.remove(name);
        // As text, because many of the values have no other form.
        let rest = claims.to_string();
        match value {
            Some(value) => self.with_claims(&format!("{{\"{name}\":{value},{}", &rest[1..])),
            None => self.with_claims(&rest),
        }
    }

    /// A token of the issuer `keys`, well signed, with this header.
    fn with_header(&self, header: &str) -> String {
        token(header, &self.claims("keys").to_string(), &Keys::get().p256.signing())
    }
}

/// A token as these texts have it, well signed.
fn token(header: &str, claims: &str, key: &SigningKey) -> String {
    let signed = signed_part(header, claims);
    let signature = key.signature(signed.as_bytes()).unwrap();
    format!("{signed}.{}", encode(&signature))
}

fn signed_part(header: &str, claims: &str) -> String {
    format!("{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()))
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

fn forged(name: impl Into<String>, token: String) -> Forged {
    Forged { name: name.into(), token, code: ErrorCode::AuthenticationFailed }
}
