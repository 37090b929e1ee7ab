//! TLS.

use super::Setting;
use crate::config::kinds::{Addresses, Choice, FilePath, Kind};
use crate::tls::MinVersion;

const VERSIONS: &[(&str, MinVersion)] = &[("1.2", MinVersion::Tls12), ("1.3", MinVersion::Tls13)];

pub(super) const TABLE: &[Setting] = &[
    setting!(
        "tls.listen",
        tls.listen,
        Addresses { optional: true },
        "addresses to listen on with TLS, HTTPS and WSS alike, beside those of listen"
    ),
    setting!(
        "tls.cert_file",
        tls.cert_file,
        FilePath,
        "the certificate in PEM, its intermediates behind it; read again when it changes and on SIGHUP"
    ),
    setting!("tls.key_file", tls.key_file, FilePath, "the certificate's private key in PEM"),
    setting!(
        "tls.min_version",
        tls.min_version,
        Choice(VERSIONS),
        "the oldest version of TLS that is spoken"
    ),
];
