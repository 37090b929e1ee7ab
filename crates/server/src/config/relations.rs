//! Values that are fine one by one and contradict each other.

use std::net::SocketAddr;

use fanfare_core::limits::BATCH_BYTES_MAX;
use fanfare_core::namespace::Namespace;

use super::auth::IssuerConfig;
use super::load::{Assignment, place_of};
use super::problem::Problem;
use super::{AuthMode, Config, issuers, namespaces, settings};
use crate::network::ClientAddress;
use crate::network::origin::OriginPattern;

/// Checks every relation that has to hold.
pub(super) fn check(config: &Config, assignments: &[Assignment], problems: &mut Vec<Problem>) {
    let limits = &config.limits;
    let mut report = Report { config, assignments, problems };
    if limits.outbox_bytes_max < 2 * limits.message_bytes_max {
        report.contradiction(
            &["limits.outbox_bytes_max", "limits.message_bytes_max"],
            "an outbox has to hold at least two of the largest messages",
        );
    }
    if limits.outbox_bytes_max < 2 * BATCH_BYTES_MAX {
        report.contradiction(
            &["limits.outbox_bytes_max"],
            "an outbox has to hold two batches of joined messages, 128KiB in all",
        );
    }
    if limits.replay_bytes_max < limits.message_bytes_max {
        report.contradiction(
            &["limits.replay_bytes_max", "limits.message_bytes_max"],
            "a replay has to hold at least one of the largest messages",
        );
    }
    if config.deadlines.pong_ms > config.deadlines.ping_interval_ms {
        report.contradiction(
            &["deadlines.pong", "deadlines.ping_interval"],
            "the answer to a ping is due before the next ping goes out",
        );
    }
    if config.deadlines.position_ms < config.deadlines.resume_ms {
        report.contradiction(
            &["deadlines.position", "deadlines.resume"],
            "a session that is waited for must find the channels' numbering as it left it",
        );
    }
    report.tls();
    report.network();
    report.namespace("namespace", &config.namespace);
    for (name, namespace) in &config.namespaces {
        report.namespace(&format!("namespaces.{name}"), namespace);
    }
    for (name, issuer) in &config.auth.issuers {
        report.issuer(name, issuer);
    }
    report.cookies();
    report.listeners();
    if !config.loopback_only() {
        report.public();
    }
}

struct Report<'a> {
    config: &'a Config,
    assignments: &'a [Assignment],
    problems: &'a mut Vec<Problem>,
}

