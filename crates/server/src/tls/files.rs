//! A certificate and its key in files, and everything that may be wrong with them.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::InconsistentKeys;
use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::validity::Validity;

/// More than any chain of certificates; a larger file is something else.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// How long before its end a certificate is warned of.
const ENDS_SOON: Duration = Duration::from_secs(7 * 86_400);

/// Where a certificate and its key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate and those between it and the root, in PEM.
    pub cert: PathBuf,
    /// Its private key, in PEM.
    pub key: PathBuf,
}

/// A certificate and its key, in memory.
pub(super) struct Pair {
    pub(super) certified: CertifiedKey,
    warnings: Vec<String>,
}

/// Why there is no such pair.
#[derive(Debug)]
pub struct FilesError(String);

impl CertificateFiles {
    /// Reads both.
    pub(super) fn load(&self, provider: &Arc<CryptoProvider>) -> Result<Pair, FilesError> {
        let mut warnings = Vec::new();
        let chain = self.chain()?;
        let key = self.key(&mut warnings)?;
        let (cert, key_path) = (self.cert.display(), self.key.display());
        let certified = CertifiedKey::from_der(chain, key, provider).map_err(|error| {
            FilesError(match error {
                rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                    format!("the key in {key_path} does not belong to the certificate in {cert}")
                }
                rustls::Error::InvalidCertificate(error) => {
                    format!("the certificate in {cert} cannot be used: {error}")
                }
                error => format!("the key in {key_path} cannot be used: {error}"),
            })
        })?;
        warnings.extend(self.validity_warning(&certified, SystemTime::now()));
        Ok(Pair { certified, warnings })
    }

    fn chain(&self) -> Result<Vec<CertificateDer<'static>>, FilesError> {
        let path = self.cert.display();
        let (text, _) = read(&self.cert, "certificate", "tls.cert_file")?;
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        let chain = chain.map_err(|error| FilesError(format!("{path} is no PEM: {error}")))?;
        if chain.is_empty() {
            return Err(FilesError(match holds(&text, "PRIVATE KEY-----") {
                true => format!(
                    "{path} holds a private key and no certificate; were tls.cert_file and tls.key_file swapped?"
                ),
                false => {
                    format!("{path} holds no certificate: expected PEM with \"-----BEGIN CERTIFICATE-----\"")
                }
            }));
        }
        Ok(chain)
    }

    fn key(&self, warnings: &mut Vec<String>) -> Result<PrivateKeyDer<'static>, FilesError> {
        let path = self.key.display();
        let (text, exposed) = read(&self.key, "private key", "tls.key_file")?;
        if exposed {
            warnings.push(format!("other users of this host may read the private key in {path}"));
        }
        PrivateKeyDer::from_pem_slice(&text).map_err(|_| {
            FilesError(if holds(&text, "ENCRYPTED") {
                format!("the key in {path} is encrypted; decrypt it first: openssl pkey -in {path} -out FILE")
            } else if holds(&text, "BEGIN CERTIFICATE") {
                format!(
                    "{path} holds a certificate and no private key; were tls.cert_file and tls.key_file swapped?"
                )
            } else {
                // The reader's own words could hold a piece of the key.
                format!("{path} holds no private key: expected PEM with \"-----BEGIN PRIVATE KEY-----\"")
            })
        })
    }

    fn validity_warning(&self, certified: &CertifiedKey, now: SystemTime) -> Option<String> {
        let path = self.cert.display();
        let now_s = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()) as i64;
        let Some(validity) = certified.cert.first().and_then(|cert| Validity::of(cert)) else {
            return Some(format!("the certificate in {path} does not say how long it is valid"));
        };
        let soon_s = ENDS_SOON.as_secs() as i64;
        Some(match validity {
            Validity { not_after_s, .. } if not_after_s < now_s => {
                let days = (now_s - not_after_s) / 86_400;
                format!("the certificate in {path} expired {days} days ago: clients will refuse it")
            }
            Validity { not_before_s, .. } if not_before_s > now_s => {
                format!("the certificate in {path} is not valid yet: clients will refuse it")
            }
            Validity { not_after_s, .. } if not_after_s < now_s + soon_s => {
                let hours = (not_after_s - now_s) / 3600;
                format!("the certificate in {path} expires in {hours} hours")
            }
            _ => return None,
        })
    }
}

impl Pair {
    /// Tells the operator what is odd.
    pub(super) fn log_warnings(&self) {
        for warning in &self.warnings {
            tracing::warn!("{warning}");
        }
    }
}

/// The content, and whether others than the owner may read it.
fn read(path: &Path, what: &str, setting: &str) -> Result<(Vec<u8>, bool), FilesError> {
    let shown = path.display();
    let cannot =
        |error: io::Error| FilesError(format!("the {what} {shown} cannot be read ({error}); see {setting}"));
    let file = File::open(path).map_err(cannot)?;
    let exposed = exposed(&file).map_err(cannot)?;
    let mut content = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut content).map_err(cannot)?;
    if content.len() as u64 > FILE_BYTES_MAX {
        return Err(FilesError(format!("{shown} is too large for a {what}; see {setting}")));
    }
    Ok((content, exposed))
}

#[cfg(unix)]
fn exposed(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    // A group may be how the server gets at its key; everybody is not.
    Ok(file.metadata()?.permissions().mode() & 0o007 != 0)
}

#[cfg(not(unix))]
fn exposed(_file: &File) -> io::Result<bool> {
    Ok(false)
}

