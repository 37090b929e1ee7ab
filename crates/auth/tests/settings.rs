//! Keys that cannot be used are refused at the start, in a sentence.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[allow(dead_code, reason = "each test uses its part")]
#[path = "forged/keys.rs"]
mod keys;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use fanfare_auth::{Algorithm, IssuerSettings, KeySettings, TokenRules, Verifier};
use keys::{Keys, SECRET, issuer};
use serde_json::{Value, json};

/// Made by `openssl genrsa 1024 | openssl rsa -pubout`; the private key was not kept.
const RSA_1024: &str = include_str!("rsa1024.pem");

fn refusal(keys: KeySettings, algorithms: &[Algorithm]) -> String {
    let settings = IssuerSettings { algorithms: algorithms.to_vec(), ..issuer("main", keys) };
    let error = Verifier::new(vec![settings], TokenRules::default()).err();
    error.unwrap_or_else(|| "accepted".to_owned())
}

fn assert_refused(keys: KeySettings, algorithms: &[Algorithm], part: &str) {
    let text = refusal(keys, algorithms);
    assert!(text.starts_with("issuer \"main\": ") && text.contains(part), "{text} has not {part}");
}

#[test]
fn secrets_are_long_enough_and_no_public_keys() {
    let secret = |length: usize| KeySettings::Secret(SECRET[..length].to_vec());
    assert_refused(secret(31), &[], "the secret has 31 bytes; HS256 needs at least 32");
    assert_refused(secret(0), &[], "the secret has 0 bytes");
    assert_refused(secret(47), &[Algorithm::HS256, Algorithm::HS384], "HS384 needs at least 48");
    assert_refused(secret(63), &[Algorithm::HS512], "HS512 needs at least 64");
    assert_refused(secret(64), &[Algorithm::RS256], "RS256 is not for a secret");
    assert_eq!(refusal(secret(32), &[]), "accepted");
    let pem = KeySettings::Secret(Keys::get().rsa.public_pem.clone().into_bytes());
    assert_refused(pem, &[], "the secret is a key in PEM");
}

#[test]
fn pem_files_hold_public_keys_that_are_strong_enough() {
    let keys = Keys::get();
    let pem = |text: &str| KeySettings::Pem(text.as_bytes().to_vec());
    assert_refused(pem(RSA_1024), &[], "an RSA key must have at least 2048 bits");
    assert_refused(pem(&keys.p256.private_pem), &[], "the file holds a private key");
    assert_refused(pem(""), &[], "there is no public key and no certificate");
    assert_refused(pem("-----BEGIN PUBLIC KEY-----\n"), &[], "the PEM text is broken");
    assert_refused(pem("-----BEGIN RSA PUBLIC KEY-----\n"), &[], "something else than");
    assert_refused(pem(&keys.rsa.public_pem), &[Algorithm::ES256], "none of the keys is for one of");
    assert_refused(pem(&keys.rsa.public_pem), &[Algorithm::RS256, Algorithm::HS256], "HS256 is for a secret");
    // A forged token has the signature checked by each key that it may be of.
    assert_refused(pem(&keys.p256.public_pem.repeat(4)), &[], "more than 3 keys without an id");
    let cut = keys.p256.public_pem.replacen("MFkw", "MFgw", 1);
    assert_refused(pem(&cut), &[], "key 1 of the file: it is not a public key in DER");
}

#[test]
fn key_sets_hold_public_keys_that_are_strong_enough() {
    let keys = Keys::get();
    let with = |jwk: &Value, name: &str, value: Value| {
        let mut jwk = jwk.clone();
        jwk[name] = value;
        KeySettings::Jwks(json!({"keys": [keys.ed25519.jwk, jwk]}).to_string().into_bytes())
    };
    let text = |text: &str| KeySettings::Jwks(text.as_bytes().to_vec());
    assert_refused(text("x"), &[], "the key set is not JSON");
    assert_refused(text("[]"), &[], "the key set is not a JSON object");
    assert_refused(text("{}"), &[], "no list \"keys\"");
    assert_refused(text(r#"{"keys":[]}"#), &[], "none of the keys");
    assert_refused(text(r#"{"keys":[{"kty":"oct","k":"AA"}]}"#), &[], "a shared secret");
    let (rsa, p256) = (&keys.rsa.jwk, &keys.p256.jwk);
    assert_refused(with(rsa, "d", json!("AA")), &[], "a private key");
    assert_refused(with(rsa, "n", json!("gAAB")), &[], "at least 2048 bits");
    assert_refused(with(rsa, "e", json!("AQ")), &[], "an odd exponent");
    assert_refused(with(rsa, "e", json!("Ag")), &[], "an odd exponent");
    assert_refused(with(p256, "x", p256["y"].clone()), &[], "its numbers are no key");
    assert_refused(with(p256, "crv", json!("P-384")), &[], "the length of its curve");
    assert_refused(with(p256, "kid", json!(1)), &[], "its \"kid\"");
    assert_refused(with(p256, "alg", json!(1)), &[], "its \"alg\"");
    assert_eq!(refusal(with(p256, "use", json!("enc")), &[]), "accepted", "one of two is left");
}

/// A key set with such a key was taken. Under the point of order one, 64 bytes that anybody can write are a signature of
/// every message.
#[test]
fn points_of_small_order_are_no_keys() {
    let small = |first: u8| [[first].as_slice(), &[0; 31]].concat();
    let great = |first: u8| [[first].as_slice(), &[0xff; 30], &[0x7f]].concat();
    let hex = |text: &str| -> Vec<u8> {
        (0..32).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
    };
    let points = [
        small(0),
        small(1),
        great(0xec),
        great(0xed),
        great(0xee),
        hex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
        hex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    ];
    for sign in [0, 0x80] {
        for mut point in points.clone() {
            point[31] |= sign;
            let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(&point)});
            let set = KeySettings::Jwks(json!({"keys": [jwk]}).to_string().into_bytes());
            assert_refused(set, &[], "a point of small order");
            // The SubjectPublicKeyInfo of RFC 8410.
            let spki =
                [&[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00][..], &point]
                    .concat();
            let pem =
                format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(spki));
            assert_refused(KeySettings::Pem(pem.into_bytes()), &[], "a point of small order");
        }
    }
}

#[test]
fn key_sets_are_fetched_over_https_or_from_this_host() {
    let url = |url: &str| KeySettings::JwksUrl(url.to_owned());
    for good in ["https://a.example/keys", "http://127.0.0.1:1/", "http://[::1]/", "http://localhost:80/k"] {
        assert_eq!(refusal(url(good), &[]), "accepted", "{good}");
    }
    for (bad, part) in [
        ("http://a.example/keys", "over https"),
        ("http://127.0.0.1.example/", "over https"),
        ("http://localhost.example/", "over https"),
        ("http://10.0.0.1/", "over https"),
        ("file:///etc/passwd", "over https"),
        ("ftp://127.0.0.1/", "over https"),
        ("keys.json", "no URL"),
        ("https://ann:secret@a.example/", "no user and no password"),
    ] {
        assert_refused(url(bad), &[], part);
        assert!(!refusal(url(bad), &[]).contains("secret@"));
    }
    assert_refused(url("https://a.example/"), &[Algorithm::HS256], "HS256 is for a secret");
}
