//! Where a client is, through proxies and without.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use fanfare_core::limits::Limits;
use fanfare_server::config::NetworkConfig;
use fanfare_server::handlers::Identity;
use fanfare_server::inspection::ConnectionFilter;
use fanfare_server::network::{AddressRate, ClientAddress};
use serde_json::json;
use tokio::net::TcpSocket;
use tokio::sync::mpsc;

use super::support::frames::text;
use super::support::node::{TestNode, builder};
use super::support::raw::{Answer, HEAD, Raw};
use super::support::within;

const STRANGER: &str = "127.0.0.2";

fn trusting(source: ClientAddress) -> NetworkConfig {
    NetworkConfig {
        trusted_proxies: vec!["127.0.0.1/32".parse().unwrap(), "10.0.0.0/8".parse().unwrap()],
        client_address: source,
        ..NetworkConfig::default()
    }
}

fn with_proxy_protocol() -> NetworkConfig {
    NetworkConfig { proxy_protocol: true, ..trusting(ClientAddress::Peer) }
}

/// Connects from an address of this host's own.
async fn from(node: &TestNode, address: &str) -> Raw {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(address.parse().unwrap(), 0)).unwrap();
    Raw::over(socket.connect(node.address).await.unwrap())
}

fn head(more: &str) -> String {
    HEAD.replace("Host: localhost\r\n", &format!("Host: localhost\r\n{more}"))
}

/// The one connection's address, as an operator sees it.
async fn inspected(node: &TestNode) -> Option<IpAddr> {
    let filter = ConnectionFilter { user: None, channel: None, after: None, limit: 10 };
    let listed = node.node.fanfare().connections(filter).await;
    assert_eq!(listed.len(), 1);
    listed[0].address
}

/// Opens a connection with these bytes in front; gives its address, and ends it.
async fn opened(node: &TestNode, peer: &str, front: &[u8], more: &str) -> String {
    let mut raw = from(node, peer).await;
    raw.send(&[front, head(more).as_bytes()].concat()).await.unwrap();
    assert_eq!(raw.answer().await.unwrap().summary(), "HTTP 101", "{more}");
    raw.send(&text(json!({"type": "ping"}).to_string())).await.unwrap();
    raw.said().await.unwrap();
    let address = inspected(node).await.unwrap().to_string();
    drop(raw);
    node.until_connections(0).await;
    address
}

#[tokio::test]
async fn a_header_counts_only_from_a_trusted_peer() {
    let node = TestNode::start(builder().network(trusting(ClientAddress::XForwardedFor))).await;
    for (peer, more, wanted) in [
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "X-Forwarded-For: 192.0.2.7\r\n", "192.0.2.7"),
        ("127.0.0.1", "X-Forwarded-For: 6.6.6.6, 192.0.2.7, 10.1.1.1\r\n", "192.0.2.7"),
        ("127.0.0.1", "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 192.0.2.7\r\n", "192.0.2.7"),
        ("127.0.0.1", "X-Forwarded-For: garbage\r\n", "127.0.0.1"),
        ("127.0.0.1", "Forwarded: for=192.0.2.7\r\n", "127.0.0.1"),
        (STRANGER, "X-Forwarded-For: 192.0.2.7\r\n", STRANGER),
        (STRANGER, "X-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 192.0.2.7\r\n", STRANGER),
    ] {
        assert_eq!(opened(&node, peer, b"", more).await, wanted, "{more:?} from {peer}");
    }
    node.stop();
    let node = TestNode::start(builder().network(trusting(ClientAddress::Forwarded))).await;
    for (peer, more, wanted) in [
        ("127.0.0.1", "Forwarded: for=\"[2001:db8::5]:80\";proto=https, for=10.1.1.1\r\n", "2001:db8::5"),
        ("127.0.0.1", "Forwarded: for=192.0.2.7, for=_hidden\r\n", "127.0.0.1"),
        ("127.0.0.1", "X-Forwarded-For: 192.0.2.7\r\n", "127.0.0.1"),
        (STRANGER, "Forwarded: for=192.0.2.7\r\n", STRANGER),
    ] {
        assert_eq!(opened(&node, peer, b"", more).await, wanted, "{more:?} from {peer}");
    }
    node.stop();
}

