//! How a session ends, and how each transport is told.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fanfare_core::ports::broker::Target;
use fanfare_protocol::{CloseCode, UserId};
use fanfare_server::config::AuthMode;
use fanfare_server::revocations::Revoked;
use serde_json::json;

use super::client::{Down, Form, Heard, Session, Transport};
use super::endpoints::{strict, token};
use super::support::node::{TestNode, builder, patient};

const AT_ONCE: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_revoked_token_ends_a_session_at_once_whatever_carries_it() {
    let node = strict(AuthMode::Required, patient()).await;
    for (index, transport) in Transport::ALL.into_iter().enumerate() {
        let id = format!("token-{index}");
        let token = token(json!({"sub": "ann", "jti": id}));
        let session = Session::begin(node.address, &format!("token={token}")).await;
        let mut carried = session.carry(transport, 0).await;
        carried.expect("authenticated").await;
        session.say(json!({"type": "ping"})).await;
        carried.expect("pong").await;
        let began = Instant::now();
        let revoke = async {
            node.node.fanfare().revoke(Revoked::Tokens(vec![id.into()])).await.unwrap();
        };
        let (code, ()) = tokio::join!(carried.closed(), revoke);
        assert_eq!(code, 4001, "{transport:?}");
        assert!(began.elapsed() < AT_ONCE, "{transport:?} {:?}", began.elapsed());
    }
    for (index, form) in [Form::Events, Form::Lines].into_iter().enumerate() {
        let id = format!("listener-{index}");
        let query = format!("channels=open&token={}", token(json!({"sub": "ann", "jti": id})));
        let mut down = Down::open(node.address, form, &query, "").await.ok().unwrap();
        for kind in ["authenticated", "subscribed"] {
            assert_eq!(down.next().await.unwrap().data["type"], kind);
        }
        node.node.fanfare().revoke(Revoked::Tokens(vec![id.into()])).await.unwrap();
        loop {
            let event = down.next().await.expect("the end is told");
            if event.kind == "close" {
                assert_eq!(event.data["code"], 4001);
                break;
            }
        }
        assert!(down.next().await.is_none(), "and then the stream ends");
    }
    node.stop();
}

/// What nothing carries ends as well: who comes back late is refused, and posts in vain.
#[tokio::test]
async fn a_revoked_token_ends_a_session_that_waits() {
    let node = strict(AuthMode::Required, patient()).await;
    let token = token(json!({"sub": "ann", "jti": "one"}));
    let session = Session::begin(node.address, &format!("token={token}")).await;
    node.node.fanfare().revoke(Revoked::Tokens(vec!["one".into()])).await.unwrap();
    let refused = async { while session.post("", "", b"{}").await.summary() != "HTTP 410 session_lost" {} };
    super::support::within("the session to be lost", refused).await.unwrap();
    // For a moment it is still there to say why.
    let mut carried = session.carry(Transport::Poll, 0).await;
    assert!(matches!(carried.next().await, Heard::Message(_) | Heard::End));
    node.until_connections(0).await;
    node.stop();
}

#[tokio::test]
async fn a_token_that_expires_ends_a_session_whatever_carries_it() {
    let node = strict(AuthMode::Required, patient()).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let token = token(json!({"sub": "ann", "exp": now.as_secs() + 2}));
    let mut carried = Vec::new();
    for transport in Transport::ALL {
        let session = Session::begin(node.address, &format!("token={token}")).await;
        carried.push((session.carry(transport, 0).await, transport));
    }
    let expires = Duration::from_secs(now.as_secs() + 2);
    let ends = carried.into_iter().map(|(mut carried, transport)| async move {
        assert_eq!(carried.closed().await, 4001, "{transport:?}");
        let late = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().saturating_sub(expires);
        assert!(late < AT_ONCE, "{transport:?} {late:?}");
    });
    futures_util::future::join_all(ends).await;
    node.stop();
}

#[tokio::test]
async fn the_backend_ends_sessions_over_every_transport() {
    let node = TestNode::start(builder()).await;
    for transport in Transport::ALL {
        let session = Session::begin(node.address, "user=ann").await;
        let mut carried = session.carry(transport, 0).await;
        session.say(json!({"type": "ping"})).await;
        carried.expect("pong").await;
        let end = async {
            let target = Target::Users(vec![UserId::new("ann").unwrap()]);
            node.node.fanfare().disconnect(target, CloseCode::Forbidden).await.unwrap();
        };
        let (code, ()) = tokio::join!(carried.closed(), end);
        assert_eq!(code, 4003, "{transport:?}");
        node.until_connections(0).await;
    }
    node.stop();
}
