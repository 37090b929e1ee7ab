//! Commands that ask a running server, and what they say of one that is not Fanfare.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener};
use std::process::Stdio;

use super::support::{Home, text};

/// To see who is in a channel, what it keeps or who is connected, an operator had to write requests by hand.
#[test]
fn the_http_api_has_commands() {
    let home = Home::new("api");
    let server = home.serve();
    let ask = |arguments: &[&str]| {
        let output = home.run(&[arguments, &["--url", server.url()]].concat());
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    assert_eq!(ask(&["publish", "room", "1", "--json"])["offset"], 1);
    ask(&["publish", "room", "2"]);
    let history = ask(&["history", "room", "--limit", "1", "--reverse"]);
    assert_eq!(history["messages"][0]["data"], 2, "{history}");
    assert_eq!(history["messages"].as_array().unwrap().len(), 1, "{history}");
    assert_eq!(ask(&["presence", "room"])["users"], 0);
    assert!(ask(&["channels", "--prefix", "ro"])["channels"].is_array());
    assert!(ask(&["connections", "--user", "ann"])["connections"].is_array());
    ask(&["disconnect", "--user", "ann", "--code", "4003"]);
    let output = home.run(&["presence", "", "--url", server.url()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("invalid_channel"), "{}", text(&output.stderr));
}

/// Answers every request with these bytes, to as many as connect, until it is dropped.
struct Foreign {
    url: String,
}

impl Foreign {
    fn start(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                std::thread::spawn(move || {
                    let _ = stream.read(&mut [0; 4096]);
                    let _ = stream.write_all(answer.as_bytes());
                    let _ = stream.shutdown(Shutdown::Write);
                    // Until the other side has read it and gone.
                    let _ = stream.read_to_end(&mut Vec::new());
                });
            }
        });
        Self { url }
    }
}

const NOT_FOUND: &str = "HTTP/1.1 404 Not Found\r\nContent-Type: text/html; charset=utf-8\r\nConnection: close\r\n\
    Content-Length: 34\r\n\r\n<html><body>not here</body></html>";
const A_PAGE: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\
    Content-Length: 30\r\n\r\n<html>\n<body>hi</body>\n</html>\n";
const OTHER_JSON: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\
    Content-Length: 9\r\n\r\n{\"x\":\"y\"}";

/// `fanfare tail` at another server printed that server's page, and so did `fanfare bench`; an answer of somebody else's API
/// counted as published.
#[test]
fn of_a_foreign_server_one_line_is_said() {
    let home = Home::new("foreign");
    let commands = [
        &["tail", "room"][..],
        &["publish", "room", "1", "--key", "a-key-of-some-length"],
        &["history", "room", "--key", "a-key-of-some-length"],
        &["bench", "--scenario", "connection_rate"],
    ];
    for (answer, status, kind) in [
        (NOT_FOUND, "404", "text/html"),
        (A_PAGE, "200", "text/html"),
        ("SSH-2.0-x\r\n", "", ""),
        ("", "", ""),
    ] {
        for arguments in commands {
            let foreign = Foreign::start(answer);
            let output = home.run(&[arguments, &["--url", &foreign.url]].concat());
            let said = text(&output.stderr);
            assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), ""), "{arguments:?}: {said}");
            assert!(said.contains(status) && said.contains(kind), "{arguments:?}: {said}");
            assert!(!said.contains('<') && said.lines().count() == 1, "{arguments:?}: {said}");
        }
    }
    let foreign = Foreign::start(OTHER_JSON);
    let output = home.run(&[commands[1], &["--url", &foreign.url]].concat());
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), ""));
    assert!(text(&output.stderr).contains("no Fanfare server"), "{}", text(&output.stderr));
}

/// A pattern stands for channels that nobody listed, so it has no last messages.
#[test]
fn a_pattern_with_a_history_is_refused_with_the_way_out() {
    let home = Home::new("pattern-history");
    for of_pattern in [&["--pattern", "a.>"][..], &["--all"]] {
        let output =
            home.run(&[&["tail", "--history", "3", "--url", "http://127.0.0.1:1"], of_pattern].concat());
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("a pattern has no history; name the channels"), "{said}");
    }
}

