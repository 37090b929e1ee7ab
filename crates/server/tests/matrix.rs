//! Who may do what: every identity, by every road, in every kind of channel, against a model of a few lines.
//!
//! Names are made of everything that means something to somebody: our own marks, wildcards of patterns, of Redis, NATS
//! and AMQP. None of them may open what its plain letters would not.

// Helpers outside of test functions fail as tests do.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fanfare_auth::sign::{SigningKey, sign};
use fanfare_auth::{Algorithm, IssuerSettings, KeySettings, TokenRules, Verifier};
use fanfare_core::auth::{Access, Rules};
use fanfare_core::limits::RateLimits;
use fanfare_core::namespace::Namespace;
use fanfare_server::config::AuthMode;
use fanfare_server::{Fanfare, Node, listen};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

#[path = "matrix/dialects.rs"]
mod dialects;
#[path = "matrix/transports.rs"]
mod transports;

use transports::{Down, Session, listens};

const SECRET: [u8; 32] = [7; 32];

/// What each namespace's rules are for subscribe, publish, history and presence, in the configuration's words.
const NAMESPACES: [(&str, [&str; 4]); 7] = [
    ("open", ["everyone", "subscribers", "subscribers", "subscribers"]),
    ("staff", ["role:admin", "subscribers", "subscribers", "subscribers"]),
    ("vault", ["token", "subscribers", "token", "subscribers"]),
    ("read", ["everyone", "nobody", "authenticated", "role:admin"]),
    ("shut", ["nobody", "authenticated", "everyone", "subscribers"]),
    ("club", ["authenticated", "members", "members", "nobody"]),
    ("", ["everyone", "members", "everyone", "authenticated"]),
];

/// What follows the namespace.
const LOCALS: [&str; 28] = [
    "x",
    "$x",
    "$",
    "x#ann",
    "x#ann,bob",
    "x#a,b",
    "x#",
    "#",
    "x#*",
    "x#>",
    "$x#ann",
    "x$",
    "*",
    ">",
    "team.a",
    "team.a.b",
    "team.*",
    "team.>",
    "team",
    "teams.a",
    "$team.a",
    "[a-z]?",
    "x*",
    "\\x",
    "é☃",
    "x y",
    "x,ann",
    "x/y",
];

struct Identity {
    user: Option<&'static str>,
    roles: &'static [&'static str],
    /// Channels by name or pattern, with what is allowed there.
    grants: &'static [(&'static str, bool, &'static [&'static str])],
}

const READ: &[&str] = &["subscribe", "history", "presence"];
const ALL: &[&str] = &["subscribe", "publish", "history", "presence"];

const IDENTITIES: [Identity; 9] = [
    Identity { user: None, roles: &[], grants: &[] },
    Identity { user: Some("ann"), roles: &[], grants: &[] },
    Identity { user: Some("bob"), roles: &["admin", "editor"], grants: &[] },
    Identity { user: Some("eve"), roles: &["Admin", "admin ", "role:admin"], grants: &[] },
    Identity { user: Some("a,b"), roles: &[], grants: &[("vault:x", false, READ), ("vault:*", false, ALL)] },
    Identity {
        user: Some("*"),
        roles: &[],
        grants: &[("vault:team.>", true, ALL), ("open:$x", false, READ)],
    },
    Identity { user: Some(">"), roles: &[], grants: &[("vault:*", true, &["subscribe", "publish"])] },
    Identity { user: None, roles: &[], grants: &[("open:$team.*", true, READ), ("club:x#ann", false, ALL)] },
    Identity {
        user: Some("ann,bob"),
        roles: &["x"],
        grants: &[("shut:x", false, ALL), ("$x", false, &["publish"])],
    },
];

