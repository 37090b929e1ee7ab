//! TLS, and where its certificate comes from.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::tls::MinVersion;

/// TLS's part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsConfig {
    /// Addresses on which TLS is spoken, beside those of `listen`.
    pub listen: Vec<SocketAddr>,
    /// The certificate and those between it and the root, in PEM.
    pub cert_file: Option<PathBuf>,
    /// Its private key, in PEM.
    pub key_file: Option<PathBuf>,
    /// The oldest version that is spoken.
    pub min_version: MinVersion,
    /// The names that a certificate is ordered for; none where it comes from files.
    pub acme_domains: Vec<String>,
    /// Whom it is ordered from.
    pub acme_directory: Option<String>,
    /// Where that authority reaches the operator, as mail addresses.
    pub acme_contact: Vec<String>,
    /// The roots that the authority's own certificate is verified by; the usual ones without.
    pub acme_ca_file: Option<PathBuf>,
}

/// Let's Encrypt.
const ACME_DIRECTORY: &str = "https://acme-v02.api.letsencrypt.org/directory";

impl Default for TlsConfig {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            cert_file: None,
            key_file: None,
            min_version: MinVersion::default(),
            acme_domains: Vec::new(),
            acme_directory: Some(ACME_DIRECTORY.to_owned()),
            acme_contact: Vec::new(),
            acme_ca_file: None,
        }
    }
}

impl TlsConfig {
    /// The certificate and its key, where both are configured.
    pub fn files(&self) -> Option<(PathBuf, PathBuf)> {
        self.cert_file.clone().zip(self.key_file.clone())
    }
}
