//! Pages of which sites may connect, as a browser would ask.

use fanfare_server::config::NetworkConfig;
use fanfare_server::network::ClientAddress;

use super::support::node::{TestNode, builder};
use super::support::process::Process;
use super::support::raw::{Answer, HEAD, Raw};
use super::support::within;

/// Asks for a connection with more headers and gives the answer.
async fn knock(node: &TestNode, headers: &[(&str, &str)]) -> Answer {
    let mut raw = Raw::connect(node.address).await.unwrap();
    let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = HEAD.replace("Host: localhost\r\n", &format!("Host: {}\r\n{more}", node.address));
    raw.send(head.as_bytes()).await.unwrap();
    raw.answer().await.unwrap()
}

async fn summary(node: &TestNode, origin: &str) -> String {
    knock(node, &[("Origin", origin)]).await.summary()
}

#[tokio::test]
async fn only_pages_of_the_same_host_and_port_connect_unless_told() {
    let node = TestNode::start(builder()).await;
    let own = format!("http://{}", node.address);
    assert_eq!(summary(&node, &own).await, "HTTP 101");
    assert_eq!(knock(&node, &[]).await.summary(), "HTTP 101", "no browser");
    for other in ["http://localhost:3000", "null", "https://evil.example", "", "file://"] {
        assert_eq!(summary(&node, other).await, "HTTP 403 origin_not_allowed", "{other:?}");
    }
    let twice = knock(&node, &[("Origin", &own), ("Origin", &own)]).await;
    assert_eq!(twice.summary(), "HTTP 403 origin_not_allowed");
    let answer = knock(&node, &[("Origin", "https://app.example")]).await;
    assert!(answer.body.contains(r#"add \"https://app.example\" to network.origins"#), "{}", answer.body);
    assert!(answer.head.contains("connection: close"), "{}", answer.head);
    assert_eq!(node.node.fanfare().metrics().await.unwrap().refused.values().sum::<u64>(), 7);
    node.stop();
}

#[tokio::test]
async fn an_application_lets_its_origins_in() {
    let node = TestNode::start(builder().origins(["http://localhost:3000", "https://*.example.com"])).await;
    let own = format!("http://{}", node.address);
    for (origin, wanted) in [
        (&*own, "HTTP 101"),
        ("http://localhost:3000", "HTTP 101"),
        ("https://a.b.example.com", "HTTP 101"),
        ("https://example.com", "HTTP 403 origin_not_allowed"),
        ("http://localhost:3001", "HTTP 403 origin_not_allowed"),
        ("null", "HTTP 403 origin_not_allowed"),
    ] {
        assert_eq!(summary(&node, origin).await, wanted, "{origin}");
    }
    node.stop();
    let odd = builder().origins(["https://app.example/path"]).start();
    assert!(odd.is_err_and(|error| error.to_string().contains("app.example/path")));
}

/// A name that leads to the page's own site first and to this host later makes its page one of the same host and port.
#[tokio::test]
async fn a_name_that_was_pointed_here_opens_nothing_where_users_are_believed() {
    let sent_to = async |node: &TestNode, host: &str, target: &str, origin: &str| {
        let mut raw = Raw::connect(node.address).await.unwrap();
        let origin = if origin.is_empty() { String::new() } else { format!("Origin: {origin}\r\n") };
        let head = HEAD.replacen("/ws", target, 1);
        raw.send(head.replace("Host: localhost\r\n", &format!("Host: {host}\r\n{origin}")).as_bytes())
            .await
            .unwrap();
        raw.answer().await.unwrap()
    };
    let node = TestNode::start(builder().origins(["http://app.example"])).await;
    for own in
        ["localhost", "localhost:1", "LOCALHOST.", "a.localhost", "127.0.0.1:8000", "127.9.9.9", "[::1]:8000"]
    {
        assert_eq!(
            sent_to(&node, own, "/ws?user=ann", &format!("http://{own}")).await.summary(),
            "HTTP 101",
            "{own}"
        );
    }
    for other in
        ["evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example", "192.0.2.1"]
    {
        let answer = sent_to(&node, other, "/ws", &format!("http://{other}")).await;
        assert_eq!(answer.summary(), "HTTP 403 origin_not_allowed", "{other}");
        assert!(answer.body.contains("localhost"), "{}", answer.body);
        let answer = sent_to(&node, other, "/ws?user=ann", "").await;
        assert_eq!(answer.summary(), "HTTP 403 permission_denied", "{other}");
        assert_eq!(sent_to(&node, other, "/ws", "").await.summary(), "HTTP 101", "nobody in particular");
    }
    assert_eq!(
        sent_to(&node, "app.example", "/ws", "http://app.example").await.summary(),
        "HTTP 101",
        "named"
    );
    node.stop();
    let node = TestNode::start(builder().open_user_ids(false)).await;
    let answer = sent_to(&node, "evil.example", "/ws", "http://evil.example").await;
    assert_eq!(answer.summary(), "HTTP 101", "without a token it is nobody");
    node.stop();
}

#[tokio::test]
async fn behind_a_proxy_that_ends_tls_the_scheme_has_to_agree() {
    let trusting = NetworkConfig {
        trusted_proxies: vec!["127.0.0.1/32".parse().unwrap()],
        client_address: ClientAddress::XForwardedFor,
        ..NetworkConfig::default()
    };
    let node = TestNode::start(builder().network(trusting)).await;
    let (plain, secure) = (format!("http://{}", node.address), format!("https://{}", node.address));
    for (origin, proto, wanted) in [
        (&secure, "https", "HTTP 101"),
        (&plain, "https", "HTTP 403 origin_not_allowed"),
        (&plain, "http", "HTTP 101"),
        (&secure, "http", "HTTP 403 origin_not_allowed"),
    ] {
        let answer = knock(&node, &[("Origin", origin), ("X-Forwarded-Proto", proto)]).await;
        assert_eq!(answer.summary(), wanted, "{origin} over {proto}");
    }
    node.stop();
}

#[tokio::test]
async fn a_refusal_is_logged_with_its_address_and_without_secrets() {
    let settings =
        [("FANFARE_LOG_FILTER", "fanfare_server=trace"), ("FANFARE_NETWORK_ORIGINS", "https://app.example")];
    let mut server = Process::start(&settings, 256).await;
    let mut raw = Raw::connect(server.address).await.unwrap();
    let more = "Origin: https://evil.example\r\nCookie: session=canary-1; csrf=canary-2\r\nX-CSRF-Token: canary-3\r\n\
        Authorization: Bearer canary-4\r\nX-Forwarded-For: canary-5\r\n";
    let head = HEAD.replacen("/ws", "/ws?token=canary-6&csrf=canary-7&dialect=native", 1);
    raw.send(head.replace("Host: localhost\r\n", &format!("Host: localhost\r\n{more}")).as_bytes())
        .await
        .unwrap();
    assert_eq!(raw.answer().await.unwrap().summary(), "HTTP 403 origin_not_allowed");
    let mut line = server.logged("a handshake was refused").await;
    for part in ["code=\"origin_not_allowed\"", "address=127.0.0.1", "/ws?token=…&csrf=…&dialect=native"]
    {
        assert!(line.contains(part), "{line}");
    }
    server.terminate();
    while let Some(next) = within("the end of the log", server.log.recv()).await.unwrap() {
        line.push_str(&next);
    }
    assert!(!line.contains("canary"), "{line}");
}
