//! The certificate in force.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// What every handshake is given. Written by whoever renews it; connections keep what they began with.
pub(super) struct Certificate(ArcSwap<CertifiedKey>);

impl Certificate {
    pub(super) fn new(certified: CertifiedKey) -> Self {
        Self(ArcSwap::from_pointee(certified))
    }

    /// Puts another pair in force; false if it is the one that is.
    pub(super) fn replace(&self, certified: CertifiedKey) -> bool {
        let is_new = self.0.load().cert != certified.cert;
        // Its key may be another one all the same.
        self.0.store(Arc::new(certified));
        is_new
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificate")
    }
}
