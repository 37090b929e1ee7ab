//! TLS, and where its certificate comes from.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::tls::MinVersion;

/// TLS's part.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsConfig {
    /// Addresses on which TLS is spoken, beside those of `listen`.
    pub listen: Vec<SocketAddr>,
    /// The certificate and those between it and the root, in PEM.
    pub cert_file: Option<PathBuf>,
    /// Its private key, in PEM.
    pub key_file: Option<PathBuf>,
    /// The oldest version that is spoken.
    pub min_version: MinVersion,
}

impl TlsConfig {
    /// The certificate and its key, where both are configured.
    pub fn files(&self) -> Option<(PathBuf, PathBuf)> {
        self.cert_file.clone().zip(self.key_file.clone())
    }
}
