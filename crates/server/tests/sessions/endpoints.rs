//! What each request is answered with, and how each is refused.

use std::net::SocketAddr;

use fanfare_auth::sign::{SigningKey, sign};
use fanfare_auth::{Algorithm, IssuerSettings, KeySettings, TokenRules, Verifier};
use fanfare_core::limits::{Deadlines, Limits};
use fanfare_server::config::AuthMode;
use fanfare_server::network::csrf::CsrfRule;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::net::TcpStream;

use super::client::{Down, Form, Heard, Session, Transport, body, header, knock, request};
use super::support::node::{TestNode, builder, patient};
use super::support::raw::{Answer, Raw};

const SECRET: [u8; 32] = [7; 32];
const GUARD: &str = "0123456789abcdef";
const APP: &str = "https://app.example";

pub(crate) fn token(claims: Value) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let Value::Object(mut all) = claims else { panic!("claims are an object") };
    all.entry("exp").or_insert(json!(now + 600));
    let key = SigningKey::secret(Algorithm::HS256, &SECRET).unwrap();
    sign(&key, &Value::Object(all).to_string()).unwrap()
}

pub(crate) fn verifier() -> Verifier {
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

/// A node that wants to know who comes.
pub(crate) async fn strict(mode: AuthMode, deadlines: Deadlines) -> TestNode {
    let rule = CsrfRule::DoubleSubmit("guard".to_owned());
    let builder = builder().authentication(mode, verifier()).auth_cookie("token", rule).deadlines(deadlines);
    TestNode::start(builder.origins([APP])).await
}

#[tokio::test]
async fn a_session_is_begun_used_and_ended() {
    let node = TestNode::start(builder()).await;
    let answer = request(node.address, "POST /session?user=ann", "", b"").await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(header(&answer, "content-type"), "application/json");
    assert_eq!(header(&answer, "cache-control"), "no-store");
    let told = body(&answer);
    assert_eq!(told["resume_ms"], 60_000);
    let session = Session { address: node.address, pass: told["session"].as_str().unwrap().to_owned() };
    session.say(json!({"type": "connect"})).await;
    let answer = session.poll(0).await;
    let told = body(&answer);
    assert_eq!((&told["seen"], &told["messages"][0]["user_id"]), (&json!(1), &json!("ann")));
    // What was seen is not told again, what was not is.
    assert_eq!(body(&session.poll(0).await), told);
    session.say(json!({"type": "ping", "id": 2})).await;
    let told = body(&session.poll(1).await);
    assert_eq!((&told["seen"], &told["messages"][0]["id"]), (&json!(2), &json!(2)), "{told}");
    assert_eq!(session.poll(9).await.summary(), "HTTP 410 session_lost");
    let answer = session.end().await;
    assert_eq!((answer.status, body(&answer)), (200, json!({})));
    assert_eq!(session.poll(2).await.summary(), "HTTP 410 session_lost");
    assert_eq!(session.end().await.summary(), "HTTP 410 session_lost");
    node.until_connections(0).await;
    node.stop();
}

/// The header names the session where the query does not.
#[tokio::test]
async fn a_header_names_the_session_too() {
    let node = TestNode::start(builder()).await;
    let session = Session::begin(node.address, "").await;
    let named = format!("Fanfare-Session: {}\r\n", session.pass);
    let answer = request(node.address, "POST /send", &named, br#"{"type":"ping","id":1}"#).await;
    assert_eq!(answer.summary(), "HTTP 202");
    let answer = request(node.address, "GET /poll?seen=0", &named, b"").await;
    assert_eq!(body(&answer)["messages"][0]["type"], "pong");
    for form in [Form::Events, Form::Lines] {
        let mut down = Down::open(node.address, form, "seen=0", &named).await.ok().unwrap();
        assert_eq!(down.next().await.unwrap().data["type"], "pong", "{form:?}");
    }
    assert_eq!(request(node.address, "DELETE /session", &named, b"").await.summary(), "HTTP 200");
    node.stop();
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let node =
        TestNode::start(builder().limits(Limits { message_bytes_max: 1000, ..Limits::default() })).await;
    let elsewhere = TestNode::start(builder()).await;
    let pass = Session::begin(node.address, "user=ann").await.pass;
    let other = Session::begin(node.address, "user=bob").await.pass;
    let foreign = Session::begin(elsewhere.address, "").await.pass;
    let forged = format!("{}.{}", pass.split_once('.').unwrap().0, other.split_once('.').unwrap().1);
    for session in [&foreign, &forged, "", "x", "x.y", "ann"] {
        for line in ["POST /send", "GET /poll", "POST /poll", "DELETE /session", "GET /sse", "GET /stream"] {
            let answer = request(node.address, &format!("{line}?session={session}"), "", b"").await;
            assert_eq!(answer.summary(), "HTTP 410 session_lost", "{line} {session}");
            assert_eq!(header(&answer, "content-type"), "application/json");
            assert!(!session.contains('.') || !answer.body.contains(session), "{}", answer.body);
        }
        let answer = knock(node.address, &format!("/ws?session={session}")).await;
        assert_eq!(answer.summary(), "HTTP 410 session_lost", "{session}");
    }
    let named = |line: &str| format!("{line}session={pass}");
    for (line, wanted) in [
        ("POST /send".to_owned(), "HTTP 400 missing_field"),
        ("GET /poll".to_owned(), "HTTP 400 missing_field"),
        ("DELETE /session".to_owned(), "HTTP 400 missing_field"),
        ("POST /session?dialect=klingon".to_owned(), "HTTP 400 unknown_dialect"),
        ("GET /sse?dialect=klingon".to_owned(), "HTTP 400 unknown_dialect"),
        (named("GET /poll?seen=x&"), "HTTP 400 invalid_field"),
        (named("GET /poll?seen=-1&"), "HTTP 400 invalid_field"),
        (named("GET /sse?seen=1.5&"), "HTTP 400 invalid_field"),
        (named("GET /stream?seen=99999999999999999999&"), "HTTP 400 invalid_field"),
        (named("GET /stream?seen=1&"), "HTTP 410 session_lost"),
        (named("POST /send?batch=x&"), "HTTP 400 invalid_field"),
        (named("POST /send?batch=0&"), "HTTP 400 invalid_field"),
        (named("POST /send?batch=2&"), "HTTP 409 out_of_turn"),
        ("GET /sse?channels=a&history=many".to_owned(), "HTTP 400 invalid_field"),
        ("GET /sse?channels=a,,b".to_owned(), "HTTP 400 invalid_channel"),
        ("GET /sse?channels=".to_owned(), "HTTP 400 invalid_channel"),
        ("GET /stream?channel=a&channel=a".to_owned(), "HTTP 400 invalid_field"),
        ("PUT /session".to_owned(), "HTTP 405 method_not_allowed"),
        ("POST /sse".to_owned(), "HTTP 405 method_not_allowed"),
        ("DELETE /stream".to_owned(), "HTTP 405 method_not_allowed"),
        ("POST /poll".to_owned(), "HTTP 400 missing_field"),
        (named("GET /poll?wait=soon&"), "HTTP 400 invalid_field"),
        (named("GET /poll?wait=-1&"), "HTTP 400 invalid_field"),
        ("DELETE /poll".to_owned(), "HTTP 405 method_not_allowed"),
        ("GET /send".to_owned(), "HTTP 405 method_not_allowed"),
        ("OPTIONS /send".to_owned(), "HTTP 405 method_not_allowed"),
    ] {
        let answer = request(node.address, &line, "", b"").await;
        assert_eq!(answer.summary(), wanted, "{line}");
        if answer.status == 405 {
            let allowed = match &*line {
                "PUT /session" => "POST,DELETE",
                line if line.ends_with("/send") => "POST",
                line if line.ends_with("/poll") => "GET,HEAD,POST",
                _ => "GET,HEAD",
            };
            assert_eq!(header(&answer, "allow").replace(' ', ""), allowed, "{line}");
        }
    }
    let answer = request(node.address, "GET /sse?channels=a,b", "Last-Event-ID: 1.1\r\n", b"").await;
    assert_eq!(answer.summary(), "HTTP 400 invalid_field");
    node.stop();
    elsewhere.stop();
}

#[tokio::test]
async fn bodies_that_cannot_be_taken_are_refused() {
    let limits = Limits { message_bytes_max: 1000, ..Limits::default() };
    let deadlines = Deadlines { unfinished_message_ms: 200, ..patient() };
    let node = TestNode::start(builder().limits(limits).deadlines(deadlines)).await;
    let session = Session::begin(node.address, "").await;
    let large = vec![b'x'; 1001];
    assert_eq!(session.post("", "text/plain", &large).await.summary(), "HTTP 413 message_too_large");
    assert_eq!(session.post("", "text/plain", b"\xff").await.summary(), "HTTP 400 invalid_message");
    assert_eq!(
        session.post("", "application/x-ndjson", b"{}\n\xff").await.summary(),
        "HTTP 400 invalid_message"
    );
    let line = format!("POST /send?session={} HTTP/1.1\r\nHost: localhost\r\n", session.pass);
    for unended in [
        format!("{line}Content-Length: 10\r\n\r\n{{"),
        format!("{line}Transfer-Encoding: chunked\r\n\r\n1\r\n{{\r\n"),
    ] {
        let mut raw = Raw::connect(node.address).await.unwrap();
        raw.send(unended.as_bytes()).await.unwrap();
        assert_eq!(raw.answer().await.unwrap().summary(), "HTTP 408 handshake_timeout");
    }
    let mut raw = Raw::connect(node.address).await.unwrap();
    let endless = format!("{line}Transfer-Encoding: chunked\r\n\r\n");
    raw.send(endless.as_bytes()).await.unwrap();
    raw.send(
        &b"64\r\n"
            .iter()
            .copied()
            .chain(std::iter::repeat_n(b'x', 100))
            .chain(*b"\r\n")
            .collect::<Vec<_>>()
            .repeat(11),
    )
    .await
    .unwrap();
    assert_eq!(raw.answer().await.unwrap().summary(), "HTTP 413 message_too_large");
    // None of it was taken for a message.
    session.say(json!({"type": "ping", "id": 1})).await;
    let told = body(&session.poll(0).await);
    assert_eq!((&told["seen"], &told["messages"][0]["id"]), (&json!(1), &json!(1)), "{told}");
    node.stop();
}

#[tokio::test]
async fn each_kind_of_body_has_its_messages() {
    let node = TestNode::start(builder()).await;
    let session = Session::begin(node.address, "").await;
    let lines =
        b"{\"type\":\"ping\",\"id\":1}\r\n\n{\"type\":\"ping\",\"id\":2}\n{\"type\":\"ping\",\"id\":3}";
    for (kind, sent, taken) in [
        ("application/x-ndjson", &lines[..], 3),
        ("Application/X-NDJSON; charset=utf-8", &lines[..], 3),
        ("application/x-ndjson", b"\n", 0),
        ("text/plain", b"{\"type\":\"ping\",\n\"id\":4}", 1),
        ("", b"{\"type\":\"ping\",\"id\":5}", 1),
        ("application/octet-stream", b"{\"type\":\"ping\"}", 1),
    ] {
        let answer = session.post("", kind, sent).await;
        assert_eq!((answer.status, body(&answer)), (202, json!({"taken": taken})), "{kind}");
    }
    let told = body(&session.poll(0).await);
    let ids: Vec<&Value> =
        told["messages"].as_array().unwrap().iter().map(|message| &message["id"]).collect();
    assert_eq!(ids[..8], [1, 2, 3, 1, 2, 3, 4, 5].map(|id| json!(id)).iter().collect::<Vec<_>>()[..]);
    assert_eq!(told["messages"][8]["code"], "wrong_frame_kind", "{told}");
    node.stop();
}

async fn preflight(address: SocketAddr, path: &str, origin: &str) -> Answer {
    let head = format!(
        "Origin: {origin}\r\nAccess-Control-Request-Method: POST\r\n\
         Access-Control-Request-Headers: content-type,fanfare-session\r\n"
    );
    request(address, &format!("OPTIONS {path}"), &head, b"").await
}

#[tokio::test]
async fn pages_of_allowed_origins_are_let_in_and_no_other() {
    let node = strict(AuthMode::Optional, patient()).await;
    for path in ["/session", "/sse", "/stream", "/poll", "/send"] {
        let answer = preflight(node.address, path, APP).await;
        assert_eq!(answer.status, 204, "{path}");
        assert_eq!(header(&answer, "access-control-allow-origin"), APP);
        assert_eq!(header(&answer, "access-control-allow-credentials"), "true");
        assert!(
            header(&answer, "access-control-allow-headers").contains("fanfare-session"),
            "{}",
            answer.head
        );
        assert!(header(&answer, "access-control-allow-headers").contains("last-event-id"), "{}", answer.head);
        assert!(header(&answer, "access-control-allow-methods").contains("DELETE"), "{}", answer.head);
        let answer = preflight(node.address, path, "https://evil.example").await;
        assert_eq!(answer.summary(), "HTTP 403 origin_not_allowed", "{path}");
        assert_eq!(header(&answer, "access-control-allow-origin"), "");
    }
    let session = Session::begin(node.address, "").await;
    let evil = "Origin: https://evil.example\r\n";
    let app = format!("Origin: {APP}\r\n");
    for line in
        ["POST /session?", "POST /send?", "GET /poll?", "GET /sse?", "GET /stream?", "DELETE /session?"]
    {
        let named = format!("{line}session={}", session.pass);
        for line in [line.to_owned(), named] {
            let answer = request(node.address, &line, evil, b"").await;
            assert_eq!(answer.summary(), "HTTP 403 origin_not_allowed", "{line}");
            assert_eq!(header(&answer, "access-control-allow-origin"), "");
        }
    }
    for form in [Form::Events, Form::Lines] {
        let down = Down::open(node.address, form, "", &app).await.ok().unwrap();
        assert!(down.head.contains(&format!("access-control-allow-origin: {APP}\r\n")), "{}", down.head);
        assert!(down.head.contains("vary: origin\r\n"), "{}", down.head);
        // A cookie that authenticates came with a WebSocket, and was kept from the same page's EventSource and fetch.
        assert!(down.head.contains("access-control-allow-credentials: true\r\n"), "{}", down.head);
    }
    // A refusal is for the page to read as well.
    let answer = request(node.address, "GET /poll?session=x", &app, b"").await;
    assert_eq!((answer.status, header(&answer, "access-control-allow-origin")), (410, APP));
    node.stop();
}

/// `*` names no page: any site could spend its visitors' cookies.
#[tokio::test]
async fn cookies_come_along_only_from_pages_that_are_named() {
    let node = TestNode::start(builder().origins(["*", "https://*.example.com"])).await;
    for (origin, wanted) in [("https://any.example", ""), ("https://app.example.com", "true")] {
        let head = format!("Origin: {origin}\r\n");
        let answer = request(node.address, "GET /poll?session=x", &head, b"").await;
        assert_eq!(header(&answer, "access-control-allow-origin"), origin);
        assert_eq!(header(&answer, "access-control-allow-credentials"), wanted, "{origin}");
        assert_eq!(
            header(&preflight(node.address, "/send", origin).await, "access-control-allow-credentials"),
            wanted
        );
    }
    let page = format!("http://{}", node.address);
    let answer = request(node.address, "GET /poll?session=x", &format!("Origin: {page}\r\n"), b"").await;
    assert_eq!(header(&answer, "access-control-allow-credentials"), "");
    node.stop();
}

#[tokio::test]
async fn a_token_comes_by_every_road_that_http_has() {
    let node = strict(AuthMode::Required, patient()).await;
    let token = token(json!({"sub": "ann"}));
    let cookie = format!("Cookie: token={token}; guard={GUARD}\r\n");
    for (query, head, wanted) in [
        (format!("token={token}"), String::new(), "200"),
        (String::new(), format!("Authorization: Bearer {token}\r\n"), "200"),
        (format!("csrf={GUARD}"), format!("Origin: {APP}\r\n{cookie}"), "200"),
        // A browser names no origin in what a page of the site itself gets.
        (format!("csrf={GUARD}"), format!("Sec-Fetch-Site: same-origin\r\n{cookie}"), "200"),
        (String::new(), format!("Sec-Fetch-Site: same-origin\r\n{cookie}"), "HTTP 403 csrf_failed"),
        (
            format!("csrf={GUARD}"),
            format!("Sec-Fetch-Site: cross-site\r\n{cookie}"),
            "HTTP 403 origin_not_allowed",
        ),
        (
            format!("csrf={GUARD}"),
            format!("Sec-Fetch-Site: same-site\r\n{cookie}"),
            "HTTP 403 origin_not_allowed",
        ),
        (format!("csrf={GUARD}"), cookie.clone(), "HTTP 403 origin_not_allowed"),
        (String::new(), format!("Origin: {APP}\r\n{cookie}"), "HTTP 403 csrf_failed"),
        ("token=x.y.z".to_owned(), String::new(), "HTTP 401 authentication_failed"),
        (String::new(), "Authorization: Bearer x\r\n".to_owned(), "HTTP 401 authentication_failed"),
    ] {
        for form in [Form::Events, Form::Lines] {
            let query = format!("channels=open&{query}");
            let outcome = Down::open(node.address, form, &query, &head).await;
            let summary = outcome.map_or_else(|answer| answer.summary(), |_| "200".to_owned());
            assert_eq!(summary, wanted, "{form:?} {query} {head}");
        }
        let answer = request(node.address, &format!("POST /session?{query}"), &head, b"").await;
        let wanted = if wanted == "200" { "HTTP 201" } else { wanted };
        assert_eq!(answer.summary(), wanted, "{query} {head}");
    }
    // An image or a link of another site's page names no origin.
    let head = "Sec-Fetch-Site: cross-site\r\n";
    let answer = request(node.address, &format!("GET /sse?token={token}"), head, b"").await;
    assert_eq!(answer.summary(), "HTTP 403 origin_not_allowed");
    // Who listens only cannot say later who it is; a session can.
    for form in [Form::Events, Form::Lines] {
        let refused = Down::open(node.address, form, "channels=open", "").await.err().unwrap();
        assert_eq!(refused.summary(), "HTTP 401 authentication_required", "{form:?}");
    }
    node.stop();
}

/// Who brought a token with the request that began the session heard nothing of it.
#[tokio::test]
async fn a_session_begins_by_saying_that_its_token_was_accepted() {
    let node = strict(AuthMode::Required, patient()).await;
    for dialect in ["native", "rooms"] {
        let token = token(json!({"sub": dialect}));
        let query = format!("dialect={dialect}&token={token}");
        for transport in Transport::ALL {
            let session = Session::begin(node.address, &query).await;
            let mut carried = session.carry(transport, 0).await;
            assert_eq!(carried.expect("authenticated").await["user_id"], dialect, "{transport:?}");
        }
        for form in [Form::Events, Form::Lines] {
            let mut told = Down::open(node.address, form, &query, "").await.ok().unwrap();
            assert!(told.next().await.unwrap().data["session"].is_string(), "{form:?} {dialect}");
            assert_eq!(told.next().await.unwrap().data["user_id"], dialect, "{form:?}");
        }
    }
    node.stop();
}

#[tokio::test]
async fn a_session_authenticates_with_its_first_message() {
    let node = strict(AuthMode::Required, patient()).await;
    for transport in Transport::ALL {
        let session = Session::begin(node.address, "").await;
        let mut carried = session.carry(transport, 0).await;
        session.say(json!({"type": "auth", "token": token(json!({"sub": "ann"}))})).await;
        assert_eq!(carried.expect("authenticated").await["user_id"], "ann", "{transport:?}");
        let session = Session::begin(node.address, "").await;
        let mut carried = session.carry(transport, 0).await;
        session.say(json!({"type": "subscribe", "channel": "open"})).await;
        assert_eq!(carried.closed().await, 4001, "{transport:?}");
    }
    node.stop();
    let node = strict(AuthMode::Required, Deadlines { authentication_ms: 200, ..patient() }).await;
    for transport in Transport::ALL {
        let session = Session::begin(node.address, "").await;
        let mut carried = session.carry(transport, 0).await;
        assert_eq!(carried.expect("error").await["code"], "authentication_required", "{transport:?}");
        assert_eq!(carried.closed().await, 4001, "{transport:?}");
    }
    node.stop();
}

/// A page whose name was pointed at this host asks without an origin, since for its browser it is this host's own: where
/// nobody has to show a token, it would read along.
#[tokio::test]
async fn a_page_whose_name_was_pointed_here_reads_nothing() {
    let node = TestNode::start(builder()).await;
    for form in [Form::Events, Form::Lines] {
        for (host, allowed) in [("evil.example", false), ("localhost:8000", true), ("127.0.0.1", true)] {
            let stream = TcpStream::connect(node.address).await.unwrap();
            let rest = format!("channels=a HTTP/1.1\r\nHost: {host}\r\n\r\n");
            let outcome = Down::over(stream, form, &rest).await;
            let summary = outcome.map_or_else(|answer| answer.summary(), |_| "200".to_owned());
            let wanted = if allowed { "200" } else { "HTTP 403 origin_not_allowed" };
            assert_eq!(summary, wanted, "{form:?} {host}");
        }
    }
    node.stop();
}

#[tokio::test]
async fn an_end_is_told_to_who_ends_it_over_something_else() {
    let node = TestNode::start(builder()).await;
    for transport in Transport::ALL {
        let session = Session::begin(node.address, "").await;
        let mut carried = session.carry(transport, 0).await;
        session.say(json!({"type": "ping"})).await;
        carried.expect("pong").await;
        let (answer, told) = tokio::join!(session.end(), carried.next());
        assert_eq!(answer.status, 200);
        // The next poll may come too late to be told.
        assert!(
            told == Heard::Closed(1000) || transport == Transport::Poll && told == Heard::End,
            "{told:?}"
        );
    }
    node.until_connections(0).await;
    node.stop();
}