impl Report<'_> {
    fn tls(&mut self) {
        let tls = &self.config.tls;
        let same =
            self.config.listen.iter().any(|address| address.port() != 0 && tls.listen.contains(address));
        if same {
            self.contradiction(
                &["tls.listen", "listen"],
                "one address cannot be spoken to with and without TLS",
            );
        }
        let ordered = !tls.acme_domains.is_empty();
        match (&tls.cert_file, &tls.key_file) {
            (Some(_), None) | (None, Some(_)) => {
                let keys = ["tls.cert_file", "tls.key_file"];
                self.contradiction(&keys, "a certificate and its private key belong together");
            }
            (Some(_), Some(_)) if ordered => {
                let keys = ["tls.cert_file", "tls.acme_domains"];
                self.contradiction(&keys, "a certificate is in files or is ordered, and not both");
            }
            (None, None) if !ordered && !tls.listen.is_empty() => {
                let keys = ["tls.listen", "tls.cert_file", "tls.key_file", "tls.acme_domains"];
                self.contradiction(&keys, "a listener for TLS needs a certificate");
            }
            (cert, _) if tls.listen.is_empty() && (ordered || cert.is_some()) => {
                let key = if ordered { "tls.acme_domains" } else { "tls.cert_file" };
                self.contradiction(
                    &[key, "tls.listen"],
                    "a certificate has no effect without a listener for TLS",
                );
            }
            _ => {}
        }
    }

    fn namespace(&mut self, table: &str, namespace: &Namespace) {
        let key = |name: &str| format!("{table}.{name}");
        if namespace.join_leave && !namespace.presence {
            let keys = [key("join_leave"), key("presence")];
            self.contradiction(&[&keys[0], &keys[1]], "join and leave events need presence");
        }
        if namespace.replay_on_subscribe > namespace.history_size {
            let keys = [key("replay_on_subscribe"), key("history_size")];
            self.contradiction(&[&keys[0], &keys[1]], "a channel can replay no more than it keeps");
        }
    }

    fn network(&mut self) {
        let (network, auth) = (&self.config.network, &self.config.auth);
        if !auth.cookie.is_empty() && network.origins.iter().any(OriginPattern::is_any) {
            self.contradiction(
                &["network.origins", "auth.cookie"],
                "where a cookie authenticates, the origins that may use it have to be named",
            );
        }
        if network.trusted_proxies.is_empty() && network.client_address != ClientAddress::Peer {
            self.contradiction(
                &["network.client_address", "network.trusted_proxies"],
                "what a header says of the client's address is believed only from a trusted proxy",
            );
        }
        if network.trusted_proxies.is_empty() && network.proxy_protocol {
            self.contradiction(
                &["network.proxy_protocol", "network.trusted_proxies"],
                "a PROXY header is taken only from a trusted proxy",
            );
        }
    }

    /// Points at each value that was set by somebody, and names those that were not.
    fn contradiction(&mut self, keys: &[&str], rule: &str) {
        let mut problem = Problem::new(rule);
        let mut notes = Vec::new();
        for key in keys {
            let value = self.value(key);
            if let Some(place) = place_of(key, self.assignments) {
                problem = problem.at(&place.text, place.value.clone(), format!("{key} is {value}"));
            }
            notes.push(format!("{key} = {value} ({})", self.config.source(key)));
        }
        self.problems.push(problem.help(format!("in force: {}", notes.join(", "))));
    }

    fn issuer(&mut self, name: &str, issuer: &IssuerConfig) {
        let key = |setting: &str| format!("issuers.{name}.{setting}");
        let sources = issuers::key_sources(issuer);
        let [source] = sources[..] else {
            let keys: Vec<String> = sources.iter().map(|source| key(source)).collect();
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            match sources[..] {
                [] => self.keyless(name),
                _ => self.contradiction(&keys, "an issuer has its keys from one place only"),
            }
            return;
        };
        let symmetric = matches!(source, "secret" | "secret_file");
        let misfit =
            issuer.algorithms.iter().find(|algorithm| issuers::is_symmetric(**algorithm) != symmetric);
        if let Some(algorithm) = misfit {
            let algorithm = algorithm.as_str();
            let rule = match symmetric {
                true => format!("{algorithm} is verified with a public key, and a secret is none"),
                // Whoever knows the public key, which is everybody, could sign.
                false => format!("{algorithm} signs with a secret, and a public key is none"),
            };
            self.contradiction(&[&key("algorithms"), &key(source)], &rule);
        }
    }

    fn keyless(&mut self, name: &str) {
        let mut problem = Problem::new(format!("the issuer \"{name}\" has no keys"));
        let table = format!("issuers.{name}.");
        let place = place_of(table.trim_end_matches('.'), self.assignments).or_else(|| {
            // Not in the file: one of its settings stands in the environment or on the command line.
            let its = self.assignments.iter().find(|assignment| assignment.key.text().starts_with(&table));
            its.and_then(|assignment| assignment.place.as_ref())
        });
        if let Some(place) = place {
            problem = problem.at(&place.text, place.key.clone(), "its tokens cannot be verified");
        }
        self.problems.push(problem.help(format!("give it one of {}", issuers::KEY_SOURCES.join(", "))));
    }

    fn cookies(&mut self) {
        let auth = &self.config.auth;
        if !auth.cookie.is_empty() && auth.cookie == auth.csrf_cookie {
            let keys = ["auth.cookie", "auth.csrf_cookie"];
            self.contradiction(&keys, "the token and what protects it are two cookies");
        }
    }

    fn listeners(&mut self) {
        let config = self.config;
        for (key, others) in [("listen", &config.listen), ("tls.listen", &config.tls.listen)] {
            // Port 0 is another port each time.
            let shared = |address: &SocketAddr| address.port() != 0 && others.contains(address);
            if config.chose_admin_listener() && config.admin.listen.iter().any(shared) {
                let keys = ["admin.listen", key];
                self.contradiction(&keys, "one address cannot serve both clients and administration");
            }
        }
    }

    /// What it takes to listen where other hosts can connect.
    fn public(&mut self) {
        let config = self.config;
        let open = config.auth_mode() == AuthMode::Open;
        if !(open || config.insecure) || config.insecure && config.insecure_public {
            return;
        }
        let public = |addresses: &[SocketAddr]| addresses.iter().copied().find(|a| !a.ip().is_loopback());
        let plain = public(&config.listen).map(|address| ("listen", address));
        let Some((key, address)) =
            plain.or(public(&config.tls.listen).map(|address| ("tls.listen", address)))
        else {
            return;
        };
        let lack =
            if open { "nobody has to say who they are" } else { "nothing bounds how much they ask for" };
        let mut problem = Problem::new(format!("{address} can be reached from other hosts, and {lack}"));
        if let Some(place) = place_of(key, self.assignments) {
            problem = problem.at(&place.text, place.value.clone(), "not a loopback address");
        }
        let said = if config.insecure { "insecure" } else { "auth.mode" };
        if let Some(place) = place_of(said, self.assignments) {
            problem = problem.at(&place.text, place.value.clone(), "for loopback addresses only");
        }
        let help = "listen on 127.0.0.1 or [::1], or leave it out: then clients bring tokens. If it is what you want, \
            say it twice: insecure = true and insecure_public = true, or --insecure --insecure";
        self.problems.push(problem.help(help));
    }

    fn value(&self, key: &str) -> String {
        if let Some(setting) = settings::find(key) {
            return (setting.show)(self.config);
        }
        let Some((table, name)) = key.rsplit_once('.') else { return String::new() };
        if let Some(issuer) = table.strip_prefix("issuers.") {
            return match (self.config.auth.issuers.get(issuer), issuers::find(name)) {
                (Some(issuer), Some(setting)) => (setting.show)(issuer),
                _ => String::new(),
            };
        }
        let namespace = match table.strip_prefix("namespaces.") {
            Some(name) => self.config.namespaces.get(name),
            None => Some(&self.config.namespace),
        };
        match (namespace, namespaces::find(name)) {
            (Some(namespace), Some(setting)) => (setting.show)(namespace),
            _ => String::new(),
        }
    }
}
