//! Accepts connections and gives them to hyper; one port for HTTP and WebSocket.
//!
//! - [`socket`]: a socket that can still be spoken to when hyper has given it up
//! - [`waiting`]: how long a connection of HTTP/1.1 may wait, and which one goes when places run out
//! - `rules`: what the head of a request has to say
//! - `http2`, [`streams`]: the newer version, and what goes on within a connection of it

mod http2;
mod rules;
pub(crate) mod socket;
pub(crate) mod streams;
pub(crate) mod waiting;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::header::{CONNECTION, UPGRADE};
use http::{HeaderValue, Method, Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tower::ServiceExt;

use crate::connection::stream::Stream;
use crate::handshake::refused;
use crate::network::{self, Arrived, Network, Visit};
use crate::sessions::handover::{Handed, Handover};
use crate::tls::Tls;
use socket::{Farewell, HttpSocket};
use waiting::{Activity, IdleConnections, Paced};

/// Connections that may speak HTTP at a time, those that have not become WebSockets yet included. Further ones
/// wait in the kernel's backlog.
const HTTP_CONNECTIONS_MAX: usize = 8192;

const BACKLOG: i32 = 4096;

/// The largest head of a request: the sum of its headers.
const HEAD_BYTES_MAX: usize = 32 * 1024;

/// Binds a listener.
///
/// # Errors
/// When the address is taken or not ours.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// How long a connection of HTTP may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpDeadlines {
    /// From its beginning, or that of its next request, to the end of the request's head. Beyond it: 408.
    pub handshake: Duration,
    /// From an answer to the next request of HTTP/1.1. Beyond it the connection is closed, and earlier where its place is
    /// needed.
    pub keep_alive: Duration,
}

impl Default for HttpDeadlines {
    fn default() -> Self {
        Self { handshake: Duration::from_secs(5), keep_alive: Duration::from_secs(75) }
    }
}

impl From<Duration> for HttpDeadlines {
    /// The time for a handshake, with the usual one for the rest.
    fn from(handshake: Duration) -> Self {
        Self { handshake, ..Self::default() }
    }
}

/// Serves a router on a listener, for ever; dropping the future stops accepting.
///
/// `network` is what the node makes of where connections come from; without it none is refused for that.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    deadlines: impl Into<HttpDeadlines>,
    network: Option<Arc<Network>>,
) {
    accept(listener, Service::new(router, deadlines.into(), network)).await;
}

/// The same over TLS. Its handshake has the time that the head of a request has after it.
pub async fn serve_tls(
    listener: TcpListener,
    router: Router,
    deadlines: impl Into<HttpDeadlines>,
    network: Option<Arc<Network>>,
    tls: Tls,
) {
    let service = Service::new(router, deadlines.into(), network);
    let tls = if service.takes_http2() { tls } else { tls.without_http2() };
    accept(listener, Service { tls: Some(tls), ..service }).await;
}

/// What the connections of a listener are served with.
#[derive(Clone)]
struct Service {
    router: Router,
    /// The time for a handshake counts from the connection to the end of that of TLS, and from there again.
    deadlines: HttpDeadlines,
    network: Option<Arc<Network>>,
    tls: Option<Tls>,
    idle: Arc<IdleConnections>,
}

/// A connection's place among those that speak HTTP.
struct Place {
    _slot: OwnedSemaphorePermit,
    _visit: Option<Visit>,
}

async fn accept(listener: TcpListener, service: Service) {
    let slots = Arc::new(Semaphore::new(HTTP_CONNECTIONS_MAX));
    let mut back_off = BackOff::default();
    loop {
        let slot = match slots.clone().try_acquire_owned() {
            Ok(slot) => slot,
            Err(_) => {
                let _newcomer = service.idle.newcomer();
                // The semaphore is never closed.
                let Ok(slot) = slots.clone().acquire_owned().await else { return };
                slot
            }
        };
        match listener.accept().await {
            Ok((stream, address)) => {
                back_off = BackOff::default();
                let answer = service.tls.is_none();
                let Some(visit) = service.admit(&stream, address, answer) else { continue };
                let place = Place { _slot: slot, _visit: visit };
                tokio::spawn(service.clone().connection(stream, address, place));
            }
            Err(error) => back_off.wait(&error).await,
        }
    }
}

impl Service {
    fn new(router: Router, deadlines: HttpDeadlines, network: Option<Arc<Network>>) -> Self {
        Self { router, deadlines, network, tls: None, idle: Arc::default() }
    }

    /// A connection's place among those of its address, if it is not turned away.
    fn admit(&self, stream: &TcpStream, peer: SocketAddr, answer: bool) -> Option<Option<Visit>> {
        let Some(network) = &self.network else { return Some(None) };
        if !network.admits(stream, peer.ip(), answer) {
            return None;
        }
        network.enter(stream, peer.ip(), answer, || self.idle.make_room(Some(peer.ip()))).ok()
    }

    /// Whether connections may speak HTTP/2.
    fn takes_http2(&self) -> bool {
        self.network.as_ref().is_none_or(|network| network.http2)
    }

