//! The listener for metrics and administration.

use super::Setting;
use crate::config::kinds::{Addresses, Flag, Kind};

pub(super) const TABLE: &[Setting] = &[
    setting!(
        "admin.listen",
        admin.listen,
        Addresses { optional: true },
        "addresses where /metrics, /health and /ready are served; beyond loopback /metrics needs an API key"
    ),
    setting!(
        "admin.on_main",
        admin.on_main,
        Flag,
        "whether /metrics is served where clients connect too; beyond loopback and behind a trusted proxy with an API key"
    ),
];