/// The model: whether an identity may do something. `member` is whether it is subscribed.
fn may(identity: &Identity, namespace: usize, local: &str, operation: &str, member: bool) -> bool {
    let (name, rules) = NAMESPACES[namespace];
    let channel = if name.is_empty() { local.to_owned() } else { format!("{name}:{local}") };
    let index = ALL.iter().position(|known| *known == operation).unwrap();
    // The table's order is subscribe, publish, history, presence, and so is that of all operations.
    let rule = if rules[index] == "subscribers" { rules[0] } else { rules[index] };
    if rule == "nobody" {
        return false;
    }
    let granted = identity.grants.iter().any(|(scope, is_pattern, allowed)| {
        let fits = if *is_pattern { fits(scope, &channel) } else { *scope == channel };
        fits && allowed.contains(&operation)
    });
    let named = local.split_once('#').is_none_or(|(_, users)| {
        identity.user.is_some_and(|user| users.split(',').any(|named| named == user))
    });
    let admitted = match rule {
        "everyone" => true,
        "authenticated" => identity.user.is_some(),
        "members" => member,
        "token" => false,
        role => identity.roles.iter().any(|own| format!("role:{own}") == role),
    };
    granted || (admitted && named && !local.starts_with('$'))
}

/// Whether a pattern of dotted tokens fits a name; the namespace is compared as it is.
fn fits(pattern: &str, name: &str) -> bool {
    let split = |text: &str| {
        text.split_once(':').map_or((String::new(), text.to_owned()), |(n, l)| (n.into(), l.into()))
    };
    let ((namespace, pattern), (its, name)) = (split(pattern), split(name));
    let (pattern, name): (Vec<&str>, Vec<&str>) = (pattern.split('.').collect(), name.split('.').collect());
    let open_end = pattern.last() == Some(&">");
    let fixed = pattern.len() - usize::from(open_end);
    namespace == its
        && if open_end { name.len() > fixed } else { name.len() == fixed }
        && (0..fixed).all(|at| pattern[at] == "*" || pattern[at] == name[at])
}

fn access(word: &str) -> Access {
    match word {
        "everyone" => Access::Everyone,
        "authenticated" => Access::Authenticated,
        "members" => Access::Members,
        "token" => Access::Token,
        "nobody" => Access::Nobody,
        "subscribers" => Access::Subscribers,
        role => Access::Roles([role.trim_start_matches("role:").into()].into()),
    }
}

async fn server() -> (Node, SocketAddr) {
    let issuer = IssuerSettings {
        name: "main".to_owned(),
        issuer: None,
        audience: Vec::new(),
        algorithms: vec![Algorithm::HS256],
        keys: KeySettings::Secret(SECRET.to_vec()),
        user_claim: "sub".to_owned(),
        roles_claim: "roles".to_owned(),
    };
    let verifier = Verifier::new(vec![issuer], TokenRules::default()).unwrap();
    let mut builder =
        Fanfare::builder().rate_limits(RateLimits::off()).authentication(AuthMode::Optional, verifier);
    for (name, [subscribe, publish, history, presence]) in NAMESPACES {
        let rules = Rules {
            subscribe: access(subscribe),
            publish: access(publish),
            history: access(history),
            presence: access(presence),
            ..Rules::default()
        };
        let namespace = Namespace { rules, ..Namespace::default() };
        builder = builder.namespace(name, namespace);
    }
    let node = builder.start().unwrap();
    let listener = listen::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(listen::serve(listener, node.router(), Duration::from_secs(5), None));
    (node, address)
}

