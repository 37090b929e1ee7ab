//! `fanfare token`: what it prints is taken by a server of the same configuration, and it prints nothing else.

use std::time::{SystemTime, UNIX_EPOCH};

use fanfare_auth::{Algorithm, IssuerSettings, KeySettings, TokenRules, Verified, Verifier};
use fanfare_core::auth::{Operation, Operations};
use fanfare_protocol::command::Topic;
use fanfare_protocol::{ChannelName, ChannelPattern, UserId};

use super::support::{Home, text};

const SECRET: &str = "canary-canary-canary-canary-canary-canary-canary-1";

fn issuer(keys: KeySettings) -> IssuerSettings {
    IssuerSettings {
        name: "local".to_owned(),
        issuer: None,
        audience: Vec::new(),
        algorithms: Vec::new(),
        keys,
        user_claim: "sub".to_owned(),
        roles_claim: "roles".to_owned(),
    }
}

fn verifier(issuer: IssuerSettings) -> Verifier {
    Verifier::new(vec![issuer], TokenRules::default()).unwrap()
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

fn verify(verifier: &Verifier, token: &str) -> Verified {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(verifier.connection(token, now())).unwrap_or_else(|error| panic!("{}", error.text))
}

/// A home in which a server has run.
fn started(name: &str) -> Home {
    let home = Home::new(name);
    assert_eq!(home.serve().end(), Some(0));
    home
}

fn token(home: &Home, arguments: &[&str]) -> String {
    let mut all = vec!["token"];
    all.extend(arguments);
    let output = home.run(&all);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""), "{arguments:?}");
    let token = text(&output.stdout).strip_suffix('\n').unwrap();
    assert!(token.split('.').count() == 3 && !token.contains(char::is_whitespace), "{token}");
    token.to_owned()
}

fn refused(home: &Home, arguments: &[&str]) -> (i32, String) {
    let mut all = vec!["token"];
    all.extend(arguments);
    let output = home.run(&all);
    assert_eq!(text(&output.stdout), "", "{arguments:?}");
    let said = text(&output.stderr).to_owned();
    assert!(!said.contains("canary-c") && !said.contains("ffs_"), "{said}");
    (output.status.code().unwrap(), said)
}

#[test]
fn a_token_says_all_that_was_asked_for() {
    let home = started("token-all");
    let secret = std::fs::read_to_string(home.0.join(".local/share/fanfare/token.secret")).unwrap();
    let verifier = verifier(issuer(KeySettings::Secret(secret.trim().as_bytes().to_vec())));
    let arguments = [
        "--user",
        "ann",
        "--name",
        "Ann",
        "--role",
        "admin",
        "--role",
        "staff",
        "--info",
        "{\"a\":1}",
        "--id",
        "t-1",
        "--channel",
        "chat:lobby",
        "--channel",
        "chat:a=b=subscribe,publish",
        "--pattern",
        "team.7.>",
        "--expires",
        "90s",
    ];
    let verified = verify(&verifier, &token(&home, &arguments));
    let standing = verified.standing;
    assert_eq!(verified.user, UserId::new("ann").ok());
    assert_eq!((standing.name.as_deref(), standing.token_id.as_deref()), (Some("Ann"), Some("t-1")));
    assert_eq!(standing.roles.iter().map(|role| &**role).collect::<Vec<_>>(), ["admin", "staff"]);
    let lasts = standing.expires_unix_ms.unwrap() - now();
    assert!((80_000..=90_000).contains(&lasts), "{lasts}");
    let channel = |name| Topic::Channel(ChannelName::new(name).unwrap());
    let operations: Vec<Operations> = standing.grants.iter().map(|grant| grant.operations).collect();
    let talk = Operations::from_iter([Operation::Subscribe, Operation::Publish]);
    assert_eq!(operations, [Operations::READ, talk, Operations::READ]);
    assert!(standing.grants[1].allows(Operation::Publish, &channel("chat:a=b")));
    let pattern = Topic::Pattern(ChannelPattern::new("team.7.*").unwrap());
    assert!(standing.grants[2].allows(Operation::Subscribe, &pattern));
    let anonymous = verify(&verifier, &token(&home, &["--channel", "chat:lobby"]));
    assert_eq!(anonymous.user, None);
}

