//! HTTP/2 (RFC 9113): what begins it, its bounds, and how a connection of it ends.

use std::future::pending;
use std::io;
use std::mem::MaybeUninit;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use fanfare_protocol::ErrorCode;
use http::header::{CONNECTION, HOST, UPGRADE};
use http::uri::Uri;
use http::{HeaderValue, Method, Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::ext::Protocol;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};
use tower::ServiceExt as _;

use super::streams::Streams;
use super::{HEAD_BYTES_MAX, Place, Service};
use crate::connection::stream::NOT_SENT_BYTES_MAX;
use crate::handshake::{Refusal, refused};
use crate::network::Arrived;
use crate::network::holdings::{Held, REQUEST_BYTES};
use crate::sessions::handover::Handover;

/// What a client begins with that knows the server speaks HTTP/2 (RFC 9113 §3.4). No request of HTTP/1.1 begins so.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Streams at a time, requests and WebSockets together: the least that RFC 9113 §6.5.2 recommends. Each of them costs what
/// a request costs, and their number is what one address can have for one of its 256 connections.
const STREAMS_MAX: u32 = 100;

/// What a client may send on one stream without being read. The messages of a WebSocket fit many times, and the
/// worker's socket has the next buffer.
const STREAM_WINDOW_BYTES: u32 = 32 * 1024;

/// And on all: so many streams may be left unread before the others of their connection wait for them. Half of it is
/// also what the library allows for the overhead of small frames that were not read yet, before it hangs up.
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
const _: () = assert!(CONNECTION_WINDOW_BYTES >= 32 * STREAM_WINDOW_BYTES);

/// The least that there may be (RFC 9113 §4.2): a larger frame would only hold up those of other streams.
const FRAME_BYTES_MAX: u32 = 16 * 1024;

/// What is kept for one stream that its client does not take.
const SEND_BUFFER_BYTES_MAX: usize = 32 * 1024;

/// The table by which heads are shortened, of one connection: the default of RFC 9113 §6.5.2.
const HEADER_TABLE_BYTES: u32 = 4096;

/// A client that says nothing is asked whether it is there, and has so long to answer. Nothing may come between the frames
/// of one head, so this bounds as well how slowly a head may come.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Streams that are opened and reset before the server has looked at them (CVE-2023-44487), and streams that the server
/// had to reset for breaking the protocol. One more ends the connection.
const UNSEEN_RESETS_MAX: usize = 20;
const FAULTY_STREAMS_MAX: usize = 100;

/// Requests that are taken back before their answer. Each one that is answered makes up for one that is not, so a page
/// that changes its mind now and then does not reach it.
const TAKEN_BACK_MAX: u32 = 100;

/// How long nothing may happen on a connection before it is told to go (GOAWAY), and from there until it is ended: no
/// request comes, and its client takes no part of an answer. It holds one of the listener's places meanwhile.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// How long a client that has asked nothing in time has to take note of that.
const FAREWELL_MAX: Duration = Duration::from_secs(2);

/// Whether a connection begins with the preface. Takes nothing of it.
pub(super) async fn is_begun_on(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0; PREFACE.len()];
    let mut count = 0;
    loop {
        let ready = stream.ready(Interest::READABLE).await?;
        // With a part of it there, the socket stays readable. Only what says that it would block waits for more, and
        // never where the peer has ended: that state stays, so the wait would end at once, for ever.
        let more = stream.try_io(Interest::READABLE, || {
            let mut first = [MaybeUninit::uninit(); PREFACE.len()];
            match SockRef::from(stream).peek(&mut first)? {
                0 => Ok(false),
                now if now > count => Ok(true),
                _ => Err(io::ErrorKind::WouldBlock.into()),
            }
        });
        match more {
            Ok(true) => count = stream.peek(&mut first).await?,
            Ok(false) => return Ok(false),
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            Err(_) if ready.is_read_closed() => return Ok(false),
            Err(_) => continue,
        }
        if !PREFACE.starts_with(&first[..count]) {
            return Ok(false);
        }
        if count == PREFACE.len() {
            return Ok(true);
        }
    }
}

/// Makes a socket fit for many streams: none waits for the others' acknowledgements, and the kernel holds a bounded
/// amount that the client has not taken, as for a WebSocket of its own.
pub(super) fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    // Without it the bound on waiting bytes is only looser.
    let _ = SockRef::from(stream).set_tcp_notsent_lowat(NOT_SENT_BYTES_MAX);
    Ok(())
}