fn token_of(identity: &Identity) -> Option<String> {
    if identity.user.is_none() && identity.grants.is_empty() {
        return None;
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let channels: Vec<Value> = identity
        .grants
        .iter()
        .map(|(scope, is_pattern, allow)| {
            let kind = if *is_pattern { "pattern" } else { "channel" };
            json!({ kind: scope, "allow": allow })
        })
        .collect();
    let mut claims = json!({ "exp": now + 600, "roles": identity.roles, "channels": channels });
    if let Some(user) = identity.user {
        claims["sub"] = json!(user);
    }
    let key = SigningKey::secret(Algorithm::HS256, &SECRET).unwrap();
    Some(sign(&key, &claims.to_string()).unwrap())
}

/// How a token gets to the server.
const ROADS: [&str; 4] = ["query", "header", "subprotocol", "first message"];

struct Client {
    socket: WebSocketStream<TcpStream>,
    next: u64,
}

impl Client {
    async fn connect(address: SocketAddr, road: &str, token: Option<&str>) -> Self {
        let mut path = "/ws".to_owned();
        if let (Some(token), "query") = (token, road) {
            path = format!("/ws?token={token}");
        }
        let mut request = format!("ws://{address}{path}").into_client_request().unwrap();
        match (token, road) {
            (Some(token), "header") => {
                request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
            }
            (Some(token), "subprotocol") => {
                let offer = format!("fanfare.native, auth.{token}");
                request.headers_mut().insert("sec-websocket-protocol", offer.parse().unwrap());
            }
            _ => {}
        }
        let stream = TcpStream::connect(address).await.unwrap();
        let (socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
        let mut client = Self { socket, next: 0 };
        if let (Some(token), "first message") = (token, road) {
            let answer = client.ask(json!({ "type": "auth", "token": token })).await;
            assert_eq!(answer["type"], "authenticated", "{answer}");
        }
        client
    }

    /// Asks, and gives the answer.
    async fn ask(&mut self, mut message: Value) -> Value {
        self.next += 1;
        message["id"] = json!(self.next);
        self.socket.send(Message::text(message.to_string())).await.unwrap();
        loop {
            let received = tokio::time::timeout(Duration::from_secs(20), self.socket.next()).await;
            let Some(Ok(Message::Text(text))) = received.expect("an answer in time") else {
                panic!("the connection ended: {message}");
            };
            let answer: Value = serde_json::from_str(&text).unwrap();
            if answer["id"] == json!(self.next) {
                return answer;
            }
        }
    }

    /// Whether something is allowed; every other refusal than that of the rules is a failure of the test.
    async fn is_allowed(&mut self, channel: &str, operation: &str) -> bool {
        let mut message = json!({ "type": operation, "channel": channel });
        if operation == "publish" {
            message["data"] = json!(1);
        }
        let answer = self.ask(message).await;
        if answer["type"] == "error" {
            assert_eq!(answer["code"], "permission_denied", "{channel} {operation}: {answer}");
            return false;
        }
        true
    }
}

#[tokio::test]
async fn who_may_do_what_is_what_the_model_says() {
    let (node, address) = server().await;
    let (mut cells, mut wrong) = (0, BTreeMap::new());
    for (who, identity) in IDENTITIES.iter().enumerate() {
        let token = token_of(identity);
        for road in ROADS {
            let mut client = Client::connect(address, road, token.as_deref()).await;
            for (namespace, (name, _)) in NAMESPACES.iter().enumerate() {
                for local in LOCALS {
                    let channel = if name.is_empty() { local.to_owned() } else { format!("{name}:{local}") };
                    let mut check = |operation: &'static str, member: bool, actual: bool| {
                        cells += 1;
                        if may(identity, namespace, local, operation, member) != actual {
                            wrong.insert((who, road, channel.clone(), operation, member), actual);
                        }
                    };
                    for operation in ["publish", "history", "presence"] {
                        check(operation, false, client.is_allowed(&channel, operation).await);
                    }
                    let subscribed = client.is_allowed(&channel, "subscribe").await;
                    check("subscribe", false, subscribed);
                    if !subscribed {
                        continue;
                    }
                    for operation in ["publish", "history", "presence"] {
                        check(operation, true, client.is_allowed(&channel, operation).await);
                    }
                    client.ask(json!({ "type": "unsubscribe", "channel": channel })).await;
                }
            }
        }
    }
    assert!(cells >= 5_000, "{cells} cells");
    assert!(wrong.is_empty(), "{} of {cells} cells differ from the model:\n{wrong:#?}", wrong.len());
    println!("{cells} cells");
    node.stop();
}

fn channel_of(name: &str, local: &str) -> String {
    if name.is_empty() { local.to_owned() } else { format!("{name}:{local}") }
}

#[tokio::test]
async fn it_is_the_same_over_every_transport() {
    const OTHERS: [&str; 3] = ["publish", "history", "presence"];
    let (node, address) = server().await;
    let (mut cells, mut wrong) = (0, BTreeMap::new());
    for (who, identity) in IDENTITIES.iter().enumerate() {
        let token = token_of(identity);
        for down in Down::ALL {
            let mut session = Session::begin(address, down, token.as_deref(), "native").await;
            for (namespace, (name, _)) in NAMESPACES.iter().enumerate() {
                for local in LOCALS {
                    let channel = channel_of(name, local);
                    let mut check = |operation: &'static str, member: bool, actual: bool| {
                        cells += 1;
                        if may(identity, namespace, local, operation, member) != actual {
                            wrong.insert((who, down, channel.clone(), operation, member), actual);
                        }
                    };
                    let ask = ["publish", "history", "presence", "subscribe"];
                    let allowed = session.are_allowed(&channel, &ask).await;
                    for (operation, allowed) in ask.into_iter().zip(&allowed) {
                        check(operation, false, *allowed);
                    }
                    if !allowed[3] {
                        continue;
                    }
                    let allowed = session.are_allowed(&channel, &OTHERS).await;
                    for (operation, allowed) in OTHERS.into_iter().zip(allowed) {
                        check(operation, true, allowed);
                    }
                    session.are_allowed(&channel, &["unsubscribe"]).await;
                }
            }
        }
        for down in [Down::Events, Down::Lines] {
            for (namespace, (name, _)) in NAMESPACES.iter().enumerate() {
                let channels = LOCALS.map(|local| channel_of(name, local));
                let let_in = listens(address, down, token.as_deref(), &channels).await;
                for ((local, channel), allowed) in LOCALS.iter().zip(channels).zip(let_in) {
                    cells += 1;
                    if may(identity, namespace, local, "subscribe", false) != allowed {
                        wrong.insert((who, down, channel, "listen", false), allowed);
                    }
                }
            }
        }
    }
    assert!(cells >= 25_000, "{cells} cells");
    assert!(wrong.is_empty(), "{} of {cells} cells differ from the model:\n{wrong:#?}", wrong.len());
    println!("{cells} cells");
    node.stop();
}