#[test]
fn a_token_for_a_subscription_is_for_nothing_else() {
    let home = started("token-subscription");
    let secret = std::fs::read_to_string(home.0.join(".local/share/fanfare/token.secret")).unwrap();
    let verifier = verifier(issuer(KeySettings::Secret(secret.trim().as_bytes().to_vec())));
    let token = token(&home, &["--subscribe", "chat:$x=subscribe,publish", "--user", "ann"]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (topic, ann) = (Topic::Channel(ChannelName::new("chat:$x").unwrap()), UserId::new("ann").ok());
        let grant = verifier.subscription(&token, &topic, ann.as_ref(), now()).await.unwrap();
        assert!(grant.allows(Operation::Publish, &topic) && !grant.allows(Operation::History, &topic));
        assert!(verifier.subscription(&token, &topic, None, now()).await.is_err());
        assert!(verifier.connection(&token, now()).await.is_err());
    });
}

#[test]
fn a_token_can_be_signed_for_a_configured_issuer() {
    let home = Home::new("token-issuer");
    let file = format!(
        "[issuers.shop]\nissuer = \"https://shop.example\"\naudience = [\"chat\", \"more\"]\nsecret = \"{SECRET}\"\n\
         algorithms = \"HS384\"\nuser_claim = \"user.id\"\nroles_claim = \"groups\"\n"
    );
    std::fs::write(home.0.join("f.toml"), file).unwrap();
    let token = token(&home, &["--config", "f.toml", "--issuer", "shop", "--user", "ann", "--role", "admin"]);
    let verifier = verifier(IssuerSettings {
        issuer: Some("https://shop.example".to_owned()),
        audience: vec!["chat".to_owned()],
        algorithms: vec![Algorithm::HS384],
        user_claim: "user.id".to_owned(),
        roles_claim: "groups".to_owned(),
        ..issuer(KeySettings::Secret(SECRET.into()))
    });
    let verified = verify(&verifier, &token);
    assert_eq!((verified.user, verified.standing.roles.len()), (UserId::new("ann").ok(), 1));
    let arguments = ["--config", "f.toml", "--user", "ann", "--issuer", "shop"];
    let (_, said) = refused(&home, &[&arguments[..], &["--algorithm", "HS256"]].concat());
    assert!(said.contains("only HS384"), "{said}");
    let (_, said) = refused(&home, &[&arguments[..], &["--audience", "others"]].concat());
    assert!(said.contains("audience"), "{said}");
    let (code, said) = refused(&home, &["--config", "f.toml", "--user", "ann", "--issuer", "shoe"]);
    assert!(code == 2 && said.contains("there is shop"), "{said}");
}

#[test]
fn a_token_can_be_signed_with_a_private_key() {
    let home = Home::new("token-key");
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    std::fs::write(home.0.join("private.pem"), pair.serialize_pem()).unwrap();
    let key = ["--user", "ann", "--key-file", "private.pem"];
    let token = token(&home, &[&key[..], &["--algorithm", "ES256", "--key-id", "k1"]].concat());
    let verifier = verifier(issuer(KeySettings::Pem(pair.public_key_pem().into_bytes())));
    assert_eq!(verify(&verifier, &token).user, UserId::new("ann").ok());
    assert_eq!(jsonwebtoken::decode_header(&token).unwrap().kid.as_deref(), Some("k1"));
    for (more, wanted) in [
        (&[][..], "--algorithm"),
        (&["--algorithm", "RS256"], "not one for RS256"),
        (&["--algorithm", "HS256"], "no private key"),
        (&["--algorithm", "none"], "--algorithm takes one of"),
    ] {
        let (_, said) = refused(&home, &[&key[..], more].concat());
        assert!(said.contains(wanted), "{more:?}: {said}");
    }
    let (_, said) = refused(&home, &["--user", "a", "--algorithm", "ES256", "--key-file", "missing.pem"]);
    assert!(said.contains("missing.pem: it cannot be read"), "{said}");
}

