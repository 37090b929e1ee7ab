//! Every transport through every proxy: at once, without loss when the line or the proxy goes, and on the right node.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::json;

use super::session::{Road, Session, TRANSPORTS, Transport};
use super::support::{KINDS, PATIENCE, Proxy, api, serve};

/// What a proxy that collects before it passes on would exceed.
const AT_ONCE: Duration = Duration::from_secs(1);

/// The backend publishes, past the proxy.
async fn publish(server: SocketAddr, channel: &str, data: u64) {
    let publication = json!({"channel": channel, "data": data});
    tokio::task::spawn_blocking(move || api(server, "publish", &publication)).await.unwrap();
}

/// A session that is subscribed to a channel and carried so.
async fn subscribed(road: Road, transport: Transport, channel: &str) -> Session {
    let mut session = Session::begin(road, true).await;
    session.carry(transport);
    assert_eq!(session.say(json!({"type": "subscribe", "channel": channel})).await, 202);
    assert_eq!(session.next().await.expect("a reply")["type"], "subscribed");
    session
}

async fn hears(session: &mut Session, data: u64) {
    let message = session.next().await.expect("a message");
    assert_eq!((&message["type"], &message["data"]), (&json!("message"), &json!(data)));
}

#[tokio::test]
async fn every_transport_hears_at_once_and_takes_over_from_every_other() {
    let server = serve(&[]);
    for (kind, tls) in KINDS.into_iter().flat_map(|kind| [(kind, false), (kind, true)]) {
        let proxy = Proxy::start(kind, server.address(), |text| text);
        for transport in TRANSPORTS {
            let channel = format!("{kind:?}-{tls}-{transport:?}");
            let mut session = subscribed(Road::new(&proxy, tls), transport, &channel).await;
            for data in 0..3 {
                let published = Instant::now();
                publish(server.address(), &channel, data).await;
                hears(&mut session, data).await;
                let took = published.elapsed();
                println!("{channel}: {took:?}");
                assert!(took < AT_ONCE, "{channel}: {took:?}");
            }
            let mut data = 3;
            for next in TRANSPORTS {
                session.cut();
                publish(server.address(), &channel, data).await;
                publish(server.address(), &channel, data + 1).await;
                session.carry(next);
                publish(server.address(), &channel, data + 2).await;
                for data in data..data + 3 {
                    hears(&mut session, data).await;
                }
                data += 3;
            }
        }
    }
}

/// The number of the last message that a client has heard, and how often it has come back.
struct Progress {
    heard: u64,
    returns: u64,
}

/// Hears messages 1, 2, 3 …, and comes back whenever its connection ends.
async fn follow(mut session: Session, transport: Transport, progress: tokio::sync::watch::Sender<Progress>) {
    loop {
        let Some(message) = session.next().await else {
            session.carry(transport);
            progress.send_modify(|progress| progress.returns += 1);
            continue;
        };
        let next = progress.borrow().heard + 1;
        assert_eq!(message["data"], json!(next), "{transport:?}");
        progress.send_modify(|progress| progress.heard = next);
    }
}

/// Messages that are under way at most while a proxy is reloaded.
const AHEAD: u64 = 20;

#[tokio::test]
async fn a_reload_of_the_proxy_loses_nothing() {
    let server = serve(&[]);
    for kind in KINDS {
        // The times that old processes have are those that the page names, made shorter.
        let mut proxy = Proxy::start(kind, server.address(), |text| text.replace("30s", "1s"));
        let channel = format!("{kind:?}");
        let mut followers = Vec::new();
        for transport in TRANSPORTS {
            let session = subscribed(Road::new(&proxy, true), transport, &channel).await;
            let (progress, watched) = tokio::sync::watch::channel(Progress { heard: 0, returns: 0 });
            followers.push((transport, watched, tokio::spawn(follow(session, transport, progress))));
        }
        let mut published = 0;
        let begun = Instant::now();
        let mut last = u64::MAX;
        while published < last {
            published += 1;
            publish(server.address(), &channel, published).await;
            for (transport, watched, _) in &mut followers {
                let caught_up = watched.wait_for(|progress| progress.heard + AHEAD >= published);
                let waited = tokio::time::timeout(PATIENCE, caught_up).await;
                waited.unwrap_or_else(|_| panic!("{kind:?} {transport:?} is stuck")).expect("a follower");
            }
            if published == AHEAD {
                proxy.reload();
            }
            // A poll does not outlast the old process; all others are cut by its end.
            let is_back = |transport: &Transport, returns| *transport == Transport::Polls || returns > 0;
            let all_back =
                followers.iter().all(|(transport, watched, _)| is_back(transport, watched.borrow().returns));
            if last == u64::MAX && all_back {
                last = published + AHEAD;
            }
            assert!(begun.elapsed() < PATIENCE, "{kind:?}: the old process does not end");
        }
        for (_, watched, follower) in &mut followers {
            watched.wait_for(|progress| progress.heard == published).await.expect("a follower");
            follower.abort();
        }
        println!("{kind:?}: {published} messages in {:?}", begun.elapsed());
    }
}

