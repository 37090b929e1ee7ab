//! Values that are fine one by one and contradict each other.

use fanfare_core::limits::BATCH_BYTES_MAX;
use fanfare_core::namespace::Namespace;

use super::load::{Assignment, place_of};
use super::problem::Problem;
use super::{Config, namespaces, settings};
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
    report.network();
    report.namespace("namespace", &config.namespace);
    for (name, namespace) in &config.namespaces {
        report.namespace(&format!("namespaces.{name}"), namespace);
    }
    if !config.loopback_only() && !config.insecure {
        report.public();
    }
}

struct Report<'a> {
    config: &'a Config,
    assignments: &'a [Assignment],
    problems: &'a mut Vec<Problem>,
}

impl Report<'_> {
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

    fn public(&mut self) {
        let open = self.config.listen.iter().find(|address| !address.ip().is_loopback());
        let open = open.map(ToString::to_string).unwrap_or_default();
        let rule = format!("{open} can be reached from other hosts, and nobody has to say who they are");
        let mut problem = Problem::new(rule);
        if let Some(place) = place_of("listen", self.assignments) {
            problem = problem.at(&place.text, place.value.clone(), "not a loopback address");
        }
        let help = "listen on 127.0.0.1 or [::1], or say insecure = true if that is what you want";
        self.problems.push(problem.help(help));
    }

    fn value(&self, key: &str) -> String {
        if let Some(setting) = settings::find(key) {
            return (setting.show)(self.config);
        }
        let Some((table, name)) = key.rsplit_once('.') else { return String::new() };
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
