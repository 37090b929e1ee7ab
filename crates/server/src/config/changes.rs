//! What another configuration would change.

use std::collections::{BTreeMap, BTreeSet};

use super::{Config, settings};

/// A setting whose value differs. Secrets are withheld, as everywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// As in the file, with the table's name.
    pub key: String,
    /// What was in force; none where the namespace or the issuer was not there.
    pub old: Option<String>,
    /// What is to be; none where it is not there any more.
    pub new: Option<String>,
    /// Whether a running server can take it.
    pub reloadable: bool,
}

impl Config {
    /// What differs from `self` in `new`, in the order of the keys.
    pub fn changes(&self, new: &Config) -> Vec<Change> {
        let values = |config: &Config| -> BTreeMap<String, String> {
            config.shown().into_iter().map(|row| (row.key, row.value)).collect()
        };
        let (old_values, new_values) = (values(self), values(new));
        let keys: BTreeSet<&String> = old_values.keys().chain(new_values.keys()).collect();
        let changed = keys.into_iter().filter(|key| old_values.get(*key) != new_values.get(*key));
        changed
            .map(|key| Change {
                key: key.clone(),
                old: old_values.get(key).cloned(),
                new: new_values.get(key).cloned(),
                reloadable: settings::is_reloadable(key),
            })
            .collect()
    }
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "(not set)".to_owned());
        write!(f, "{}: {} -> {}", self.key, text(&self.old), text(&self.new))
    }
}
