//! Each way a token can come, and what is refused how.

use fanfare_auth::{IssuerSettings, KeySettings, TokenRules, Verifier};
use fanfare_core::limits::Deadlines;
use fanfare_protocol::command::HistoryRange;
use fanfare_protocol::{ChannelName, Payload};
use fanfare_server::config::AuthMode;
use fanfare_server::handle::Message;
use serde_json::json;
use tokio::net::TcpListener;

use super::support::{COOKIE, Handshake, Refusal, Road, SECRET, Server, builder, now, signed, token};

#[tokio::test]
async fn a_token_is_accepted_by_every_road_and_never_given_back() {
    let server = Server::start(AuthMode::Required).await;
    let token = token(json!({"sub": "ann"}));
    for road in Road::ALL {
        let mut client = server.attempt(road, &token).await.unwrap_or_else(|refusal| panic!("{refusal:?}"));
        assert_eq!(client.user().await.as_deref(), Some("ann"), "{road:?}");
        assert!(!client.head.contains(&token[..16]), "{road:?}: {}", client.head);
        let answered = client.head.to_lowercase().contains("sec-websocket-protocol: fanfare.native\r\n");
        assert_eq!(answered, road == Road::Subprotocol, "{}", client.head);
    }
}

#[tokio::test]
async fn a_bad_token_is_refused_by_every_road() {
    let server = Server::start(AuthMode::Required).await;
    let bad = [
        (signed(b"some other secret of 32 bytes...", json!({"sub": "ann"})), "authentication_failed"),
        (token(json!({"sub": "ann", "exp": now() - 60})), "token_expired"),
        ("canary-of-a-token".to_owned(), "authentication_failed"),
    ];
    for (token, code) in &bad {
        for road in Road::ALL {
            let Err(refusal) = server.attempt(road, token).await else { panic!("{road:?} let {code} in") };
            let number = if road == Road::FirstMessage { 4001 } else { 401 };
            assert_eq!((refusal.number, &*refusal.code), (number, *code), "{road:?}: {refusal:?}");
            let said = format!("{}{}", refusal.head, refusal.text);
            assert!(!said.contains(&token[..12]), "{road:?} repeats the token: {said}");
            if road != Road::FirstMessage {
                let challenge = "www-authenticate: bearer error=\"invalid_token\"\r\n";
                assert!(refusal.head.to_lowercase().contains(challenge), "{}", refusal.head);
                assert!(refusal.head.to_lowercase().contains("content-type: application/json\r\n"));
            }
        }
    }
    server.until_connections(0).await;
    let metrics = server.node.fanfare().metrics().await.unwrap();
    let outcomes: Vec<_> = metrics.authentications.into_iter().collect();
    assert_eq!(outcomes, [("authentication_failed", 10), ("token_expired", 5)]);
}

#[tokio::test]
async fn the_same_token_by_several_roads_is_one_and_others_are_refused() {
    let server = Server::start(AuthMode::Required).await;
    let (first, second) = (token(json!({"sub": "ann"})), token(json!({"sub": "bob"})));
    let (bearer, cookie) = (format!("Bearer {first}"), format!("{COOKIE}={first}"));
    let headers = [("Authorization", bearer.as_str()), ("Cookie", cookie.as_str())];
    let query = format!("token={first}");
    let same = server.open(Handshake { query: &query, headers: &headers }).await;
    let accepted = same.unwrap_or_else(|refusal| panic!("{refusal:?}")).accepted().await.unwrap();
    assert_eq!(accepted["user_id"], "ann", "{accepted}");
    let query = format!("token={second}");
    for header in &headers {
        let two = server.open(Handshake { query: &query, headers: std::slice::from_ref(header) }).await;
        let Err(Refusal { number, code, .. }) = two else { panic!("{} was let in", header.0) };
        assert_eq!((number, &*code), (400, "bad_handshake"), "{}", header.0);
    }
}

/// Browsers refuse an answer that names none of the subprotocols they offered; other clients do not.
#[tokio::test]
async fn a_token_that_is_the_only_subprotocol_is_answered_with_none() {
    let server = Server::start(AuthMode::Required).await;
    let protocol = format!("auth.{}", token(json!({"sub": "ann"})));
    let handshake = Handshake { query: "", headers: &[("Sec-WebSocket-Protocol", &protocol)] };
    let mut client = server.open(handshake).await.unwrap_or_else(|refusal| panic!("{refusal:?}"));
    assert!(!client.head.to_lowercase().contains("sec-websocket-protocol"), "{}", client.head);
    assert_eq!(client.accepted().await.unwrap()["user_id"], "ann");
    assert_eq!(client.user().await.as_deref(), Some("ann"));
}