impl Service {
    /// Speaks HTTP/2. The connection holds its place among those that speak HTTP until a stream stays.
    pub(super) async fn speak_http2<S>(&self, socket: S, arrived: Arrived, place: Place)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let streams = Streams::default();
        let service = service_fn(|request| {
            let held = self.network.as_ref().map(|network| {
                let mut held = network.hold(Some(arrived.peer.ip()), Some(streams.held()));
                (held.grow(REQUEST_BYTES), held)
            });
            answer(self.router.clone(), request, arrived, streams.clone(), held)
        });
        let mut connection = pin!(builder().serve_connection(TokioIo::new(socket), service));
        let mut load = streams.load();
        let mut place = Some(place);
        let first_request = Instant::now() + self.deadlines.handshake;
        let mut told = None;
        loop {
            let now = *load.borrow_and_update();
            if now.taken_back > TAKEN_BACK_MAX {
                tracing::debug!(address = %arrived.peer, "an HTTP/2 connection took back too many requests");
                return;
            }
            if now.stays > 0 {
                place = None;
            }
            let until = match now {
                _ if now.stays > 0 || now.unanswered > 0 => None,
                _ if !now.asked && told.is_some() => Some(first_request + FAREWELL_MAX),
                _ if !now.asked => Some(first_request),
                // Nothing stays any more, and it has no place to go on as any other.
                // Once it was told so, nothing that happens on it makes the time longer.
                _ if place.is_none() => Some(told.map_or_else(Instant::now, |told| told + IDLE_MAX)),
                _ => Some(Instant::now() + IDLE_MAX),
            };
            tokio::select! {
                result = connection.as_mut() => {
                    if let Err(error) = result {
                        tracing::debug!(%error, address = %arrived.peer, "an HTTP/2 connection ended early");
                    }
                    return;
                }
                // The sender is above.
                _ = load.changed() => continue,
                () = at(until) => if told.is_some() { return },
                // Whoever has asked nothing yet gets one answer, which may say that the node goes.
                () = self.draining(), if now.asked && told.is_none() => {}
            }
            told = Some(Instant::now());
            connection.as_mut().graceful_shutdown();
        }
    }

    async fn draining(&self) {
        match &self.network {
            Some(network) => network.drain.begun().await,
            None => pending().await,
        }
    }
}

async fn answer(
    router: Router,
    request: Request<Incoming>,
    arrived: Arrived,
    streams: Streams,
    held: Option<(bool, Held)>,
) -> Result<Response<Body>, h2::Error> {
    let mut asked = streams.ask();
    if held.as_ref().is_some_and(|(fits, _)| !fits) {
        // RFC 9113 §8.7: nothing was done, and the client may ask again. An answer would have to be kept as well.
        return Err(h2::Reason::REFUSED_STREAM.into());
    }
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(ConnectInfo(arrived.peer));
    request.extensions_mut().insert(arrived);
    request.extensions_mut().insert(streams.clone());
    let mut response = match as_in_http1(&mut request) {
        Ok(()) => match router.oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        },
        Err(refusal) => refused(&refusal),
    };
    asked.answered();
    // RFC 9113 §8.2.2: what is said of a connection of HTTP/1.1 makes no sense here.
    response.headers_mut().remove(CONNECTION);
    response.headers_mut().remove(UPGRADE);
    let stay = response.extensions_mut().remove::<Handover>().map(|_| streams.stay());
    // What stays is counted as a connection.
    let held = held.filter(|_| stay.is_none());
    Ok(response.map(|body| {
        Body::new(body.map_frame(move |frame| {
            let _ = (&stay, &held);
            asked.sent();
            frame
        }))
    }))
}

/// Waits until then; for ever without.
async fn at(until: Option<Instant>) {
    match until {
        Some(instant) => sleep_until(instant).await,
        None => pending().await,
    }
}

fn builder() -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES_MAX)
        .max_send_buf_size(SEND_BUFFER_BYTES_MAX)
        .max_header_list_size(HEAD_BYTES_MAX as u32)
        .header_table_size(HEADER_TABLE_BYTES)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .max_pending_accept_reset_streams(UNSEEN_RESETS_MAX)
        .max_local_error_reset_streams(FAULTY_STREAMS_MAX)
        .enable_connect_protocol();
    builder
}

