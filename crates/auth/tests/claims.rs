//! What a good token says arrives whole, and at its bounds.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::time::Duration;

use fanfare_auth::sign::{SigningKey, sign};
use fanfare_auth::{Algorithm, IssuerSettings, KeySettings, TokenError, TokenRules, Verified, Verifier};
use fanfare_core::auth::{Grant, Operation, Operations, Scope};
use fanfare_protocol::command::Topic;
use fanfare_protocol::{ChannelName, ChannelPattern, ErrorCode, Payload, UserId};
use serde_json::{Value, json};

const NOW: u64 = 1_800_000_000;
const SECRET: [u8; 32] = [7; 32];

fn settings() -> IssuerSettings {
    IssuerSettings {
        name: "main".to_owned(),
        issuer: None,
        audience: Vec::new(),
        algorithms: Vec::new(),
        keys: KeySettings::Secret(SECRET.to_vec()),
        user_claim: "sub".to_owned(),
        roles_claim: "roles".to_owned(),
    }
}

fn token(claims: &str) -> String {
    sign(&SigningKey::secret(Algorithm::HS256, &SECRET).unwrap(), claims).unwrap()
}

async fn connect(settings: IssuerSettings, claims: &str) -> Result<Verified, TokenError> {
    let verifier = Verifier::new(vec![settings], TokenRules::default()).unwrap();
    verifier.connection(&token(claims), NOW * 1000).await
}

fn channel(name: &str) -> ChannelName {
    ChannelName::new(name).unwrap()
}

fn pattern(text: &str) -> ChannelPattern {
    ChannelPattern::new(text).unwrap()
}

#[tokio::test]
async fn a_connection_s_token_arrives_whole() {
    let claims = r#"{
        "sub": "ann", "exp": 1800000600, "nbf": 1800000000, "iat": 1799999990, "jti": "t-1", "name": "Ann \u00c4",
        "roles": ["editor", "staff"], "info": {"n": 1.10, "big": 123456789012345678901234567890},
        "channels": ["news:*", {"pattern": "team:7.>", "allow": ["publish", "subscribe"]}, {"channel": "a:$b"}],
        "aud": ["somebody", "else"], "unknown": [1.5]
    }"#;
    let Verified { user, standing } = connect(settings(), claims).await.unwrap();
    assert_eq!(user, Some(UserId::new("ann").unwrap()));
    assert_eq!(standing.name.as_deref(), Some("Ann Ä"));
    assert_eq!(&*standing.roles, ["editor".into(), "staff".into()]);
    let info = r#"{"n": 1.10, "big": 123456789012345678901234567890}"#;
    assert_eq!(standing.info, Some(Payload::Json(info.into())), "in its own spelling");
    let both = Operations::NONE.with(Operation::Publish).with(Operation::Subscribe);
    let grants = [
        Grant::new(Scope::Channel(channel("news:*")), Operations::READ),
        Grant::new(Scope::Pattern(pattern("team:7.>")), both),
        Grant::new(Scope::Channel(channel("a:$b")), Operations::READ),
    ];
    assert_eq!(standing.grants, grants);
    assert_eq!(standing.token_id.as_deref(), Some("t-1"));
    assert_eq!(standing.issued_unix_ms, Some(1_799_999_990_000));
    assert_eq!(standing.expires_unix_ms, Some(1_800_000_600_000));
}

