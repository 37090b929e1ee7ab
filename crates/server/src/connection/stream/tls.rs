//! A TLS connection on a socket in non-blocking mode. The worker that owns it reads and writes its records itself:
//! there is no task and no thread in between.

use std::io::{self, IoSlice, Read, Write as _};
use std::net::Shutdown;

use mio::net::TcpStream;
use rustls::ServerConnection;

/// Plaintext that is made into records before the socket has taken those of the last. What waits beyond it waits in
/// the outbox, where policies apply.
const ENCRYPTED_BYTES_MAX: usize = 32 * 1024;

/// A socket and what rustls knows of the connection over it.
pub(crate) struct TlsStream {
    socket: TcpStream,
    tls: ServerConnection,
    has_more: bool,
    /// Why the connection has ended, while what came before it is still being looked at.
    failed: Option<io::Error>,
}

impl TlsStream {
    /// Takes over a connection that has shaken hands, with whatever either side has sent since.
    pub(super) fn new(socket: TcpStream, mut tls: ServerConnection) -> Self {
        tls.set_buffer_limit(Some(ENCRYPTED_BYTES_MAX));
        Self { socket, tls, has_more: false, failed: None }
    }

    pub(super) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    pub(super) fn socket_mut(&mut self) -> &mut TcpStream {
        &mut self.socket
    }

    /// Whether the last read may have left something that no event of the socket will tell of: decrypted bytes, or
    /// the peer's last word.
    pub(super) fn has_more(&self) -> bool {
        self.has_more
    }

    /// Whether records wait for the socket.
    pub(super) fn has_unsent(&self) -> bool {
        self.tls.wants_write()
    }

    /// Reads what the peer said; nothing at its end. A peer that hangs up without TLS's own last word is at its end
    /// too: what it asked in whole frames before is whole.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (mut filled, mut fetched, mut drained) = (0, 0, false);
        self.has_more = true;
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        while filled < buffer.len() {
            match self.tls.reader().read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(bytes) => filled += bytes,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                Err(_) if drained => {
                    self.has_more = false;
                    return if filled > 0 { Ok(filled) } else { Err(io::ErrorKind::WouldBlock.into()) };
                }
                // Records may be almost empty: the others get their turn.
                Err(_) if filled > 0 && fetched >= buffer.len() => break,
                Err(_) => match self.fetch() {
                    Ok(more) => {
                        fetched += more.bytes;
                        drained = more.drained;
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => drained = true,
                    Err(error) if filled > 0 => {
                        self.failed = Some(error);
                        break;
                    }
                    Err(error) => return Err(error),
                },
            }
        }
        Ok(filled)
    }

    /// Gets records from the socket and opens them.
    fn fetch(&mut self) -> io::Result<Fetched> {
        let mut from = Source { socket: &mut self.socket, fetched: Fetched::default() };
        self.tls.read_tls(&mut from)?;
        let fetched = from.fetched;
        let opened = self.tls.process_new_packets();
        // Alerts and the like. Where the socket takes nothing now, an event tells when it does.
        let flushed = self.flush();
        opened.map_err(io::Error::other)?;
        match flushed {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(fetched),
        }
    }

    /// Makes records of as much as the socket takes, and a little more. It blocks while any of them is unsent.
    pub(super) fn write(&mut self, mut slices: &mut [IoSlice<'_>]) -> io::Result<usize> {
        self.flush()?;
        let mut taken = 0;
        while !slices.is_empty() {
            let bytes = self.tls.writer().write_vectored(slices)?;
            if bytes == 0 {
                break;
            }
            taken += bytes;
            IoSlice::advance_slices(&mut slices, bytes);
            match self.flush() {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(taken)
    }

    /// Sends the records that wait.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut self.socket) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Says that nothing more comes (RFC 8446, section 6.1), and ends our side.
    pub(super) fn shut_writes(&mut self) -> io::Result<()> {
        self.tls.send_close_notify();
        self.flush()?;
        self.socket.shutdown(Shutdown::Write)
    }
}

impl Drop for TlsStream {
    fn drop(&mut self) {
        // A peer that takes no last word sees the connection end all the same.
        self.tls.send_close_notify();
        let _ = self.flush();
    }
}

/// What came from the socket.
#[derive(Default)]
struct Fetched {
    bytes: usize,
    /// Whether the socket gave less than was asked for: it is empty, and what comes later is a new edge.
    drained: bool,
}

/// The socket as rustls reads it.
struct Source<'a> {
    socket: &'a mut TcpStream,
    fetched: Fetched,
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = super::retry(|| self.socket.read(buffer))?;
        self.fetched = Fetched { bytes, drained: bytes < buffer.len() };
        Ok(bytes)
    }
}
