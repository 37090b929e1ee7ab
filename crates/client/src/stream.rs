//! The socket, bare or under TLS, read and written without waiting.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::io::Interest;
use tokio::net::TcpStream;

use crate::error::Error;
use crate::options::Trust;

/// A connected socket.
pub(crate) struct Stream {
    tcp: TcpStream,
    tls: Option<Box<ClientConnection>>,
}

/// The socket as rustls reads and writes it.
struct Now<'a>(&'a TcpStream);

impl Read for Now<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl Write for Now<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.0.try_write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream {
    /// A socket without TLS.
    pub(crate) fn plain(tcp: TcpStream) -> Self {
        Self { tcp, tls: None }
    }

    /// Shakes hands for TLS.
    pub(crate) async fn secure(tcp: TcpStream, host: &str, trust: &Trust) -> Result<Self, Error> {
        let failed = |text: String| Error::connect(format!("cannot connect over TLS: {text}"), false);
        let name = ServerName::try_from(host.to_owned()).map_err(|error| failed(error.to_string()))?;
        let config = config(trust).map_err(failed)?;
        let tls = ClientConnection::new(Arc::new(config), name).map_err(|error| failed(error.to_string()))?;
        let mut stream = Self { tcp, tls: Some(Box::new(tls)) };
        while stream.tls.as_ref().is_some_and(|tls| tls.is_handshaking()) {
            stream.push().map_err(|error| Error::io(&error))?;
            stream.ready(Interest::READABLE).await.map_err(|error| Error::io(&error))?;
            match stream.pull() {
                Ok(0) => {
                    return Err(Error::connect(
                        "the server closed the connection during the handshake",
                        true,
                    ));
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // What is wrong with a certificate is so the next time too.
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    return Err(failed(error.to_string()));
                }
                Err(error) => return Err(Error::io(&error)),
            }
        }
        stream.push().map_err(|error| Error::io(&error))?;
        Ok(stream)
    }

    /// Waits for the socket, to write too where records wait for it.
    pub(crate) async fn ready(&self, interest: Interest) -> io::Result<()> {
        let records_wait = self.tls.as_ref().is_some_and(|tls| tls.wants_write());
        let interest = if records_wait { interest | Interest::WRITABLE } else { interest };
        self.tcp.ready(interest).await.map(drop)
    }

    /// Reads what is there; `WouldBlock` where nothing is.
    pub(crate) fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(tls) = &mut self.tls else { return self.tcp.try_read(buffer) };
            match tls.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // A server that hangs up without the goodbye of TLS has hung up all the same.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                result => return result,
            }
            self.pull()?;
            // What was read may ask for an answer, such as new keys.
            self.push()?;
        }
    }

    /// Writes what the socket takes; `WouldBlock` where that is nothing.
    pub(crate) fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push()?;
        let Some(tls) = &mut self.tls else { return self.tcp.try_write(bytes) };
        if tls.wants_write() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let written = tls.writer().write(bytes)?;
        self.push()?;
        Ok(written)
    }

    /// Hands records that wait to the socket, as far as it takes them.
    pub(crate) fn push(&mut self) -> io::Result<()> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        while tls.wants_write() {
            match tls.write_tls(&mut Now(&self.tcp)) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Takes in records; how many bytes they were.
    fn pull(&mut self) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return Ok(0) };
        let read = tls.read_tls(&mut Now(&self.tcp))?;
        tls.process_new_packets().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        Ok(read)
    }

    /// Writes all of it.
    pub(crate) async fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.try_write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.ready(Interest::WRITABLE).await?
                }
                Err(error) => return Err(error),
            }
        }
        self.drain().await
    }

    /// Waits until the socket has all records.
    async fn drain(&mut self) -> io::Result<()> {
        while self.tls.as_ref().is_some_and(|tls| tls.wants_write()) {
            self.ready(Interest::WRITABLE).await?;
            self.push()?;
        }
        Ok(())
    }

    /// Waits for bytes and appends them; 0 at the end.
    pub(crate) async fn read_more(&mut self, input: &mut Vec<u8>) -> io::Result<usize> {
        let mut buffer = [0; 4096];
        loop {
            match self.try_read(&mut buffer) {
                Ok(read) => {
                    input.extend_from_slice(&buffer[..read]);
                    return Ok(read + self.rest(input));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.ready(Interest::READABLE).await?
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Appends what is decrypted already: the socket would not announce it again.
    fn rest(&mut self, input: &mut Vec<u8>) -> usize {
        let before = input.len();
        if let Some(tls) = &mut self.tls {
            // Ends in `WouldBlock`, or in an end that the next read meets again.
            let _ = tls.reader().read_to_end(input);
        }
        input.len() - before
    }

    /// Says that nothing more follows.
    pub(crate) async fn shutdown(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
        self.drain().await?;
        tokio::io::AsyncWriteExt::shutdown(&mut self.tcp).await
    }
}

fn config(trust: &Trust) -> Result<ClientConfig, String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
    let mut roots = RootCertStore::empty();
    let builder = match trust {
        Trust::Anything => {
            let verifier = Arc::new(Anything(provider));
            return Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth());
        }
        Trust::System => builder,
        Trust::SystemAnd(pem) => {
            let mut found = 0;
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|error| format!("the authorities: {error}"))?;
                roots.add(certificate).map_err(|error| format!("the authorities: {error}"))?;
                found += 1;
            }
            if found == 0 {
                return Err("there is no certificate among the authorities".to_owned());
            }
            builder
        }
    };
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Takes any certificate, and still checks that the server has its key.
struct Anything(Arc<CryptoProvider>);

impl fmt::Debug for Anything {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Anything")
    }
}

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
