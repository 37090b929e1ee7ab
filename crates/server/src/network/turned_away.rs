//! What a connection is told that comes too often: it is not served, and only the beginning of its request is looked at.
//!
//! An EventSource gives up for good at any status but 200, so it is told to come again by a stream that ends.

use std::io;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// Connections whose request is waited for at a time; what exceeds it is answered unheard.
const WAITED_FOR_MAX: usize = 64;

/// How long.
const PATIENCE: Duration = Duration::from_secs(1);

/// How much of a request is looked at.
const HEAD_BYTES: usize = 4096;

/// Those whose request is waited for.
pub(super) struct TurnedAway(Arc<Semaphore>);

impl Default for TurnedAway {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(WAITED_FOR_MAX)))
    }
}

impl TurnedAway {
    /// Tells the peer; `unheard` is what is said to who is no EventSource.
    pub(super) fn tell(&self, stream: &TcpStream, unheard: &'static str) {
        match (self.0.clone().try_acquire_owned(), own(stream)) {
            (Ok(permit), Ok(mut stream)) => {
                tokio::spawn(async move {
                    let mut head = vec![0; HEAD_BYTES];
                    let read = tokio::time::timeout(PATIENCE, stream.read(&mut head)).await;
                    let head = head.get(..read.map_or(0, Result::unwrap_or_default)).unwrap_or_default();
                    let port = stream.peer_addr().map_or(0, |peer| peer.port());
                    match come_again(head, port) {
                        Some(answer) => send(&stream, answer.as_bytes()),
                        None => send(&stream, unheard.as_bytes()),
                    }
                    drop(permit);
                });
            }
            _ => send(stream, unheard.as_bytes()),
        }
    }
}

fn send(stream: &TcpStream, answer: &[u8]) {
    // A socket that takes nothing right after it was accepted is not waited for.
    let _ = SockRef::from(stream).send(answer);
}

/// A handle of its own to the socket, which outlives the listener's.
fn own(stream: &TcpStream) -> io::Result<TcpStream> {
    TcpStream::from_std(std::net::TcpStream::from(stream.as_fd().try_clone_to_owned()?))
}

/// The answer to a request of an EventSource's, if it is one. Different ports come again at different times. A page of
/// another origin may read it, or its EventSource would give up for that; it tells nothing else.
fn come_again(head: &[u8], port: u16) -> Option<String> {
    let is_sse = head.starts_with(b"GET /sse?") || head.starts_with(b"GET /sse ");
    is_sse.then(|| {
        let shared = origin(head).map_or_else(String::new, |origin| {
            format!(
                "access-control-allow-origin: {origin}\r\naccess-control-allow-credentials: true\r\nvary: origin\r\n"
            )
        });
        let body = format!(": rate_limited\nretry: {}\n\n", 1000 + port % 1000);
        format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-store\r\nconnection: close\r\n\
             {shared}content-length: {}\r\n\r\n{body}",
            body.len()
        )
    })
}

/// The origin that a head names, if nothing in it could end the line that it is repeated in.
fn origin(head: &[u8]) -> Option<&str> {
    let lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let mut values = lines.filter_map(|line| {
        let (name, value) = line.split_at_checked(7)?;
        name.eq_ignore_ascii_case(b"origin:").then(|| value.trim_ascii())
    });
    let value = values.next_back().filter(|value| value.iter().all(u8::is_ascii_graphic))?;
    std::str::from_utf8(value).ok().filter(|origin| !origin.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_event_source_is_told_to_come_again() {
        for head in
            ["", "GET", "GET /sses HTTP/1.1", "POST /sse HTTP/1.1", "GET /stream HTTP/1.1", "\x16\x03\x01"]
        {
            assert!(come_again(head.as_bytes(), 7).is_none(), "{head}");
        }
        let told = come_again(b"GET /sse?channels=a HTTP/1.1\r\nHost: a\r\n\r\n", 2345).unwrap();
        let (head, body) = told.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("content-type: text/event-stream"));
        assert!(
            head.contains(&format!("content-length: {}", body.len())) && !head.contains("origin"),
            "{head}"
        );
        assert_eq!(body, ": rate_limited\nretry: 1345\n\n");
    }

    #[test]
    fn a_page_of_another_origin_may_read_it_and_puts_nothing_in() {
        let told = |origin: &str| {
            come_again(format!("GET /sse HTTP/1.1\r\n{origin}\r\n\r\n").as_bytes(), 0).unwrap()
        };
        for named in ["Origin: https://app.example", "origin:https://app.example "] {
            assert!(told(named).contains("access-control-allow-origin: https://app.example\r\n"), "{named}");
        }
        for odd in
            ["Origin: a b", "Origin: \u{e9}", "Origin:", "X-Origin: https://app.example", "Origin: a\rb: c"]
        {
            assert!(!told(odd).contains("access-control"), "{odd}");
        }
    }
}