/// How many connections and sessions there are.
async fn count(server: SocketAddr) -> usize {
    let listed = tokio::task::spawn_blocking(move || api(server, "connections", &json!({}))).await.unwrap();
    listed["connections"].as_array().unwrap().len()
}

#[tokio::test]
async fn who_has_gone_from_the_proxy_is_noticed() {
    // Long before the heartbeat would show it, the session has waited for its client in vain.
    let server = serve(&[("FANFARE_DEADLINES_RESUME", "1s"), ("FANFARE_DEADLINES_PING_INTERVAL", "60s")]);
    for (kind, tls) in KINDS.into_iter().flat_map(|kind| [(kind, false), (kind, true)]) {
        let proxy = Proxy::start(kind, server.address(), |text| text);
        for transport in STREAMS {
            let session = subscribed(Road::new(&proxy, tls), transport, "news").await;
            assert_eq!(count(server.address()).await, 1);
            drop(session);
            let gone = Instant::now();
            while count(server.address()).await > 0 {
                assert!(gone.elapsed() < PATIENCE, "{kind:?} {tls} {transport:?}: who hung up stays");
            }
            println!("{kind:?} {tls} {transport:?}: {:?}", gone.elapsed());
        }
    }
}

/// What has no end of its own.
const STREAMS: [Transport; 3] = [Transport::Frames, Transport::Events, Transport::Lines];

/// The configured times, made shorter all alike.
#[tokio::test]
async fn the_heartbeat_keeps_silent_streams_open() {
    let often = serve(&[("FANFARE_DEADLINES_PING_INTERVAL", "500ms"), ("FANFARE_DEADLINES_PONG", "400ms")]);
    let seldom = serve(&[]);
    for kind in KINDS {
        let hurried = |text: String| text.replace("75s", "1500ms");
        let proxy = Proxy::start(kind, often.address(), hurried);
        for transport in STREAMS {
            let mut session = subscribed(Road::new(&proxy, false), transport, "silence").await;
            for beat in 0..8 {
                assert!(
                    session.beat().await,
                    "{kind:?} {transport:?}: cut behind {beat} beats that came in time"
                );
            }
        }
        let proxy = Proxy::start(kind, seldom.address(), hurried);
        for transport in STREAMS {
            let mut session = subscribed(Road::new(&proxy, false), transport, "silence").await;
            // The first one comes within the interval.
            let beats = [session.beat().await, session.beat().await];
            assert!(beats.contains(&false), "{kind:?} {transport:?}: the proxy has no timeout of its own");
        }
    }
}

/// Several nodes: the lines that are to be uncommented, and the second one's address.
fn several(text: &str, second: SocketAddr) -> String {
    assert_eq!(text.matches("127.0.0.1:8010").count(), 1);
    text.replace("#+ ", "").replace("127.0.0.1:8010", &second.to_string())
}

#[tokio::test]
async fn with_several_nodes_the_cookie_leads_to_the_sessions_own() {
    let (first, second) = (serve(&[]), serve(&[]));
    for kind in KINDS {
        let proxy = Proxy::start(kind, first.address(), |text| several(&text, second.address()));
        let mut lost = 0;
        for turn in 0..16 {
            let session = Session::begin(Road::new(&proxy, turn % 2 == 0), true).await;
            assert_eq!(session.say(json!({"type": "ping"})).await, 202, "{kind:?} {turn}");
            assert_eq!(session.poll().await, 200, "{kind:?} {turn}");
            assert_eq!(session.say(json!({"type": "ping"})).await, 202, "{kind:?} {turn}");
            let forgetful = Session::begin(Road::new(&proxy, false), false).await;
            let answers =
                [forgetful.say(json!({"type": "ping"})).await, forgetful.say(json!({"type": "ping"})).await];
            lost += usize::from(answers.contains(&410));
        }
        assert!(lost > 0, "{kind:?}: the second node is never asked");
        for server in [&first, &second] {
            assert!(count(server.address()).await > 0, "{kind:?}: one node has all sessions");
        }
        // Every transport finds the node again.
        for transport in TRANSPORTS {
            let mut session = subscribed(Road::new(&proxy, true), transport, "here").await;
            for next in TRANSPORTS {
                session.cut();
                session.carry(next);
                assert_eq!(session.say(json!({"type": "ping"})).await, 202, "{kind:?} {next:?}");
                assert_eq!(session.next().await.expect("an answer")["type"], "pong", "{kind:?} {next:?}");
            }
        }
    }
}

/// One node needs nothing of the kind: a client without cookies finds its session, whoever asks.
#[tokio::test]
async fn with_one_node_no_cookie_is_needed() {
    let server = serve(&[]);
    for kind in KINDS {
        let proxy = Proxy::start(kind, server.address(), |text| text);
        let session = Session::begin(Road::new(&proxy, true), true).await;
        assert!(session.road.cookie.is_none(), "{kind:?}");
        for _ in 0..4 {
            assert_eq!(session.say(json!({"type": "ping"})).await, 202, "{kind:?}");
            assert_eq!(session.poll().await, 200, "{kind:?}");
        }
    }
}
