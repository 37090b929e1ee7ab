//! TLS.

use super::*;
use crate::tls::MinVersion;

const PAIR: &str = "cert_file = \"a.crt\"\nkey_file = \"a.key\"\n";

#[test]
fn what_belongs_together_for_tls_is_pointed_at() {
    let cases = [
        "[tls]\nlisten = \"127.0.0.1:8443\"\n",
        "[tls]\nlisten = \"127.0.0.1:8443\"\ncert_file = \"a.crt\"\n",
        &format!("[tls]\n{PAIR}"),
        &format!("listen = \"127.0.0.1:8443\"\n[tls]\nlisten = \"127.0.0.1:8443\"\n{PAIR}"),
        &format!("auth.mode = \"open\"\n[tls]\nlisten = [\"0.0.0.0:8443\"]\n{PAIR}"),
        "[tls]\nmin_version = \"1.1\"\n",
    ];
    let text: Vec<String> = cases.iter().map(|file| refused(file, &[], &[])).collect();
    insta::assert_snapshot!(text.join("\n"));
}

#[test]
fn a_public_listener_with_tls_is_public() {
    let file = format!("[tls]\nlisten = \"127.0.0.1:8443\"\nmin_version = \"1.3\"\n{PAIR}");
    let config = loaded(&file, &[], &[]).config;
    assert!(config.loopback_only() && config.open_user_ids() && config.tls.files().is_some());
    assert_eq!(config.tls.min_version, MinVersion::Tls13);
    let public = loaded(&file, &["FANFARE_TLS_LISTEN=[::]:8443"], &[]).config;
    assert!(!public.loopback_only() && !public.open_user_ids());
    assert!(loaded("", &["FANFARE_TLS_LISTEN="], &[]).config.tls.listen.is_empty());
}