    async fn connection(mut self, mut stream: TcpStream, peer: SocketAddr, place: Place) {
        let accepted = peer.ip();
        let mut arrived = Arrived { peer, over_tls: self.tls.is_some(), proxied: false };
        if let Some(network) = &self.network {
            let since = Instant::now();
            if !network.arrive(&mut stream, &mut arrived, self.deadlines.handshake).await {
                return;
            }
            self.deadlines.handshake = network::remaining(self.deadlines.handshake, since);
        }
        match &self.tls {
            None => {
                let http2 = self.takes_http2() && self.begins_http2(&stream).await;
                if http2 && http2::prepare(&stream).is_err() {
                    return;
                }
                let (socket, farewell) = HttpSocket::new(stream);
                if http2 {
                    return self.speak_http2(socket, arrived, place).await;
                }
                let activity = Activity::begin(self.idle.clone(), accepted, self.deadlines, place);
                let spoken = self.speak(socket, arrived, activity, &farewell);
                let Some((socket, handed)) = spoken.await else { return };
                handed.give(socket.into_stream().map(|stream| Stream::tcp(stream.into_std()?)));
            }
            Some(tls) => {
                if http2::prepare(&stream).is_err() {
                    return;
                }
                let Some(socket) = tls.accept(stream, self.deadlines.handshake).await else { return };
                if socket.is_http2() {
                    return self.speak_http2(socket, arrived, place).await;
                }
                let farewell = socket.farewell();
                let activity = Activity::begin(self.idle.clone(), accepted, self.deadlines, place);
                let spoken = self.speak(socket, arrived, activity, &farewell);
                let Some((socket, handed)) = spoken.await else { return };
                handed.give(socket.into_parts().map(|(stream, tls)| Stream::tls(stream.into_std()?, tls)));
            }
        }
    }

    /// Whether the client begins with HTTP/2. What does not come in time is taken for HTTP/1.1, which then has no time left
    /// either.
    async fn begins_http2(&mut self, stream: &TcpStream) -> bool {
        match tokio::time::timeout(self.deadlines.handshake, http2::is_begun_on(stream)).await {
            Ok(begun) => begun.unwrap_or_default(),
            Err(_) => {
                self.deadlines.handshake = Duration::from_millis(1);
                false
            }
        }
    }

    /// Speaks HTTP/1.1. What is given is left of the socket when a worker is to write a response itself.
    async fn speak<S, F>(
        &self,
        socket: S,
        arrived: Arrived,
        connection: waiting::Connection,
        farewell: &F,
    ) -> Option<(S, Handed)>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
        F: Farewell<S>,
    {
        let (hand_over, handed_over) = oneshot::channel();
        let hand_over = Arc::new(HandOver(Mutex::new(Some(hand_over))));
        let (activity, upgraded) = (&connection.0, &AtomicBool::new(false));
        let service = service_fn(|request: Request<Incoming>| {
            let (hand_over, answering) = (hand_over.clone(), activity.answer());
            let judged = rules::judge(&request);
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(arrived.peer));
            request.extensions_mut().insert(arrived);
            let has_body = request.method() != Method::HEAD;
            let wants_upgrade =
                request.headers().contains_key(UPGRADE) || request.method() == Method::CONNECT;
            let answer = self.router.clone().oneshot(request);
            async move {
                let mut response = match judged {
                    Ok(()) => answer.await?,
                    Err(refusal) => refused(&refusal),
                };
                if let Some(handover) = response.extensions_mut().remove::<Handover>()
                    && has_body
                    && hand_over.take().is_some_and(|to| to.send(Handed::new(handover, &response)).is_ok())
                {
                    // Hyper is given up while it waits for this.
                    return std::future::pending().await;
                }
                upgraded.store(response.status() == StatusCode::SWITCHING_PROTOCOLS, Ordering::Relaxed);
                // What is sent in the belief that an upgrade or a tunnel succeeded must not be read as another request.
                if wants_upgrade && !upgraded.load(Ordering::Relaxed) {
                    response.headers_mut().entry(CONNECTION).or_insert(HeaderValue::from_static("close"));
                }
                // The connection waits for its next request when the body is written and dropped.
                let response = response.map(|body| Body::new(answering.until_written(body)));
                Ok::<_, std::convert::Infallible>(response)
            }
        });
        let served = http1::Builder::new()
            .max_buf_size(HEAD_BYTES_MAX)
            .serve_connection(TokioIo::new(Paced::new(socket, activity.clone())), service)
            .with_upgrades();
        let mut served = std::pin::pin!(served);
        tokio::select! {
            ended = served.as_mut() => {
                match ended {
                    Ok(()) if upgraded.load(Ordering::Relaxed) => {}
                    Ok(()) => farewell.linger().await,
                    Err(error) => {
                        tracing::debug!(%error, address = %arrived.peer, "an HTTP connection ended early");
                        if activity.is_late() {
                            farewell.too_late();
                        }
                    }
                }
                None
            }
            Ok(handed) = handed_over => farewell.hold().map(|socket| (socket, handed)),
        }
    }
}

/// Takes one response out of a connection, which ends HTTP on it.
struct HandOver(Mutex<Option<oneshot::Sender<Handed>>>);

impl HandOver {
    fn take(&self) -> Option<oneshot::Sender<Handed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The pause after a failed accept: doubled as long as it goes on.
#[derive(Default)]
struct BackOff {
    failures: u32,
}

impl BackOff {
    async fn wait(&mut self, error: &io::Error) {
        // A peer that has gone again is its own affair; anything else, most likely that descriptors have run
        // out, needs time to pass.
        if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
            return;
        }
        if self.failures == 0 {
            tracing::warn!(%error, "accepting failed, backing off");
        }
        let pause = Duration::from_millis(10 << self.failures.min(6));
        self.failures += 1;
        tokio::time::sleep(pause).await;
    }
}
