//! Secrets that are sent by every road, and then searched for in everything that the server says: answers, frames,
//! metrics, and its log at the finest level in both forms. What a road answers is not the point here; where it leads is.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use fanfare_auth::Algorithm;
use fanfare_auth::sign::{SigningKey, sign};
use serde_json::json;

use super::support::frames::{BINARY, FIN, close, frame, text};
use super::support::process::Process;
use super::support::raw::{HEAD, Raw};
use super::support::within;

/// Stands for the road's own secret.
const SLOT: &str = "SECRET";

/// Requests, each with its own secret. `KEY` stands for the right API key.
const REQUESTS: &[(&str, &str)] = &[
    ("a wrong key, as X-API-Key", "POST /api/publish HTTP/1.1\r\nX-API-Key: SECRET\r\n"),
    ("a wrong key, as a bearer", "POST /api/publish HTTP/1.1\r\nAuthorization: Bearer SECRET\r\n"),
    ("a wrong key, as ApiKey", "GET /api/channels HTTP/1.1\r\nAuthorization: ApiKey SECRET\r\n"),
    ("a password, as Basic", "GET /api/channels HTTP/1.1\r\nAuthorization: Basic SECRET\r\n"),
    ("a scheme that is none", "GET /api/channels HTTP/1.1\r\nAuthorization: SECRET\r\n"),
    ("a key in the query", "GET /api/channels?api_key=SECRET HTTP/1.1\r\nX-API-Key: KEY\r\n"),
    ("a number that is none", "GET /api/history?channel=a&limit=SECRET HTTP/1.1\r\nX-API-Key: KEY\r\n"),
    ("a token for the pages", "GET /?token=SECRET HTTP/1.1\r\n"),
    ("a token where nothing is", "GET /nowhere?access_token=SECRET HTTP/1.1\r\n"),
    ("a password in the target", "GET http://ann:SECRET@localhost/health HTTP/1.1\r\n"),
    ("a header without a colon", "GET /health HTTP/1.1\r\nAuthorization Bearer SECRET\r\n"),
    ("a header with a control character", "GET /health HTTP/1.1\r\nAuthorization: Bearer SECRET\u{1}\r\n"),
    ("a version that is none", "GET /ws?token=SECRET HTTP/9.9\r\n"),
    ("a method that is none", "GET /ws?token=SECRET\r\n"),
    ("metrics with a wrong key", "GET /metrics HTTP/1.1\r\nAuthorization: Bearer SECRET\r\n"),
    ("a referrer", "GET /nowhere HTTP/1.1\r\nReferer: http://localhost/?token=SECRET\r\n"),
];

