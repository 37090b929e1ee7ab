//! Who is not let in over HTTP/2, and how they are told: with the codes and statuses of HTTP/1.1, and none of its headers.

use fanfare_auth::{IssuerSettings, KeySettings, TokenRules, Verifier};
use fanfare_server::config::AuthMode;
use fanfare_server::network::csrf::CsrfRule;
use http::Request;
use serde_json::json;

use super::super::support::node::{TestNode, builder};
use super::connection::{Answer, Connection, handshake};

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

fn verifier() -> Verifier {
    let issuer = IssuerSettings {
        name: "tests".to_owned(),
        issuer: None,
        audience: Vec::new(),
        algorithms: Vec::new(),
        keys: KeySettings::Secret(SECRET.to_vec()),
        user_claim: "sub".to_owned(),
        roles_claim: "roles".to_owned(),
    };
    Verifier::new(vec![issuer], TokenRules::default()).unwrap()
}

fn token() -> String {
    let claims = json!({"sub": "ann", "exp": jsonwebtoken::get_current_timestamp() + 600});
    let key = jsonwebtoken::EncodingKey::from_secret(SECRET);
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap()
}

#[track_caller]
fn refused(answer: &Answer, wanted: &str) {
    assert_eq!(answer.summary(), wanted, "{}", answer.body);
    for illegal in ["connection", "upgrade", "keep-alive", "transfer-encoding"] {
        assert!(!answer.headers.contains_key(illegal), "{illegal}");
    }
}

async fn knock(connection: &mut Connection, request: http::request::Builder, wanted: &str) {
    match connection.tunnel(request).await {
        Ok(_) => assert_eq!("200 ", wanted),
        Err(answer) => refused(&answer, wanted),
    }
}

#[tokio::test]
async fn a_handshake_is_judged_as_over_http1() {
    let node = TestNode::start(builder().origins(["https://app.example"])).await;
    let mut connection = Connection::open(node.address).await;
    // The connection would go with its last WebSocket.
    let mut stays = connection.client("/ws").await;
    let without_version = || {
        let request = Request::builder().method("CONNECT").uri("http://localhost/ws");
        request.extension(h2::ext::Protocol::from_static("websocket"))
    };
    let to = |protocol: &'static str| {
        let request = Request::builder().method("CONNECT").uri("http://localhost/ws");
        request.extension(h2::ext::Protocol::from_static(protocol)).header("sec-websocket-version", "13")
    };
    let cases = [
        (handshake("/ws"), "200 "),
        (handshake("/ws").header("origin", "http://localhost"), "200 "),
        (handshake("/ws").header("origin", "https://app.example"), "200 "),
        (handshake("/ws").header("origin", "https://evil.example"), "403 origin_not_allowed"),
        (handshake("/ws").header("origin", "http://localhost:81"), "403 origin_not_allowed"),
        (handshake("/ws").header("origin", "null"), "403 origin_not_allowed"),
        (handshake("/ws").header("host", "evil.example"), "400 invalid_request"),
        (handshake("/ws/klingon"), "400 unknown_dialect"),
        (handshake("/ws?dialect=klingon"), "400 unknown_dialect"),
        (handshake("/ws").header("sec-websocket-protocol", "fanfare.klingon"), "400 unknown_dialect"),
        (handshake("/ws").header("sec-websocket-protocol", "a b"), "400 bad_handshake"),
        (handshake("/ws?token=nonsense"), "400 authentication_disabled"),
        (without_version(), "426 unsupported_version"),
        (without_version().header("sec-websocket-version", "8"), "426 unsupported_version"),
        (to("connect-udp"), "501 unsupported_protocol"),
        (to("websockets"), "501 unsupported_protocol"),
        (Request::builder().method("CONNECT").uri("localhost:80"), "501 unsupported_protocol"),
        (Request::get("http://localhost/ws"), "405 method_not_allowed"),
        (Request::post("http://localhost/ws"), "405 method_not_allowed"),
    ];
    for (request, wanted) in cases {
        knock(&mut connection, request, wanted).await;
    }
    let answer = connection.ask(Request::get("http://localhost/ws")).await;
    assert_eq!(answer.headers["allow"], "CONNECT");
    assert!(answer.body.contains("RFC 8441"), "{}", answer.body);
    // All but the two that are no handshakes.
    let refusals = node.node.fanfare().metrics().await.unwrap().refused;
    assert_eq!(refusals.values().sum::<u64>(), 15);
    // None of them has cost the others their connection.
    stays.ask(&json!({"type": "ping"}), "pong").await;
    node.stop();
}

