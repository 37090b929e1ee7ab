//! The kinds of socket a connection may come over.
//!
//! - [`tls`]: records on a socket

mod tls;

use std::convert::Infallible;
use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use mio::event::Source;
use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};
use rustls::ServerConnection;
use socket2::SockRef;
use tokio::sync::oneshot;

use tls::TlsStream;

/// Unsent bytes that the kernel takes from us at a time. What waits beyond that waits in the outbox, where
/// policies apply; and the rest of the kernel's buffer stays free for the last words to a peer that stopped
/// reading.
pub(crate) const NOT_SENT_BYTES_MAX: u32 = 128 * 1024;

/// What Linux grants by default when it is asked for a large buffer: twice `net.core.wmem_max`.
const SEND_BUFFER_CEILING: usize = 2 * 212_992;

/// A socket in non-blocking mode.
pub(crate) enum Stream {
    /// A TCP connection.
    Tcp(TcpStream),
    /// A TLS connection. Apart, so that the others are no larger for it.
    Tls(Box<TlsStream>),
    /// Our end of a pair whose other end is pumped into a stream that is no socket, such as TLS in somebody's own
    /// server. With it goes what tells the pump that nobody holds this end any more.
    Pumped { stream: UnixStream, _held: oneshot::Sender<Infallible> },
    /// None: a session waits for its client.
    Gone,
}

impl Stream {
    /// Takes over a TCP socket.
    pub(crate) fn tcp(stream: std::net::TcpStream) -> io::Result<Self> {
        Ok(Self::Tcp(bounded(stream)?))
    }

    /// Takes over a TCP socket and the TLS connection over it.
    pub(crate) fn tls(stream: std::net::TcpStream, tls: ServerConnection) -> io::Result<Self> {
        Ok(Self::Tls(Box::new(TlsStream::new(bounded(stream)?, tls))))
    }

    /// Takes over one end of a pair.
    pub(crate) fn pumped(
        stream: std::os::unix::net::UnixStream,
        held: oneshot::Sender<Infallible>,
    ) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self::Pumped { stream: UnixStream::from_std(stream), _held: held })
    }

    /// Registers for edges of both directions, once and for all.
    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        match self {
            Self::Tcp(stream) => stream.register(registry, token, interest),
            Self::Tls(stream) => stream.socket_mut().register(registry, token, interest),
            Self::Pumped { stream, .. } => stream.register(registry, token, interest),
            Self::Gone => Ok(()),
        }
    }

    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        retry(|| match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
            Self::Pumped { stream, .. } => stream.read(buffer),
            Self::Gone => Err(io::ErrorKind::WouldBlock.into()),
        })
    }

    /// Whether there may be more after a read of `bytes` into a buffer of `wanted`, of which no event will tell.
    pub(crate) fn has_more(&self, bytes: usize, wanted: usize) -> bool {
        match self {
            Self::Tls(stream) => stream.has_more(),
            // A short read has emptied the socket, and what comes later is a new edge.
            Self::Tcp(_) | Self::Pumped { .. } => bytes == wanted,
            Self::Gone => false,
        }
    }

    /// Writes as much as can be; the slices are used up in doing so.
    pub(crate) fn write(&mut self, slices: &mut [IoSlice<'_>]) -> io::Result<usize> {
        retry(|| match (&mut *self, &mut *slices) {
            // A plain send costs the kernel less than a vectored one.
            (Self::Tcp(stream), [single]) => stream.write(single),
            (Self::Tcp(stream), slices) => stream.write_vectored(slices),
            (Self::Tls(stream), slices) => stream.write(slices),
            (Self::Pumped { stream, .. }, slices) => stream.write_vectored(slices),
            (Self::Gone, _) => Err(io::ErrorKind::WouldBlock.into()),
        })
    }

    /// Whether what was written waits here for the socket, and not in the kernel.
    pub(crate) fn has_unsent(&self) -> bool {
        matches!(self, Self::Tls(stream) if stream.has_unsent())
    }

    /// Sends what was written and waits here.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tls(stream) => stream.flush(),
            Self::Tcp(_) | Self::Pumped { .. } | Self::Gone => Ok(()),
        }
    }

    /// Gives the connection up once what was written has been unanswered by the peer's kernel for so long: its
    /// transport has no answer of its own.
    pub(crate) fn bound_silence(&self, longest: Duration) {
        let socket = match self {
            Self::Tcp(stream) => SockRef::from(stream),
            Self::Tls(stream) => SockRef::from(stream.socket()),
            Self::Pumped { .. } | Self::Gone => return,
        };
        // Without it the kernel gives up as well, only later.
        let _ = socket.set_tcp_user_timeout(Some(longest));
    }

    /// Lets the kernel take what it can hold: the peer does not read, and these are the last words.
    pub(crate) fn make_room(&self) {
        let socket = match self {
            Self::Tcp(stream) => SockRef::from(stream),
            Self::Tls(stream) => SockRef::from(stream.socket()),
            Self::Pumped { .. } | Self::Gone => return,
        };
        // As far as the kernel lets us: a peer that gets no last words still sees the connection end.
        let _ = socket.set_tcp_notsent_lowat(u32::MAX);
        // The kernel grants no more than its own ceiling, and would shrink a buffer that has grown beyond it.
        if socket.send_buffer_size().is_ok_and(|bytes| bytes < SEND_BUFFER_CEILING) {
            let _ = socket.set_send_buffer_size(SEND_BUFFER_CEILING);
        }
    }

    pub(crate) fn shut_writes(&mut self) {
        // A socket that is gone already needs no shutting.
        let _ = match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Self::Tls(stream) => stream.shut_writes(),
            Self::Pumped { stream, .. } => stream.shutdown(Shutdown::Write),
            Self::Gone => Ok(()),
        };
    }
}

/// A socket as workers use it, with a bound on what the kernel holds of ours.
fn bounded(stream: std::net::TcpStream) -> io::Result<TcpStream> {
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    // Without it the bound on waiting bytes is only looser.
    let _ = SockRef::from(&stream).set_tcp_notsent_lowat(NOT_SENT_BYTES_MAX);
    Ok(TcpStream::from_std(stream))
}

fn retry(mut io: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match io() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
