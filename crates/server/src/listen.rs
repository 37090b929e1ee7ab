//! Accepts connections and gives them to hyper; one port for HTTP and WebSocket.
//!
//! - [`socket`]: a socket that can still be spoken to when hyper has given it up

pub(crate) mod socket;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

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
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tower::ServiceExt;

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
pub async fn serve(listener: TcpListener, router: Router, handshake: Duration) {
    let slots = Arc::new(Semaphore::new(HTTP_CONNECTIONS_MAX));
    let mut back_off = BackOff::default();
    loop {
        // The semaphore is never closed.
        let Ok(slot) = slots.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, address)) => {
                back_off = BackOff::default();
                let connection = connection(stream, address, router.clone(), handshake);
                tokio::spawn(async move {
                    connection.await;
                    drop(slot);
                });
            }
            Err(error) => back_off.wait(&error).await,
        }
    }
}

async fn connection(stream: TcpStream, address: SocketAddr, router: Router, handshake: Duration) {
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(address));
        let wants_upgrade = request.headers().contains_key(UPGRADE) || request.method() == Method::CONNECT;
        let answer = router.clone().oneshot(request);
        async move {
            let mut response = answer.await?;
            // What is sent in the belief that an upgrade or a tunnel succeeded must not be read as another request.
            if wants_upgrade && response.status() != StatusCode::SWITCHING_PROTOCOLS {
                response.headers_mut().entry(CONNECTION).or_insert(HeaderValue::from_static("close"));
            }
            Ok::<_, std::convert::Infallible>(response)
        }
    });
    let (socket, farewell) = HttpSocket::new(stream);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(handshake)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(socket), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    if let Err(error) = connection.as_mut().await {
        tracing::debug!(%error, %address, "an HTTP connection ended early");
        if error.is_timeout() {
            farewell.too_late();
        }
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
