//! The kinds of socket a connection may come over.

use std::convert::Infallible;
use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;

use mio::event::Source;
use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};
use socket2::SockRef;
use tokio::sync::oneshot;

/// Unsent bytes that the kernel takes from us at a time. What waits beyond that waits in the outbox, where
/// policies apply; and the rest of the kernel's buffer stays free for the last words to a peer that stopped
/// reading.
const NOT_SENT_BYTES_MAX: u32 = 128 * 1024;

/// What Linux grants by default when it is asked for a large buffer: twice `net.core.wmem_max`.
const SEND_BUFFER_CEILING: usize = 2 * 212_992;

/// A socket in non-blocking mode.
pub(crate) enum Stream {
    /// A TCP connection.
    Tcp(TcpStream),
    /// Our end of a pair whose other end is pumped into a stream that is no socket: TLS, HTTP/2. With it goes
    /// what tells the pump that nobody holds this end any more.
    Pumped { stream: UnixStream, _held: oneshot::Sender<Infallible> },
}

impl Stream {
    /// Takes over a TCP socket.
    pub(crate) fn tcp(stream: std::net::TcpStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        // Without it the bound on waiting bytes is only looser.
        let _ = SockRef::from(&stream).set_tcp_notsent_lowat(NOT_SENT_BYTES_MAX);
        Ok(Self::Tcp(TcpStream::from_std(stream)))
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
            Self::Pumped { stream, .. } => stream.register(registry, token, interest),
        }
    }

    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        retry(|| match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Pumped { stream, .. } => stream.read(buffer),
        })
    }

    pub(crate) fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        retry(|| match (&mut *self, slices) {
            // A plain send costs the kernel less than a vectored one.
            (Self::Tcp(stream), [single]) => stream.write(single),
            (Self::Tcp(stream), _) => stream.write_vectored(slices),
            (Self::Pumped { stream, .. }, _) => stream.write_vectored(slices),
        })
    }

    /// Lets the kernel take what it can hold: the peer does not read, and these are the last words.
    pub(crate) fn make_room(&self) {
        if let Self::Tcp(stream) = self {
            let socket = SockRef::from(stream);
            // As far as the kernel lets us: a peer that gets no last words still sees the connection end.
            let _ = socket.set_tcp_notsent_lowat(u32::MAX);
            // The kernel grants no more than its own ceiling, and would shrink a buffer that has grown beyond it.
            if socket.send_buffer_size().is_ok_and(|bytes| bytes < SEND_BUFFER_CEILING) {
                let _ = socket.set_send_buffer_size(SEND_BUFFER_CEILING);
            }
        }
    }

    pub(crate) fn shut_writes(&self) {
        // A socket that is gone already needs no shutting.
        let _ = match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Self::Pumped { stream, .. } => stream.shutdown(Shutdown::Write),
        };
    }
}

fn retry(mut io: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match io() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
