//! Issuers, audiences and other claims that are not as they have to be. All with a good signature.

use serde_json::json;

use super::keys::Keys;
use super::{Forged, World, forged, token};

pub(super) fn all(world: &World) -> Vec<Forged> {
    let mut list = of_both(world);
    for (name, values) in WRONG {
        for value in *values {
            list.push(forged(format!("{name} is {value:.60}"), world.with_claim(name, Some(value))));
        }
    }
    list.extend(too_large(world));
    list
}

/// Those of tokens for connections and for subscriptions.
pub(super) fn of_both(world: &World) -> Vec<Forged> {
    let mut list = issuers(world);
    list.extend(audiences(world));
    list
}

fn issuers(world: &World) -> Vec<Forged> {
    let values = [
        json!("unknown"),
        json!(""),
        json!("Keys"),
        json!("keys "),
        json!("keys/"),
        json!("keys\u{0}"),
        json!(world.url),
        json!(format!("{}/.well-known/openid-configuration", world.url)),
        json!("pem"),
        json!("secret"),
        json!("narrow"),
        json!("other"),
        json!(["keys"]),
        json!({"iss": "keys"}),
        json!(null),
        json!(0),
    ];
    let mut list: Vec<Forged> = values
        .iter()
        .map(|value| {
            // The issuer `pem` has this key as well, and takes it without looking at the id.
            let key = if value == "pem" { &Keys::get().p384 } else { &Keys::get().p256 };
            let header = json!({"alg": key.algorithm.as_str(), "kid": key.id}).to_string();
            let mut claims = world.claims("keys");
            claims["iss"] = value.clone();
            forged(format!("iss is {value}"), token(&header, &claims.to_string(), &key.signing()))
        })
        .collect();
    list.push(forged("no iss", world.with_claim("iss", None)));
    list
}

fn audiences(world: &World) -> Vec<Forged> {
    const AUDIENCES: &[&str] = &[
        r#""""#,
        r#""other""#,
        r#""App""#,
        r#""app ""#,
        r#""app,app2""#,
        r#""app app2""#,
        r#""app\u0000""#,
        r#""*""#,
        "[]",
        r#"["other"]"#,
        r#"["other","another"]"#,
        r#"[""]"#,
        r#"["app",1]"#,
        r#"["app",null]"#,
        r#"[["app"]]"#,
        r#"[{"aud":"app"}]"#,
        "{}",
        r#"{"aud":"app"}"#,
        r#"{"0":"app","length":1}"#,
        "null",
        "1",
        "true",
    ];
    let mut list: Vec<Forged> = AUDIENCES
        .iter()
        .map(|value| forged(format!("aud is {value}"), world.with_claim("aud", Some(value))))
        .collect();
    list.push(forged("no aud", world.with_claim("aud", None)));
    let many = json!(vec!["app"; 65]).to_string();
    list.push(forged("65 audiences", world.with_claim("aud", Some(&many))));
    list
}

const WRONG: &[(&str, &[&str])] = &[
    ("sub", &["1", "null", "true", "\"\"", "[\"ann\"]", "{\"id\":\"ann\"}", "\"a\\u0000b\"", "\"a\\nb\""]),
    ("name", &["1", "null", "[\"Ann\"]", "{}"]),
    ("roles", &["\"admin\"", "null", "1", "{}", "[1]", "[\"admin\",null]", "[\"\"]", "[[\"admin\"]]"]),
    ("jti", &["1", "null", "\"\"", "[\"a\"]"]),
    (
        "channels",
        &[
            "null",
            "\"news:today\"",
            "1",
            "{\"channel\":\"news:today\"}",
            "[1]",
            "[null]",
            "[[\"news:today\"]]",
            "[\"\"]",
            "[\"a\\u0000b\"]",
            "[{}]",
            "[{\"channel\":1}]",
            "[{\"channel\":\"\"}]",
            "[{\"pattern\":\"news:today\"}]",
            "[{\"pattern\":\"news:>.x\"}]",
            "[{\"pattern\":null}]",
            "[{\"channel\":\"a\",\"pattern\":\"a.*\"}]",
            "[{\"channel\":\"a\",\"pattern\":null}]",
            "[{\"channel\":\"a\",\"deny\":[\"publish\"]}]",
            "[{\"channel\":\"a\",\"allow\":\"publish\"}]",
            "[{\"channel\":\"a\",\"allow\":[]}]",
            "[{\"channel\":\"a\",\"allow\":[\"Publish\"]}]",
            "[{\"channel\":\"a\",\"allow\":[\"*\"]}]",
            "[{\"channel\":\"a\",\"allow\":[\"admin\"]}]",
            "[{\"channel\":\"a\",\"allow\":[\"subscribe\",1]}]",
            "[{\"channel\":\"a\",\"allow\":null}]",
            "[{\"channel\":\"a\",\"allow\":{\"publish\":true}}]",
        ],
    ),
];

fn too_large(world: &World) -> Vec<Forged> {
    let long = "x".repeat(256);
    let claims = [
        ("sub", json!(long)),
        ("name", json!(long)),
        ("jti", json!(long)),
        ("roles", json!([long])),
        ("roles", json!(vec!["r"; 65])),
        ("channels", json!([long])),
        ("channels", json!(vec!["c"; 257])),
        ("info", json!("x".repeat(4096))),
        ("info", json!(vec![1; 2100])),
    ];
    let make = |(name, value): &(&str, serde_json::Value)| {
        let value = value.to_string();
        forged(format!("{name} has {} bytes", value.len()), world.with_claim(name, Some(&value)))
    };
    claims.iter().map(make).collect()
}
