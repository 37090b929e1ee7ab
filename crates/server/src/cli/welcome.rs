//! What a server says on the screen once it listens.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Setup, serve};
use crate::config::AuthMode;

/// What there is to say.
pub struct Welcome<'a> {
    /// What the server started with.
    pub setup: &'a Setup,
    /// Where it listens; the ports are the real ones.
    pub addresses: &'a [SocketAddr],
    /// Where it listens with TLS.
    pub tls_addresses: &'a [SocketAddr],
    /// Where it listens for administration.
    pub admin_addresses: &'a [SocketAddr],
}

impl Welcome<'_> {
    /// The text. It holds the API key if, and only if, the key was made at this very start and a person reads it on a
    /// terminal: elsewhere it would be kept, by journald or Docker for instance.
    pub fn text(&self, terminal: bool) -> String {
        let mut out = format!("fanfare {} listens on\n", env!("CARGO_PKG_VERSION"));
        for address in self.addresses {
            let _ = writeln!(out, "  http://{address}   WebSocket at ws://{address}/ws");
        }
        for address in self.tls_addresses {
            let _ = writeln!(out, "  https://{address}   WebSocket at wss://{address}/ws");
        }
        let Some(near) = self.addresses.first().copied().map(reachable) else { return out };
        if self.setup.config.demo {
            let token = match self.setup.config.auth_mode() {
                AuthMode::Required | AuthMode::Auto => "?token=TOKEN",
                AuthMode::Optional | AuthMode::Open => "",
            };
            let _ = writeln!(out, "\nDemo page   http://{near}/{token}");
        }
        let key = match &self.setup.key_file {
            None => {
                out.push_str("\nAPI key     as configured\n");
                "$FANFARE_KEY".to_owned()
            }
            Some(file) => {
                let path = file.path.display();
                let _ = match file.created.as_ref().filter(|_| terminal) {
                    Some(key) => write!(
                        out,
                        "\nAPI key     {key}\n            made now and kept in {path}; not shown again\n"
                    ),
                    None => write!(out, "\nAPI key     in {path}\n"),
                };
                format!("$(cat {})", quoted(&path.to_string()))
            }
        };
        let _ = write!(
            out,
            "\nPublish     curl http://{near}/api/publish -H \"Authorization: Bearer {key}\" \\\n\
             \x20             -H 'Content-Type: application/json' -d '{{\"channel\":\"demo:lobby\",\"data\":{{\"text\":\"hello\"}}}}'\n"
        );
        if let Some(admin) = self.admin_addresses.first().copied().filter(|_| self.setup.config.metrics) {
            let _ = writeln!(out, "\nMetrics     http://{}/metrics", reachable(admin));
        }
        self.who_may_connect(&mut out);
        out
    }

    fn who_may_connect(&self, out: &mut String) {
        let config = &self.setup.config;
        let token = "fanfare token --user NAME";
        let _ = match config.auth_mode() {
            AuthMode::Open if config.insecure => Ok(()),
            AuthMode::Open => {
                writeln!(out, "\nUsers       whoever connects from this host may say who they are")
            }
            AuthMode::Optional => writeln!(out, "\nUsers       anonymous, or with a token: {token}"),
            AuthMode::Required | AuthMode::Auto => writeln!(out, "\nUsers       with a token: {token}"),
        };
        if config.insecure {
            for (index, danger) in serve::dangers(config).iter().enumerate() {
                let heading = if index == 0 { "\nINSECURE    " } else { "            " };
                let _ = writeln!(out, "{heading}{danger}");
            }
        }
    }
}

/// Where a program on this host finds a listener.
pub(super) fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// A path as a shell takes it.
fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if path.chars().all(plain) { path.to_owned() } else { format!("'{}'", path.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::config::{self, Inputs};
    use crate::secrets::{KeyFile, KeyRing, Secret};

    fn setup(created: Option<&str>) -> Setup {
        let loaded = config::load(&Inputs::new(&["native"])).unwrap_or_else(|error| panic!("{error}"));
        let key_file = KeyFile {
            key: Secret::new("ffk_0123456789abcdef"),
            path: PathBuf::from("/home/ann/my data/api.key"),
            created: created.map(str::to_owned),
            exposed: false,
        };
        let token_secret = KeyFile {
            key: Secret::new("ffs_canary"),
            path: PathBuf::from("/home/ann/my data/token.secret"),
            created: None,
            exposed: false,
        };
        let keys = KeyRing::new(Vec::new());
        let inputs = Inputs::new(&["native"]);
        Setup { config: loaded.config, inputs, keys, key_file: Some(key_file), token_secret }
    }

    #[test]
    fn the_first_start_shows_the_key() {
        let setup = setup(Some("ffk_0123456789abcdef"));
        let addresses = ["0.0.0.0:8000".parse().unwrap(), "[::1]:8001".parse().unwrap()];
        let tls_addresses = ["[::1]:8443".parse().unwrap()];
        let admin_addresses = ["127.0.0.1:8001".parse().unwrap()];
        let welcome = Welcome {
            setup: &setup,
            addresses: &addresses,
            tls_addresses: &tls_addresses,
            admin_addresses: &admin_addresses,
        };
        insta::assert_snapshot!(welcome.text(true));
        let kept = welcome.text(false);
        assert!(
            !kept.contains("ffk_") && kept.contains("API key     in /home/ann/my data/api.key"),
            "{kept}"
        );
    }

    #[test]
    fn later_starts_do_not() {
        let mut setup = setup(None);
        let addresses = ["127.0.0.1:8000".parse().unwrap()];
        let text = |setup: &Setup| {
            Welcome { setup, addresses: &addresses, tls_addresses: &[], admin_addresses: &[] }.text(true)
        };
        let later = text(&setup);
        assert!(!later.contains("ffk_") && later.contains("$(cat '/home/ann/my data/api.key')"), "{later}");
        setup.key_file = None;
        setup.config.demo = false;
        let text = text(&setup);
        assert!(text.contains("as configured") && !text.contains("Demo"), "{text}");
    }
}
