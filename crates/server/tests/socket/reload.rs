//! SIGHUP under clients that are connected: what a new configuration does to them.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use fanfare_auth::Algorithm;
use fanfare_auth::sign::{SigningKey, sign};
use serde_json::{Value, json};

use super::support::client::Client;
use super::support::process::Process;
use super::support::raw::Raw;

const FORMER: &str = "0123456789abcdef0123456789abcdef";
const LATTER: &str = "fedcba9876543210fedcba9876543210";
const KEY: &str = "a-key-for-tests-only";

/// A server with a configuration file that can be written anew.
struct Configured {
    server: Process,
    file: PathBuf,
}

impl Configured {
    async fn start(name: &str, content: &str) -> Self {
        let file = std::env::temp_dir().join(format!("fanfare-reload-{}-{name}.toml", std::process::id()));
        std::fs::write(&file, content).unwrap();
        let settings = [("FANFARE_CONFIG", file.to_str().unwrap()), ("FANFARE_API_KEYS", KEY)];
        Self { server: Process::start(&settings, 1024).await, file }
    }

    async fn reload(&mut self, content: &str) {
        std::fs::write(&self.file, content).unwrap();
        self.server.signal("HUP");
        self.server.logged("the configuration was reloaded").await;
    }

    async fn api(&self, operation: &str, body: &Value) -> Value {
        let body = body.to_string();
        let mut raw = Raw::connect(self.server.address).await.unwrap();
        let head = format!(
            "POST /api/{operation} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        raw.send(head.as_bytes()).await.unwrap();
        let answer = raw.answer().await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        serde_json::from_str(&answer.body).unwrap()
    }
}

impl Drop for Configured {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.file);
    }
}

fn token(secret: &str, user: &str) -> String {
    let expires = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 600;
    let key = SigningKey::secret(Algorithm::HS256, secret.as_bytes()).unwrap();
    sign(&key, &json!({"sub": user, "exp": expires}).to_string()).unwrap()
}

fn issuers(secrets: &[&str]) -> String {
    let issuer =
        |(number, secret)| format!("[issuers.i{number}]\nissuer = \"i{number}\"\nsecret = \"{secret}\"\n");
    let named: String = secrets[1..].iter().enumerate().map(issuer).collect();
    format!("auth.mode = \"required\"\n[issuers.main]\nsecret = \"{}\"\n{named}", secrets[0])
}

/// A key that was given away is taken out of the configuration: whoever came by it has to go.
#[tokio::test]
async fn whose_key_is_gone_is_closed_with_4001_and_the_others_stay() {
    let mut configured = Configured::start("keys", &issuers(&[FORMER])).await;
    let address = configured.server.address;
    let path = |secret: &str, user: &str| format!("/ws?token={}", token(secret, user));
    let mut ann = Client::connect(address, &path(FORMER, "ann")).await;
    ann.ask(&json!({"type": "ping", "id": 1}), "authenticated").await;
    ann.expect("pong").await;
    assert!(Client::try_connect(address, &path(LATTER, "bob")).await.is_err(), "a key that is not known yet");
    configured.reload(&issuers(&[LATTER])).await;
    assert_eq!(ann.close_code().await, 4001);
    assert!(Client::try_connect(address, &path(FORMER, "ann")).await.is_err(), "the key that is gone");
    let mut bob = Client::connect(address, &path(LATTER, "bob")).await;
    bob.expect("authenticated").await;
    // What says the same closes nobody.
    configured.reload(&format!("{}\n[rate_limits]\nconnection_per_second = 11\n", issuers(&[LATTER]))).await;
    bob.ask(&json!({"type": "ping", "id": 2}), "pong").await;
}

/// Numbers that clients know may never come to mean another message.
#[tokio::test]
async fn a_shorter_history_is_trimmed_and_never_numbered_anew() {
    let namespace = |size: u32| format!("[namespaces.chat]\nhistory_size = {size}\n");
    let mut configured = Configured::start("history", &namespace(10)).await;
    let mut published = Value::Null;
    for number in 1..=10 {
        published = configured.api("publish", &json!({"channel": "chat:a", "data": number})).await;
    }
    configured.reload(&namespace(3)).await;
    let next = configured.api("publish", &json!({"channel": "chat:a", "data": 11})).await;
    assert_eq!((&next["offset"], &next["epoch"]), (&json!(11), &published["epoch"]));
    let page = configured.api("history", &json!({"channel": "chat:a"})).await;
    let numbers: Vec<&Value> = page["messages"].as_array().unwrap().iter().map(|it| &it["offset"]).collect();
    assert_eq!(numbers, [9, 10, 11], "{page}");
}

/// More than are let through while a test may take.
const BURST: usize = 100;

#[tokio::test]
async fn origins_and_rates_of_connections_that_are_there_count_at_once() {
    let mut configured = Configured::start("rates", "").await;
    let address = configured.server.address;
    let upgrade = async || {
        let head =
            super::support::raw::HEAD.replacen("\r\n\r\n", "\r\nOrigin: https://app.example\r\n\r\n", 1);
        let mut raw = Raw::connect(address).await.unwrap();
        raw.send(head.as_bytes()).await.unwrap();
        raw.answer().await.unwrap().status
    };
    assert_eq!(upgrade().await, 403);
    let mut client = Client::connect(address, "/ws").await;
    client.ask(&json!({"type": "ping", "id": 1}), "pong").await;
    configured
        .reload(
            "[network]\norigins = [\"https://app.example\"]\n\
             [rate_limits]\nconnection_per_second = 1\nconnection_burst = 2\n",
        )
        .await;
    assert_eq!(upgrade().await, 101);
    // Time passes, and it is a slow machine's: one message a second is let through however late it is.
    for number in 0..BURST {
        client.send(&json!({"type": "publish", "id": number, "channel": "a", "data": 1}));
    }
    let mut refused = 0;
    for _ in 0..BURST {
        let answer = client.event().await;
        refused += usize::from(answer["code"] == "rate_limited");
    }
    assert!(refused > 0, "the new rate was not applied");
}

/// A reload in the middle of everything loses nothing and repeats nothing.
#[tokio::test]
async fn under_traffic_nothing_is_lost_by_it() {
    let config = |size: u32| {
        format!(
            "[rate_limits]\nconnection_per_second = 0\nuser_per_second = 0\n[namespaces.chat]\nhistory_size = {size}\n"
        )
    };
    let mut configured = Configured::start("traffic", &config(100)).await;
    let address = configured.server.address;
    let mut hearer = Client::connect(address, "/ws").await;
    hearer.ask(&json!({"type": "subscribe", "id": 1, "channel": "chat:a"}), "subscribed").await;
    let speaker = Client::connect(address, "/ws").await;
    let mut said = 0;
    for round in 0..10_u32 {
        for _ in 0..200 {
            said += 1;
            speaker.send(&json!({"type": "publish", "id": said, "channel": "chat:a", "data": said}));
        }
        configured.reload(&config(if round % 2 == 0 { 5 } else { 100 })).await;
    }
    for number in 1..=said {
        let event = hearer.expect("message").await;
        assert_eq!((&event["data"], &event["offset"]), (&json!(number), &json!(number)));
    }
}
