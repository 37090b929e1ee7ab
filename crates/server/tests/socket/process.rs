//! The binary as a process: how it starts, drains and ends, and what it does without descriptors.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::{JoinHandle, JoinSet};
use tokio_tungstenite::tungstenite::Message;

use super::support::client::Client;
use super::support::frames::{FIN, TEXT, close, frame, text};
use super::support::process::Process;
use super::support::raw::{HEAD, Raw};
use super::support::within;

const CLIENTS: usize = 40;
const DRAIN: Duration = Duration::from_millis(1000);

async fn status(address: SocketAddr, path: &str) -> String {
    let mut raw = Raw::connect(address).await.unwrap();
    raw.send(HEAD.replacen("/ws", path, 1).as_bytes()).await.unwrap();
    raw.answer().await.unwrap().summary()
}

async fn until_not_ready(address: SocketAddr) {
    let gone = async { while status(address, "/ready").await == "HTTP 200" {} };
    within("the server to be no longer ready", gone).await.unwrap();
}

/// Reads until told to go: the messages that came, which must lack none, and when the end was told.
async fn listen(mut client: Client) -> (u64, Instant) {
    let mut heard = 0;
    loop {
        let event = client.event().await;
        match event["type"].as_str() {
            Some("message") => {
                heard += 1;
                assert_eq!(event["offset"], heard, "{event}");
            }
            Some("disconnect") => {
                assert_eq!((&event["code"], &event["reconnect"]), (&json!(1012), &json!(true)));
                let told = Instant::now();
                assert_eq!(client.close_code().await, 1012);
                return (heard, told);
            }
            _ => panic!("{event}"),
        }
    }
}

/// Publishes, one after the other, until it is told to go: gives how many were acknowledged. It keeps below the rate of a
/// connection, beyond which it would have said all before the first of the others is told.
async fn publish(mut client: Client) -> u64 {
    let mut done = 0;
    let mut pace = tokio::time::interval(Duration::from_millis(50));
    loop {
        pace.tick().await;
        client.send(&json!({"type": "publish", "channel": "room", "data": done}));
        match client.next().await.unwrap() {
            Some(Message::Text(text)) => {
                let event: Value = serde_json::from_str(&text).unwrap();
                match event["type"].as_str() {
                    Some("response") => done += 1,
                    _ => return done,
                }
            }
            _ => return done,
        }
    }
}

#[tokio::test]
async fn a_drain_sends_everyone_elsewhere_bit_by_bit_and_loses_nothing() {
    let mut server = Process::start(&[("FANFARE_DEADLINES_DRAIN", "1s")], 1024).await;
    println!("from start to serving: {:?}", server.start);
    assert_eq!(status(server.address, "/ready").await, "HTTP 200");
    let mut listening = JoinSet::new();
    for _ in 0..CLIENTS {
        let mut client = Client::connect(server.address, "/ws").await;
        client.ask(&json!({"type": "subscribe", "channel": "room"}), "subscribed").await;
        listening.spawn(listen(client));
    }
    // The last ones to come are the last ones told.
    let publisher = Client::connect(server.address, "/ws?user=ann").await;
    let publishing: JoinHandle<u64> = tokio::spawn(publish(publisher));
    let begun = Instant::now();
    server.terminate();
    until_not_ready(server.address).await;
    assert_eq!(status(server.address, "/ws").await, "HTTP 503 draining");
    let ends = within("everyone to be told", listening.join_all()).await.unwrap();
    let published = within("the publisher to be told", publishing).await.unwrap().unwrap();
    assert_eq!(server.ended().await.code(), Some(0));
    println!("drained in {:?}, {published} messages meanwhile", begun.elapsed());

    let mut told: Vec<Duration> = ends.iter().map(|(_, told)| *told - begun).collect();
    told.sort_unstable();
    assert!(told[CLIENTS - 1] - told[0] > DRAIN / 2, "told all at once: {told:?}");
    let busiest = told.windows(CLIENTS / 4).map(|some| some[some.len() - 1] - some[0]).min().unwrap();
    assert!(busiest > DRAIN / 20, "a quarter of them was told within {busiest:?}");
    let heard = ends.iter().map(|(heard, _)| *heard);
    assert!(heard.clone().max().unwrap() > heard.min().unwrap(), "those still there heard more");
    assert!(published > 0);
}

