//! Who needs a token, and who is believed without one.

use std::time::{Duration, Instant};

use fanfare_core::limits::Deadlines;
use fanfare_protocol::UserId;
use fanfare_server::Fanfare;
use fanfare_server::config::{AuthMode, NetworkConfig};
use fanfare_server::handlers::{Identity, Refused};
use serde_json::json;

use super::support::{Handshake, Refusal, Road, Server, builder, token};

fn number_and_code(refusal: &Refusal) -> (u16, &str) {
    (refusal.number, &refusal.code)
}

#[tokio::test]
async fn who_has_to_authenticate_has_so_long_and_may_do_nothing_before() {
    let deadlines = Deadlines { authentication_ms: 300, ..Deadlines::default() };
    let server = Server::start_with(builder(AuthMode::Required).deadlines(deadlines)).await;
    let mut silent = server.open(Handshake::default()).await.ok().unwrap();
    let began = Instant::now();
    let refusal = silent.expelled().await;
    assert_eq!(number_and_code(&refusal), (4001, "authentication_required"));
    let took = began.elapsed();
    assert!(took > Duration::from_millis(200) && took < Duration::from_secs(2), "{took:?}");
    let mut early = server.open(Handshake::default()).await.ok().unwrap();
    let subscribe = json!({"type": "subscribe", "id": 1, "channel": "room"});
    assert_eq!(early.ask(subscribe, "error").await["code"], "authentication_required");
    server.until_connections(0).await;
}

#[tokio::test]
async fn optional_takes_anonymous_connections_and_still_no_bad_token() {
    let server = Server::start(AuthMode::Optional).await;
    let mut client = server.open(Handshake::default()).await.ok().unwrap();
    assert_eq!(client.user().await, None);
    client.authenticate(&token(json!({"sub": "ann"}))).await.unwrap();
    assert_eq!(client.user().await.as_deref(), Some("ann"));
    for road in [Road::Query, Road::Header, Road::Cookie, Road::Subprotocol] {
        let refusal = server.attempt(road, "bad").await.err().unwrap();
        assert_eq!(number_and_code(&refusal), (401, "authentication_failed"), "{road:?}");
    }
}

#[tokio::test]
async fn user_ids_that_are_not_believed_leave_the_mode_as_it_is() {
    let server = Server::start_with(builder(AuthMode::Required).open_user_ids(false)).await;
    let mut client = server.open(Handshake::default()).await.ok().unwrap();
    let subscribe = json!({"type": "subscribe", "id": 1, "channel": "room"});
    assert_eq!(client.ask(subscribe, "error").await["code"], "authentication_required");
    let server = Server::start_with(builder(AuthMode::Open).open_user_ids(false)).await;
    let refusal = server.open(Handshake { query: "user=ann", headers: &[] }).await.err().unwrap();
    assert_eq!(number_and_code(&refusal), (403, "permission_denied"));
}

#[tokio::test]
async fn only_open_believes_a_user_id_and_not_from_behind_a_proxy() {
    let stated = Handshake { query: "user=ann", headers: &[] };
    for mode in [AuthMode::Required, AuthMode::Optional] {
        let server = Server::start(mode).await;
        let stated = Handshake { query: "user=ann", headers: &[] };
        let refusal = server.open(stated).await.err().unwrap();
        assert_eq!(number_and_code(&refusal), (403, "permission_denied"), "{mode:?}");
        assert!(refusal.text.contains("auth.mode"), "{}", refusal.text);
    }
    let server = Server::start(AuthMode::Open).await;
    for query in [stated.query, "user_id=ann"] {
        let mut believed = server.open(Handshake { query, headers: stated.headers }).await.ok().unwrap();
        assert_eq!(believed.user().await.as_deref(), Some("ann"), "{query}");
    }
    for header in [("X-Forwarded-For", "192.0.2.1"), ("Forwarded", "for=192.0.2.1"), ("Via", "1.1 proxy")] {
        let refusal = server.open(Handshake { query: "user=ann", headers: &[header] }).await.err().unwrap();
        assert_eq!(number_and_code(&refusal), (403, "permission_denied"), "{header:?}");
    }
    let proxied =
        NetworkConfig { trusted_proxies: vec!["127.0.0.1/32".parse().unwrap()], ..NetworkConfig::default() };
    let behind = Server::start_with(builder(AuthMode::Open).network(proxied)).await;
    let refusal = behind.open(Handshake { query: "user=ann", headers: &[] }).await.err().unwrap();
    assert_eq!(number_and_code(&refusal), (403, "permission_denied"), "a proxy that says nothing is one too");
    let mut bob =
        server.attempt(Road::Query, &(token(json!({"sub": "bob"})) + "&user=ann")).await.ok().unwrap();
    assert_eq!(bob.user().await.as_deref(), Some("bob"), "a token counts for more");
    let refusal = server.attempt(Road::Query, "bad&user=ann").await.err().unwrap();
    assert_eq!(number_and_code(&refusal), (401, "authentication_failed"));
}

#[tokio::test]
async fn a_connect_handler_hears_who_it_is_and_has_the_last_word() {
    let builder = builder(AuthMode::Required).on_connect(async |request| {
        let identity = request.identity.clone();
        let shown = format!("{request:?}");
        assert!(!shown.contains("token="), "{shown}");
        match (identity.user.as_ref().map(|user| user.as_str()), request.uri.query().unwrap_or_default()) {
            (Some("eve"), _) => Err(Refused("eve is away".to_owned())),
            (None, "from=inside") => Ok(Identity::of(UserId::new("machine").unwrap())),
            _ => Ok(identity.with_roles(["seen"])),
        }
    });
    let server = Server::start_with(builder).await;
    let mut ann = server.enter(json!({"sub": "ann"})).await;
    assert_eq!(ann.user().await.as_deref(), Some("ann"));
    let refusal = server.attempt(Road::Query, &token(json!({"sub": "eve"}))).await.err().unwrap();
    assert_eq!(number_and_code(&refusal), (403, "permission_denied"));
    let inside = server.open(Handshake { query: "from=inside", headers: &[] }).await;
    assert_eq!(inside.ok().unwrap().user().await.as_deref(), Some("machine"));
    let refusal = server.attempt(Road::Query, "bad").await.err().unwrap();
    assert_eq!(
        number_and_code(&refusal),
        (401, "authentication_failed"),
        "and is not asked about bad tokens"
    );
}

#[tokio::test]
async fn a_node_without_a_verifier_says_so_or_leaves_tokens_to_its_handler() {
    let bare = Server::start_with(Fanfare::builder().shards(1)).await;
    let refusal = bare.attempt(Road::Query, "some-token").await.err().unwrap();
    assert_eq!(number_and_code(&refusal), (400, "authentication_disabled"));
    let own = Fanfare::builder().shards(1).on_connect(async |request| {
        let query = request.uri.query().unwrap_or_default().to_owned();
        match query.strip_prefix("token=") {
            Some(name) => Ok(Identity::of(UserId::new(name).unwrap())),
            None => Err(Refused("who are you".to_owned())),
        }
    });
    let own = Server::start_with(own).await;
    // What is in the query is the handler's affair: the server has taken no token, and confirms none.
    let mut client = own.open(Handshake { query: "token=ann", headers: &[] }).await.ok().unwrap();
    assert_eq!(client.user().await.as_deref(), Some("ann"));
}
