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
                // Records may be almost empty, or quite: the others get their turn.
                Err(_) if fetched >= buffer.len() && filled > 0 => break,
                Err(error) if fetched >= buffer.len() => return Err(error),
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

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream as StdStream};
    use std::sync::Arc;
    use std::thread;

    use rustls::crypto::aws_lc_rs;
    use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned};

    use super::super::Stream;
    use super::*;

    /// A client, and the server's end of its connection after the handshake.
    fn pair() -> (StreamOwned<ClientConnection, StdStream>, Stream) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let key = rustls_pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let server =
            ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
        let server = server.unwrap().with_no_client_auth();
        let server = server.with_single_cert(vec![made.cert.der().clone()], key).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let client = client.unwrap().with_root_certificates(roots).with_no_client_auth();
        let client = ClientConnection::new(Arc::new(client), "localhost".try_into().unwrap()).unwrap();

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = StdStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut far, _) = listener.accept().unwrap();
        let shaking = thread::spawn(move || {
            let mut client = StreamOwned::new(client, near);
            client.conn.complete_io(&mut client.sock).unwrap();
            client
        });
        let mut tls = ServerConnection::new(Arc::new(server)).unwrap();
        while tls.is_handshaking() {
            tls.complete_io(&mut far).unwrap();
        }
        (shaking.join().unwrap(), Stream::tls(far, tls).unwrap())
    }

    fn records(stream: &Stream) -> usize {
        match stream {
            Stream::Tls(stream) => usize::from(stream.tls.wants_write()),
            _ => unreachable!("a stream with TLS"),
        }
    }

    fn byte(at: usize) -> u8 {
        (at % 251) as u8
    }

    /// What a peer leaves unread is refused, as without TLS: not much more than the kernel takes becomes records. When
    /// the peer reads on, it gets every byte.
    #[test]
    fn what_the_socket_does_not_take_is_not_encrypted_either() {
        let (mut client, mut stream) = pair();
        let chunk = |from: usize| (from..from + 48 * 1024).map(byte).collect::<Vec<u8>>();
        let mut written = 0;
        loop {
            let bytes = chunk(written);
            // Slices of odd sizes, so that records begin within them.
            let mut slices: Vec<IoSlice<'_>> = bytes.chunks(7_001).map(IoSlice::new).collect();
            match stream.write(&mut slices) {
                Ok(count) => written += count,
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                    break;
                }
            }
        }
        assert!(stream.has_unsent() && records(&stream) == 1);
        let blocked = written;
        for _ in 0..100 {
            let mut slices = [IoSlice::new(b"more")];
            assert_eq!(stream.write(&mut slices).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        }
        let reading = thread::spawn(move || {
            let mut read = vec![0; blocked];
            client.read_exact(&mut read).unwrap();
            read.iter().enumerate().position(|(at, found)| *found != byte(at))
        });
        while stream.flush().is_err() {
            thread::yield_now();
        }
        assert_eq!(reading.join().unwrap(), None, "the first byte that is wrong");
        assert!(!stream.has_unsent());
    }

    /// A read gives what fits, says that there is more, and gives the rest without any further event.
    #[test]
    fn what_is_decrypted_and_not_taken_yet_is_not_forgotten() {
        let (mut client, mut stream) = pair();
        let sent: Vec<u8> = (0..40_000).map(byte).collect();
        client.write_all(&sent).unwrap();
        client.conn.send_close_notify();
        client.flush().unwrap();
        let (mut got, mut buffer) = (Vec::<u8>::new(), [0; 1000]);
        while got.len() < sent.len() {
            match stream.read(&mut buffer) {
                Ok(bytes) => got.extend(&buffer[..bytes]),
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        }
        assert!(got == sent);
        assert!(stream.has_more(0, buffer.len()), "the end is still to come");
        assert_eq!(stream.read(&mut buffer).unwrap(), 0);
        drop(stream);
        assert_eq!(client.read(&mut buffer).unwrap(), 0, "the server's last word");
    }

    /// Records that are empty, or not whole yet, kept the worker with one peer for as long as they came.
    #[test]
    fn a_read_that_brings_nothing_ends_and_says_that_there_is_more() {
        let (mut client, mut stream) = pair();
        client.write_all(&[7; 16_000]).unwrap();
        client.flush().unwrap();
        let mut buffer = [0; 100];
        loop {
            let error = stream.read(&mut buffer).expect_err("a part of a record, and nothing out of it");
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
            if stream.has_more(0, buffer.len()) {
                break;
            }
        }
        while stream.read(&mut buffer).is_err() {}
        assert_eq!(buffer, [7; 100]);
    }

    #[test]
    fn a_read_that_took_all_says_so() {
        let (mut client, mut stream) = pair();
        let mut buffer = [0; 1000];
        assert_eq!(stream.read(&mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        client.write_all(b"a").unwrap();
        client.flush().unwrap();
        let bytes = loop {
            match stream.read(&mut buffer) {
                Ok(bytes) => break bytes,
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        };
        assert_eq!((bytes, stream.has_more(bytes, buffer.len())), (1, false));
    }
}