#[tokio::test]
async fn tokens_come_by_every_road() {
    let node =
        TestNode::start(builder().open_user_ids(false).authentication(AuthMode::Required, verifier())).await;
    let token = token();
    let mut connection = Connection::open(node.address).await;
    let _stays = connection.tunnel(handshake(&format!("/ws?token={token}"))).await.unwrap();
    let offer = format!("auth.{token}, fanfare.native.json");
    let cases = [
        (handshake(&format!("/ws?token={token}")), "200 "),
        (handshake("/ws").header("authorization", format!("Bearer {token}")), "200 "),
        (handshake("/ws").header("sec-websocket-protocol", offer), "200 "),
        (handshake("/ws?token=a.b.c"), "401 authentication_failed"),
        (handshake("/ws").header("authorization", "Bearer a.b.c"), "401 authentication_failed"),
    ];
    for (request, wanted) in cases {
        knock(&mut connection, request, wanted).await;
    }
    node.stop();
}

/// Browsers send each cookie as a field of its own (RFC 9113 §8.2.3).
#[tokio::test]
async fn a_cookie_needs_its_companion_as_over_http1() {
    const GUARD: &str = "0123456789abcdef";
    let builder = builder().open_user_ids(false).authentication(AuthMode::Required, verifier());
    let node = TestNode::start(builder.auth_cookie("session", CsrfRule::default())).await;
    let mut connection = Connection::open(node.address).await;
    let _stays = connection.tunnel(handshake(&format!("/ws?token={}", token()))).await.unwrap();
    let page = |path: &str| handshake(path).header("origin", "http://localhost");
    let session = format!("session={}", token());
    let guard = format!("fanfare_csrf={GUARD}");
    let path = format!("/ws?csrf={GUARD}");
    let cases = [
        (page(&path).header("cookie", &session).header("cookie", &guard), "200 "),
        (page(&path).header("cookie", &guard).header("cookie", format!("other=1; {session}")), "200 "),
        (page(&path).header("cookie", &session), "403 csrf_failed"),
        (page("/ws").header("cookie", &session).header("cookie", &guard), "403 csrf_failed"),
        (handshake(&path).header("cookie", &session).header("cookie", &guard), "403 origin_not_allowed"),
        (page(&path).header("cookie", &session).header("cookie", "session=x"), "400 bad_handshake"),
    ];
    for (request, wanted) in cases {
        knock(&mut connection, request, wanted).await;
    }
    node.stop();
}

#[tokio::test]
async fn who_comes_while_the_node_goes_is_told_so() {
    let node = TestNode::start(builder()).await;
    node.node.drain().await;
    let mut connection = Connection::open(node.address).await;
    knock(&mut connection, handshake("/ws"), "503 draining").await;
    // One answer, and then the end: the next question belongs elsewhere.
    connection.ended().await.unwrap();
    node.stop();
}

/// The same refusal in frames, for pages that asked for it.
#[tokio::test]
async fn a_bad_token_may_be_told_on_the_stream() {
    let builder = builder().authentication(AuthMode::Required, verifier());
    let node = TestNode::start(builder.origins(["https://app.example"])).await;
    let mut connection = Connection::open(node.address).await;
    let mut told = connection.client("/ws/rooms?errors=close&token=none").await;
    assert_eq!(told.expect("error").await["code"], "authentication_failed");
    assert_eq!(told.close_code().await, 4001);
    let from = |origin| handshake("/ws?errors=close&token=none").header("origin", origin);
    knock(&mut connection, from("https://evil.example"), "403 origin_not_allowed").await;
    knock(&mut connection, from("https://app.example"), "200 ").await;
    knock(&mut connection, handshake("/ws?token=none"), "401 authentication_failed").await;
    node.stop();
}
