//! No signature, signatures with the wrong key or of the wrong kind, and texts that are no signature at all.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fanfare_auth::Algorithm;
use fanfare_auth::sign::SigningKey;
use serde_json::json;

use super::keys::{Keys, Pair, SECRET};
use super::{Forged, World, decode, encode, forged, other, signed_part, token};

pub(super) fn all(world: &World) -> Vec<Forged> {
    let mut list = unsigned(world);
    list.extend(confused(world));
    list.extend(crossed(world));
    list.extend(numbers(world));
    list
}

fn unsigned(world: &World) -> Vec<Forged> {
    let mut list = Vec::new();
    for iss in ["secret", "pem", "keys"] {
        for alg in ["none", "None", "NONE", "nOnE"] {
            let signed = signed_part(&json!({"alg": alg}).to_string(), &world.claims(iss).to_string());
            list.push(forged(format!("{alg}, {iss}, no signature"), format!("{signed}.")));
            list.push(forged(format!("{alg}, {iss}, no third part"), signed.clone()));
            list.push(forged(
                format!("{alg}, {iss}, some signature"),
                format!("{signed}.{}", encode(b"none")),
            ));
        }
        let key = SigningKey::secret(Algorithm::HS256, &SECRET).unwrap();
        let good = token(r#"{"alg":"none"}"#, &world.claims(iss).to_string(), &key);
        list.push(forged(format!("none, {iss}, the HMAC under a trusted secret"), good));
    }
    for alg in ["none ", " none", "no\u{0}ne", "n\u{f8}ne", "", "null", "nonenone"] {
        let signed = signed_part(&json!({"alg": alg}).to_string(), &world.claims("keys").to_string());
        list.push(forged(format!("{alg:?}, no signature"), format!("{signed}.")));
        list.push(forged(format!("{alg:?}, some signature"), format!("{signed}.AAAA")));
    }
    list
}

/// HMACs under what everybody knows: the public keys.
fn confused(world: &World) -> Vec<Forged> {
    let keys = Keys::get();
    let mut list = Vec::new();
    for pair in keys.all() {
        for (form, secret) in forms(pair) {
            for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
                let Ok(key) = SigningKey::secret(algorithm, &secret) else { continue };
                let alg = algorithm.as_str();
                for iss in ["pem", "keys", "secret"] {
                    let header = json!({"alg": alg, "kid": pair.id}).to_string();
                    let made = token(&header, &world.claims(iss).to_string(), &key);
                    list.push(forged(format!("{alg} with the key {}, {form}, {iss}", pair.id), made));
                }
            }
        }
        let key = SigningKey::secret(Algorithm::HS512, pair.public_pem.as_bytes()).unwrap();
        let header = json!({"alg": pair.algorithm.as_str(), "kid": pair.id}).to_string();
        let made = token(&header, &world.claims("keys").to_string(), &key);
        list.push(forged(format!("an HMAC that says {}", pair.algorithm.as_str()), made));
    }
    list
}

/// A public key in all the forms that a verifier might hold it in.
fn forms(pair: &Pair) -> Vec<(&'static str, Vec<u8>)> {
    let pem = &pair.public_pem;
    let lines = pem.lines().collect::<Vec<_>>();
    let bare = lines[1..lines.len() - 1].concat();
    let mut forms = vec![
        ("PEM", pem.clone().into_bytes()),
        ("PEM without the last line's end", pem.trim_end().into()),
        ("PEM with CRLF", lines.join("\r\n").into_bytes()),
        ("PEM with LF", lines.join("\n").into_bytes()),
        ("PEM with spaces around it", format!(" {} ", lines.join("\n")).into_bytes()),
        ("PEM with an empty line", format!("{}\n\n", lines.join("\n")).into_bytes()),
        ("PEM in one line", lines.concat().into_bytes()),
        ("PEM's base64", bare.into_bytes()),
        ("DER", pair.public_der.clone()),
        ("DER in base64", STANDARD.encode(&pair.public_der).into_bytes()),
        ("JWK", pair.jwk.to_string().into_bytes()),
    ];
    // Who wrote the PEM chose one of the ends of lines above.
    let mut seen = HashSet::new();
    forms.retain(|(_, secret)| seen.insert(secret.clone()));
    forms
}

