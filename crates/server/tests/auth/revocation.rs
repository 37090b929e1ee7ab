//! Tokens that were taken back: connections that came with them end, and they open none, also after a restart.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fanfare_protocol::UserId;
use fanfare_server::config::AuthMode;
use fanfare_server::revocations::{RevocationSettings, Revoked};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::PATIENCE;
use super::process::Process;
use super::support::{Client, Road, Server, attempt, builder, now, signed, token};

/// What the issue allows a revocation to take.
const AT_ONCE: Duration = Duration::from_secs(1);

async fn expelled(client: &mut Client) {
    let began = Instant::now();
    let refusal = client.expelled().await;
    assert_eq!((refusal.number, &*refusal.code), (4001, "token_revoked"), "{refusal:?}");
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
}

async fn refused_everywhere(server: &Server, token: &str) {
    for road in Road::ALL {
        let refusal = server.attempt(road, token).await.err().unwrap();
        let number = if road == Road::FirstMessage { 4001 } else { 401 };
        assert_eq!((refusal.number, &*refusal.code), (number, "token_revoked"), "{road:?}");
    }
}

#[tokio::test]
async fn a_token_is_taken_back_by_its_id() {
    let server = Server::start(AuthMode::Required).await;
    let (lost, kept) =
        (token(json!({"sub": "ann", "jti": "lost"})), token(json!({"sub": "ann", "jti": "kept"})));
    let mut thief = server.attempt(Road::Query, &lost).await.ok().unwrap();
    let mut late = server.attempt(Road::FirstMessage, &lost).await.ok().unwrap();
    let mut ann = server.attempt(Road::Query, &kept).await.ok().unwrap();
    server.node.fanfare().revoke(Revoked::Tokens(vec!["other".into(), "lost".into()])).await.unwrap();
    expelled(&mut thief).await;
    expelled(&mut late).await;
    refused_everywhere(&server, &lost).await;
    assert_eq!(ann.user().await.as_deref(), Some("ann"));
    ann.say(json!({"type": "auth", "id": 1, "token": lost})).await;
    assert_eq!(ann.hear().await["code"], "token_revoked", "nor does it refresh");
    assert_eq!(ann.user().await.as_deref(), Some("ann"));
    assert!(server.attempt(Road::Header, &kept).await.is_ok());
}

#[tokio::test]
async fn a_users_older_tokens_are_taken_back() {
    let server = Server::start(AuthMode::Required).await;
    let issued = now();
    let tokens = [
        token(json!({"sub": "ann", "iat": issued - 100})),
        token(json!({"sub": "ann", "iat": issued - 1})),
        token(json!({"sub": "ann"})),
    ];
    let mut connected = Vec::new();
    for token in &tokens {
        connected.push(server.attempt(Road::Header, token).await.ok().unwrap());
    }
    let mut bob = server.enter(json!({"sub": "bob"})).await;
    let ann = UserId::new("ann").unwrap();
    server.node.fanfare().revoke(Revoked::Users(vec![ann], issued * 1000)).await.unwrap();
    for (client, token) in connected.iter_mut().zip(&tokens) {
        expelled(client).await;
        refused_everywhere(&server, token).await;
    }
    assert_eq!(bob.user().await.as_deref(), Some("bob"));
    server.enter(json!({"sub": "ann", "iat": issued})).await;
}

#[tokio::test]
async fn a_revoked_subscription_token_ends_the_subscription_and_nothing_else() {
    let server = Server::start(AuthMode::Required).await;
    let mut ann = server.enter(json!({"sub": "ann", "jti": "own"})).await;
    let board = token(json!({"sub": "ann", "channel": "$board", "jti": "board"}));
    let subscribe = json!({"type": "subscribe", "id": 1, "channel": "$board", "token": board});
    ann.ask(subscribe.clone(), "subscribed").await;
    server.node.fanfare().revoke(Revoked::Tokens(vec!["board".into()])).await.unwrap();
    let ended = ann.hear().await;
    assert_eq!(
        (&ended["type"], &ended["code"]),
        (&json!("unsubscribed"), &json!("token_revoked")),
        "{ended}"
    );
    assert_eq!(ann.ask(subscribe, "error").await["code"], "token_revoked");
    assert_eq!(ann.user().await.as_deref(), Some("ann"));
}

/// They are tokens of the user's too.
#[tokio::test]
async fn a_users_older_subscription_tokens_are_taken_back() {
    let server = Server::start(AuthMode::Required).await;
    let issued = now();
    let user = UserId::new("ann").unwrap();
    server.node.fanfare().revoke(Revoked::Users(vec![user], issued * 1000)).await.unwrap();
    let mut ann = server.enter(json!({"sub": "ann", "iat": issued})).await;
    let claims = |iat: Value| json!({"sub": "ann", "channel": "$board", "jti": "board", "iat": iat});
    let mut undated = claims(Value::Null);
    undated.as_object_mut().unwrap().remove("iat");
    for claims in [claims(json!(issued - 1)), undated] {
        let subscribe = json!({"type": "subscribe", "id": 1, "channel": "$board", "token": token(claims)});
        assert_eq!(ann.ask(subscribe, "error").await["code"], "token_revoked");
    }
    let newer = token(claims(json!(issued)));
    ann.ask(json!({"type": "subscribe", "id": 1, "channel": "$board", "token": newer}), "subscribed").await;
}