/// A page that offered what its tutorial's server speaks, `["chat", "superchat"]`, was let in on `/ws/rooms`, and its browser
/// gave the connection up: an answer has to name one of those.
#[tokio::test]
async fn a_foreign_subprotocol_is_agreed_to_where_the_address_chose_the_dialect() {
    let server = Server::start(AuthMode::Optional).await;
    let token = token(json!({"sub": "ann"}));
    let beside = format!("auth.{token}, CSRF.x, {token}, superchat");
    for (query, offered, agreed) in [
        ("dialect=rooms", "chat, superchat", Some("chat")),
        ("dialect=rooms", &*beside, Some("superchat")),
        ("dialect=rooms", "superchat, fanfare.topics", Some("fanfare.topics")),
        ("dialect=rooms", &*format!("auth.{token}"), None),
        ("dialect=rooms", &*token, None),
        // Nothing says what the client speaks, so it may not be ours.
        ("", "chat, superchat", None),
    ] {
        let handshake = Handshake { query, headers: &[("Sec-WebSocket-Protocol", offered)] };
        let client = server.open(handshake).await.unwrap_or_else(|refusal| panic!("{refusal:?}"));
        let head = client.head.to_lowercase();
        let answered = head.lines().find_map(|line| line.strip_prefix("sec-websocket-protocol: "));
        assert_eq!(answered, agreed, "{query} {offered}");
    }
}

/// A page had to know by which road its token went to know what to wait for.
#[tokio::test]
async fn a_client_hears_that_its_token_was_accepted_whatever_road_it_took() {
    let server = Server::start(AuthMode::Optional).await;
    let token = token(json!({"sub": "ann"}));
    for road in Road::ALL {
        assert!(server.attempt(road, &token).await.is_ok(), "{road:?}");
    }
    for (dialect, first) in [
        ("native", json!({"type": "authenticated", "user_id": "ann"})),
        ("rooms", json!({"type": "authenticated", "user_id": "ann"})),
        // Theirs is the greeting, which names the user too.
        ("envelope", json!({"type": "connected"})),
        ("topics", json!({"type": "welcome", "userId": "ann"})),
        ("chat", json!({"type": "join", "user_id": "ann"})),
    ] {
        let query = format!("dialect={dialect}&room=den&token={token}");
        let client = server.open(Handshake { query: &query, headers: &[] }).await;
        let heard = client.unwrap_or_else(|refusal| panic!("{refusal:?}")).hear().await;
        for (name, value) in first.as_object().unwrap() {
            assert_eq!(heard[name], *value, "{dialect}: {heard}");
        }
    }
    let mut anonymous =
        server.open(Handshake::default()).await.unwrap_or_else(|refusal| panic!("{refusal:?}"));
    assert_eq!(anonymous.user().await, None);
}

#[tokio::test]
async fn other_credentials_in_the_same_places_are_left_alone() {
    let server = Server::start(AuthMode::Optional).await;
    for header in [("Authorization", "Basic QTpC"), ("Cookie", "session=; other=x"), ("Cookie", "sessions=x")]
    {
        let client = server.open(Handshake { query: "", headers: &[header] }).await;
        let mut client = client.unwrap_or_else(|refusal| panic!("{header:?}: {refusal:?}"));
        assert_eq!(client.user().await, None);
    }
}

#[tokio::test]
async fn a_token_larger_than_any_is_refused() {
    let server = Server::start(AuthMode::Required).await;
    for (road, bytes) in [(Road::Header, 20_000), (Road::Query, 20_000), (Road::FirstMessage, 20_000)] {
        let Err(refusal) = server.attempt(road, &"x".repeat(bytes)).await else { panic!("{road:?}") };
        assert_eq!(refusal.code, "authentication_failed", "{road:?}");
        assert!(refusal.text.len() < 200, "{refusal:?}");
    }
}