/// Good signatures, with a key that is not for this.
fn crossed(world: &World) -> Vec<Forged> {
    let keys = Keys::get();
    let mut list = Vec::new();
    for pair in keys.all() {
        for named in keys.all() {
            if pair.id == named.id {
                continue;
            }
            // The key's own algorithm under another's name, and another's algorithm under its name.
            let (own, theirs) = (pair.algorithm.as_str(), named.algorithm.as_str());
            for (alg, id) in [(own, named.id), (theirs, pair.id), (theirs, named.id)] {
                let header = json!({"alg": alg, "kid": id}).to_string();
                let made = token(&header, &world.claims("keys").to_string(), &pair.signing());
                list.push(forged(format!("signed with {}, says {alg} and {id}", pair.id), made));
            }
        }
    }
    let mut add = |name: &str, header: &str, iss: &str, key: &SigningKey| {
        list.push(forged(name, token(header, &world.claims(iss).to_string(), key)));
    };
    let p256 = r#"{"alg":"ES256","kid":"p256"}"#;
    add("the other issuer's key of one id", p256, "keys", &other().signing());
    add("the key of one id, as the other issuer", p256, "other", &keys.p256.signing());
    add("the other issuer's key, no id", r#"{"alg":"ES256"}"#, "keys", &other().signing());
    add("the other issuer's key, as one with PEM", r#"{"alg":"ES256"}"#, "pem", &other().signing());
    let secret = SigningKey::secret(Algorithm::HS256, &SECRET).unwrap();
    add("a trusted secret, of another issuer", r#"{"alg":"HS256"}"#, "keys", &secret);
    add("a trusted secret, of an issuer with PEM", r#"{"alg":"HS256"}"#, "pem", &secret);
    add("a key that the issuer has not", r#"{"alg":"EdDSA"}"#, "pem", &keys.ed25519.signing());
    add("RS256, of an issuer for RS512", r#"{"alg":"RS256"}"#, "narrow", &keys.rsa.signing());
    let rs384 = keys.rsa.signing_with(Algorithm::RS384);
    add("RS384, of an issuer for RS512", r#"{"alg":"RS384"}"#, "narrow", &rs384);
    add("RS384 that says RS256", r#"{"alg":"RS256","kid":"rsa"}"#, "keys", &rs384);
    add("RS256 that says RS512", r#"{"alg":"RS512"}"#, "narrow", &keys.rsa.signing());
    add("RS256 that says PS256", r#"{"alg":"PS256","kid":"rsa"}"#, "keys", &keys.rsa.signing());
    // An HMAC's key is filled up with zeros: this is the empty one, as a file that is not there would give it.
    let empty = SigningKey::secret(Algorithm::HS256, &[0; 64]).unwrap();
    for iss in ["secret", "pem", "keys"] {
        add(&format!("an HMAC with the empty secret, {iss}"), r#"{"alg":"HS256"}"#, iss, &empty);
    }
    let short = SigningKey::secret(Algorithm::HS256, &SECRET[..32]).unwrap();
    add("an HMAC with the secret's first half", r#"{"alg":"HS256"}"#, "secret", &short);
    let hs384 = SigningKey::secret(Algorithm::HS384, &SECRET).unwrap();
    add("HS384 that says HS256", r#"{"alg":"HS256"}"#, "secret", &hs384);
    list
}

/// Third parts that are no signature.
fn numbers(world: &World) -> Vec<Forged> {
    let mut list = Vec::new();
    for pair in Keys::get().all() {
        let alg = pair.algorithm.as_str();
        let header = json!({"alg": alg, "kid": pair.id}).to_string();
        let good = token(&header, &world.claims("keys").to_string(), &pair.signing());
        let (signed, signature) = good.rsplit_once('.').unwrap();
        let signature = decode(signature);
        let mut add = |name: &str, bytes: &[u8]| {
            list.push(forged(format!("{alg}: {name}"), format!("{signed}.{}", encode(bytes))));
        };
        let (length, half) = (signature.len(), signature.len() / 2);
        let (r, s) = signature.split_at(half);
        add("all zeros", &vec![0; length]);
        add("all ones", &vec![0xff; length]);
        add("a zero r", &[&vec![0; half], s].concat());
        add("a zero s", &[r, &vec![0; half]].concat());
        add("its halves swapped", &[s, r].concat());
        add("without its last byte", &signature[..length - 1]);
        add("without its first byte", &signature[1..]);
        add("its first half", r);
        add("a byte more", &[&signature[..], &[0]].concat());
        add("a zero before it", &[&[0], &signature[..]].concat());
        add("twice", &[&signature[..], &signature].concat());
        add("one bit changed", &[&signature[..length - 1], &[signature[length - 1] ^ 1]].concat());
        add("as DER", &der_of(r, s));
        if pair.algorithm == Algorithm::ES256 {
            add("r and s the group's order", &[P256_ORDER, P256_ORDER].concat());
            add("s the group's order", &[r, &P256_ORDER].concat());
        }
        if pair.algorithm == Algorithm::EdDSA {
            add("s and the group's order", &[r, &with_ed25519_order(s)].concat());
        }
        list.push(forged(format!("{alg}: empty"), format!("{signed}.")));
    }
    list
}

const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
    0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// The same number in the group, which RFC 8032, section 5.1.7, refuses.
fn with_ed25519_order(s: &[u8]) -> Vec<u8> {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut carry = 0;
    let sum = s.iter().zip(ORDER).map(|(a, b)| {
        let sum = u16::from(*a) + u16::from(b) + carry;
        carry = sum >> 8;
        sum as u8
    });
    sum.collect()
}

/// As X.509 and TLS have ECDSA's signatures, and RFC 7518 has not.
fn der_of(r: &[u8], s: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| {
        let number = &number[number.iter().take_while(|byte| **byte == 0).count()..];
        let number =
            [&[0][..usize::from(number.first().is_some_and(|byte| byte & 0x80 != 0))], number].concat();
        [&[2, number.len() as u8][..], &number].concat()
    };
    let content = [integer(r), integer(s)].concat();
    let long = usize::from(content.len() > 127);
    [&[0x30][..], &[0x81][..long], &[content.len() as u8], &content].concat()
}