#[tokio::test]
async fn it_is_the_same_in_every_dialect_that_names_channels() {
    let (node, address) = server().await;
    let (mut cells, mut wrong) = (0, BTreeMap::new());
    for (who, identity) in IDENTITIES.iter().enumerate() {
        let token = token_of(identity);
        for words in &dialects::ALL {
            let mut session = Session::begin(address, Down::Lines, token.as_deref(), words.dialect).await;
            for (namespace, (name, _)) in NAMESPACES.iter().enumerate() {
                for local in LOCALS {
                    let channel = channel_of(name, local);
                    let mut check = |operation: &'static str, member: bool, actual: bool| {
                        cells += 1;
                        if may(identity, namespace, local, operation, member) != actual {
                            wrong.insert((who, words.dialect, channel.clone(), operation, member), actual);
                        }
                    };
                    check("publish", false, words.may_publish(&mut session, &channel).await);
                    let joined = words.may_join(&mut session, &channel).await;
                    check("subscribe", false, joined);
                    if joined {
                        check("publish", true, words.may_publish(&mut session, &channel).await);
                        words.leave(&mut session, &channel).await;
                    }
                }
            }
        }
    }
    assert!(cells >= 10_000, "{cells} cells");
    assert!(wrong.is_empty(), "{} of {cells} cells differ from the model:\n{wrong:#?}", wrong.len());
    println!("{cells} cells");
    node.stop();
}
