//! The listener for metrics and administration.

use super::Setting;
use crate::config::kinds::{Addresses, Flag, Kind, WordList};

pub(super) const TABLE: &[Setting] = &[
    setting!(
        "admin.listen",
        admin.listen,
        Addresses { optional: true },
        "addresses where /metrics, /health and /ready are served; beyond loopback /metrics needs an API key"
    ),
    setting!(
        "admin.hosts",
        admin.hosts,
        WordList,
        "names, beside localhost and loopback addresses, by which a loopback listener of them may be asked"
    ),
    setting!(
        "admin.on_main",
        admin.on_main,
        Flag,
        "whether /metrics is served where clients connect too; beyond loopback and behind a trusted proxy with an API key"
    ),
];
