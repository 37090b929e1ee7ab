//! TLS: the certificate in force, the handshake, and how certificates are replaced while the server runs.
//!
//! - [`files`], [`validity`]: a certificate and its key, as files have them
//! - [`certificate`]: the one in force, which every handshake looks up
//! - `acme`: certificates that are ordered; without the feature of this name it is not there
//! - [`watch`]: the files, and the signal that says they are new
//! - [`socket`]: a TLS connection while it speaks HTTP; what becomes of it then is `connection/stream`'s

#[cfg(feature = "acme")]
pub mod acme;
pub mod files;

mod certificate;
pub(crate) mod socket;
mod validity;
mod watch;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs;
use rustls::server::{NoServerSessionStorage, ServerConfig};
use rustls::version::{TLS12, TLS13};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::listen::socket::HttpSocket;
use certificate::Certificate;
use files::{CertificateFiles, FilesError};
use socket::TlsSocket;
use watch::Watch;

/// The oldest version of TLS that is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MinVersion {
    /// TLS 1.2 (RFC 5246).
    #[default]
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

/// What listeners need in order to speak TLS. Cheap to clone.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
}

/// What keeps a certificate new.
pub struct Renewal(Source);

/// Where the certificate comes from.
enum Source {
    Files(CertificateFiles, Arc<Certificate>),
    #[cfg(feature = "acme")]
    Acme(acme::Orders),
}

/// Why a server cannot speak TLS.
#[derive(Debug)]
pub struct TlsError(Reason);

#[derive(Debug)]
enum Reason {
    Files(FilesError),
    #[cfg(feature = "acme")]
    Acme(String),
    Library(rustls::Error),
}

impl Tls {
    /// Reads the certificate and its key. What is odd about them and stops nothing goes to the log.
    ///
    /// # Errors
    /// When there is no such pair, or no random numbers.
    pub fn from_files(
        cert: PathBuf,
        key: PathBuf,
        min_version: MinVersion,
    ) -> Result<(Self, Renewal), TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let files = CertificateFiles { cert, key };
        let pair = files.load(&provider).map_err(|error| TlsError(Reason::Files(error)))?;
        pair.log_warnings();
        let certificate = Arc::new(Certificate::new(pair.certified));
        let config = config(provider, min_version)?.with_cert_resolver(certificate.clone());
        let tls = Self { acceptor: acceptor(config, &[HTTP2, HTTP1])? };
        Ok((tls, Renewal(Source::Files(files, certificate))))
    }

    /// Orders the certificate. Until the first one has come, handshakes fail.
    ///
    /// # Errors
    /// When there is nowhere to keep it, or the authority's roots cannot be read.
    #[cfg(feature = "acme")]
    pub fn from_acme(
        options: &acme::AcmeOptions,
        min_version: MinVersion,
    ) -> Result<(Self, Renewal), TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let orders = acme::Orders::new(options, provider.clone());
        let orders = orders.map_err(|text| TlsError(Reason::Acme(text)))?;
        let config = config(provider, min_version)?.with_cert_resolver(orders.resolver());
        let tls = Self { acceptor: acceptor(config, &[HTTP2, HTTP1, acme::PROTOCOL])? };
        Ok((tls, Renewal(Source::Acme(orders))))
    }

    /// The same, without offering HTTP/2.
    pub(crate) fn without_http2(&self) -> Self {
        let mut config = ServerConfig::clone(self.acceptor.config());
        config.alpn_protocols.retain(|protocol| protocol != HTTP2);
        Self { acceptor: TlsAcceptor::from(Arc::new(config)) }
    }

    /// Shakes hands. A peer that is no TLS client, or takes longer than `deadline`, gets no connection.
    pub(crate) async fn accept(&self, stream: TcpStream, deadline: Duration) -> Option<TlsSocket> {
        match tokio::time::timeout(deadline, self.shake_hands(stream)).await {
            Ok(Ok(socket)) => return Some(socket),
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        }
        None
    }

    async fn shake_hands(&self, stream: TcpStream) -> io::Result<TlsSocket> {
        if socket::speaks_http(&stream).await? {
            socket::refuse_http(stream).await;
            return Err(io::Error::other("the client speaks HTTP without TLS"));
        }
        // The answer to the first request would wait for the acknowledgement of the ticket before it.
        stream.set_nodelay(true)?;
        let (socket, _) = HttpSocket::new(stream);
        let stream = self.acceptor.accept(socket).await?;
        #[cfg(feature = "acme")]
        if stream.get_ref().1.alpn_protocol() == Some(acme::PROTOCOL) {
            // RFC 8737, section 3: the handshake was the answer.
            return Err(io::Error::other("it was a challenge, and is answered"));
        }
        Ok(TlsSocket::new(stream))
    }
}

impl Renewal {
    /// Replaces the certificate for ever: one in files whenever they change or the process gets SIGHUP, one that is
    /// ordered before it ends. Changes and signals are listened to from this call on.
    pub fn start(self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        match self.0 {
            Source::Files(files, certificate) => Box::pin(Watch::new(files, certificate).run()),
            #[cfg(feature = "acme")]
            Source::Acme(orders) => Box::pin(orders.run()),
        }
    }
}

/// What is spoken over TLS, in ALPN.
const HTTP1: &[u8] = b"http/1.1";
const HTTP2: &[u8] = b"h2";

type Unresolved = rustls::ConfigBuilder<ServerConfig, rustls::server::WantsServerCert>;

/// Everything but the certificate.
fn config(provider: Arc<CryptoProvider>, min_version: MinVersion) -> Result<Unresolved, TlsError> {
    let versions: &[&rustls::SupportedProtocolVersion] = match min_version {
        MinVersion::Tls12 => &[&TLS12, &TLS13],
        MinVersion::Tls13 => &[&TLS13],
    };
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(versions);
    Ok(builder.map_err(library)?.with_no_client_auth())
}

fn acceptor(mut config: ServerConfig, protocols: &[&[u8]]) -> Result<TlsAcceptor, TlsError> {
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    // Clients that come back, ten thousand at once, are spared the signature; what they need for it is with them,
    // encrypted, and not here.
    config.ticketer = aws_lc_rs::Ticketer::new().map_err(library)?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 1;
    // A request within early data could be played again by whoever saw it (RFC 8446, section 8).
    config.max_early_data_size = 0;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn library(error: rustls::Error) -> TlsError {
    TlsError(Reason::Library(error))
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Reason::Files(error) => error.fmt(f),
            #[cfg(feature = "acme")]
            Reason::Acme(text) => f.write_str(text),
            Reason::Library(error) => write!(f, "TLS cannot be set up: {error}"),
        }
    }
}

impl std::error::Error for TlsError {}
