//! The configurations do what the page says.

use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::{SinkExt as _, StreamExt as _};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::tungstenite::Message;

use super::support::{KEY, KINDS, Kind, PATIENCE, Proxy, api, exchange, serve, status};

/// Subscribes through a proxy, lets the backend publish past it, and hears that.
async fn hears(stream: impl AsyncRead + AsyncWrite + Unpin, server: SocketAddr) {
    let talk = async {
        let (mut socket, _) =
            tokio_tungstenite::client_async("ws://example.com/ws", stream).await.expect("an upgrade");
        let subscribe = json!({"type": "subscribe", "channel": "news"}).to_string();
        socket.send(Message::text(subscribe)).await.unwrap();
        let mut published = false;
        while let Some(message) = socket.next().await {
            let Message::Text(text) = message.unwrap() else { continue };
            let event: Value = serde_json::from_str(&text).unwrap();
            match event["type"].as_str() {
                Some("subscribed") => {
                    let publication = json!({"channel": "news", "data": "hello"});
                    tokio::task::spawn_blocking(move || api(server, "publish", &publication)).await.unwrap();
                    published = true;
                }
                Some("message") => {
                    assert!(published && event["data"] == "hello", "{event}");
                    return;
                }
                _ => panic!("{event}"),
            }
        }
        panic!("the connection ended");
    };
    timeout(PATIENCE, talk).await.expect("a message in time");
}

/// TLS to a proxy whose certificate is the only one that is trusted.
async fn over_tls(proxy: &Proxy) -> impl AsyncRead + AsyncWrite + Unpin {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(proxy.certificate.as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("example.com").unwrap();
    let stream = TcpStream::connect(proxy.tls).await.unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.expect("a TLS handshake")
}

#[tokio::test]
async fn clients_get_through_with_tls_and_without() {
    let server = serve(&[]);
    for kind in KINDS {
        let proxy = Proxy::start(kind, server.address(), |text| text);
        hears(TcpStream::connect(proxy.plain).await.unwrap(), server.address()).await;
        hears(over_tls(&proxy).await, server.address()).await;
    }
}

/// Asks for a page through a proxy, with the key.
fn page(proxy: &Proxy, path: &str) -> u16 {
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: example.com\r\nX-API-Key: {KEY}\r\nConnection: close\r\n\r\n");
    status(&exchange(proxy.plain, request.as_bytes()).unwrap())
}

#[test]
fn only_what_is_for_everybody_gets_through() {
    let server = serve(&[]);
    for kind in KINDS {
        let proxy = Proxy::start(kind, server.address(), |text| text);
        for path in ["/api/channels", "/api/", "/api/publish"] {
            assert_eq!(page(&proxy, path), 403, "{kind:?} {path}");
        }
        for path in ["/", "/metrics", "/health", "/ready", "/openapi.json"] {
            assert_eq!(page(&proxy, path), 404, "{kind:?} {path}");
        }
        // What is no upgrade is told so by the server itself, through the proxy.
        assert_eq!(page(&proxy, "/ws"), 426, "{kind:?}");
    }
}

#[test]
fn a_proxy_says_that_the_server_is_not_there() {
    let server = serve(&[]);
    let address = server.address();
    for (kind, expected) in [(Kind::Nginx, 502), (Kind::Haproxy, 503)] {
        // Nobody listens on port 1 of the loopback.
        let proxy = Proxy::start(kind, address, |text| text.replace(&address.to_string(), "127.0.0.1:1"));
        assert_eq!(page(&proxy, "/ws"), expected, "{kind:?}");
    }
}

#[test]
fn without_the_headers_of_the_upgrade_the_server_says_what_is_missing() {
    let server = serve(&[]);
    let upgrade = "GET /ws HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let cases = [
        ("proxy_set_header Upgrade    $fanfare_upgrade;", 426, "upgrade_required"),
        ("proxy_http_version 1.1;", 400, "bad_handshake"),
    ];
    for (missing, expected, code) in cases {
        let proxy = Proxy::start(Kind::Nginx, server.address(), |text| {
            assert!(text.contains(missing), "{missing} is not in the file");
            text.replace(missing, "keepalive_timeout 0;")
        });
        let answer = exchange(proxy.plain, upgrade.as_bytes()).unwrap();
        assert_eq!(status(&answer), expected, "{missing}: {answer}");
        assert!(answer.contains(code), "{missing}: {answer}");
    }
}

/// Opens a connection that says nothing and hears nothing but pings; gives how many came until it ended, at most so many.
async fn pings(address: SocketAddr, at_most: usize) -> usize {
    let count = async {
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut socket, _) = tokio_tungstenite::client_async("ws://example.com/ws", stream).await.unwrap();
        let mut pings = 0;
        while pings < at_most {
            match socket.next().await {
                Some(Ok(Message::Ping(_))) => pings += 1,
                Some(Ok(other)) => panic!("{other}"),
                Some(Err(_)) | None => break,
            }
        }
        pings
    };
    timeout(PATIENCE, count).await.expect("pings or the end in time")
}

/// The configured times, made shorter all alike.
#[tokio::test]
async fn the_heartbeat_keeps_a_silent_connection_open() {
    let often = serve(&[("FANFARE_DEADLINES_PING_INTERVAL", "500ms"), ("FANFARE_DEADLINES_PONG", "400ms")]);
    let seldom = serve(&[]);
    for kind in KINDS {
        let hurried = |text: String| text.replace("75s", "1500ms");
        let proxy = Proxy::start(kind, often.address(), hurried);
        assert_eq!(pings(proxy.plain, 8).await, 8, "{kind:?} cut a connection that was pinged in time");
        let proxy = Proxy::start(kind, seldom.address(), hurried);
        assert!(pings(proxy.plain, 8).await < 2, "{kind:?} has no timeout of its own");
    }
}