fn holds(content: &[u8], text: &str) -> bool {
    content.windows(text.len()).any(|window| window == text.as_bytes())
}

impl fmt::Display for FilesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for FilesError {}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use rustls::crypto::aws_lc_rs;

    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("fanfare-cert-{}-{name}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn files(&self) -> CertificateFiles {
            CertificateFiles { cert: self.0.join("a.crt"), key: self.0.join("a.key") }
        }

        fn put(&self, cert: &str, key: &str) -> Result<Pair, String> {
            let files = self.files();
            fs::write(&files.cert, cert).unwrap();
            fs::write(&files.key, key).unwrap();
            fs::set_permissions(&files.key, Permissions::from_mode(0o600)).unwrap();
            self.load()
        }

        fn load(&self) -> Result<Pair, String> {
            let provider = Arc::new(aws_lc_rs::default_provider());
            self.files().load(&provider).map_err(|error| error.to_string())
        }

        fn refused(&self, cert: &str, key: &str) -> String {
            let text = self.put(cert, key).err().expect("refused");
            assert!(!text.contains('\n') && !text.contains("canary"), "{text}");
            text.replace(&format!("{}/", self.0.display()), "")
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn made() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn what_cannot_be_used_is_named_with_its_file() {
        let folder = Folder::new("refused");
        let ((cert, key), (_, other)) = (made(), made());
        let locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\ncanary\n-----END ENCRYPTED PRIVATE KEY-----\n";
        let swapped = "were tls.cert_file and tls.key_file swapped?";
        for (cert, key, wanted) in [
            (&*cert, &*other, "the key in a.key does not belong to the certificate in a.crt"),
            (&key, &cert, &format!("a.crt holds a private key and no certificate; {swapped}")),
            (&cert, &cert, &format!("a.key holds a certificate and no private key; {swapped}")),
            (
                "not PEM at all",
                &key,
                "a.crt holds no certificate: expected PEM with \"-----BEGIN CERTIFICATE-----\"",
            ),
            (
                &cert,
                "canary",
                "a.key holds no private key: expected PEM with \"-----BEGIN PRIVATE KEY-----\"",
            ),
            (
                &cert,
                "-----BEGIN PRIVATE KEY-----\ncanary!\n-----END PRIVATE KEY-----\n",
                "a.key holds no private key: expected PEM with \"-----BEGIN PRIVATE KEY-----\"",
            ),
            (
                &cert,
                locked,
                "the key in a.key is encrypted; decrypt it first: openssl pkey -in a.key -out FILE",
            ),
        ] {
            assert_eq!(folder.refused(cert, key), wanted);
        }
        let odd = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let text = folder.refused(odd, &key);
        assert!(text.starts_with("the certificate in a.crt cannot be used"), "{text}");
        let odd = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        let text = folder.refused(&cert, odd);
        assert!(text.starts_with("the key in a.key cannot be used"), "{text}");
        let text = folder.refused(&"#".repeat(FILE_BYTES_MAX as usize + 1), &key);
        assert_eq!(text, "a.crt is too large for a certificate; see tls.cert_file");
        fs::remove_file(folder.files().key).unwrap();
        fs::write(folder.files().cert, cert).unwrap();
        let text = folder.load().err().unwrap();
        assert!(
            text.contains("a.key cannot be read (No such file") && text.contains("tls.key_file"),
            "{text}"
        );
    }

    #[test]
    fn keys_of_all_common_kinds_are_taken() {
        let folder = Folder::new("kinds");
        for algorithm in
            [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519]
        {
            let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
            let params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
            let cert = params.self_signed(&key).unwrap();
            let pair =
                folder.put(&cert.pem(), &key.serialize_pem()).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(pair.warnings, Vec::<String>::new());
        }
    }

    #[test]
    fn what_is_odd_is_said() {
        let folder = Folder::new("odd");
        let (cert, key) = made();
        folder.put(&cert, &key).unwrap_or_else(|error| panic!("{error}"));
        fs::set_permissions(folder.files().key, Permissions::from_mode(0o644)).unwrap();
        let warnings = folder.load().unwrap_or_else(|error| panic!("{error}")).warnings;
        assert!(
            warnings.len() == 1 && warnings[0].starts_with("other users of this host may read"),
            "{warnings:?}"
        );

        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_219_200); // 2026-11-21
        for ((from, to), wanted) in [
            (((2020, 1, 1), (2026, 11, 18)), Some("expired 3 days ago")),
            (((2026, 11, 22), (2030, 1, 1)), Some("is not valid yet")),
            (((2020, 1, 1), (2026, 11, 23)), Some("expires in 48 hours")),
            (((2020, 1, 1), (2026, 12, 23)), None),
        ] {
            let key = rcgen::KeyPair::generate().unwrap();
            let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
            params.not_before = rcgen::date_time_ymd(from.0, from.1, from.2);
            params.not_after = rcgen::date_time_ymd(to.0, to.1, to.2);
            let cert = params.self_signed(&key).unwrap();
            let pair =
                folder.put(&cert.pem(), &key.serialize_pem()).unwrap_or_else(|error| panic!("{error}"));
            let warning = folder.files().validity_warning(&pair.certified, now);
            assert_eq!(warning.is_some(), wanted.is_some(), "{warning:?}");
            assert!(warning.is_none_or(|warning| warning.contains(wanted.unwrap_or_default())));
        }
    }
}