/// Gives a request the form that it has in HTTP/1.1, with a `Host` and a path, so that nobody behind this has to know two.
fn as_in_http1<B>(request: &mut Request<B>) -> Result<(), Refusal> {
    if request.method() == Method::CONNECT && request.extensions().get::<Protocol>().is_none() {
        let text = "this is no proxy: CONNECT needs ':protocol: websocket' (RFC 8441)".to_owned();
        return Err(Refusal { code: ErrorCode::UnsupportedProtocol, text });
    }
    let uri = std::mem::take(request.uri_mut()).into_parts();
    if let Some(authority) = uri.authority {
        let mut hosts = request.headers().get_all(HOST).iter();
        // RFC 9113 §8.3.1: one that differs makes the request malformed.
        if !hosts.all(|host| host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes())) {
            let text = "\"Host\" and \":authority\" differ".to_owned();
            return Err(Refusal { code: ErrorCode::InvalidRequest, text });
        }
        if let Ok(host) = HeaderValue::from_str(authority.as_str()) {
            request.headers_mut().insert(HOST, host);
        }
    }
    *request.uri_mut() = uri.path_and_query.map(Uri::from).unwrap_or_default();
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::routing::get;
    use bytes::Bytes;
    use tokio::sync::Semaphore;

    use http::Version;

    use super::super::HttpDeadlines;
    use super::*;

    /// A client that has room for so much of each answer, and asks for one of 100 KiB; the connection's end on the clock
    /// of the test, in seconds.
    async fn ends_after(window_bytes: u32) -> u64 {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let router = Router::new().route("/", get(|| async { "a".repeat(100 * 1024) }));
        let service = Service::new(router, HttpDeadlines::default(), None);
        let slot = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let place = Place { _slot: slot, _visit: None };
        let arrived = Arrived { peer: ([127, 0, 0, 1], 1).into(), over_tls: false, proxied: false };
        let started = Instant::now();
        let serving = tokio::spawn(async move { service.speak_http2(far, arrived, place).await });
        let mut client = h2::client::Builder::new();
        client.initial_window_size(window_bytes).initial_connection_window_size(1 << 20);
        let (requests, connection) = client.handshake::<_, Bytes>(near).await.unwrap();
        let driver = tokio::spawn(connection);
        let request = Request::get("http://localhost/").body(()).unwrap();
        let (response, _) = requests.clone().send_request(request, true).unwrap();
        let response = response.await.unwrap();
        serving.await.unwrap();
        // One who was told goes by itself, unless its answer is still due.
        drop((response, requests, driver));
        started.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_on_which_nothing_happens_is_told_to_go_and_ended() {
        assert_eq!(ends_after(1 << 20).await, 60);
    }

    /// A client that asked and took nothing of the answer, but answered every ping, was there for ever.
    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_not_taken_does_not_wait_for_ever() {
        assert_eq!(ends_after(0).await, 120);
    }

    fn form(uri: &str, hosts: &[&str]) -> Option<String> {
        let mut request = Request::builder().uri(uri).version(Version::HTTP_2);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        let mut request = request.body(()).unwrap();
        as_in_http1(&mut request).ok()?;
        let host = request.headers().get(HOST).map(|host| host.to_str().unwrap());
        assert!(request.headers().get_all(HOST).iter().count() <= 1);
        Some(format!("{} {}", host.unwrap_or("-"), request.uri()))
    }

    #[test]
    fn the_authority_becomes_the_host_unless_they_differ() {
        let form = |uri: &str, hosts: &[&str]| form(uri, hosts).unwrap_or_default();
        assert_eq!(form("https://a.example/ws?x=1", &[]), "a.example /ws?x=1");
        assert_eq!(form("https://a.example:81/ws", &["A.example:81"]), "a.example:81 /ws");
        assert_eq!(form("https://a.example/ws", &["a.example", "a.example"]), "a.example /ws");
        assert_eq!(form("https://a.example/ws", &["b.example"]), "");
        assert_eq!(form("https://a.example/ws", &["a.example", "b.example"]), "");
        assert_eq!(form("/ws", &["a.example"]), "a.example /ws");
        assert_eq!(form("/ws", &[]), "- /ws");
    }
}
