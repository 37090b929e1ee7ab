//! Certificates from a certificate authority that speaks ACME (RFC 8555), by the challenge that is answered within
//! TLS itself (RFC 8737): no other port, and nothing to serve.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::StreamExt as _;
use rustls::crypto::CryptoProvider;
use rustls::server::ResolvesServerCert;
use rustls::{ClientConfig, RootCertStore};
use rustls_acme::caches::DirCache;
use rustls_acme::{AcmeConfig, AcmeState, EventOk};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::private_file;

/// The protocol that a challenge speaks, in ALPN.
pub(super) const PROTOCOL: &[u8] = b"acme-tls/1";

/// Which certificate, from whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcmeOptions {
    /// The names that the certificate is for.
    pub domains: Vec<String>,
    /// The authority's directory.
    pub directory: String,
    /// Where the authority reaches the operator, as mail addresses.
    pub contact: Vec<String>,
    /// The roots, in PEM, that the directory's own certificate is verified by; the usual ones without.
    pub ca_file: Option<PathBuf>,
    /// Where the account and the certificate are kept.
    pub folder: PathBuf,
}

/// Orders a certificate, and the next one in time, for as long as it runs.
pub(super) struct Orders(AcmeState<io::Error>);

impl Orders {
    pub(super) fn new(options: &AcmeOptions, provider: Arc<CryptoProvider>) -> Result<Self, String> {
        let folder = options.folder.display();
        // Keys are kept there.
        private_file::make_directory(&options.folder)
            .map_err(|error| format!("certificates cannot be kept in {folder} ({error}); see data_dir"))?;
        let config = match &options.ca_file {
            None => AcmeConfig::new_with_provider(&options.domains, provider),
            Some(path) => {
                let roots = roots(path).map_err(|error| format!("{error}; see tls.acme_ca_file"))?;
                let client =
                    ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
                let client = client.map_err(|error| error.to_string())?;
                let client = client.with_root_certificates(roots).with_no_client_auth();
                AcmeConfig::new_with_client_config(&options.domains, Arc::new(client))
            }
        };
        let contact = options.contact.iter().map(|address| format!("mailto:{address}"));
        let config = config.contact(contact).directory(&options.directory);
        Ok(Self(config.cache(DirCache::new(options.folder.clone())).state()))
    }

    /// What handshakes ask for the certificate, or for the answer to a challenge.
    pub(super) fn resolver(&self) -> Arc<dyn ResolvesServerCert> {
        self.0.resolver()
    }

    /// Orders for ever. What goes wrong is logged and tried again, ever less often.
    pub(super) async fn run(mut self) {
        while let Some(event) = self.0.next().await {
            match event {
                Ok(EventOk::DeployedNewCert) => tracing::info!("a new certificate is in force"),
                Ok(EventOk::DeployedCachedCert) => {
                    tracing::info!("the certificate of the last order is in force")
                }
                Ok(EventOk::CertCacheStore | EventOk::AccountCacheStore) => {}
                Err(error) => {
                    tracing::error!(%error, "a certificate could not be had by ACME; it is tried again")
                }
            }
        }
    }
}

fn roots(path: &PathBuf) -> Result<RootCertStore, String> {
    let shown = path.display();
    let text = std::fs::read(path).map_err(|error| format!("the roots {shown} cannot be read ({error})"))?;
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(&text) {
        let root = root.map_err(|error| format!("{shown} is no PEM: {error}"))?;
        roots.add(root).map_err(|error| format!("{shown} holds no root that can be used: {error}"))?;
    }
    if roots.is_empty() { Err(format!("{shown} holds no certificate")) } else { Ok(roots) }
}
