//! Every forged token at every entry point: none gets anybody anywhere, and none makes the server call anybody.

use std::net::TcpListener;

use fanfare_auth::{TokenRules, Verifier};
use fanfare_core::auth::{Access, Rules};
use fanfare_core::namespace::Namespace;
use fanfare_server::config::AuthMode;
use serde_json::{Value, json};

use super::forgeries::{CHANNEL, Forged, USER, World, issuers};
use super::support::{Client, Road, Server, builder, now};

/// Fewer would show little.
const FORGED_MIN: usize = 80;

/// How long, in seconds, it may take from the making of the forgeries to the trying of the first.
const SLOWNESS: u64 = 30;

/// A server that trusts the issuers of the forgeries, and the address at which nobody may call.
struct Scene {
    server: Server,
    world: World,
    listener: TcpListener,
}

impl Scene {
    async fn set() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        let verifier = Verifier::new(issuers(), TokenRules::default()).unwrap();
        let rules = Rules { subscribe: Access::Token, ..Rules::default() };
        let news = Namespace { rules, ..Namespace::default() };
        let builder = builder(AuthMode::Required).authentication(AuthMode::Required, verifier);
        let server = Server::start_with(builder.namespace("news", news)).await;
        Self { server, world: World::new(now(), url), listener }
    }

    /// A connection of the user that the forgeries name.
    async fn insider(&self) -> Client {
        self.server
            .attempt(Road::Header, &self.world.good()[0].1)
            .await
            .unwrap_or_else(|refusal| panic!("{refusal:?}"))
    }

    /// Forgeries of this very moment. Those that become good in a second, once the clocks' leeway is used up, are taken a
    /// little later than that, and tried first.
    fn fresh(&self, make: fn(&World) -> Vec<Forged>) -> Vec<Forged> {
        let at = |now| make(&World::new(now, self.world.url.clone()));
        let ripens = |forged: &Forged| forged.name.contains("ahead") || forged.name.contains("far away");
        let mut forged = at(now() + SLOWNESS);
        forged.retain(ripens);
        forged.extend(at(now()).into_iter().filter(|forged| !ripens(forged)));
        assert!(forged.len() >= FORGED_MIN, "{}", forged.len());
        forged
    }

    fn nobody_called(&self) {
        let called = self.listener.accept().map_err(|error| error.kind());
        assert_eq!(called.err(), Some(std::io::ErrorKind::WouldBlock), "somebody called");
    }
}

/// Whether a token can travel by this road as it is: a header's value has an end, and a list's item too.
fn can_travel(road: Road, token: &str) -> bool {
    let visible = |byte: u8| byte.is_ascii_graphic() && !b",;\"\\".contains(&byte);
    match road {
        Road::Query => true,
        Road::FirstMessage => !token.is_empty(),
        Road::Header | Road::Cookie | Road::Subprotocol => {
            !token.is_empty() && token.len() < 16_000 && token.bytes().all(visible)
        }
    }
}

/// As it stands in a query.
fn in_query(token: &str) -> String {
    form_urlencoded::byte_serialize(token.as_bytes()).collect()
}

#[tokio::test]
async fn nobody_connects_with_a_forged_token_by_any_road() {
    let scene = Scene::set().await;
    for (issuer, token) in scene.world.good() {
        for road in Road::ALL {
            let mut client = scene.server.attempt(road, &token).await.ok().unwrap();
            assert_eq!(client.user().await.as_deref(), Some(USER), "{issuer} by {road:?}");
        }
    }
    for road in Road::ALL {
        let mut tried = 0;
        for Forged { name, token, code } in &scene.fresh(World::for_connections) {
            if !can_travel(road, token) {
                continue;
            }
            tried += 1;
            let sent = if road == Road::Query { in_query(token) } else { token.clone() };
            let Err(refusal) = scene.server.attempt(road, &sent).await else {
                panic!("{name} got in by {road:?}")
            };
            let number = if road == Road::FirstMessage { 4001 } else { 401 };
            let expected = (number, code.as_str());
            // What no list of subprotocols may contain is refused before anybody takes it for a token, and so is a
            // request that is too large.
            let spoiled = matches!((road, refusal.number), (Road::Subprotocol, 400) | (_, 431 | 414));
            assert!(
                spoiled || (refusal.number, &*refusal.code) == expected,
                "{name} by {road:?}: {refusal:?}"
            );
        }
        println!("{tried} forged tokens by {road:?}");
        assert!(tried >= FORGED_MIN, "only {tried} by {road:?}");
    }
    scene.nobody_called();
}

#[tokio::test]
async fn no_forged_token_refreshes_a_connection_and_none_harms_it() {
    let scene = Scene::set().await;
    let mut ann = scene.insider().await;
    for Forged { name, token, code } in &scene.fresh(World::for_connections) {
        let answer = ann.ask(json!({"type": "auth", "id": 1, "token": token}), "error").await;
        // An empty one is no message at all.
        let code = if token.is_empty() { "invalid_field" } else { code.as_str() };
        assert_eq!(answer["code"], code, "{name}: {answer}");
    }
    for (issuer, token) in scene.world.good() {
        let answer = ann.ask(json!({"type": "auth", "id": 1, "token": token}), "authenticated").await;
        assert_eq!(answer["user_id"], USER, "{issuer}");
    }
    scene.nobody_called();
}

#[tokio::test]
async fn no_forged_token_opens_a_channel() {
    let scene = Scene::set().await;
    let mut ann = scene.insider().await;
    let subscribe =
        |token: &str| -> Value { json!({"type": "subscribe", "id": 1, "channel": CHANNEL, "token": token}) };
    for Forged { name, token, code } in &scene.fresh(World::for_subscriptions) {
        let answer = ann.ask(subscribe(token), "error").await;
        let codes =
            if token.is_empty() { ["invalid_field"; 2] } else { [code.as_str(), "permission_denied"] };
        assert!(codes.contains(&answer["code"].as_str().unwrap()), "{name}: {answer}");
    }
    for (issuer, token) in scene.world.of_subscriptions().good() {
        let answer = ann.ask(subscribe(&token), "subscribed").await;
        assert_eq!(answer["channel"], CHANNEL, "{issuer}");
        ann.ask(json!({"type": "unsubscribe", "id": 2, "channel": CHANNEL}), "unsubscribed").await;
    }
    scene.nobody_called();
}