#[test]
fn a_program_gets_the_token_and_its_claims() {
    let home = started("token-json");
    let output = home.run(&["token", "--user", "ann", "--channel", "chat:lobby=publish", "--json"]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let claims = &told["claims"];
    assert_eq!(claims["sub"], "ann");
    assert_eq!(claims["channels"], serde_json::json!([{"channel": "chat:lobby", "allow": ["publish"]}]));
    let secret = std::fs::read_to_string(home.0.join(".local/share/fanfare/token.secret")).unwrap();
    let verifier = verifier(issuer(KeySettings::Secret(secret.trim().as_bytes().to_vec())));
    let verified = verify(&verifier, told["token"].as_str().unwrap());
    assert_eq!(verified.standing.expires_unix_ms.unwrap() / 1000, claims["exp"].as_u64().unwrap());
}

/// With a private key, a token was signed that the issuer's own public key does not verify, or in a way that the issuer
/// does not take.
#[test]
fn a_private_key_that_is_not_the_issuers_signs_nothing() {
    let home = Home::new("token-foreign");
    let pair = || rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let (own, other) = (pair(), pair());
    std::fs::write(home.0.join("public.pem"), own.public_key_pem()).unwrap();
    std::fs::write(home.0.join("own.pem"), own.serialize_pem()).unwrap();
    std::fs::write(home.0.join("other.pem"), other.serialize_pem()).unwrap();
    let file =
        "[issuers.shop]\nissuer = \"shop\"\npublic_key_file = \"public.pem\"\nalgorithms = \"ES256\"\n";
    std::fs::write(home.0.join("f.toml"), file).unwrap();
    let shop = ["--config", "f.toml", "--issuer", "shop", "--user", "ann"];
    token(&home, &[&shop[..], &["--key-file", "own.pem"]].concat());
    let (code, said) = refused(&home, &[&shop[..], &["--key-file", "other.pem"]].concat());
    assert!(code == 1 && said.contains("the server would refuse it"), "{said}");
    let (code, said) =
        refused(&home, &[&shop[..], &["--key-file", "own.pem", "--algorithm", "ES384"]].concat());
    assert!(code == 2 && said.contains("only ES256"), "{said}");
}

#[test]
fn what_no_server_would_take_is_not_signed() {
    let home = Home::new("token-refused");
    let (_, said) = refused(&home, &["--user", "ann"]);
    assert!(said.contains("token.secret") && said.contains("fanfare serve"), "{said}");
    assert!(!home.0.join(".local").exists(), "looking makes nothing");
    let home = started("token-odd");
    let long = "x".repeat(300);
    let much = format!("\"{}\"", "x".repeat(5000));
    let many = vec!["--channel=a"; 300];
    let (_, said) = refused(&home, &[&["--user", "ann"], &many[..]].concat());
    assert!(said.contains("the server would refuse it"), "{said}");
    for (arguments, code, wanted) in [
        (&[][..], 2, "--user"),
        (&["--user", ""], 1, "user id"),
        (&["--user", &long], 1, "user id"),
        (&["--user", "ann", "--info", "{"], 2, "--info is no JSON"),
        (&["--user", "ann", "--info", &much], 1, "\"info\""),
        (&["--user", "ann", "--role", ""], 1, "role"),
        (&["--user", "ann", "--id", ""], 1, "\"jti\""),
        (&["--user", "ann", "--key-id", &long], 1, "\"kid\""),
        (&["--user", "ann", "--expires", "0s"], 2, "--expires"),
        (&["--user", "ann", "--channel", "a="], 2, "operations: subscribe, publish"),
        (&["--user", "ann", "--pattern", "*.*.*.*"], 2, "not a valid pattern"),
        (&["--user", "ann", "--expires", "soon"], 2, "--expires"),
        (&["--user", "ann", "--expires", "60d"], 1, "longer to live"),
        (&["--user", "ann", "--channel", ""], 2, "not a valid channel"),
        (&["--user", "ann", "--channel", "a=fly"], 2, "operations: subscribe, publish"),
        (&["--user", "ann", "--pattern", "a.>.b"], 2, "not a valid pattern"),
        (&["--user", "ann", "--subscribe", "a=publish"], 1, "does not allow to subscribe"),
        (&["--user", "ann", "--subscribe", "a", "--role", "x"], 2, "cannot be used with"),
        (&["--user", "ann", "--algorithm", "HS512"], 2, "only HS256"),
    ] {
        let (found, said) = refused(&home, arguments);
        assert!(found == code && said.contains(wanted), "{arguments:?}: {found} {said}");
    }
}
