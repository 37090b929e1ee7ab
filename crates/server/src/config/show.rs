//! Showing: what is in force and why, and what there is to set. Both are valid configuration files, but for
//! secrets, which are withheld.

use std::fmt::Write as _;

use fanfare_core::namespace::Namespace;

use super::environment::variable;
use super::load::built_in_namespace;
use super::source::Source;
use super::{Config, issuers, namespaces, settings};

/// One effective setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// As in the file, with the table's name.
    pub key: String,
    /// As in the file; secrets are withheld.
    pub value: String,
    /// Where it came from.
    pub source: Source,
}

impl Config {
    /// Every effective setting.
    pub fn shown(&self) -> Vec<Shown> {
        let mut rows = Vec::new();
        for setting in settings::groups() {
            let source = self.source(setting.key);
            rows.push(Shown { key: setting.key.to_owned(), value: (setting.show)(self), source });
        }
        for (name, issuer) in &self.auth.issuers {
            for setting in issuers::SETTINGS {
                // What an issuer leaves out has no value that could be written.
                let key = format!("issuers.{name}.{}", setting.name);
                let Some(source) = self.sources.get(&key).cloned() else { continue };
                rows.push(Shown { key, value: (setting.show)(issuer), source });
            }
        }
        self.namespace_rows("namespace", "namespace", &self.namespace, &mut rows);
        for (name, namespace) in &self.namespaces {
            let (table, plain) = (format!("namespaces.{}", bare(name)), format!("namespaces.{name}"));
            self.namespace_rows(&table, &plain, namespace, &mut rows);
        }
        rows
    }

    fn namespace_rows(&self, table: &str, plain: &str, namespace: &Namespace, rows: &mut Vec<Shown>) {
        for setting in namespaces::SETTINGS {
            let source = self.source(&format!("{plain}.{}", setting.name));
            let key = format!("{table}.{}", setting.name);
            rows.push(Shown { key, value: (setting.show)(namespace), source });
        }
    }

    /// Every effective setting with its source, as lines of a file.
    pub fn render(&self) -> String {
        let rows = self.shown();
        let width = |row: &Shown| row.key.chars().count() + 3 + row.value.chars().count();
        let column = rows.iter().map(width).max().unwrap_or(0).min(72);
        let mut out = String::new();
        for row in &rows {
            let gap = column.saturating_sub(width(row)) + 2;
            let _ = write!(out, "{} = {}{:gap$}# {}", row.key, row.value, "", row.source);
            if settings::is_reloadable(&row.key) {
                let _ = write!(out, "; reloadable");
            }
            out.push('\n');
        }
        out
    }

    /// Every setting there is, with its default, as a commented file.
    pub fn reference() -> String {
        let config = Config::built_in();
        let mut out =
            String::from("# Every setting of Fanfare, at its default. Remove what you do not change.\n");
        let mut group = "";
        for setting in settings::groups() {
            let (its_group, name) = setting.key.split_once('.').unwrap_or(("", setting.key));
            if its_group != group {
                group = its_group;
                let _ = write!(out, "\n[{group}]\n");
            }
            let _ = write!(
                out,
                "\n# {}.\n# {}; {}\n",
                setting.about,
                (setting.describe)(),
                variable(setting.key)
            );
            let commented = if needs_choice(setting) { "# " } else { "" };
            let _ = writeln!(out, "{commented}{name} = {}", (setting.show)(&config));
        }
        out.push_str("\n# Whose tokens are taken, beside those of `fanfare token`; one such table for each issuer, with\n");
        out.push_str("# exactly one of secret, secret_file, public_key_file, jwks_file and jwks_url.\n# [issuers.main]\n");
        for setting in issuers::SETTINGS {
            let variable = variable(&format!("issuers.main.{}", setting.name));
            let _ = write!(out, "\n# {}.\n# {}; {variable}\n", setting.about, (setting.describe)());
            let _ = writeln!(out, "# {} = {}", setting.name, setting.example);
        }
        out.push_str(
            "\n# Channels without a namespace of their own. A channel's namespace is what stands before\n",
        );
        out.push_str(
            "# the first colon of its name; write [namespaces.chat] for that of chat:lobby. What such a\n",
        );
        out.push_str("# table leaves out it takes from here.\n[namespace]\n");
        for setting in namespaces::SETTINGS {
            let variable = variable(&format!("namespace.{}", setting.name));
            let _ = write!(out, "\n# {}.\n# {}; {variable}\n", setting.about, (setting.describe)());
            let _ = writeln!(out, "{} = {}", setting.name, (setting.show)(&built_in_namespace()));
        }
        out
    }
}

/// Whether a setting's default is no value that a file could give.
fn needs_choice(setting: &settings::Setting) -> bool {
    setting.is_secret()
        || matches!(
            setting.key,
            "data_dir"
                | "api.key_file"
                | "auth.secret_file"
                | "tls.cert_file"
                | "tls.key_file"
                | "admin.hosts"
                | "tls.acme_domains"
                | "tls.acme_contact"
                | "tls.acme_ca_file"
        )
}

/// A name as the file writes it.
fn bare(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.chars().all(plain) { name.to_owned() } else { toml::Value::String(name.to_owned()).to_string() }
}