/// Bodies of the HTTP API, sent with the right key.
const BODIES: &[(&str, &str, &str)] = &[
    ("broken JSON", "publish", r#"{"channel":"a","data":{"password":"SECRET"#),
    ("a member that is none", "publish", r#"{"channel":"a","data":1,"password":"SECRET"}"#),
    ("a text where a number stands", "history", r#"{"channel":"a","limit":"SECRET"}"#),
    ("a text where a list stands", "broadcast", r#"{"channels":"SECRET","message":{"data":1}}"#),
    ("a choice that is none", "history", r#"{"channel":"a","since":{"epoch":"SECRET","offset":"SECRET"}}"#),
    ("a token taken back", "revoke", r#"{"token":"SECRET"}"#),
    ("a token among tokens", "revoke", r#"{"tokens":["SECRET",7]}"#),
    ("a body that is no JSON", "publish", "SECRET"),
    ("data", "publish", r#"{"channel":"a","data":{"password":"SECRET"}}"#),
    ("a batch", "batch", r#"{"commands":[{"publish":{"channel":7,"data":"SECRET"}}]}"#),
];

/// Handshakes, each with its own secret in the request's target or its headers.
const HANDSHAKES: &[(&str, &str, &str)] = &[
    ("a token in the query", "/ws?token=SECRET", ""),
    ("a token in the query, encoded", "/ws?token=%53SECRET%20", ""),
    ("a token named otherwise", "/ws?access_token=SECRET&password=SECRET&jwt=SECRET", ""),
    ("a token beside a user", "/ws?user=ann&token=SECRET", ""),
    ("two tokens that differ", "/ws?token=SECRET", "Authorization: Bearer x.y.z\r\n"),
    ("a bearer", "/ws", "Authorization: Bearer SECRET\r\n"),
    ("a cookie", "/ws", "Cookie: other=1; session=SECRET\r\n"),
    ("a cookie of somebody else", "/ws", "Cookie: theirs=SECRET\r\n"),
    ("a broken cookie", "/ws", "Cookie: session=\"SECRET\r\n"),
    ("a CSRF cookie", "/ws", "Cookie: session=x.y.z; fanfare_csrf=SECRET\r\nX-CSRF-Token: other\r\n"),
    ("a CSRF header", "/ws?csrf=SECRET", "Cookie: session=x.y.z\r\nX-CSRF-Token: SECRET\r\n"),
    ("a subprotocol", "/ws", "Sec-WebSocket-Protocol: auth.SECRET\r\n"),
    ("a subprotocol among others", "/ws", "Sec-WebSocket-Protocol: fanfare.native, auth.SECRET\r\n"),
    ("a subprotocol in capitals", "/ws", "Sec-WebSocket-Protocol: AUTH.SECRET\r\n"),
    ("a dialect that is none", "/ws/nowhere?token=SECRET", ""),
    ("a token for protobuf", "/ws/native.protobuf?token=SECRET", ""),
];

/// Messages of a connection that has not authenticated, each on a connection of its own.
const FIRST_MESSAGES: &[(&str, &str)] = &[
    ("a first message", r#"{"type":"auth","id":1,"token":"SECRET"}"#),
    ("a first message that is no JSON", r#"{"type":"auth","token":"SECRET"#),
    ("a first message with a list", r#"{"type":"auth","token":["SECRET"]}"#),
    ("a first message with a typo", r#"{"type":"auth","tokn":"SECRET"}"#),
    ("a first message that is a token", "SECRET"),
    ("a first message of another type", r#"{"type":"login","password":"SECRET"}"#),
    ("a subscribe before", r#"{"type":"subscribe","channel":"a","token":"SECRET"}"#),
];

/// Messages of a connection that has authenticated, all on one.
const MESSAGES: &[(&str, &str)] = &[
    ("a refresh", r#"{"type":"auth","id":2,"token":"SECRET"}"#),
    ("a token for a subscription", r#"{"type":"subscribe","id":3,"channel":"a:$b","token":"SECRET"}"#),
    ("a token that is no text", r#"{"type":"subscribe","id":4,"channel":"a:$b","token":{"a":"SECRET"}}"#),
    ("a message that is no JSON", r#"{"type":"subscribe","channel":"a","token":"SECRET"#),
    ("a name with a token", r#"{"type":"subscribe","channel":7,"token":"SECRET"}"#),
    ("a request", r#"{"type":"request","id":5,"method":"login","data":{"password":"SECRET"}}"#),
    ("a custom type", r#"{"type":"login","id":6,"password":"SECRET"}"#),
    ("a ping with more", r#"{"type":"ping","id":7,"password":"SECRET"}"#),
];

/// The secrets that were sent, and what the server said.
#[derive(Default)]
struct Ledger {
    /// Of which road, and a piece of eight characters that stands in every longer piece of it.
    secrets: Vec<(String, String)>,
    /// Where, and what was said there.
    said: Vec<(String, String)>,
}

impl Ledger {
    /// A new secret. It repeats its mark, so that an excerpt of it has the mark in it too.
    fn secret(&mut self, road: &str) -> String {
        let mark = format!("zq{:03}vwk", self.secrets.len());
        self.secrets.push((road.to_owned(), mark.clone()));
        mark.repeat(8)
    }

    /// Watches for a token that was signed: its claims and its signature. Its header is nobody's secret.
    fn watch(&mut self, road: &str, token: &str) {
        for part in token.split('.').skip(1) {
            let middle = part.len() / 2;
            self.secrets.push((road.to_owned(), part[middle - 4..middle + 4].to_owned()));
        }
    }

    fn heard(&mut self, place: &str, text: impl Into<String>) {
        self.said.push((place.to_owned(), text.into()));
    }

    /// Where which secret was found.
    fn found(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (place, text) in &self.said {
            for (road, mark) in &self.secrets {
                if let Some((before, _)) = text.split_once(mark.as_str()) {
                    let context: String = before.chars().rev().take(60).collect();
                    let context: String = context.chars().rev().collect();
                    found.push(format!("{road}: in {place}, behind {context:?}"));
                }
            }
        }
        found
    }
}

/// One server and all that is sent to it.
struct Hunt {
    ledger: Ledger,
    address: SocketAddr,
    admin: SocketAddr,
    api_key: String,
    signing: SigningKey,
}

impl Hunt {
    fn token(&mut self, road: &str, claims: serde_json::Value) -> String {
        let mut claims = claims;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        claims["exp"] = json!(now + 600);
        claims["password"] = json!(self.ledger.secret(road));
        let token = sign(&self.signing, &claims.to_string()).unwrap();
        self.ledger.watch(road, &token);
        token
    }

    /// Sends bytes on a connection of their own and keeps what comes back: an answer, or nothing.
    async fn exchange(&mut self, road: &str, address: SocketAddr, bytes: &[u8]) -> u16 {
        let mut raw = Raw::connect(address).await.unwrap();
        raw.send(bytes).await.unwrap();
        match raw.answer().await {
            Ok(answer) => {
                self.ledger.heard(&format!("the answer to {road}"), answer.head + &answer.body);
                answer.status
            }
            Err(nothing) => {
                self.ledger.heard(&format!("what came instead of an answer to {road}"), nothing);
                0
            }
        }
    }

    async fn requests(&mut self) {
        for (road, head) in REQUESTS {
            let secret = self.ledger.secret(road);
            let head = head.replace(SLOT, &secret).replace("KEY\r", &format!("{}\r", self.api_key));
            let bytes = format!("{head}Host: localhost\r\n\r\n");
            for address in [self.address, self.admin] {
                self.exchange(road, address, bytes.as_bytes()).await;
            }
        }
        for (road, operation, body) in BODIES {
            let body = body.replace(SLOT, &self.ledger.secret(road));
            let (key, length) = (&self.api_key, body.len());
            let head = format!(
                "POST /api/{operation} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {key}\r\n\
                 Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
            );
            self.exchange(road, self.address, head.as_bytes()).await;
        }
        for times in [200, 2000] {
            let secret = self.ledger.secret("a target that is too long").repeat(times / 8);
            let head = HEAD.replacen("/ws", &format!("/ws?token={secret}"), 1);
            self.exchange("a target that is too long", self.address, head.as_bytes()).await;
        }
    }

    /// Shakes hands; the connection if it came to one.
    async fn handshake(&mut self, road: &str, target: &str, headers: &str) -> Option<Raw> {
        let head = HEAD.replacen("/ws", target, 1).replacen("Host", &format!("{headers}Host"), 1);
        let mut raw = Raw::connect(self.address).await.unwrap();
        raw.send(head.as_bytes()).await.unwrap();
        let answer = raw.answer().await.unwrap();
        self.ledger.heard(&format!("the answer to {road}"), format!("{}{}", answer.head, answer.body));
        (answer.status == 101).then_some(raw)
    }

    /// Sends frames, says goodbye, and keeps everything that comes until the end.
    async fn talk(&mut self, road: &str, mut raw: Raw, frames: &[Vec<u8>]) -> String {
        for frame in frames {
            raw.send(frame).await.unwrap();
        }
        raw.send(&close(1000, b"")).await.unwrap();
        let mut all = String::new();
        while let Ok(Some(frame)) = raw.frame().await {
            all += &String::from_utf8_lossy(&frame.payload);
            all.push('\n');
        }
        self.ledger.heard(&format!("the frames that answered {road}"), all.clone());
        all
    }

    async fn handshakes(&mut self) {
        for (road, target, headers) in HANDSHAKES {
            let secret = self.ledger.secret(road);
            let (target, headers) = (target.replace(SLOT, &secret), headers.replace(SLOT, &secret));
            if let Some(raw) = self.handshake(road, &target, &headers).await {
                self.talk(road, raw, &[text(r#"{"type":"ping","id":1}"#)]).await;
            }
        }
        for road in ["/ws?token=TOKEN", "bearer", "subprotocol", "cookie"] {
            let token = self.token(road, json!({"sub": "ann"}));
            let (target, header) = match road {
                "bearer" => ("/ws".to_owned(), format!("Authorization: Bearer {token}\r\n")),
                "subprotocol" => ("/ws".to_owned(), format!("Sec-WebSocket-Protocol: auth.{token}\r\n")),
                "cookie" => ("/ws".to_owned(), format!("Cookie: session={token}\r\n")),
                target => (target.replace("TOKEN", &token), String::new()),
            };
            let opened = self.handshake(road, &target, &header).await;
            // What else a cookie needs is another matter.
            assert!(opened.is_some() || road == "cookie", "a good token is taken: {road}");
            if let Some(raw) = opened {
                self.talk(road, raw, &[text(r#"{"type":"ping","id":1}"#)]).await;
            }
        }
    }

    async fn messages(&mut self) {
        for (road, message) in FIRST_MESSAGES {
            let message = message.replace(SLOT, &self.ledger.secret(road));
            for (target, frame) in [
                ("/ws", text(&message)),
                ("/ws", frame(FIN | BINARY, &message)),
                ("/ws/native.protobuf", frame(FIN | BINARY, &message)),
            ] {
                let raw = self.handshake(road, target, "").await.expect("who says nothing yet is let in");
                self.talk(road, raw, &[frame]).await;
            }
        }
        let token = self.token("the first message", json!({"sub": "ann"}));
        let refreshed = self.token("the refresh", json!({"sub": "ann"}));
        let allowed = self.token("the token for a subscription", json!({"sub": "ann", "channel": "a:$c"}));
        let mut frames = vec![text(json!({"type": "auth", "id": "in", "token": token}).to_string())];
        for (road, message) in MESSAGES {
            frames.push(text(message.replace(SLOT, &self.ledger.secret(road))));
        }
        frames.push(text(json!({"type": "auth", "id": "again", "token": refreshed}).to_string()));
        let subscribe = json!({"type": "subscribe", "id": "last", "channel": "a:$c", "token": allowed});
        frames.push(text(subscribe.to_string()));
        let raw = self.handshake("the first message", "/ws", "").await.unwrap();
        let said = self.talk("messages", raw, &frames).await;
        for id in ["\"in\"", "2", "\"last\""] {
            assert!(said.contains(&format!("\"id\":{id}")), "{id} was answered: {said}");
        }
    }

    /// Asks for the metrics until they are younger than what was sent: the page is made once a second at most.
    async fn metrics(&mut self) {
        let head = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let fresh = async {
            loop {
                assert_eq!(self.exchange("metrics", self.admin, head.as_bytes()).await, 200);
                let counted = |(_, page): &(String, String)| page.contains("fanfare_errors_total{");
                if self.ledger.said.last().is_some_and(counted) {
                    return;
                }
                self.ledger.said.pop();
            }
        };
        within("fresh metrics", fresh).await.unwrap();
    }
}

/// Sends by every road to a server with this form of log, and gives what it was found to have told.
async fn hunt(form: &str) -> Vec<String> {
    let mut ledger = Ledger::default();
    let api_key = ledger.secret("the right API key");
    let (issuer, signing) = (ledger.secret("an issuer's secret"), ledger.secret("the signing secret"));
    let secret_file = std::env::temp_dir().join(format!("fanfare-canary-{}-{form}", std::process::id()));
    std::fs::write(&secret_file, format!("{signing}\n")).unwrap();
    let path = secret_file.display().to_string();
    let settings = [
        ("FANFARE_LOG_FILTER", "trace"),
        ("FANFARE_LOG_FORMAT", form),
        ("FANFARE_API_KEYS", api_key.as_str()),
        ("FANFARE_ISSUERS_SHOP_SECRET", issuer.as_str()),
        ("FANFARE_AUTH_SECRET_FILE", path.as_str()),
        ("FANFARE_AUTH_MODE", "required"),
        ("FANFARE_AUTH_COOKIE", "session"),
        ("FANFARE_ADMIN_LISTEN", "127.0.0.1:0"),
        ("FANFARE_DEADLINES_DRAIN", "0s"),
    ];
    let mut server = Process::start(&settings, 1024).await;
    let listening = server.logged("admin_addresses").await;
    let (_, admin) = listening.split_once("admin_addresses").unwrap();
    let admin = admin.trim_start_matches(|c: char| !c.is_ascii_digit());
    let admin = admin.split(|c: char| !c.is_ascii_digit() && c != '.' && c != ':').next().unwrap();
    ledger.heard("the log", listening.clone());
    let signing = SigningKey::secret(Algorithm::HS256, signing.as_bytes()).unwrap();
    let admin = admin.parse().unwrap();
    let mut hunt = Hunt { ledger, address: server.address, admin, api_key, signing };
    hunt.requests().await;
    hunt.handshakes().await;
    hunt.messages().await;
    hunt.metrics().await;
    server.terminate();
    server.ended().await;
    let mut lines = 0;
    while let Some(line) = server.log.recv().await {
        lines += 1;
        hunt.ledger.heard("the log", line);
    }
    assert!(lines > 50, "the log is there, {lines} lines");
    remove(secret_file);
    println!(
        "{} secrets, {} places, {lines} lines of log",
        hunt.ledger.secrets.len(),
        hunt.ledger.said.len()
    );
    hunt.ledger.found()
}

fn remove(path: PathBuf) {
    let _ = std::fs::remove_file(path);
}

#[tokio::test]
async fn no_secret_reaches_an_answer_a_frame_the_metrics_or_the_log() {
    for form in ["text", "json"] {
        let found = hunt(form).await;
        assert!(found.is_empty(), "{form}: {} found\n{}", found.len(), found.join("\n"));
    }
}

#[test]
fn a_secret_that_is_told_is_found() {
    let mut ledger = Ledger::default();
    let secret = ledger.secret("a road");
    ledger.heard("a place", format!("told: {}", &secret[3..20]));
    ledger.watch("a token", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJlc2lnbmF0dXJl");
    ledger.heard("another", "eyJhbGciOiJIUzI1NiJ9 eyJzdWIiOiJhbm4ifQ");
    assert_eq!(ledger.found().len(), 2, "{:?}", ledger.found());
}
