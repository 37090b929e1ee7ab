//! A node that is spoken to over TLS, its certificate, and clients of it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fanfare_server::tls::{MinVersion, Tls};
use fanfare_server::{Builder, listen};
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::Outcome;
use super::client::Client;
use super::node::TestNode;
use super::process::Process;
use super::raw::{HEAD, Raw};

static FOLDERS: AtomicU32 = AtomicU32::new(0);

/// A folder with a certificate for localhost and its key.
pub(crate) struct Certificates {
    folder: PathBuf,
}

/// A certificate and its key, both in PEM, and the certificate in DER.
pub(crate) struct Made {
    pub(crate) cert: String,
    pub(crate) key: String,
    pub(crate) der: CertificateDer<'static>,
}

/// A client that trusts one certificate.
#[derive(Clone)]
pub(crate) struct Trust(pub(crate) Arc<ClientConfig>);

/// A node with a plain listener and one with TLS.
pub(crate) struct TlsNode {
    pub(crate) node: TestNode,
    pub(crate) address: SocketAddr,
    pub(crate) certificates: Certificates,
    /// What it began with.
    pub(crate) der: CertificateDer<'static>,
    pub(crate) trust: Trust,
    serving: Vec<JoinHandle<()>>,
}

/// A new certificate for localhost.
pub(crate) fn make() -> Made {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    Made { cert: made.cert.pem(), key: made.signing_key.serialize_pem(), der: made.cert.der().clone() }
}

impl Certificates {
    pub(crate) fn new(made: &Made) -> Self {
        let serial = FOLDERS.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("fanfare-tls-{}-{serial}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let certificates = Self { folder };
        certificates.replace(made);
        certificates
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn cert(&self) -> PathBuf {
        self.folder.join("tls.crt")
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.folder.join("tls.key")
    }

    /// Starts the binary with them, and a plain listener beside; where it speaks TLS.
    pub(crate) async fn serve(&self) -> (Process, SocketAddr) {
        let (cert, key) = (self.cert(), self.key());
        let settings = [
            ("FANFARE_TLS_LISTEN", "127.0.0.1:0"),
            ("FANFARE_TLS_CERT_FILE", cert.to_str().unwrap()),
            ("FANFARE_TLS_KEY_FILE", key.to_str().unwrap()),
        ];
        let server = Process::start(&settings, 1024).await;
        let address = server.tls_address.unwrap();
        (server, address)
    }

    /// Renames another pair over this one.
    pub(crate) fn replace(&self, made: &Made) {
        for (path, content) in [(self.cert(), &made.cert), (self.key(), &made.key)] {
            let draft = path.with_extension("new");
            std::fs::write(&draft, content).unwrap();
            std::fs::rename(draft, path).unwrap();
        }
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Trust {
    pub(crate) fn in_one(der: &CertificateDer<'static>) -> Self {
        Self::speaking(der, rustls::DEFAULT_VERSIONS)
    }

    /// Speaks these versions and no other.
    pub(crate) fn speaking(
        der: &CertificateDer<'static>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(der.clone()).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().unwrap();
        let config = ClientConfig::builder_with_provider(provider);
        let config = config.with_protocol_versions(versions).unwrap().with_webpki_verifier(verifier);
        let mut config = config.with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self(Arc::new(config))
    }

    /// Connects and shakes hands.
    pub(crate) async fn connect(&self, address: SocketAddr) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        self.over(stream).await
    }

    /// Shakes hands on a connection that is made already.
    pub(crate) async fn over(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(self.0.clone()).connect(name, stream).await
    }
}

impl TlsNode {
    pub(crate) async fn start(builder: Builder) -> Self {
        Self::start_with(builder, MinVersion::default(), Duration::from_secs(5)).await
    }

    pub(crate) async fn start_with(builder: Builder, min_version: MinVersion, handshake: Duration) -> Self {
        let made = make();
        Self::serve(builder, Certificates::new(&made), &made, min_version, handshake).await
    }

    /// With the certificate that is in this folder.
    pub(crate) async fn start_from(builder: Builder, certificates: Certificates, made: &Made) -> Self {
        Self::serve(builder, certificates, made, MinVersion::default(), Duration::from_secs(5)).await
    }

    async fn serve(
        builder: Builder,
        certificates: Certificates,
        made: &Made,
        min_version: MinVersion,
        handshake: Duration,
    ) -> Self {
        let node = TestNode::start_with(builder, handshake).await;
        let (tls, renewal) = Tls::from_files(certificates.cert(), certificates.key(), min_version).unwrap();
        let listener = listen::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let serving = vec![
            tokio::spawn(renewal.start()),
            tokio::spawn(listen::serve_tls(
                listener,
                node.node.router(),
                handshake,
                Some(node.node.network()),
                tls,
            )),
        ];
        let trust = Trust::in_one(&made.der);
        Self { node, address, certificates, der: made.der.clone(), trust, serving }
    }

    pub(crate) async fn connect(&self, path: &str) -> Client {
        self.try_connect(path).await.unwrap()
    }

    pub(crate) async fn try_connect(&self, path: &str) -> Outcome<Client> {
        let stream = self.trust.connect(self.address).await.map_err(|error| error.to_string())?;
        Client::over(stream, path).await.map_err(|error| error.to_string())
    }

    /// A connection without any client that has shaken hands twice: for TLS and for WebSocket.
    pub(crate) async fn open(&self, path: &str) -> Outcome<Raw<TlsStream<TcpStream>>> {
        let stream = self.trust.connect(self.address).await.map_err(|error| error.to_string())?;
        let mut raw = Raw::over(stream);
        raw.send(HEAD.replacen("/ws", path, 1).as_bytes()).await?;
        match raw.answer().await? {
            answer if answer.status == 101 => Ok(raw),
            answer => Err(format!("the handshake was refused: {answer:?}")),
        }
    }

    pub(crate) fn stop(self) {
        for serving in &self.serving {
            serving.abort();
        }
        self.node.stop();
    }
}
