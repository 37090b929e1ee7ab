//! Keys of every kind, made anew for each run, in every form in which a server is told of them.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fanfare_auth::sign::SigningKey;
use fanfare_auth::{Algorithm, IssuerSettings, KeySettings};
use rcgen::{KeyPair, PublicKeyData, SignatureAlgorithm};
use serde_json::{Value, json};

/// The secret of the issuer whose tokens have HMACs: long enough for all of them.
pub(crate) const SECRET: [u8; 64] = *b"a secret of sixty-four bytes, no more random than a test's is...";

/// A pair of keys.
pub(crate) struct Pair {
    pub(crate) algorithm: Algorithm,
    pub(crate) id: &'static str,
    pub(crate) private_pem: String,
    pub(crate) public_pem: String,
    /// The `SubjectPublicKeyInfo`.
    pub(crate) public_der: Vec<u8>,
    pub(crate) jwk: Value,
}

/// One pair of each kind.
pub(crate) struct Keys {
    pub(crate) rsa: Pair,
    pub(crate) p256: Pair,
    pub(crate) p384: Pair,
    pub(crate) p521: Pair,
    pub(crate) ed25519: Pair,
}

impl Keys {
    /// The keys of this run.
    pub(crate) fn get() -> &'static Self {
        static KEYS: OnceLock<Keys> = OnceLock::new();
        KEYS.get_or_init(|| Keys {
            rsa: Pair::new(Algorithm::RS256, "rsa", &rcgen::PKCS_RSA_SHA256),
            p256: Pair::new(Algorithm::ES256, "p256", &rcgen::PKCS_ECDSA_P256_SHA256),
            p384: Pair::new(Algorithm::ES384, "p384", &rcgen::PKCS_ECDSA_P384_SHA384),
            p521: Pair::new(Algorithm::ES512, "p521", &rcgen::PKCS_ECDSA_P521_SHA512),
            ed25519: Pair::new(Algorithm::EdDSA, "ed25519", &rcgen::PKCS_ED25519),
        })
    }

    pub(crate) fn all(&self) -> [&Pair; 5] {
        [&self.rsa, &self.p256, &self.p384, &self.p521, &self.ed25519]
    }

    /// The key set of all of them.
    pub(crate) fn jwks(&self) -> String {
        json!({"keys": self.all().map(|pair| &pair.jwk)}).to_string()
    }
}

impl Pair {
    pub(crate) fn new(algorithm: Algorithm, id: &'static str, kind: &'static SignatureAlgorithm) -> Self {
        let pair = KeyPair::generate_for(kind).unwrap();
        let public_der = pair.subject_public_key_info();
        let jwk = jwk(algorithm, id, pair.der_bytes());
        Self {
            algorithm,
            id,
            private_pem: pair.serialize_pem(),
            public_pem: pair.public_key_pem(),
            public_der,
            jwk,
        }
    }

    /// What signs for it, under its id.
    pub(crate) fn signing(&self) -> SigningKey {
        self.signing_with(self.algorithm).named(self.id)
    }

    pub(crate) fn signing_with(&self, algorithm: Algorithm) -> SigningKey {
        SigningKey::pem(algorithm, self.private_pem.as_bytes()).unwrap()
    }
}

/// An entry of a key set; `key` is what the bit string of the `SubjectPublicKeyInfo` holds.
fn jwk(algorithm: Algorithm, id: &str, key: &[u8]) -> Value {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let point = |curve: &str| {
        let (x, y) = key[1..].split_at(key.len() / 2);
        json!({"kty": "EC", "crv": curve, "x": encode(x), "y": encode(y), "kid": id, "use": "sig"})
    };
    match algorithm {
        Algorithm::ES256 => point("P-256"),
        Algorithm::ES384 => point("P-384"),
        Algorithm::ES512 => point("P-521"),
        Algorithm::EdDSA => json!({"kty": "OKP", "crv": "Ed25519", "x": encode(key), "kid": id}),
        _ => {
            // SEQUENCE { INTEGER n, INTEGER 65537 } of a key of 2048 bits: fixed places.
            json!({"kty": "RSA", "n": encode(&key[9..9 + 256]), "e": "AQAB", "kid": id})
        }
    }
}

/// An issuer with these keys, whose tokens have the name as `iss`.
pub(crate) fn issuer(name: &str, keys: KeySettings) -> IssuerSettings {
    IssuerSettings {
        name: name.to_owned(),
        issuer: Some(name.to_owned()),
        audience: Vec::new(),
        algorithms: Vec::new(),
        keys,
        user_claim: "sub".to_owned(),
        roles_claim: "roles".to_owned(),
    }
}