#[tokio::test]
async fn the_bound_per_address_and_the_connect_handler_go_by_the_clients_address() {
    let (sender, mut addresses) = mpsc::unbounded_channel();
    let limits = Limits { connections_per_ip_max: 1, ..Limits::default() };
    let builder = builder().limits(limits).network(trusting(ClientAddress::XForwardedFor));
    let node = TestNode::start(builder.on_connect(move |request| {
        let _ = sender.send(request.address);
        async { Ok(Identity::default()) }
    }))
    .await;
    let mut inside = Vec::new();
    for (client, wanted) in [
        ("192.0.2.7", "HTTP 101"),
        ("192.0.2.8", "HTTP 101"),
        ("192.0.2.7", "HTTP 429 address_limit"),
        ("192.0.2.9, 192.0.2.8", "HTTP 429 address_limit"),
    ] {
        let mut raw = Raw::connect(node.address).await.unwrap();
        raw.send(head(&format!("X-Forwarded-For: {client}\r\n")).as_bytes()).await.unwrap();
        assert_eq!(raw.answer().await.unwrap().summary(), wanted, "{client}");
        if wanted == "HTTP 101" {
            let told = within("the handler", addresses.recv()).await.unwrap().unwrap();
            assert_eq!(told.unwrap().to_string(), client);
        }
        inside.push(raw);
    }
    node.stop();
}

fn version_2(source: [u8; 4]) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    header.extend(source);
    header.extend([10, 0, 0, 1, 0x13, 0x88, 0, 80]);
    header
}

#[tokio::test]
async fn a_trusted_peer_begins_with_a_proxy_header_and_nobody_else_does() {
    let node = TestNode::start(builder().network(with_proxy_protocol())).await;
    let version_1 = b"PROXY TCP4 192.0.2.7 10.0.0.1 5000 80\r\n".as_slice();
    assert_eq!(opened(&node, "127.0.0.1", version_1, "").await, "192.0.2.7");
    assert_eq!(opened(&node, "127.0.0.1", &version_2([192, 0, 2, 8]), "").await, "192.0.2.8");
    assert_eq!(opened(&node, "127.0.0.1", b"PROXY UNKNOWN\r\n", "").await, "127.0.0.1");
    assert_eq!(opened(&node, STRANGER, b"", "").await, STRANGER);
    let answer = async |peer: &str, bytes: &[u8]| {
        let mut raw = from(&node, peer).await;
        raw.send(bytes).await.unwrap();
        raw.answer().await.map(|answer| answer.summary())
    };
    let bare = answer("127.0.0.1", HEAD.as_bytes()).await.unwrap();
    assert_eq!(bare, "HTTP 400 bad_handshake", "a proxy that is not set up for it is told");
    let spoofed = answer(STRANGER, &[version_1, HEAD.as_bytes()].concat()).await;
    assert_eq!(spoofed.unwrap(), "HTTP 400", "to anybody else it is no HTTP");
    assert_eq!(answer("127.0.0.1", b"PROXY TCP4 nonsense\r\n").await.unwrap(), "HTTP 400 bad_handshake");
    node.stop();
}

/// Behind the PROXY header stands somebody who is trusted in turn, and says for whom it asks.
#[tokio::test]
async fn a_proxy_header_names_the_peer_whose_headers_are_judged() {
    let network = NetworkConfig { proxy_protocol: true, ..trusting(ClientAddress::XForwardedFor) };
    let node = TestNode::start(builder().network(network)).await;
    let more = "X-Forwarded-For: 192.0.2.7\r\n";
    assert_eq!(opened(&node, "127.0.0.1", &version_2([10, 1, 1, 1]), more).await, "192.0.2.7");
    assert_eq!(opened(&node, "127.0.0.1", &version_2([192, 0, 2, 9]), more).await, "192.0.2.9");
    node.stop();
}

#[tokio::test]
async fn a_proxy_header_that_does_not_come_ends_with_the_handshakes_deadline() {
    let node =
        TestNode::start_with(builder().network(with_proxy_protocol()), Duration::from_millis(50)).await;
    for begun in [&b""[..], b"PROXY TCP4 192."] {
        let mut raw = Raw::connect(node.address).await.unwrap();
        raw.send(begun).await.unwrap();
        assert_eq!(raw.said().await.unwrap(), "EOF", "{begun:?}");
    }
    node.stop();
}

#[tokio::test]
async fn who_came_through_a_proxy_does_not_say_who_it_is() {
    let node = TestNode::start(builder().network(with_proxy_protocol())).await;
    let named = HEAD.replacen("/ws", "/ws?user=ann", 1);
    let summary = async |peer: &str, front: &[u8], more: &str| {
        let mut raw = from(&node, peer).await;
        let head = named.replace("Host: localhost\r\n", &format!("Host: localhost\r\n{more}"));
        raw.send(&[front, head.as_bytes()].concat()).await.unwrap();
        raw.answer().await.unwrap().summary()
    };
    assert_eq!(summary(STRANGER, b"", "").await, "HTTP 101");
    for more in
        ["X-Forwarded-For: 127.0.0.1\r\n", "Forwarded: for=x\r\n", "Via: 1.1 proxy\r\n", "X-Real-IP: ::1\r\n"]
    {
        assert_eq!(summary(STRANGER, b"", more).await, "HTTP 403 permission_denied", "{more}");
    }
    assert_eq!(summary("127.0.0.1", &version_2([127, 0, 0, 1]), "").await, "HTTP 403 permission_denied");
    node.stop();
}

