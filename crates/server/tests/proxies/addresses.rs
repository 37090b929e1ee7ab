//! Whose address the server sees through a proxy: the client's own, whatever it says about itself.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Instant;

use serde_json::json;
use socket2::{Domain, Socket, Type};

use super::support::{KEY, KINDS, Kind, PATIENCE, Proxy, api, serve};

/// Where the client is.
const CLIENT: &str = "127.3.2.1";

/// What clients say who would rather be somebody else.
const CLAIMS: [&str; 6] = [
    "",
    "X-Forwarded-For: 6.6.6.6\r\n",
    "X-Forwarded-For: 127.0.0.1, 6.6.6.6\r\nX-Forwarded-For: 127.0.0.1\r\n",
    "Forwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\n",
    "x_forwarded_for: 6.6.6.6\r\n",
    "X-Forwarded-For: 6.6.6.6\r\nConnection: X-Forwarded-For\r\n",
];

/// Upgrades from the client's address, with these lines in the head; the connection stays open with what is given.
fn upgrade(proxy: SocketAddr, lines: &str) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(CLIENT.parse().unwrap(), 0).into()).unwrap();
    socket.connect(&proxy.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!(
        "GET /ws HTTP/1.1\r\nHost: example.com\r\n{lines}Upgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    // A ping, and its pong: the connection is with its worker.
    stream.write_all(b"\x89\x80\0\0\0\0").unwrap();
    let mut heard = Vec::new();
    while !heard.ends_with(b"\x8A\0") {
        let mut bytes = [0; 1024];
        let count = stream.read(&mut bytes).unwrap();
        heard.extend(&bytes[..count]);
        assert!(
            count > 0 && heard.starts_with(b"HTTP/1.1 101"),
            "{lines}: {}",
            String::from_utf8_lossy(&heard)
        );
    }
    stream
}

/// The addresses of all connections.
fn addresses(server: SocketAddr) -> Vec<String> {
    let listed = api(server, "connections", &json!({}));
    let connections = listed["connections"].as_array().unwrap();
    connections
        .iter()
        .map(|connection| connection["address"].as_str().unwrap_or_default().to_owned())
        .collect()
}

/// The settings that the page asks for, in a file.
fn documented_settings(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let page = std::fs::read_to_string(root.join("docs/behind-nginx.md")).unwrap();
    let (_, after) = page.split_once("```toml\n").unwrap();
    let (block, _) = after.split_once("```").unwrap();
    let file = std::env::temp_dir().join(format!("fanfare-{name}-{}.toml", std::process::id()));
    std::fs::write(&file, block).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn the_clients_address_comes_through_and_no_claim_about_it() {
    let file = documented_settings("addresses");
    let server = serve(&[("FANFARE_CONFIG", &file)]);
    for kind in KINDS {
        let proxy = Proxy::start(kind, server.address(), |text| text);
        let open: Vec<TcpStream> = CLAIMS.iter().map(|claim| upgrade(proxy.plain, claim)).collect();
        assert_eq!(addresses(server.address()), vec![CLIENT; open.len()], "{kind:?}");
        drop(open);
        let hung_up = Instant::now();
        while !addresses(server.address()).is_empty() {
            assert!(hung_up.elapsed() < PATIENCE, "who hung up stays");
        }
    }
    std::fs::remove_file(file).unwrap();
}

/// Without a proxy, nobody is believed: the client is no trusted proxy.
#[test]
fn who_is_no_proxy_is_not_believed() {
    let file = documented_settings("strangers");
    let server = serve(&[("FANFARE_CONFIG", &file)]);
    let open: Vec<TcpStream> = CLAIMS.iter().map(|claim| upgrade(server.address(), claim)).collect();
    assert_eq!(addresses(server.address()), vec![CLIENT; open.len()]);
    std::fs::remove_file(file).unwrap();
}

#[test]
fn haproxy_may_use_the_proxy_protocol() {
    let server = serve(&[
        ("FANFARE_NETWORK_TRUSTED_PROXIES", "127.0.0.1/32"),
        ("FANFARE_NETWORK_PROXY_PROTOCOL", "true"),
    ]);
    let proxy = Proxy::start(Kind::Haproxy, server.address(), |text| {
        let line = format!("server fanfare-1 {}", server.address());
        assert!(text.contains(&line));
        text.replace(&line, &format!("{line} send-proxy-v2"))
    });
    let open: Vec<TcpStream> = CLAIMS.iter().map(|claim| upgrade(proxy.plain, claim)).collect();
    // The question itself comes from an address that is no proxy's.
    let listed = ask_from_elsewhere(server.address());
    assert_eq!(listed.matches(CLIENT).count(), open.len(), "{listed}");
}

/// The connections, asked for without a PROXY header by somebody who is no trusted proxy.
fn ask_from_elsewhere(server: SocketAddr) -> String {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new("127.9.9.9".parse().unwrap(), 0).into()).unwrap();
    socket.connect(&server.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!(
        "GET /api/connections HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {}\r\nConnection: close\r\n\r\n",
        KEY
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
