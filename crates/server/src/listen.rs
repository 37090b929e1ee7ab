//! Accepts connections and gives them to hyper; one port for HTTP and WebSocket.
//!
//! - [`socket`]: a socket that can still be spoken to when hyper has given it up
//! - `http2`, [`streams`]: the newer version, and what goes on within a connection of it

mod http2;
pub(crate) mod socket;
pub(crate) mod streams;

use std::io;
use std::net::SocketAddr;
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
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tower::ServiceExt;

use crate::connection::stream::Stream;
use crate::network::{self, Arrived, Network, Visit};
use crate::sessions::handover::{Handed, Handover};
use crate::tls::Tls;
use socket::HttpSocket;

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

/// Serves a router on a listener, for ever; dropping the future stops accepting.
///
/// `network` is what the node makes of where connections come from; without it none is refused for that.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    handshake: Duration,
    network: Option<Arc<Network>>,
) {
    accept(listener, Service { router, handshake, network, tls: None }).await;
}

/// The same over TLS. Its handshake has the time that the head of a request has after it.
pub async fn serve_tls(
    listener: TcpListener,
    router: Router,
    handshake: Duration,
    network: Option<Arc<Network>>,
    tls: Tls,
) {
    let service = Service { router, handshake, network, tls: None };
    let tls = if service.takes_http2() { tls } else { tls.without_http2() };
    accept(listener, Service { tls: Some(tls), ..service }).await;
}

/// What the connections of a listener are served with.
#[derive(Clone)]
struct Service {
    router: Router,
    /// From a connection to the end of its handshake, and from there to the end of a request's head.
    handshake: Duration,
    network: Option<Arc<Network>>,
    tls: Option<Tls>,
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
        // The semaphore is never closed.
        let Ok(slot) = slots.clone().acquire_owned().await else { return };
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
    /// A connection's place among those of its address, if it is not turned away.
    fn admit(&self, stream: &TcpStream, peer: SocketAddr, answer: bool) -> Option<Option<Visit>> {
        let Some(network) = &self.network else { return Some(None) };
        if !network.admits(stream, peer.ip(), answer) {
            return None;
        }
        network.enter(stream, peer.ip(), answer).ok()
    }

    /// Whether connections may speak HTTP/2.
    fn takes_http2(&self) -> bool {
        self.network.as_ref().is_none_or(|network| network.http2)
    }

    async fn connection(mut self, mut stream: TcpStream, peer: SocketAddr, place: Place) {
        let mut arrived = Arrived { peer, over_tls: self.tls.is_some(), proxied: false };
        if let Some(network) = &self.network {
            let since = Instant::now();
            if !network.arrive(&mut stream, &mut arrived, self.handshake).await {
                return;
            }
            self.handshake = network::remaining(self.handshake, since);
        }
        match &self.tls {
            None => {
                // What does not come in time is judged as HTTP/1.1, which then has no time left either.
                let http2 = self.takes_http2()
                    && match tokio::time::timeout(self.handshake, http2::is_begun_on(&stream)).await {
                        Ok(begun) => begun.unwrap_or_default(),
                        Err(_) => {
                            self.handshake = Duration::from_millis(1);
                            false
                        }
                    };
                if http2 && http2::prepare(&stream).is_err() {
                    return;
                }
                let (socket, farewell) = HttpSocket::new(stream);
                if http2 {
                    return self.speak_http2(socket, arrived, place).await;
                }
                let spoken = self.speak(socket, arrived, || farewell.too_late(), || farewell.hold());
                let Some((socket, handed)) = spoken.await else { return };
                handed.give(socket.into_stream().map(|stream| Stream::tcp(stream.into_std()?)));
            }
            Some(tls) => {
                if http2::prepare(&stream).is_err() {
                    return;
                }
                let Some(socket) = tls.accept(stream, self.handshake).await else { return };
                if socket.is_http2() {
                    return self.speak_http2(socket, arrived, place).await;
                }
                let farewell = socket.farewell();
                let spoken = self.speak(socket, arrived, || farewell.too_late(), || farewell.hold());
                let Some((socket, handed)) = spoken.await else { return };
                handed.give(socket.into_parts().map(|(stream, tls)| Stream::tls(stream.into_std()?, tls)));
            }
        }
    }

    /// Speaks HTTP/1.1; `too_late` is for a client whose request does not come in time. What `hold` gives is left of the
    /// socket when a worker is to write a response itself.
    async fn speak<S>(
        &self,
        socket: S,
        arrived: Arrived,
        too_late: impl FnOnce(),
        hold: impl FnOnce() -> Option<S>,
    ) -> Option<(S, Handed)>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (hand_over, handed_over) = oneshot::channel();
        let hand_over = Arc::new(HandOver(Mutex::new(Some(hand_over))));
        let service = service_fn(|request: Request<Incoming>| {
            let hand_over = hand_over.clone();
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(arrived.peer));
            request.extensions_mut().insert(arrived);
            let has_body = request.method() != Method::HEAD;
            let wants_upgrade =
                request.headers().contains_key(UPGRADE) || request.method() == Method::CONNECT;
            let answer = self.router.clone().oneshot(request);
            async move {
                let mut response = answer.await?;
                if let Some(handover) = response.extensions_mut().remove::<Handover>()
                    && has_body
                    && hand_over.take().is_some_and(|to| to.send(Handed::new(handover, &response)).is_ok())
                {
                    // Hyper is given up while it waits for this.
                    return std::future::pending().await;
                }
                // What is sent in the belief that an upgrade or a tunnel succeeded must not be read as another request.
                if wants_upgrade && response.status() != StatusCode::SWITCHING_PROTOCOLS {
                    response.headers_mut().entry(CONNECTION).or_insert(HeaderValue::from_static("close"));
                }
                Ok::<_, std::convert::Infallible>(response)
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.handshake)
            .max_buf_size(HEAD_BYTES_MAX)
            .serve_connection(TokioIo::new(socket), service)
            .with_upgrades();
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            ended = connection.as_mut() => {
                let error = ended.err()?;
                tracing::debug!(%error, address = %arrived.peer, "an HTTP connection ended early");
                if error.is_timeout() {
                    too_late();
                }
                None
            }
            Ok(handed) = handed_over => hold().map(|socket| (socket, handed)),
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
