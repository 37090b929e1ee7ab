//! TLS.

use super::Setting;
use crate::config::kinds::{Addresses, Choice, FilePath, KeySetAddress, Kind, WordList};
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
    setting!(
        "tls.acme_domains",
        tls.acme_domains,
        WordList,
        "names that a certificate is ordered for by ACME, in place of one in files"
    ),
    setting!(
        "tls.acme_directory",
        tls.acme_directory,
        KeySetAddress,
        "the directory of the authority that it is ordered from"
    ),
    setting!(
        "tls.acme_contact",
        tls.acme_contact,
        WordList,
        "mail addresses at which the authority reaches the operator"
    ),
    setting!(
        "tls.acme_ca_file",
        tls.acme_ca_file,
        FilePath,
        "roots in PEM that the directory's own certificate is verified by; the usual ones without"
    ),
];
