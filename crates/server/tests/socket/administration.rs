//! The listener for metrics and administration, apart from the clients'.

use std::net::SocketAddr;

use super::support::process::Process;
use super::support::raw::{Answer, Raw};

const KEY: &str = "a-key-for-tests-only";

async fn get(address: SocketAddr, path: &str, header: &str) -> Answer {
    let mut raw = Raw::connect(address).await.unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{header}\r\n");
    raw.send(head.as_bytes()).await.unwrap();
    raw.answer().await.unwrap()
}

async fn status(address: SocketAddr, path: &str) -> u16 {
    get(address, path, "").await.status
}

/// Where the server listens for administration, as its log says.
async fn admin_address(server: &mut Process) -> SocketAddr {
    let line = server.logged("admin_addresses=[").await;
    let (_, rest) = line.split_once("admin_addresses=[").unwrap();
    rest.split([']', ',']).next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn metrics_are_not_where_clients_connect() {
    let mut server = Process::start(&[("FANFARE_ADMIN_LISTEN", "127.0.0.1:0")], 1024).await;
    let admin = admin_address(&mut server).await;
    assert_ne!(admin, server.address);
    assert_eq!(status(server.address, "/metrics").await, 404);
    assert_eq!(status(server.address, "/health").await, 200);
    let page = get(admin, "/metrics", "").await;
    assert!(page.status == 200 && page.body.contains("fanfare_connections"), "{page:?}");
    assert_eq!((status(admin, "/health").await, status(admin, "/ready").await), (200, 200));
    for nothing in ["/", "/ws", "/api/channels", "/openapi.json"] {
        assert_eq!(status(admin, nothing).await, 404, "{nothing}");
    }
}

/// A page of the web that made a name of its own lead to this host could read the metrics.
#[tokio::test]
async fn on_a_loopback_address_only_names_of_this_host_are_answered() {
    let settings = [("FANFARE_ADMIN_LISTEN", "127.0.0.1:0"), ("FANFARE_ADMIN_HOSTS", "metrics.internal")];
    let mut server = Process::start(&settings, 1024).await;
    let admin = admin_address(&mut server).await;
    let asked = async |version: &str, host: &str| {
        let mut raw = Raw::connect(admin).await.unwrap();
        raw.send(format!("GET /metrics {version}\r\n{host}\r\n").as_bytes()).await.unwrap();
        raw.answer().await.unwrap().status
    };
    for good in
        ["localhost", "LOCALHOST:8001", "127.0.0.1:8001", "[::1]", "metrics.internal", "Metrics.Internal:80"]
    {
        assert_eq!(asked("HTTP/1.1", &format!("Host: {good}\r\n")).await, 200, "{good}");
    }
    for bad in ["rebound.example", "localhost.rebound.example", "192.0.2.1", "127.0.0.1.rebound.example", ""]
    {
        assert_eq!(asked("HTTP/1.1", &format!("Host: {bad}\r\n")).await, 403, "{bad}");
    }
    // A load balancer's check without a host.
    assert_eq!(asked("HTTP/1.0", "").await, 200);
}

#[tokio::test]
async fn metrics_can_be_where_clients_connect_and_then_need_no_listener() {
    let settings = [("FANFARE_ADMIN_ON_MAIN", "true")];
    let server = Process::start(&settings, 1024).await;
    assert_eq!(status(server.address, "/metrics").await, 200);
    let server =
        Process::start(&[("FANFARE_ADMIN_ON_MAIN", "true"), ("FANFARE_METRICS", "false")], 1024).await;
    assert_eq!(status(server.address, "/metrics").await, 404);
}

#[tokio::test]
async fn where_other_hosts_can_ask_metrics_need_a_key() {
    let settings = [("FANFARE_ADMIN_LISTEN", "0.0.0.0:0"), ("FANFARE_API_KEYS", KEY)];
    let mut server = Process::start(&settings, 1024).await;
    let port = admin_address(&mut server).await.port();
    let admin = SocketAddr::from(([127, 0, 0, 1], port));
    let answer = get(admin, "/metrics", "").await;
    assert_eq!(answer.summary(), "HTTP 401 unauthorized");
    assert!(!answer.body.contains("fanfare_connections"));
    let wrong = get(admin, "/metrics", "Authorization: Bearer a-key-for-tests-onlx\r\n").await;
    assert_eq!(wrong.summary(), "HTTP 401 unauthorized");
    let right = get(admin, "/metrics", &format!("Authorization: Bearer {KEY}\r\n")).await;
    assert!(right.status == 200 && right.body.contains("fanfare_connections"), "{right:?}");
    assert_eq!((status(admin, "/health").await, status(admin, "/ready").await), (200, 200));
}