/// What a request may bring had a bound of its own: who set a larger one for the verifier met the other.
#[tokio::test]
async fn where_larger_tokens_are_taken_they_are_taken_by_every_road() {
    let issuer = IssuerSettings::new("main", KeySettings::Secret(SECRET.to_vec()));
    let rules = TokenRules { bytes_max: 20_000, ..TokenRules::default() };
    let verifier = Verifier::new(vec![issuer], rules).unwrap();
    let builder = builder(AuthMode::Required).authentication(AuthMode::Required, verifier);
    let server = Server::start_with(builder).await;
    let token = token(json!({"sub": "ann", "padding": "x".repeat(13_000)}));
    assert!(token.len() > 17_000);
    for road in Road::ALL {
        let mut client = server.attempt(road, &token).await.unwrap_or_else(|refusal| panic!("{refusal:?}"));
        assert_eq!(client.user().await.as_deref(), Some("ann"), "{road:?}");
    }
}

/// Keys that did not arrive kept clients waiting for as long as their issuer pleased.
#[tokio::test]
async fn a_token_that_cannot_be_verified_in_time_is_answered_for() {
    // It takes connections, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = IssuerSettings {
        name: "silent".to_owned(),
        issuer: None,
        audience: Vec::new(),
        algorithms: Vec::new(),
        keys: KeySettings::JwksUrl(format!("http://{}/keys", silent.local_addr().unwrap())),
        user_claim: "sub".to_owned(),
        roles_claim: "roles".to_owned(),
    };
    let verifier = Verifier::new(vec![issuer], TokenRules::default()).unwrap();
    let deadlines = Deadlines { request_ms: 200, ..Deadlines::default() };
    let builder = builder(AuthMode::Required).authentication(AuthMode::Required, verifier);
    let server = Server::start_with(builder.deadlines(deadlines)).await;
    let token = {
        let key = jsonwebtoken::EncodingKey::from_ec_pem(
            rcgen::KeyPair::generate().unwrap().serialize_pem().as_bytes(),
        );
        let header = jsonwebtoken::Header {
            kid: Some("unknown".to_owned()),
            ..jsonwebtoken::Header::new(jsonwebtoken::Algorithm::ES256)
        };
        let claims = json!({"sub": "ann", "exp": now() + 600});
        jsonwebtoken::encode(&header, &claims, &key.unwrap()).unwrap()
    };
    for (road, number) in [(Road::Header, 503), (Road::FirstMessage, 1013)] {
        let refusal = server.attempt(road, &token).await.err().unwrap();
        assert_eq!((refusal.number, &*refusal.code), (number, "unavailable"), "{road:?}: {refusal:?}");
        assert!(refusal.text.contains("issuer"), "{}", refusal.text);
    }
}

/// In the raw dialect what is said goes to every member as it is, and a page that sends its token first, whatever road the
/// server's operator meant it to take, told its token to all of them and to the room's history.
#[tokio::test]
async fn a_token_that_comes_first_reaches_nobody_in_the_raw_dialect() {
    for mode in [AuthMode::Required, AuthMode::Optional] {
        let server = Server::start(mode).await;
        let token = token(json!({"sub": "ann"}));
        let by_query = format!("dialect=raw&room=den&token={token}");
        let mut tries = vec![by_query.as_str()];
        if mode == AuthMode::Optional {
            tries.push("dialect=raw&room=den");
        }
        for query in tries {
            for first in [json!({"type": "auth", "token": token}), json!({"token": token})] {
                let client = server.open(Handshake { query, headers: &[] }).await;
                let mut client = client.unwrap_or_else(|refusal| panic!("{refusal:?}"));
                client.say(first).await;
                client.say(json!({"said": "afterwards"})).await;
                let has_token = |kept: &[String]| kept.iter().any(|kept| kept.contains(&token));
                let mut kept = history(&server, "den").await;
                while !kept.iter().any(|kept| kept.contains("afterwards")) {
                    assert!(!has_token(&kept), "{query}: {kept:?}");
                    kept = history(&server, "den").await;
                }
                assert!(!has_token(&kept), "{query}: {kept:?}");
                server
                    .node
                    .fanfare()
                    .publish(ChannelName::new("den").unwrap(), Message::new(Payload::null()))
                    .await
                    .unwrap();
            }
        }
    }
}

/// What a channel's history holds since the last null.
async fn history(server: &Server, channel: &str) -> Vec<String> {
    let range = HistoryRange { since: None, limit: 100, reverse: false };
    let page = server.node.fanfare().history(ChannelName::new(channel).unwrap(), range).await.unwrap();
    let texts: Vec<_> = page
        .publications
        .iter()
        .map(|publication| String::from_utf8_lossy(publication.data.bytes()).into_owned())
        .collect();
    let after = texts.iter().rposition(|text| text == "null").map_or(0, |at| at + 1);
    texts[after..].to_vec()
}