#[tokio::test]
async fn a_token_need_not_name_a_user() {
    let Verified { user, standing } = connect(settings(), r#"{"exp":1800000600}"#).await.unwrap();
    assert_eq!(user, None);
    assert_eq!((standing.name, standing.info, standing.token_id), (None, None, None));
    assert!(standing.roles.is_empty() && standing.grants.is_empty());
}

#[tokio::test]
async fn claims_are_found_by_name_and_then_by_path() {
    let found = async |user_claim: &str, claims: Value| {
        let settings = IssuerSettings {
            user_claim: user_claim.to_owned(),
            roles_claim: "realm_access.roles".to_owned(),
            ..settings()
        };
        let mut claims = claims;
        claims["exp"] = json!(NOW + 60);
        let verified = connect(settings, &claims.to_string()).await.map_err(|error| error.text)?;
        Ok::<_, String>((verified.user.map(|user| user.to_string()), verified.standing.roles.len()))
    };
    let ann = Ok((Some("ann".to_owned()), 0));
    assert_eq!(found("user.id", json!({"user": {"id": "ann"}})).await, ann);
    assert_eq!(found("https://a.b/id", json!({"https://a.b/id": "ann"})).await, ann);
    assert_eq!(found("user.id", json!({"user.id": "ann", "user": {"id": "bob"}})).await, ann);
    assert_eq!(found("user.id", json!({"user": "ann", "sub": "ann"})).await, Ok((None, 0)));
    assert_eq!(found("sub", json!({"realm_access": {"roles": ["a", "b"]}})).await, Ok((None, 2)));
    assert!(found("user.id", json!({"user": {"id": 7}})).await.is_err());
    assert!(found("user", json!({"user": {"id": "ann"}})).await.is_err());
}

/// `Date.now() / 1000` is what people write, and RFC 7519 allows it: a NumericDate may have a fraction. Such a token was
/// refused.
#[tokio::test]
async fn times_may_have_a_fraction() {
    let claims = |exp: &str, iat: &str, nbf: &str| format!(r#"{{"exp":{exp},"iat":{iat},"nbf":{nbf}}}"#);
    let cases = [
        (claims("1800000600.25", "1799999990.123", "1799999999.9999"), 1_800_000_600_250, 1_799_999_990_123),
        (claims("1800000600.0", "1799999990.0", "1.8e9"), 1_800_000_600_000, 1_799_999_990_000),
        (claims("1.8000006005e9", "1799999990e0", "0.5"), 1_800_000_600_500, 1_799_999_990_000),
        // Finer than a millisecond: cut off, and not to the millisecond before.
        (claims("1800000600.1235", "1799999990.001", "0"), 1_800_000_600_123, 1_799_999_990_001),
    ];
    for (claims, expires, issued) in cases {
        let standing =
            connect(settings(), &claims).await.unwrap_or_else(|error| panic!("{claims}: {}", error.text));
        assert_eq!(standing.standing.expires_unix_ms, Some(expires), "{claims}");
        assert_eq!(standing.standing.issued_unix_ms, Some(issued), "{claims}");
    }
    let ended = connect(settings(), r#"{"exp":1799999994.9}"#).await.map_err(|error| error.code);
    assert_eq!(ended.err(), Some(ErrorCode::TokenExpired), "the fraction counts: 100 ms beyond the leeway");
}

#[tokio::test]
async fn times_hold_to_the_second_and_the_leeway() {
    let code = async |claims: Value| {
        connect(settings(), &claims.to_string()).await.map(|v| v.standing.expires_unix_ms).map_err(|e| e.code)
    };
    let (failed, month) = (Err(ErrorCode::AuthenticationFailed), 30 * 86_400);
    assert_eq!(code(json!({"exp": NOW + 1})).await, Ok(Some((NOW + 1) * 1000)));
    // Within the leeway, what is left of it.
    assert_eq!(code(json!({"exp": NOW})).await, Ok(Some((NOW + 5) * 1000)));
    assert_eq!(code(json!({"exp": NOW - 4})).await, Ok(Some((NOW + 1) * 1000)));
    assert_eq!(code(json!({"exp": NOW - 5})).await, Err(ErrorCode::TokenExpired));
    assert_eq!(code(json!({"exp": NOW + month})).await, Ok(Some((NOW + month) * 1000)));
    assert_eq!(code(json!({"exp": NOW + month + 1})).await, failed);
    for name in ["nbf", "iat"] {
        assert!(code(json!({"exp": NOW + 60, name: NOW + 5})).await.is_ok(), "{name}");
        assert_eq!(code(json!({"exp": NOW + 60, name: NOW + 6})).await, failed, "{name}");
    }
}

#[tokio::test]
async fn sizes_hold_at_their_bounds() {
    let bound = "x".repeat(255);
    let claims = json!({
        "exp": NOW + 60, "sub": bound, "name": bound, "jti": bound, "roles": vec![&bound[..8]; 64],
        "channels": vec!["c"; 256], "aud": vec!["a"; 64],
    });
    assert!(connect(settings(), &claims.to_string()).await.is_ok());
    let info = "x".repeat(4094);
    assert!(connect(settings(), &json!({"exp": NOW + 60, "info": info}).to_string()).await.is_ok());
    let length = token(r#"{"exp":1800000060}"#).len();
    let of_size = async |bytes_max| {
        let rules = TokenRules { bytes_max, ..TokenRules::default() };
        let verifier = Verifier::new(vec![settings()], rules).unwrap();
        verifier.connection(&token(r#"{"exp":1800000060}"#), NOW * 1000).await.map_err(|error| error.text)
    };
    assert!(of_size(length).await.is_ok());
    let text = format!("the token is larger than {} bytes", length - 1);
    assert_eq!(of_size(length - 1).await.unwrap_err(), text);
}

#[tokio::test]
async fn a_subscription_s_token_grants_what_it_names_until_it_ends() {
    let verifier = Verifier::new(vec![settings()], TokenRules::default()).unwrap();
    let ann = UserId::new("ann").unwrap();
    let news = Topic::Channel(channel("news:today"));
    let subscribe = async |claims: Value, topic: &Topic, user: Option<&UserId>| {
        verifier.subscription(&token(&claims.to_string()), topic, user, NOW * 1000).await
    };
    let claims = json!({"exp": NOW + 60, "sub": "ann", "channel": "news:today", "jti": "s-1", "iat": NOW});
    let grant = subscribe(claims, &news, Some(&ann)).await.unwrap();
    let scope = Scope::Channel(channel("news:today"));
    let expires_unix_ms = Some((NOW + 60) * 1000);
    let token_id = Some("s-1".into());
    let issued_unix_ms = Some(NOW * 1000);
    let operations = Operations::READ;
    assert_eq!(grant, Grant { scope, operations, expires_unix_ms, token_id, issued_unix_ms });
    let anonymous = json!({"exp": NOW + 60, "pattern": "news:*", "allow": ["subscribe", "publish"]});
    let grant = subscribe(anonymous.clone(), &news, None).await.unwrap();
    assert!(grant.allows(Operation::Publish, &news) && !grant.allows(Operation::History, &news));
    assert!(subscribe(anonymous.clone(), &Topic::Pattern(pattern("news:*")), None).await.is_ok());
    assert!(subscribe(anonymous.clone(), &Topic::Pattern(pattern("news:>")), None).await.is_err());
    assert!(subscribe(anonymous, &news, Some(&ann)).await.is_err(), "it is for nobody");
}

#[test]
fn rules_have_bounds() {
    let rules = |leeway| TokenRules { leeway: Duration::from_secs(leeway), ..TokenRules::default() };
    assert!(Verifier::new(Vec::new(), rules(30)).is_ok());
    let error = Verifier::new(Vec::new(), rules(31)).err();
    assert_eq!(error.as_deref(), Some("the leeway is at most 30 s"));
}
