//! Refusals that a browser shows to its page: the handshake succeeds, and the connection says why it ends.

use fanfare_core::limits::{Deadlines, Limits};
use fanfare_server::config::{AuthErrors, AuthMode};
use serde_json::json;
use tokio::io::AsyncReadExt as _;

use super::support::{Client, Handshake, Refusal, Server, builder, now, token, within};

async fn open(server: &Server, query: &str) -> Result<Client, Refusal> {
    server.open(Handshake { query, headers: &[] }).await
}

fn expired() -> String {
    token(json!({"sub": "ann", "exp": now() - 60}))
}

/// Of a 401 a page is told nothing but that the connection failed: it tried again, with the same token, for ever.
#[tokio::test]
async fn a_page_that_asks_for_it_is_told_why_its_token_is_no_good() {
    let server = Server::start(AuthMode::Required).await;
    let expired = expired();
    let error =
        |text: &str| Some(json!({"type": "error", "code": "token_expired", text: "the token has expired"}));
    for (dialect, error) in
        [("native", error("error")), ("rooms", error("message")), ("chat", error("content")), ("raw", None)]
    {
        let query = format!("dialect={dialect}&room=den&errors=close&token={expired}");
        let mut client = open(&server, &query).await.unwrap_or_else(|refusal| panic!("{refusal:?}"));
        let (mut heard, code) = client.heard_out().await;
        assert_eq!(code, 4001, "{dialect}: {heard:?}");
        heard.retain(|message| message["type"] != "disconnect");
        assert_eq!(heard, error.into_iter().collect::<Vec<_>>(), "{dialect}");
    }
    let mut first = open(&server, "").await.ok().unwrap();
    let mut by_query = open(&server, &format!("errors=close&token={expired}")).await.ok().unwrap();
    let by_message = first.authenticate(&expired).await.err().unwrap();
    assert_eq!(by_query.expelled().await, by_message, "as after a bad first message");
    let metrics = server.node.fanfare().metrics().await.unwrap();
    assert_eq!(metrics.authentications.get("token_expired"), Some(&6));
    server.until_connections(0).await;
}

#[tokio::test]
async fn the_setting_says_how_and_the_client_may_say_otherwise() {
    let expired = expired();
    let server = Server::start_with(builder(AuthMode::Optional).auth_errors(AuthErrors::Close)).await;
    let mut told = open(&server, &format!("token={expired}")).await.ok().unwrap();
    assert_eq!(told.expelled().await.code, "token_expired");
    let refused = open(&server, &format!("errors=status&token={expired}")).await.err().unwrap();
    assert_eq!((refused.number, &*refused.code), (401, "token_expired"));
    let refused = open(&server, "errors=both").await.err().unwrap();
    assert_eq!((refused.number, &*refused.code), (400, "invalid_field"));
    // What is no 401 keeps its status; a page of another origin above all.
    let query = format!("token={expired}");
    let from_elsewhere = Handshake { query: &query, headers: &[("Origin", "https://evil.example")] };
    let refused = server.open(from_elsewhere).await.err().unwrap();
    assert_eq!((refused.number, &*refused.code), (403, "origin_not_allowed"));
    let refused = open(&server, &format!("dialect=none&token={expired}")).await.err().unwrap();
    assert_eq!((refused.number, &*refused.code), (400, "unknown_dialect"));
    let refused = open(&server, &format!("token={expired}&token=other")).await.err().unwrap();
    assert_eq!((refused.number, &*refused.code), (400, "bad_handshake"));
    assert!(open(&server, "").await.is_ok());
}

#[tokio::test]
async fn who_is_told_so_takes_nobodys_seat_and_is_not_kept() {
    let limits = Limits { connections_max: 1, ..Limits::default() };
    let deadlines = Deadlines { close_ms: 300, ..Deadlines::default() };
    let builder = builder(AuthMode::Required).limits(limits).deadlines(deadlines);
    let server = Server::start_with(builder).await;
    let query = format!("errors=close&token={}", expired());
    let refused =
        [open(&server, &query).await, open(&server, &query).await].map(|client| client.ok().unwrap());
    assert_eq!(server.node.connections(), 0);
    let mut ann = server.enter(json!({"sub": "ann"})).await;
    let full = open(&server, &query).await.err().unwrap();
    assert_eq!(full.code, "node_full", "nothing is verified for whom there is no seat");
    for client in refused {
        // It neither answers the close frame nor hangs up.
        let mut rest = Vec::new();
        within("the end of the stream", client.into_stream().read_to_end(&mut rest)).await.unwrap().unwrap();
        assert!(rest.windows(2).any(|bytes| bytes == 4001_u16.to_be_bytes()), "{rest:?}");
    }
    assert_eq!(ann.user().await.as_deref(), Some("ann"));
}
