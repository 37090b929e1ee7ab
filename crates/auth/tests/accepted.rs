//! Tokens that others made are accepted, with every algorithm and every form of key.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[allow(dead_code, reason = "each test uses its part")]
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

/// `jsonwebtoken` has no ES512, so this one was made by another library; see the file.
#[tokio::test]
async fn a_foreign_signer_s_es512_is_accepted() {
    let made: Value = serde_json::from_str(include_str!("es512.json")).unwrap();
    let pem = made["publicPem"].as_str().unwrap().as_bytes().to_vec();
    let jwks = json!({"keys": [made["jwk"]]}).to_string().into_bytes();
    for keys in [KeySettings::Pem(pem), KeySettings::Jwks(jwks)] {
        check(&verifier(issuer("main", keys)), made["token"].as_str().unwrap(), "ES512").await;
    }
}

#[tokio::test]
async fn a_certificate_s_key_is_as_good_as_the_key() {
    let keys = Keys::get();
    for pair in keys.all() {
        let own = rcgen::KeyPair::from_pem(&pair.private_pem).unwrap();
        let certificate = rcgen::CertificateParams::default().self_signed(&own).unwrap();
        let token = fanfare_auth::sign::sign(&pair.signing(), &claims().to_string()).unwrap();
        // Two in one file, with text between them, as `openssl` writes it.
        let file = format!("subject=CN\n{}\nissuer=CN\n{}", keys.p256.public_pem, certificate.pem());
        check(&verifier(issuer("main", KeySettings::Pem(file.into_bytes()))), &token, pair.id).await;
    }
}

#[tokio::test]
async fn two_issuers_of_one_name_are_tried_in_order() {
    let keys = Keys::get();
    let jwks = || KeySettings::Jwks(keys.jwks().into_bytes());
    let mut first = issuer("main", jwks());
    first.audience = vec!["app".to_owned()];
    let mut second = issuer("main", jwks());
    second.audience = vec!["app2".to_owned()];
    let third = issuer("main", KeySettings::Secret(SECRET.to_vec()));
    let verifier = Verifier::new(vec![first, second, third], TokenRules::default()).unwrap();
    let of = |audience: &str| {
        let mut claims = claims();
        claims["aud"] = json!(audience);
        claims.to_string()
    };
    for audience in ["app", "app2"] {
        let token = fanfare_auth::sign::sign(&keys.p256.signing(), &of(audience)).unwrap();
        check(&verifier, &token, audience).await;
    }
    let secret = fanfare_auth::sign::SigningKey::secret(Algorithm::HS256, &SECRET).unwrap();
    check(&verifier, &fanfare_auth::sign::sign(&secret, &of("app3")).unwrap(), "the secret").await;
    let token = fanfare_auth::sign::sign(&keys.p256.signing(), &of("app3")).unwrap();
    let error = verifier.connection(&token, NOW_MS).await.unwrap_err();
    assert_eq!(error.text, "the token's audience is not one of those configured for issuer \"main\"");
}
