//! A TLS connection while it speaks HTTP.

use std::io::{self, IoSlice, Write as _};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, ready};

use fanfare_protocol::ErrorCode;
use rustls::ServerConnection;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::HTTP2;
use crate::listen::socket::{Farewell, HttpSocket, answer};

/// The first byte of every TLS connection: a record with a handshake message (RFC 8446, section 5.1).
const HANDSHAKE_RECORD: u8 = 22;

/// What is read of a request that will not be answered as it hopes.
const REFUSED_BYTES_MAX: usize = 64 * 1024;

/// A TLS connection that can still be spoken to when hyper has given it up.
pub(crate) struct TlsSocket {
    shared: Arc<Shared>,
}

/// What is left of the connection for who serves it.
pub(crate) struct TlsFarewell(Weak<Shared>);

struct Shared {
    /// Held for one call at a time: hyper's, or the farewell's when hyper is done.
    stream: Mutex<TlsStream<HttpSocket>>,
    /// Whether something came since the last answer. Written by the socket, read by its farewell.
    asked: AtomicBool,
}

impl TlsSocket {
    pub(super) fn new(stream: TlsStream<HttpSocket>) -> Self {
        Self { shared: Arc::new(Shared { stream: Mutex::new(stream), asked: AtomicBool::new(false) }) }
    }

    /// Whether HTTP/2 was agreed on (ALPN, RFC 7301).
    pub(crate) fn is_http2(&self) -> bool {
        self.shared.stream().get_ref().1.alpn_protocol() == Some(HTTP2)
    }

    pub(crate) fn farewell(&self) -> TlsFarewell {
        TlsFarewell(Arc::downgrade(&self.shared))
    }

    /// The stream and what rustls knows of it, for who takes them over.
    pub(crate) fn into_parts(self) -> Option<(TcpStream, ServerConnection)> {
        let stream = Arc::into_inner(self.shared)?.stream;
        let (socket, tls) = stream.into_inner().unwrap_or_else(PoisonError::into_inner).into_inner();
        Some((socket.into_stream()?, tls))
    }
}

impl Farewell<TlsSocket> for TlsFarewell {
    fn hold(&self) -> Option<TlsSocket> {
        Some(TlsSocket { shared: self.0.upgrade()? })
    }

    fn too_late(&self) {
        let Some(shared) = self.0.upgrade() else { return };
        let mut stream = shared.stream();
        let (socket, tls) = stream.get_mut();
        if shared.asked.load(Ordering::Relaxed) {
            let _ = tls.writer().write_all(answer(ErrorCode::HandshakeTimeout, None).as_bytes());
        }
        tls.send_close_notify();
        // A socket that takes no bytes now has waited long enough.
        while tls.wants_write() && tls.write_tls(&mut Now(socket)).is_ok_and(|bytes| bytes > 0) {}
    }

    /// What still comes is not decrypted.
    async fn linger(&self) {
        let socket = self.0.upgrade().map(|shared| shared.stream().get_ref().0.another());
        if let Some(socket) = socket {
            socket.linger().await;
        }
    }
}

impl Shared {
    fn stream(&self) -> MutexGuard<'_, TlsStream<HttpSocket>> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes what the socket takes at once.
struct Now<'a>(&'a HttpSocket);

impl io::Write for Now<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for TlsSocket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = ready!(Pin::new(&mut *self.shared.stream()).poll_read(context, buffer));
        self.shared.asked.fetch_or(buffer.filled().len() > before, Ordering::Relaxed);
        Poll::Ready(result)
    }
}

impl AsyncWrite for TlsSocket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = ready!(Pin::new(&mut *self.shared.stream()).poll_write(context, bytes));
        self.shared.asked.store(false, Ordering::Relaxed);
        Poll::Ready(result)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = ready!(Pin::new(&mut *self.shared.stream()).poll_write_vectored(context, slices));
        self.shared.asked.store(false, Ordering::Relaxed);
        Poll::Ready(result)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.shared.stream()).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.shared.stream()).poll_shutdown(context)
    }
}

/// Whether the first byte is no TLS client's but could begin an HTTP request. Takes nothing of it.
pub(super) async fn speaks_http(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    stream.peek(&mut first).await?;
    Ok(first[0] != HANDSHAKE_RECORD && first[0].is_ascii_alphabetic())
}

/// Tells a client that forgot the `s` of `https:` or `wss:`.
pub(super) async fn refuse_http(mut stream: TcpStream) {
    let text = "TLS is spoken here: use https:// or wss://";
    let mut unread = vec![0; 8 * 1024];
    let mut budget = REFUSED_BYTES_MAX;
    // What is left unread when a socket closes makes the kernel take its answer back with a reset. Ends at the
    // deadline of the handshake, if not before.
    let refused = answer(ErrorCode::BadHandshake, Some(text));
    let _ = stream.try_read(&mut unread);
    if stream.write_all(refused.as_bytes()).await.is_err() || stream.shutdown().await.is_err() {
        return;
    }
    while budget > 0 {
        match stream.read(&mut unread).await {
            Ok(bytes) if bytes > 0 => budget = budget.saturating_sub(bytes),
            _ => return,
        }
    }
}
