//! Tokens that others made are accepted, with every algorithm and every form of key.

#[allow(dead_code)]
#[path = "forged/keys.rs"]
mod keys;

use fanfare_auth::{Algorithm, IssuerSettings, KeySettings, TokenRules, Verifier};
use jsonwebtoken::{EncodingKey, Header};
use keys::{Keys, Pair, SECRET, issuer};
use serde_json::{Value, json};

const NOW_MS: u64 = 1_800_000_000_000;

fn verifier(issuer: IssuerSettings) -> Verifier {
    Verifier::new(vec![issuer], TokenRules::default()).unwrap()
}

fn claims() -> Value {
    json!({"iss": "main", "sub": "ann", "exp": NOW_MS / 1000 + 60})
}

async fn check(verifier: &Verifier, token: &str, what: &str) {
    let verified = verifier.connection(token, NOW_MS).await;
    let user = verified.map(|verified| verified.user.unwrap().to_string());
    assert_eq!(user.as_deref().map_err(|error| &*error.text), Ok("ann"), "{what}");
}

/// Of the foreign library's names, those that it has.
fn foreign(pair: &Pair) -> (EncodingKey, &'static [jsonwebtoken::Algorithm]) {
    let pem = pair.private_pem.as_bytes();
    match pair.algorithm {
        Algorithm::ES256 => (EncodingKey::from_ec_pem(pem).unwrap(), &[jsonwebtoken::Algorithm::ES256]),
        Algorithm::ES384 => (EncodingKey::from_ec_pem(pem).unwrap(), &[jsonwebtoken::Algorithm::ES384]),
        Algorithm::EdDSA => (EncodingKey::from_ed_pem(pem).unwrap(), &[jsonwebtoken::Algorithm::EdDSA]),
        _ => (
            EncodingKey::from_rsa_pem(pem).unwrap(),
            &[jsonwebtoken::Algorithm::RS256, jsonwebtoken::Algorithm::RS384, jsonwebtoken::Algorithm::RS512],
        ),
    }
}

#[tokio::test]
async fn a_foreign_signer_s_tokens_are_accepted_with_each_form_of_key() {
    let keys = Keys::get();
    for pair in [&keys.rsa, &keys.p256, &keys.p384, &keys.ed25519] {
        let (key, algorithms) = foreign(pair);
        for algorithm in algorithms {
            for id in [None, Some(pair.id.to_owned())] {
                let header = Header { kid: id.clone(), ..Header::new(*algorithm) };
                let token = jsonwebtoken::encode(&header, &claims(), &key).unwrap();
                let what = format!("{algorithm:?} {id:?}");
                let pem = KeySettings::Pem(pair.public_pem.clone().into_bytes());
                check(&verifier(issuer("main", pem)), &token, &what).await;
                let jwks = KeySettings::Jwks(keys.jwks().into_bytes());
                check(&verifier(issuer("main", jwks)), &token, &what).await;
            }
        }
    }
}

#[tokio::test]
async fn a_foreign_signer_s_hmacs_are_accepted() {
    use jsonwebtoken::Algorithm::{HS256, HS384, HS512};
    let verifier = verifier(issuer("main", KeySettings::Secret(SECRET.to_vec())));
    for algorithm in [HS256, HS384, HS512] {
        let key = EncodingKey::from_secret(&SECRET);
        let token = jsonwebtoken::encode(&Header::new(algorithm), &claims(), &key).unwrap();
        check(&verifier, &token, &format!("{algorithm:?}")).await;
    }
}

#[tokio::test]
async fn our_own_tokens_are_accepted_with_each_algorithm() {
    let keys = Keys::get();
    let jwks = verifier(issuer("main", KeySettings::Jwks(keys.jwks().into_bytes())));
    let secret = verifier(issuer("main", KeySettings::Secret(SECRET.to_vec())));
    for algorithm in Algorithm::ALL {
        let (key, verifier) = match keys.all().iter().find(|pair| pair.algorithm == algorithm) {
            Some(pair) => (pair.signing(), &jwks),
            None if algorithm.secret_bytes_min().is_some() => {
                (fanfare_auth::sign::SigningKey::secret(algorithm, &SECRET).unwrap(), &secret)
            }
            None => (keys.rsa.signing_with(algorithm).named("rsa"), &jwks),
        };
        let token = fanfare_auth::sign::sign(&key, &claims().to_string()).unwrap();
        check(verifier, &token, algorithm.as_str()).await;
    }
}
