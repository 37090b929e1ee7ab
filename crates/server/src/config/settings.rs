//! The table of settings: one row each, and no other list of them anywhere.

use super::Config;
use super::kinds::{Given, Refusal};

/// One setting of the server.
pub(super) struct Setting {
    /// As in the file, with the table's name: `limits.message_bytes_max`.
    pub(super) key: &'static str,
    /// A line for people.
    pub(super) about: &'static str,
    /// Reads a value into the configuration.
    pub(super) set: fn(&mut Config, &Given) -> Result<(), Refusal>,
    /// Writes the value in force, withholding secrets.
    pub(super) show: fn(&Config) -> String,
    /// What values it takes.
    pub(super) describe: fn() -> String,
}

macro_rules! setting {
    ($key:literal, $($field:ident).+, $kind:expr, $about:literal) => {
        Setting {
            key: $key,
            about: $about,
            set: |config, given| {
                config.$($field).+ = $kind.read(given)?;
                Ok(())
            },
            show: |config| $kind.show(&config.$($field).+),
            describe: || $kind.describe(),
        }
    };
}

mod admin;
mod auth;
mod compression;
mod deadlines;
mod dialects;
mod general;
mod limits;
mod network;
mod rate_limits;
mod tls;

/// Settings whose values are never shown.
pub(super) const SECRET: &[&str] = &["api.keys"];

/// Settings that SIGHUP puts in force; all others need a restart. Those of issuers and namespaces are reloadable too.
const RELOADABLE: &[&str] = &[
    "namespaces_strict",
    "api.keys",
    "api.key_file",
    "auth.leeway",
    "auth.allow_users",
    "network.origins",
    "limits.connections_max",
    "limits.connections_per_ip_max",
    "limits.connections_per_user_max",
    "limits.subscriptions_per_connection_max",
    "limits.requests_in_flight_max",
    "limits.outbox_bytes_max",
    "limits.resume_bytes_max",
];

/// Groups of which all settings are.
const RELOADABLE_GROUPS: &[&str] = &["rate_limits.", "issuers.", "namespace.", "namespaces."];

/// Whether a running server takes a change of the setting on SIGHUP.
pub(super) fn is_reloadable(key: &str) -> bool {
    RELOADABLE.contains(&key) || RELOADABLE_GROUPS.iter().any(|group| key.starts_with(group))
}

impl Setting {
    /// Whether values are withheld from everything that is shown.
    pub(super) fn is_secret(&self) -> bool {
        SECRET.contains(&self.key)
    }
}

/// The setting of a key.
pub(super) fn find(key: &str) -> Option<&'static Setting> {
    groups().find(|setting| setting.key == key)
}

/// All settings, in the order in which they are shown.
pub(super) fn groups() -> impl Iterator<Item = &'static Setting> {
    [
        general::TABLE,
        admin::TABLE,
        auth::TABLE,
        dialects::TABLE,
        tls::TABLE,
        network::TABLE,
        rate_limits::TABLE,
        limits::TABLE,
        compression::TABLE,
        deadlines::TABLE,
    ]
    .into_iter()
    .flatten()
}

pub(super) const HOUR_MS: u64 = 3_600_000;
/// The longest that `auth.token_lifetime_max` may be.
pub(super) const TOKEN_LIFETIME_MAX_MS: u64 = 366 * 24 * HOUR_MS;
const MIB: usize = 1024 * 1024;