/// The certificate of a server of one's own is not known to the system: without its authority nothing is sent.
#[test]
fn publish_and_tail_speak_tls() {
    let home = Home::new("tls");
    let made =
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    std::fs::write(home.0.join("a.crt"), made.cert.pem()).unwrap();
    std::fs::write(home.0.join("a.key"), made.signing_key.serialize_pem()).unwrap();
    std::fs::write(home.0.join("none.crt"), "").unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let listen = format!("tls.listen=127.0.0.1:{port}");
    let set = ["--set", &listen, "--set", "tls.cert_file=a.crt", "--set", "tls.key_file=a.key"];
    let _server = home.serve_with(&set);
    let url = format!("https://127.0.0.1:{port}");
    let publish =
        |arguments: &[&str]| home.run(&[&["publish", "room", "1", "--url", &url], arguments].concat());
    let output = publish(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("--cacert"), "{}", text(&output.stderr));
    for arguments in [&["--cacert", "a.crt"][..], &["--insecure-tls"]] {
        let output = publish(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
    }
    let tail = |arguments: &[&str]| {
        let common = ["tail", "room", "--url", &url, "--history", "1", "--count", "1"];
        home.run(&[&common, arguments].concat())
    };
    let output = tail(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("certificate"), "{}", text(&output.stderr));
    for arguments in [&["--cacert", "a.crt"][..], &["--insecure-tls"]] {
        let output = tail(arguments);
        assert_eq!(text(&output.stdout), "room 2 - 1\n", "{}", text(&output.stderr));
    }
    // More than one record, and more than one read.
    let large = "x".repeat(60_000);
    let output = home.run(&["publish", "room", &large, "--url", &url, "--insecure-tls"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let output = tail(&["--cacert", "a.crt"]);
    assert_eq!(text(&output.stdout), format!("room 3 - \"{large}\"\n"), "{}", text(&output.stderr));
    let output = publish(&["--cacert", "none.crt"]);
    assert!(text(&output.stderr).contains("no certificate"), "{}", text(&output.stderr));
}

/// There was no way to follow a server whose channels one does not know.
#[test]
fn tail_follows_everything() {
    let home = Home::new("all");
    let server = home.serve();
    let arguments = ["tail", "--all", "--url", server.url(), "--count", "1"];
    let mut tail = home.command(&arguments).stdout(Stdio::piped()).spawn().unwrap();
    // Whatever is published before it has subscribed, it does not see.
    while tail.try_wait().unwrap().is_none() {
        let output = home.run(&["publish", "some.where", "1", "--url", server.url()]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    }
    let output = tail.wait_with_output().unwrap();
    assert!(text(&output.stdout).starts_with("some.where "), "{}", text(&output.stdout));
}

/// The help of commands for clients listed how a server listens.
#[test]
fn help_shows_examples_and_no_flags_of_the_server() {
    let home = Home::new("help");
    for command in
        ["publish", "tail", "presence", "history", "channels", "connections", "disconnect", "token", "bench"]
    {
        let output = home.run(&[command, "--help"]);
        let shown = text(&output.stdout);
        assert!(shown.contains("Example"), "{shown}");
        assert!(!shown.contains("  --listen") && !shown.contains("--origin"), "{shown}");
    }
    for command in ["serve", "check", "completions", "man"] {
        let output = home.run(&[command, "--help"]);
        assert!(text(&output.stdout).contains("Example"), "{command}");
    }
    let completions = home.run(&["completions", "bash"]);
    assert!(text(&completions.stdout).contains("complete -F _fanfare"), "completions");
    let page = home.run(&["man"]);
    assert!(text(&page.stdout).contains(".TH fanfare") && text(&page.stdout).contains("Publish a message"));
}