/// Ctrl-C with two tabs took 12.5 seconds, in which clients were sent to the very server that ended, and publishes were
/// acknowledged into a history that ended with it.
#[tokio::test]
async fn a_server_that_stands_alone_tells_everyone_and_ends() {
    for signal in ["TERM", "INT"] {
        let mut server = Process::start(&[], 1024).await;
        let mut clients = Vec::new();
        for _ in 0..10 {
            let mut client = Client::connect(server.address, "/ws").await;
            client.ask(&json!({"type": "subscribe", "channel": "room"}), "subscribed").await;
            clients.push(client);
        }
        // It neither reads nor hangs up, and is not waited for.
        let _silent = Raw::open(server.address, "/ws").await.unwrap();
        let begun = Instant::now();
        server.signal(signal);
        for client in &mut clients {
            let told = client.event().await;
            assert_eq!((&told["type"], &told["code"]), (&json!("disconnect"), &json!(1012)), "{told}");
            let after = told["retryAfter"].as_f64().unwrap();
            assert!((1.0..1.1).contains(&after), "it comes back when this process has ended: {told}");
            assert_eq!(client.close_code().await, 1012);
        }
        let said = server.logged("ending").await;
        assert!(said.contains("told to come back") && !said.contains("drain"), "{said}");
        assert_eq!(server.ended().await.code(), Some(0));
        println!("ended {:?} after SIG{signal}", begun.elapsed());
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    let mut server = Process::start(&[("FANFARE_DEADLINES_DRAIN", "10m")], 1024).await;
    let mut clients = Vec::new();
    for _ in 0..10 {
        clients.push(Client::connect(server.address, "/ws").await);
    }
    server.terminate();
    until_not_ready(server.address).await;
    let begun = Instant::now();
    server.terminate();
    assert_eq!(server.ended().await.code(), Some(0));
    println!("ended {:?} after the second signal", begun.elapsed());
}

/// Without descriptors nobody can be let in; with them everybody can again, and those inside never noticed.
#[tokio::test]
async fn running_out_of_descriptors_passes() {
    let settings =
        [("FANFARE_DEADLINES_HANDSHAKE", "1m"), ("FANFARE_SHARDS", "2"), ("FANFARE_INSECURE", "true")];
    let mut server = Process::start(&settings, 64).await;
    let mut inside = Client::connect(server.address, "/ws?user=ann").await;
    inside.ask(&json!({"type": "subscribe", "channel": "room"}), "subscribed").await;
    let mut idle = Vec::new();
    for _ in 0..80 {
        idle.push(Raw::connect(server.address).await.unwrap());
    }
    server.logged("backing off").await;
    for n in 1..=20 {
        inside.send(&json!({"type": "message", "channel": "room", "data": n}));
        assert_eq!(inside.expect("message").await["offset"], n);
    }
    drop(idle);
    let mut late = Client::connect(server.address, "/ws").await;
    late.ask(&json!({"type": "ping"}), "pong").await;
    inside.ask(&json!({"type": "ping"}), "pong").await;
    server.terminate();
    assert_eq!(server.ended().await.code(), Some(0), "it drains as ever");
}

#[tokio::test]
async fn descriptors_are_given_back_however_a_connection_ends() {
    let settings = [("FANFARE_SHARDS", "2"), ("FANFARE_DEADLINES_CLOSE", "100ms")];
    let mut server = Process::start(&settings, 1024).await;
    assert_eq!(status(server.address, "/ready").await, "HTTP 200");
    let before = server.descriptors();
    for round in 0..4 {
        let mut held = Vec::new();
        for index in 0..50 {
            let mut raw = match index % 2 {
                0 => Raw::open(server.address, "/ws").await.unwrap(),
                _ => Raw::connect(server.address).await.unwrap(),
            };
            let half_a_head = HEAD.as_bytes()[..20].to_vec();
            match index % 10 {
                0 => raw.send(&close(1000, b"")).await.unwrap(),
                1 => raw.send(HEAD.replacen("GET", "PUT", 1).as_bytes()).await.unwrap(),
                2 => raw.send(&frame(FIN | 0xF, "")).await.unwrap(),
                3 => raw.send(&half_a_head).await.unwrap(),
                4 => raw.send(&frame(TEXT, "{")).await.unwrap(),
                5 => raw.shut().await,
                6 => raw.send(&text(r#"{"type":"disconnect"}"#)).await.unwrap(),
                _ => {}
            }
            match (index + round) % 3 {
                0 => raw.reset(),
                1 => drop(raw),
                _ => held.push(raw),
            }
        }
    }
    let given_back = async {
        while server.descriptors() > before {
            tokio::task::yield_now().await
        }
    };
    within("the descriptors to be given back", given_back).await.unwrap();
    server.terminate();
    assert_eq!(server.ended().await.code(), Some(0));
}

/// What a client chose, in every place that it can choose, does not reach the log but for short, printable
/// pieces of it; and what it says to others does not at all.
#[tokio::test]
async fn the_log_holds_no_more_of_a_client_than_short_escaped_pieces() {
    let settings = [("FANFARE_LOG_FILTER", "trace"), ("FANFARE_DEADLINES_DRAIN", "0s")];
    let mut server = Process::start(&settings, 1024).await;
    let (long, escape) = ("planted".repeat(60), "\u{1b}[31mred\r\nforged line");
    let (encoded, json) =
        (format!("{long}%1b%5b31mred%0d%0aforged%20line"), json!(format!("{long}{escape}")));
    let heads = [
        HEAD.replacen("/ws", &format!("/{encoded}"), 1),
        HEAD.replacen("/ws", &format!("/ws/{encoded}"), 1),
        HEAD.replacen("/ws", &format!("/ws?user={encoded}&token={long}"), 1),
        HEAD.replacen("/ws", &format!("/ws?dialect={encoded}"), 1),
        HEAD.replacen(
            "Host",
            &format!("Authorization: Bearer {long}\r\nX-{long}: {long}\r\nCookie: {long}\r\nHost"),
            1,
        ),
        HEAD.replacen("Host", &format!("Sec-WebSocket-Protocol: fanfare.{long}\r\nHost"), 1),
        HEAD.replacen("GET", &long.to_ascii_uppercase(), 1),
        format!("{long}{escape}"),
    ];
    for head in heads {
        let mut raw = Raw::connect(server.address).await.unwrap();
        raw.send(head.as_bytes()).await.unwrap();
        raw.answer().await.unwrap();
    }
    let mut raw = Raw::open(server.address, "/ws").await.unwrap();
    for message in [
        json!({"type": json}),
        json!({"type": long}),
        json!({"type": "ping", "id": json}),
        json!({"type": "subscribe", "channel": json}),
        json!({"type": "subscribe", "pattern": format!("{long}.*")}),
        json!({"type": "subscribe", "channel": "a", "filter": {long.as_str(): 1}}),
        json!({"type": "request", "method": long}),
        json!({"type": "auth", "token": long}),
        json!({"type": "publish", "channel": "a", "data": json, "tags": {"a": long}}),
    ] {
        raw.send(&text(message.to_string())).await.unwrap();
        raw.said().await.unwrap();
    }
    raw.send(&[frame(FIN | TEXT, &long), close(4321, &long.as_bytes()[..123])].concat()).await.unwrap();
    while raw.said().await.unwrap() != "EOF" {}
    server.terminate();
    server.ended().await;
    let (mut lines, mut log) = (0, String::new());
    while let Some(line) = server.log.recv().await {
        lines += 1;
        log += &line;
        log.push('\n');
    }
    println!("{lines} lines of log");
    assert!(lines > 3, "the log is there: {log}");
    assert!(!log.contains('\u{1b}') && !log.lines().any(|line| line.starts_with("forged")), "{log}");
    let seven = "planted".repeat(7).to_ascii_lowercase();
    assert!(!log.to_ascii_lowercase().contains(&seven), "more than 40 characters: {log}");
}

/// Clients that were given a host and no path got the page.
#[tokio::test]
async fn the_address_without_a_path_is_for_websockets_too() {
    for (demo, page) in [("true", "HTTP 200"), ("false", "HTTP 404 not_found")] {
        let server = Process::start(&[("FANFARE_DEMO", demo)], 1024).await;
        let mut client = Client::connect(server.address, "/?user=ann").await;
        let told = client.ask(&json!({"type": "connect"}), "connected").await;
        assert_eq!(told["user_id"], "ann");
        let mut raw = Raw::connect(server.address).await.unwrap();
        raw.send(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
            .await
            .unwrap();
        let answer = raw.answer().await.unwrap();
        assert_eq!(answer.summary(), page);
        assert_eq!(answer.body.contains("<!doctype html>"), demo == "true", "{}", answer.body);
        assert_eq!(status(server.address, "/nowhere").await, "HTTP 404 not_found");
    }
}
