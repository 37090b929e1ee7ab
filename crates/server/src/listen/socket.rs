//! A socket that can still be spoken to when hyper has given it up: hyper leaves a request whose head does
//! not come in time without an answer.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use fanfare_protocol::ErrorCode;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// A connection's socket while it speaks HTTP.
pub(crate) struct HttpSocket {
    shared: Arc<Shared>,
    /// Runs while the peer takes nothing of what is to be written.
    stalled: Option<Pin<Box<Sleep>>>,
}

/// How long a peer may take nothing of its answers. One that pipelines requests and never reads would hold
/// its slot for ever: hyper's own deadline is on heads only.
const WRITE_DEADLINE: Duration = Duration::from_secs(10);

/// How long a client whose connection we have ended may take to take note, and how much of what it still sends is read
/// meanwhile. A socket that is closed with unread bytes is reset, and a client that was still sending a body would see
/// that in place of the answer: many programs read nothing before they have sent all.
const LINGER_MAX: Duration = Duration::from_secs(5);
const LINGER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What is left of a connection for who serves it.
pub(crate) trait Farewell<S> {
    /// Holds the connection over the end of HTTP on it, for who takes it over.
    fn hold(&self) -> Option<S>;

    /// Answers a request that began to come and did not end in time.
    fn too_late(&self);

    /// Reads what its client still sends to a connection that we have ended, until it has ended it too.
    fn linger(&self) -> impl Future<Output = ()> + Send;
}

/// What is left of a socket.
pub(crate) struct SocketFarewell(Weak<Shared>);

struct Shared {
    stream: TcpStream,
    /// Whether something came since the last answer. Written by the socket, read by its farewell.
    asked: AtomicBool,
}

impl HttpSocket {
    pub(crate) fn new(stream: TcpStream) -> (Self, SocketFarewell) {
        let shared = Arc::new(Shared { stream, asked: AtomicBool::new(false) });
        let farewell = SocketFarewell(Arc::downgrade(&shared));
        (Self { shared, stalled: None }, farewell)
    }

    /// Writes what the socket takes at once.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.shared.stream.try_write(bytes)
    }

    /// The same socket, for who reads what its client still sends.
    pub(crate) fn another(&self) -> Self {
        Self { shared: self.shared.clone(), stalled: None }
    }

    /// Reads what comes until the peer has ended, a time is over, or it is too much.
    pub(crate) async fn linger(&self) {
        let reading = async {
            let (mut seen, mut buffer) = (0, vec![0; 16 * 1024]);
            while seen < LINGER_BYTES_MAX && self.shared.stream.readable().await.is_ok() {
                match self.shared.stream.try_read(&mut buffer) {
                    Ok(0) => return,
                    Ok(bytes) => seen += bytes,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(_) => return,
                }
            }
        };
        // Who takes longer sees a reset.
        let _ = tokio::time::timeout(LINGER_MAX, reading).await;
    }

    /// The stream, for who takes it over.
    pub(crate) fn into_stream(self) -> Option<TcpStream> {
        Arc::into_inner(self.shared).map(|shared| shared.stream)
    }
}

impl Farewell<HttpSocket> for SocketFarewell {
    fn hold(&self) -> Option<HttpSocket> {
        Some(HttpSocket { shared: self.0.upgrade()?, stalled: None })
    }

    /// Who sent nothing is told nothing: a client might take it for the answer to what it asks next.
    fn too_late(&self) {
        let Some(shared) = self.0.upgrade() else { return };
        if !shared.asked.load(Ordering::Relaxed) {
            return;
        }
        let answer = answer(ErrorCode::HandshakeTimeout, None);
        // A socket that takes no bytes now has waited long enough.
        let _ = shared.stream.try_write(answer.as_bytes());
    }

    async fn linger(&self) {
        let Some(socket) = self.hold() else { return };
        socket.linger().await;
    }
}

/// A whole response by hand, where hyper gives none; it ends the connection. `text` stands for the code's own.
pub(crate) fn answer(code: ErrorCode, text: Option<&str>) -> String {
    let text = text.unwrap_or(code.text());
    let body = serde_json::json!({"error": {"code": code.as_str(), "message": text}}).to_string();
    let reason = http::StatusCode::from_u16(code.http_status()).ok().and_then(|s| s.canonical_reason());
    format!(
        "HTTP/1.1 {} {}\r\ncontent-type: application/json\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        code.http_status(),
        reason.unwrap_or_default(),
        body.len(),
    )
}

impl AsyncRead for HttpSocket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Shared { stream, asked } = &*self.shared;
        loop {
            ready!(stream.poll_read_ready(context))?;
            match stream.try_read(buffer.initialize_unfilled()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
                Ok(bytes) => {
                    buffer.advance(bytes);
                    asked.fetch_or(bytes > 0, Ordering::Relaxed);
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl HttpSocket {
    fn write(
        &mut self,
        context: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let Shared { stream, asked } = &*self.shared;
        loop {
            let Poll::Ready(ready) = stream.poll_write_ready(context) else {
                let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(WRITE_DEADLINE)));
                ready!(stalled.as_mut().poll(context));
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            };
            ready?;
            match write(stream) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => {
                    self.stalled = None;
                    asked.store(false, Ordering::Relaxed);
                    return Poll::Ready(result);
                }
            }
        }
    }
}

impl AsyncWrite for HttpSocket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write(context, |stream| stream.try_write(bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write(context, |stream| stream.try_write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(SockRef::from(&self.shared.stream).shutdown(std::net::Shutdown::Write))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;
    use tokio::time::Instant;

    use super::*;

    /// A client that pipelined requests and read nothing held its slot for ever: the only deadline was on the head of
    /// the next request, and that one had come.
    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_of_its_answers_is_given_up() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let _peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        let (mut socket, _farewell) = HttpSocket::new(TcpStream::from_std(stream).unwrap());
        let started = Instant::now();
        let answer = vec![0; 64 * 1024 * 1024];
        let error = socket.write_all(&answer).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(started.elapsed() >= WRITE_DEADLINE);
    }
}
