//! Headers that bring their own key, point at one, or ask for what is not understood.

use serde_json::{Value, json};

use super::keys::Keys;
use super::{Forged, World, forged, other, token};

pub(super) fn all(world: &World) -> Vec<Forged> {
    let mut list = key_ids(world);
    list.extend(embedded(world));
    list.extend(odd(world));
    list
}

fn key_ids(world: &World) -> Vec<Forged> {
    let path = format!("{}/keys.json", world.url);
    let file = format!("file://{path}");
    let huge = "p".repeat(256);
    let enormous = "p256".repeat(1000);
    let ids = [
        json!("../../../../../../dev/null"),
        json!("/dev/null"),
        json!("/proc/sys/kernel/randomize_va_space"),
        json!(path),
        json!(file),
        json!(""),
        json!(huge),
        json!(enormous),
        json!("P256"),
        json!("p256 "),
        json!(" p256"),
        json!("p256\u{0}"),
        json!("\u{ff50}256"),
        json!("p256' OR '1'='1"),
        json!("p256|id"),
        json!("keys:p256"),
        json!("keys/p256"),
        json!("0"),
        json!("__proto__"),
        json!(null),
        json!(0),
        json!(256.5),
        json!(true),
        json!(["p256"]),
        json!({"$ne": ""}),
        json!({"kid": "p256"}),
        Keys::get().p256.jwk.clone(),
    ];
    let mut list = Vec::new();
    for id in ids {
        // Signed with the very key that the id is not of.
        let header = json!({"alg": "ES256", "kid": id}).to_string();
        list.push(forged(format!("the id {:.60}", id.to_string()), world.with_header(&header)));
        // And as if the place that the id points at were empty.
        let empty = fanfare_auth::sign::SigningKey::secret(fanfare_auth::Algorithm::HS256, &[0; 64]).unwrap();
        let header = json!({"alg": "HS256", "kid": id}).to_string();
        let made = token(&header, &world.claims("keys").to_string(), &empty);
        list.push(forged(format!("the empty secret under the id {:.60}", id.to_string()), made));
    }
    list
}

fn embedded(world: &World) -> Vec<Forged> {
    let keys = Keys::get();
    let key_set = json!({"keys": [other().jwk]});
    let certificate = rcgen::generate_simple_self_signed(["fanfare.test".to_owned()]).unwrap();
    let chain =
        json!([base64::Engine::encode(&base64::engine::general_purpose::STANDARD, certificate.cert.der())]);
    let members: Vec<(&str, Value)> = vec![
        ("jwk", other().jwk.clone()),
        ("jwk", keys.p256.jwk.clone()),
        ("jwk", key_set),
        ("jwk", json!(null)),
        ("jku", json!(format!("{}/keys.json", world.url))),
        ("jku", json!(format!("{}#@keys", world.url))),
        ("jku", json!([world.url])),
        ("jku", json!("")),
        ("x5u", json!(format!("{}/chain.pem", world.url))),
        ("x5u", json!(null)),
        ("x5c", chain),
        ("x5c", json!([])),
    ];
    let mut list = Vec::new();
    for (index, (name, value)) in members.iter().enumerate() {
        for id in [Some("p256"), Some("mine"), None] {
            let mut header = json!({"alg": "ES256", "typ": "JWT", *name: value});
            if let Some(id) = id {
                header["kid"] = json!(id);
            }
            let claims = world.claims("keys").to_string();
            let (by_attacker, by_issuer) = (&other().signing(), &keys.p256.signing());
            let made = token(&header.to_string(), &claims, by_attacker);
            list.push(forged(format!("{name} ({index}) that signed it, id {id:?}"), made));
            let made = token(&header.to_string(), &claims, by_issuer);
            list.push(forged(format!("{name} ({index}) beside a good signature, id {id:?}"), made));
        }
    }
    list
}

/// All with a good signature.
fn odd(world: &World) -> Vec<Forged> {
    let mut list = Vec::new();
    for member in MEMBERS {
        let header = format!(r#"{{"alg":"ES256","kid":"p256",{member}}}"#);
        list.push(forged(format!("in the header {member}"), world.with_header(&header)));
    }
    for alg in ALGORITHMS {
        let header = format!(r#"{{"kid":"p256","alg":{alg}}}"#);
        list.push(forged(format!("the algorithm {alg}"), world.with_header(&header)));
    }
    for header in WHOLE {
        list.push(forged(format!("the header {header:?}"), world.with_header(header)));
    }
    list
}

const MEMBERS: &[&str] = &[
    r#""crit":["exp"]"#,
    r#""crit":[]"#,
    r#""crit":["b64"],"b64":false"#,
    r#""crit":["b64"],"b64":true"#,
    r#""crit":["http://example.com/UNDEFINED"],"http://example.com/UNDEFINED":true"#,
    r#""crit":"exp""#,
    r#""crit":null"#,
    r#""b64":false"#,
    r#""b64":true"#,
    r#""zip":"DEF""#,
    r#""zip":null"#,
    r#""enc":"A128GCM""#,
    r#""cty":"JWT""#,
    r#""typ":"JWE""#,
    r#""typ":"id_token""#,
    r#""typ":"logout+jwt""#,
    r#""typ":"dpop+jwt""#,
    r#""typ":"secevent+jwt""#,
    r#""typ":"""#,
    r#""typ":null"#,
    r#""typ":5"#,
    r#""typ":["JWT"]"#,
    r#""alg":"ES256""#,
    r#""alg":"none""#,
    r#""kid":"p256""#,
    r#""\u0061lg":"ES256""#,
    r#""x":{"y":1,"y":2}"#,
];

const ALGORITHMS: &[&str] = &[
    "null",
    "1",
    "true",
    "[]",
    "{}",
    "[\"ES256\"]",
    "{\"alg\":\"ES256\"}",
    "\"es256\"",
    "\"Es256\"",
    "\"ES256 \"",
    "\" ES256\"",
    "\"ES-256\"",
    "\"ES256\\u0000\"",
    "\"ES256K\"",
    "\"SHA256withECDSA\"",
    "\"HS1\"",
    "\"RSA1_5\"",
    "\"ES2\\u00356\\u200b\"",
    "\"dir\"",
];

const WHOLE: &[&str] = &[
    "",
    " ",
    "{",
    "{}",
    "[]",
    "null",
    "1",
    "\"ES256\"",
    "[{\"alg\":\"ES256\"}]",
    "{\"alg\":\"ES256\"}}",
    "{\"alg\":\"ES256\",}",
    "{'alg':'ES256'}",
    "{alg:\"ES256\"}",
    "{\"alg\":\"ES256\"}\u{0}",
    "\u{feff}{\"alg\":\"ES256\"}",
    "{\"alg\":\"ES256\"/**/}",
    "{\"alg\":\"ES256\",\"kid\":\"\\ud800\"}",
    "{\"kid\":\"p256\"}",
    "{\"ALG\":\"ES256\"}",
];
