//! What holds for every text, and for every pair of an issuer and a key id.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[allow(dead_code, reason = "each test uses its part")]
#[path = "forged/keys.rs"]
mod keys;

use std::sync::OnceLock;

use fanfare_auth::sign::{SigningKey, sign};
use fanfare_auth::{Algorithm, KeySettings, TokenRules, Verified, Verifier};
use keys::{Keys, Pair, SECRET, issuer};
use proptest::prelude::*;
use serde_json::{Value, json};

const NOW_MS: u64 = 1_800_000_000_000;

fn connect(verifier: &Verifier, token: &str) -> Option<Verified> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(verifier.connection(token, NOW_MS)).ok()
}

fn pool() -> &'static [Pair] {
    static POOL: OnceLock<Vec<Pair>> = OnceLock::new();
    POOL.get_or_init(|| (0..9).map(|_| Pair::new(Algorithm::EdDSA, "", &rcgen::PKCS_ED25519)).collect())
}

/// Names made of what a careless cache would join them with.
fn name() -> impl Strategy<Value = String> {
    "[ab:/|.\\\\ \u{0}]{1,4}"
}

proptest! {
    /// A key is found by its issuer and its id, and by no other pair: `("a", "b:c")` is not `("a:b", "c")`.
    #[test]
    fn a_key_is_that_of_one_issuer_and_one_id(
        issuers in prop::collection::btree_map(name(), prop::collection::btree_set(name(), 1..4), 1..4),
    ) {
        let pairs: Vec<(&String, &String)> =
            issuers.iter().flat_map(|(name, ids)| ids.iter().map(move |id| (name, id))).collect();
        let owned: Vec<_> = pairs.iter().zip(pool()).collect();
        let settings = issuers.keys().map(|name| {
            let own = owned.iter().filter(|((owner, _), _)| *owner == name);
            let keys: Vec<Value> = own.map(|((_, id), pair)| {
                let mut jwk = pair.jwk.clone();
                jwk["kid"] = json!(id);
                jwk
            }).collect();
            issuer(name, KeySettings::Jwks(json!({"keys": keys}).to_string().into_bytes()))
        });
        let verifier = Verifier::new(settings.collect(), TokenRules::default()).unwrap();
        for (owner, pair) in &owned {
            for (claimed, _) in &owned {
                let (name, id) = claimed;
                let key = pair.signing_with(Algorithm::EdDSA).named(id);
                let token = sign(&key, &json!({"iss": name, "exp": 1_800_000_060}).to_string()).unwrap();
                prop_assert_eq!(connect(&verifier, &token).is_some(), claimed == owner);
            }
        }
    }

    #[test]
    fn no_text_is_a_token_and_none_panics(text in ".{0,200}", parts in prop::collection::vec("[A-Za-z0-9_-]{0,40}", 0..6)) {
        let verifier = Verifier::new(
            vec![issuer("main", KeySettings::Jwks(Keys::get().jwks().into_bytes()))],
            TokenRules::default(),
        ).unwrap();
        prop_assert!(connect(&verifier, &text).is_none());
        prop_assert!(connect(&verifier, &parts.join(".")).is_none());
    }

    #[test]
    fn no_claims_panic(text in "[\\[\\]{}\":,0-9a-e.\\\\u-]{0,80}", name in "(exp|nbf|iat|aud|sub|roles|info|channels|jti|name)") {
        let mut settings = issuer("main", KeySettings::Secret(SECRET.to_vec()));
        settings.issuer = None;
        let verifier = Verifier::new(vec![settings], TokenRules::default()).unwrap();
        let key = SigningKey::secret(Algorithm::HS256, &SECRET).unwrap();
        connect(&verifier, &sign(&key, &text).unwrap());
        connect(&verifier, &sign(&key, &format!("{{\"exp\":1800000060,\"{name}\":{text}}}")).unwrap());
    }

    /// Neither do broken keys; an operator gets a sentence.
    #[test]
    fn no_key_panics(bytes in prop::collection::vec(any::<u8>(), 0..120), place in 0usize..700, bit in 0u8..8) {
        let keys = Keys::get();
        let changed = |text: &str| {
            let mut text = text.as_bytes().to_vec();
            let place = place % text.len();
            text[place] ^= 1 << bit;
            text
        };
        let pem = &keys.all()[place % 5].public_pem;
        for keys in [
            KeySettings::Pem(bytes.clone()),
            KeySettings::Jwks(bytes.clone()),
            KeySettings::Secret(bytes),
            KeySettings::Pem(changed(pem)),
            KeySettings::Jwks(changed(&keys.jwks())),
        ] {
            if let Err(error) = Verifier::new(vec![issuer("main", keys)], TokenRules::default()) {
                prop_assert!(error.starts_with("issuer \"main\": ") && error.len() < 200, "{}", error);
            }
        }
    }
}
