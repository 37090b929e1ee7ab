//! Requests hidden in others. Each case hides a publication that carries the right key, so that it is carried out
//! wherever it is taken for a request: behind a proxy that denies the API's paths, it must not be.

use std::net::SocketAddr;

use serde_json::json;

use super::cases::{Case, all};
use super::support::{KEY, KINDS, Proxy, api, exchange, serve, status};

/// A request to publish to `channel`, with or without the key.
fn publication(channel: &str, key: Option<&str>) -> String {
    let body = json!({"channel": channel, "data": "smuggled"}).to_string();
    let key = key.map_or(String::new(), |key| format!("X-API-Key: {key}\r\n"));
    format!(
        "POST /api/publish HTTP/1.1\r\nHost: localhost\r\n{key}Content-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A request after which both a proxy and the server hang up, if they have not before.
const LAST: &str = "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// The way of a case that goes to a page instead of the handshake.
const ON_PAGE: &str = "on-page";

/// The end of the way of a case that goes to what takes messages, and has a body by right.
const AS_MESSAGE: &str = "-send";

/// What a case sends.
fn bytes(case: &Case, way: &str, channel: &str, key: Option<&str>) -> Vec<u8> {
    // The handshake's path ends every connection that is not upgraded; a page keeps it for the next request.
    let on_page = way == ON_PAGE;
    let publication = publication(channel, key);
    let length = publication.len();
    let key = key.unwrap_or("no-key");
    let text = case
        .sent
        .replace("{LENGTH}", &length.to_string())
        .replace("{HEX}", &format!("{length:x}"))
        .replace("{LENGTH+5}", &(length + 5).to_string())
        .replace("{KEY}", key)
        .replace("{BODY}", &json!({"channel": channel, "data": "smuggled"}).to_string())
        .replace(
            "{BODY-LENGTH}",
            &json!({"channel": channel, "data": "smuggled"}).to_string().len().to_string(),
        )
        .replace("{PUBLICATION}", &publication);
    let text = if way.ends_with(AS_MESSAGE) { text.replacen(" /ws ", " /send ", 1) } else { text };
    let text = if on_page { text.replacen(" /ws ", " /ready ", 1) } else { text };
    let mut bytes = text.into_bytes();
    bytes.extend(LAST.as_bytes());
    bytes
}

/// Whether anything was published to a channel.
fn is_published(server: SocketAddr, channel: &str) -> bool {
    let history = api(server, "history", &json!({"channel": channel, "limit": 1}));
    !history["messages"].as_array().expect("a list of publications").is_empty()
}

/// What went wrong with one case, by one way in.
fn attempt(
    case: &Case,
    way: &str,
    address: SocketAddr,
    key: Option<&str>,
    server: SocketAddr,
) -> Option<String> {
    let channel = channel(case, way);
    match exchange(address, &bytes(case, way, &channel, key)) {
        Err(error) => return Some(format!("{} {way}: {error}", case.name)),
        Ok(answer) => {
            println!("{:>16}  {}  {}", way, status(&answer), case.name);
            if answer.contains("\r\nInjected:") {
                return Some(format!("{} {way}: a header was injected: {answer}", case.name));
            }
        }
    }
    is_published(server, &channel).then(|| format!("{} {way}: was carried out", case.name))
}

fn channel(case: &Case, way: &str) -> String {
    format!("victim-{}-{way}", case.name.replace(' ', "-").replace(|c: char| !c.is_ascii_alphanumeric(), "-"))
}

#[test]
fn what_is_published_is_seen() {
    let server = serve(&[]);
    let sent = publication("victim", Some(KEY)) + LAST;
    assert!(!is_published(server.address(), "victim"));
    assert_eq!(status(&exchange(server.address(), sent.as_bytes()).unwrap()), 200);
    assert!(is_published(server.address(), "victim"), "the check itself sees nothing");
    // After a request that nobody could object to, the next one is taken: what is hidden has this chance.
    let first = "POST /ready HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n".to_owned();
    let sent = first + &publication("second", Some(KEY)) + LAST;
    assert_eq!(status(&exchange(server.address(), sent.as_bytes()).unwrap()), 405);
    assert!(is_published(server.address(), "second"), "a page does not keep the connection");
    let sent = publication("another", None) + LAST;
    assert_eq!(status(&exchange(server.address(), sent.as_bytes()).unwrap()), 401);
    assert!(!is_published(server.address(), "another"));
}

#[test]
fn nothing_is_smuggled_into_the_server() {
    let server = serve(&[]);
    let server = server.address();
    let mut problems = Vec::new();
    for case in all() {
        problems.extend(attempt(case, "without-key", server, None, server));
        // Where the server is asked in the open, who has the key is served.
        if !case.open {
            problems.extend(attempt(case, "with-key", server, Some(KEY), server));
            problems.extend(attempt(case, ON_PAGE, server, Some(KEY), server));
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn nothing_is_smuggled_past_a_proxy() {
    let server = serve(&[]);
    let mut problems = Vec::new();
    for kind in KINDS {
        let proxy = Proxy::start(kind, server.address(), |text| text);
        let ways = [format!("{kind:?}"), format!("{kind:?}{AS_MESSAGE}")];
        for (way, case) in ways.iter().flat_map(|way| all().map(move |case| (way, case))) {
            problems.extend(attempt(case, way, proxy.plain, Some(KEY), server.address()));
        }
        // What was delayed has come by now.
        for (way, case) in ways.iter().flat_map(|way| all().map(move |case| (way, case))) {
            let is_late = is_published(server.address(), &channel(case, way));
            problems.extend(is_late.then(|| format!("{} {way}: was carried out later", case.name)));
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}
