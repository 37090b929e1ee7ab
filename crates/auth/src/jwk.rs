//! One key of a key set (RFC 7517, RFC 7518 section 6, RFC 8037).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::key::Key;
use crate::public_key::{Curve, PublicKey, Unusable};
use crate::settings::Algorithm;
use crate::token::KEY_ID_BYTES_MAX;

/// The key that the object describes, for those of its algorithms that are wanted.
pub(crate) fn key(jwk: &Value, wanted: &dyn Fn(Algorithm) -> bool) -> Result<Key, Unusable> {
    let Value::Object(jwk) = jwk else { return Err(Unusable::Broken("it is not an object")) };
    let kind = text(jwk, "kty").ok_or(Unusable::Broken("it has no \"kty\""))?;
    if kind == "oct" {
        return Err(Unusable::Secret(
            "it is a shared secret, which has no place in a key set: give it as `secret`",
        ));
    }
    if jwk.contains_key("d") {
        return Err(Unusable::Secret("it is a private key, and only its public part is needed to verify"));
    }
    check_purpose(jwk)?;
    let id = match jwk.get("kid") {
        None => None,
        Some(Value::String(id)) if (1..=KEY_ID_BYTES_MAX).contains(&id.len()) => Some(id.as_str()),
        Some(_) => {
            return Err(Unusable::Broken("its \"kid\" is not a string of at least 1 and at most 255 bytes"));
        }
    };
    let bound = match jwk.get("alg") {
        None => None,
        Some(Value::String(name)) => {
            Some(Algorithm::from_name(name).ok_or(Unusable::Foreign("its \"alg\" is not known here"))?)
        }
        Some(_) => return Err(Unusable::Broken("its \"alg\" is not a string")),
    };
    let wanted = |algorithm| bound.is_none_or(|bound| bound == algorithm) && wanted(algorithm);
    Key::public(id, &public_key(kind, jwk)?, wanted)
}

fn public_key(kind: &str, jwk: &Map<String, Value>) -> Result<PublicKey, Unusable> {
    match kind {
        "RSA" => PublicKey::rsa(&bytes(jwk, "n")?, &bytes(jwk, "e")?),
        "EC" => {
            let curve = text(jwk, "crv").and_then(Curve::from_name);
            let curve = curve.ok_or(Unusable::Foreign("its curve is none of P-256, P-384 and P-521"))?;
            let (x, y) = (bytes(jwk, "x")?, bytes(jwk, "y")?);
            // Both have their full length (RFC 7518, section 6.2.1.2); otherwise their sum could be right by accident.
            if [x.len(), y.len()] != [curve.coordinate_bytes(); 2] {
                return Err(Unusable::Broken("its coordinates do not have the length of its curve"));
            }
            PublicKey::ec(curve, &[&[4], &x[..], &y[..]].concat())
        }
        "OKP" if text(jwk, "crv") == Some("Ed25519") => PublicKey::ed25519(&bytes(jwk, "x")?),
        _ => Err(Unusable::Foreign("its kind is none of RSA, EC and OKP with Ed25519")),
    }
}

/// RFC 7517, sections 4.2 and 4.3.
fn check_purpose(jwk: &Map<String, Value>) -> Result<(), Unusable> {
    let foreign = Err(Unusable::Foreign("it is not for signatures"));
    if jwk.get("use").is_some_and(|purpose| purpose != "sig") {
        return foreign;
    }
    match jwk.get("key_ops") {
        None => Ok(()),
        Some(Value::Array(operations)) if operations.iter().any(|operation| operation == "verify") => Ok(()),
        Some(_) => foreign,
    }
}

fn text<'j>(jwk: &'j Map<String, Value>, name: &str) -> Option<&'j str> {
    jwk.get(name)?.as_str()
}

fn bytes(jwk: &Map<String, Value>, name: &str) -> Result<Vec<u8>, Unusable> {
    let decoded = text(jwk, name).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    decoded.ok_or(Unusable::Broken("one of its numbers is missing or is not base64url without padding"))
}
