//! What belongs to no group, the HTTP API and the log.

use super::Setting;
use crate::config::LogFormat;
use crate::config::kinds::{Addresses, Choice, Count, FilePath, Filter, Flag, Kind, Secrets, Word};

const FORMATS: &[(&str, LogFormat)] = &[("text", LogFormat::Text), ("json", LogFormat::Json)];

pub(super) const TABLE: &[Setting] = &[
    setting!(
        "listen",
        listen,
        Addresses { optional: false },
        "addresses to listen on, HTTP and WebSocket alike"
    ),
    setting!(
        "insecure",
        insecure,
        Flag,
        "whether to do without authentication and rates, for development on this host"
    ),
    setting!(
        "insecure_public",
        insecure_public,
        Flag,
        "the same said again, which it takes where other hosts can connect"
    ),
    setting!(
        "shards",
        shards,
        Count::<u8>::new(0, 255),
        "threads that own connections; 0 is one for each core but one"
    ),
    setting!(
        "default_dialect",
        default_dialect,
        Word,
        "what is spoken at /ws when the client names no dialect"
    ),
    Setting {
        key: "data_dir",
        about: "where the server keeps what has to outlive it",
        set: |config, given| {
            config.data_dir = FilePath.read(given)?.unwrap_or_default();
            Ok(())
        },
        show: |config| FilePath.show(&Some(config.data_dir.clone())),
        describe: || FilePath.describe(),
    },
    setting!(
        "namespaces_strict",
        namespaces_strict,
        Flag,
        "whether a namespace that is not configured is an error"
    ),
    setting!("metrics", metrics, Flag, "whether /metrics is served"),
    setting!("demo", demo, Flag, "whether the demo page is served at /, and its namespace exists"),
    setting!("api.keys", api.keys, Secrets, "keys of the HTTP API; without any, one is generated"),
    Setting {
        key: "api.key_file",
        about: "where the generated key of the HTTP API is kept",
        set: |config, given| {
            config.api.key_file = FilePath.read(given)?;
            Ok(())
        },
        show: |config| FilePath.show(&Some(config.key_file())),
        describe: || FilePath.describe(),
    },
    setting!("log.filter", log.filter, Filter, "which events are logged"),
    setting!("log.format", log.format, Choice(FORMATS), "the form of a log line"),
];