#[tokio::test]
async fn no_more_are_taken_than_can_be_remembered() {
    let settings = RevocationSettings { entries_max: 2, ..RevocationSettings::default() };
    let server = Server::start_with(builder(AuthMode::Required).revocations(settings)).await;
    let mut ann = server.enter(json!({"sub": "ann", "jti": "c"})).await;
    let revoke = |ids: &[&str]| {
        let ids = ids.iter().map(|id| (*id).into()).collect();
        let fanfare = server.node.fanfare().clone();
        async move { fanfare.revoke(Revoked::Tokens(ids)).await.map_err(|code| code.as_str()) }
    };
    assert_eq!(revoke(&["a", "b"]).await, Ok(()));
    assert_eq!(revoke(&["c"]).await, Err("overloaded"));
    assert_eq!(ann.user().await.as_deref(), Some("ann"), "then nothing is done");
    assert_eq!(revoke(&["a"]).await, Ok(()));
}

/// A server's data directory; its secrets are read where an operator would.
struct Home(PathBuf);

impl Home {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("fanfare-auth-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    async fn start(&self) -> Process {
        let data = self.0.to_str().unwrap();
        Process::start(&[("FANFARE_DATA_DIR", data), ("FANFARE_AUTH_MODE", "required")], 256).await
    }

    /// What a server says that does not start.
    async fn refusal(&self) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fanfare"));
        command.args(["serve", "--listen", "127.0.0.1:0"]).env("FANFARE_DATA_DIR", &self.0);
        let mut server = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let errors = server.stderr.take().unwrap();
        let reading = tokio::task::spawn_blocking(move || io::read_to_string(errors));
        let said = tokio::time::timeout(PATIENCE, reading).await;
        if said.is_err() {
            let _ = server.kill();
        }
        let status = server.wait().unwrap();
        let said = said.expect("the server ends").unwrap().unwrap();
        assert!(!status.success(), "{said}");
        said
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.0.join(file)).unwrap().trim().to_owned()
    }

    async fn revoke(&self, server: &Process, body: &Value) {
        let request = reqwest::Client::new().post(format!("http://{}/api/revoke", server.address));
        let answer = request.bearer_auth(self.read("api.key")).json(body).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{}", answer.text().await.unwrap());
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn a_server_that_was_killed_remembers_what_it_had_acknowledged() {
    let home = Home::new("killed");
    let server = home.start().await;
    let secret = home.read("token.secret");
    let token = |claims: Value| signed(secret.as_bytes(), claims);
    let revoked = [
        token(json!({"sub": "ann", "jti": "one"})),
        token(json!({"sub": "bob", "iat": now()})),
        token(json!({"sub": "cid"})),
    ];
    let mut connected = Vec::new();
    for token in &revoked {
        connected.push(attempt(server.address, Road::Header, token).await.ok().unwrap());
    }
    home.revoke(&server, &json!({"token": "one"})).await;
    home.revoke(&server, &json!({"user": "bob"})).await;
    home.revoke(&server, &json!({"users": ["cid", "dan"]})).await;
    for client in &mut connected {
        expelled(client).await;
    }
    // Killed, not ended: nothing could be written at the end.
    drop(server);
    let server = home.start().await;
    for token in &revoked {
        // No cookie is configured.
        for road in Road::ALL.into_iter().filter(|road| *road != Road::Cookie) {
            let refusal = attempt(server.address, road, token).await.err().unwrap();
            assert_eq!(refusal.code, "token_revoked", "{road:?}");
        }
    }
    let newer = token(json!({"sub": "bob", "iat": now() + 1}));
    assert!(attempt(server.address, Road::Header, &newer).await.is_ok());
    drop(server);
    fs::write(home.0.join("revocations.jsonl"), "{\"token\":1}\n{}\n").unwrap();
    let said = home.refusal().await;
    assert!(said.contains("line 1 of") && said.contains("revocations.jsonl"), "{said}");
}

/// Neither would hear what the other takes back.
#[tokio::test]
async fn a_second_server_does_not_start_on_the_data_of_one_that_runs() {
    let home = Home::new("held");
    let server = home.start().await;
    let said = home.refusal().await;
    assert!(said.contains("another server that runs") && said.contains("revocations.jsonl"), "{said}");
    drop(server);
    drop(home.start().await);
}
