//! A token in a cookie, which comes along whoever asks: what a page has to show beside it.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use fanfare_auth::csrf::csrf_signature;
use fanfare_auth::sign::{SigningKey, sign};
use fanfare_auth::{Algorithm, IssuerSettings, KeySettings, TokenRules, Verifier};
use fanfare_server::config::AuthMode;
use fanfare_server::network::csrf::CsrfRule;
use serde_json::json;

use super::support::node::{TestNode, builder};
use super::support::raw::{Answer, HEAD, Raw};

const SECRET: [u8; 32] = [7; 32];
const GUARD: &str = "0123456789abcdef";

pub(super) fn token(user: &str) -> String {
    let expires = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 600;
    let key = SigningKey::secret(Algorithm::HS256, &SECRET).unwrap();
    sign(&key, &json!({"sub": user, "exp": expires}).to_string()).unwrap()
}

/// What accepts the tokens made here.
pub(super) fn verifier() -> Verifier {
    let issuer = IssuerSettings {
        name: "main".to_owned(),
        issuer: None,
        audience: Vec::new(),
        algorithms: vec![Algorithm::HS256],
        keys: KeySettings::Secret(SECRET.to_vec()),
        user_claim: "sub".to_owned(),
        roles_claim: "roles".to_owned(),
    };
    Verifier::new(vec![issuer], TokenRules::default()).unwrap()
}

async fn start(rule: CsrfRule) -> TestNode {
    let builder = builder().authentication(AuthMode::Required, verifier()).auth_cookie("session", rule);
    TestNode::start(builder.origins(["https://app.example"])).await
}

async fn knock(node: &TestNode, path: &str, more: &str) -> Answer {
    let mut raw = Raw::connect(node.address).await.unwrap();
    let head =
        HEAD.replacen("/ws", path, 1).replace("Host: localhost\r\n", &format!("Host: localhost\r\n{more}"));
    raw.send(head.as_bytes()).await.unwrap();
    raw.answer().await.unwrap()
}

#[tokio::test]
async fn a_cookie_counts_only_for_a_page_that_can_read_its_companion() {
    let node = start(CsrfRule::DoubleSubmit("guard".to_owned())).await;
    let token = token("ann");
    let (cookie, guarded) =
        (format!("Cookie: session={token}\r\n"), format!("Cookie: session={token}; guard={GUARD}\r\n"));
    let origin = "Origin: https://app.example\r\n";
    let parameter = format!("/ws?csrf={GUARD}");
    for (path, more, wanted) in [
        (&*parameter, format!("{origin}{guarded}"), "HTTP 101"),
        ("/ws", format!("{origin}{guarded}X-CSRF-Token: {GUARD}\r\n"), "HTTP 101"),
        ("/ws", format!("{origin}{guarded}"), "HTTP 403 csrf_failed"),
        ("/ws?csrf=fedcba9876543210", format!("{origin}{guarded}"), "HTTP 403 csrf_failed"),
        (&parameter, format!("{origin}{cookie}"), "HTTP 403 csrf_failed"),
        (&parameter, guarded.clone(), "HTTP 403 origin_not_allowed"),
        (&parameter, format!("Origin: https://evil.example\r\n{guarded}"), "HTTP 403 origin_not_allowed"),
        (&parameter, format!("Origin: null\r\n{guarded}"), "HTTP 403 origin_not_allowed"),
        (&parameter, format!("{origin}{guarded}Cookie: session=x\r\n"), "HTTP 400 bad_handshake"),
        // A token that the page sent itself needs no companion, and no origin.
        (&format!("/ws?token={token}"), String::new(), "HTTP 101"),
        (&format!("/ws?token={token}"), format!("{origin}{cookie}"), "HTTP 101"),
    ] {
        let answer = knock(&node, path, &more).await;
        assert_eq!(answer.summary(), wanted, "{path} {more}");
        assert!(!answer.body.contains(&token) && !answer.body.contains(GUARD), "{}", answer.body);
    }
    let offered = format!("{origin}{guarded}Sec-WebSocket-Protocol: csrf.{GUARD}, fanfare.native.json\r\n");
    let answer = knock(&node, "/ws", &offered).await;
    assert_eq!(answer.summary(), "HTTP 101");
    assert!(answer.head.contains("sec-websocket-protocol: fanfare.native.json\r\n"), "{}", answer.head);
    let alone = format!("{origin}{guarded}Sec-WebSocket-Protocol: csrf.{GUARD}\r\n");
    let answer = knock(&node, "/ws", &alone).await;
    assert!(answer.status == 101 && !answer.head.contains("csrf"), "{}", answer.head);
    node.stop();
}

#[tokio::test]
async fn a_signed_companion_belongs_to_one_token() {
    let node = start(CsrfRule::Signed(Arc::new(|token| csrf_signature(&SECRET, token)))).await;
    let (ann, bob) = (token("ann"), token("bob"));
    let more = format!("Origin: https://app.example\r\nCookie: session={ann}\r\n");
    for (companion, wanted) in [
        (csrf_signature(&SECRET, &ann), "HTTP 101"),
        (csrf_signature(&SECRET, &bob), "HTTP 403 csrf_failed"),
        (csrf_signature(&[8; 32], &ann), "HTTP 403 csrf_failed"),
        (String::new(), "HTTP 403 csrf_failed"),
    ] {
        assert_eq!(knock(&node, &format!("/ws?csrf={companion}"), &more).await.summary(), wanted);
    }
    node.stop();
}