fn slow(accepts: u32, handshakes: u32) -> NetworkConfig {
    let rate = |burst: u32| AddressRate { per_second: u32::from(burst > 0), burst: burst.max(1) };
    NetworkConfig {
        accepts: rate(accepts),
        handshakes: rate(handshakes),
        ..trusting(ClientAddress::XForwardedFor)
    }
}

fn strict() -> Limits {
    Limits { limit_loopback: true, ..Limits::default() }
}

async fn knock(node: &TestNode, peer: &str, more: &str) -> Answer {
    let mut raw = from(node, peer).await;
    raw.send(head(more).as_bytes()).await.unwrap();
    raw.answer().await.unwrap()
}

/// Tries until it is refused with 429, and gives that answer. `left` are let through at once and one more each second since
/// `began`, on however slow a machine.
async fn until_refused(began: Instant, left: u64, attempt: impl AsyncFn() -> Answer) -> Answer {
    let mut passed = 0;
    loop {
        let answer = attempt().await;
        if answer.status == 429 {
            let most = left + began.elapsed().as_secs();
            assert!((left..=most).contains(&passed), "{passed} of {left} to {most}");
            return answer;
        }
        assert_eq!(answer.status, 101);
        passed += 1;
    }
}

#[tokio::test]
async fn who_shakes_hands_too_often_is_told_when_to_come_again() {
    let node = TestNode::start(builder().limits(strict()).network(slow(0, 3))).await;
    let forged = async || knock(&node, STRANGER, "X-Forwarded-For: 192.0.2.1\r\n").await;
    let began = Instant::now();
    assert_eq!(knock(&node, STRANGER, "Origin: null\r\n").await.status, 403, "a failed one counts");
    assert_eq!(knock(&node, STRANGER, "").await.status, 101);
    let late = until_refused(began, 1, forged).await;
    assert_eq!(late.summary(), "HTTP 429 rate_limited");
    assert!(late.head.contains("retry-after: 1\r\n"), "{}", late.head);
    assert_eq!(knock(&node, "127.0.0.3", "").await.status, 101, "another address");
    until_refused(Instant::now(), 3, async || {
        knock(&node, "127.0.0.1", "X-Forwarded-For: 192.0.2.3\r\n").await
    })
    .await;
    assert_eq!(knock(&node, "127.0.0.1", "X-Forwarded-For: 192.0.2.4\r\n").await.status, 101);
    let refused = node.node.fanfare().metrics().await.unwrap().refused;
    let rate_limited = refused.iter().find(|(code, _)| code.as_str() == "rate_limited");
    assert_eq!(rate_limited.map(|(_, count)| *count), Some(2), "{refused:?}");
    node.stop();
}

#[tokio::test]
async fn who_connects_too_often_is_told_without_being_asked() {
    let node = TestNode::start(builder().limits(strict()).network(slow(3, 0))).await;
    let answer = until_refused(Instant::now(), 3, async || {
        let mut raw = from(&node, STRANGER).await;
        // Who comes too often is told so without a request.
        let _ = raw.send(HEAD.as_bytes()).await;
        raw.answer().await.unwrap()
    })
    .await;
    assert_eq!(answer.summary(), "HTTP 429 rate_limited");
    assert!(answer.head.contains("retry-after: 1\r\n"), "{}", answer.head);
    assert_eq!(knock(&node, "127.0.0.3", "").await.status, 101, "another address");
    for _ in 0..5 {
        assert_eq!(knock(&node, "127.0.0.1", "").await.status, 101, "a trusted proxy asks for many");
    }
    node.stop();
}

#[tokio::test]
async fn a_rate_behind_a_proxy_header_is_that_of_the_client() {
    let network = NetworkConfig { proxy_protocol: true, ..slow(2, 0) };
    let node = TestNode::start(builder().limits(strict()).network(network)).await;
    let attempt = async |last: u8| {
        let mut raw = Raw::connect(node.address).await.unwrap();
        raw.send(&[&version_2([192, 0, 2, last])[..], HEAD.as_bytes()].concat()).await.unwrap();
        raw.answer().await.unwrap()
    };
    until_refused(Instant::now(), 2, async || attempt(7).await).await;
    assert_eq!(attempt(8).await.status, 101);
    node.stop();
}

#[tokio::test]
async fn loopback_comes_as_often_as_it_likes() {
    let node = TestNode::start(builder().network(slow(1, 1))).await;
    for _ in 0..5 {
        assert_eq!(knock(&node, STRANGER, "").await.status, 101);
    }
    node.stop();
}
