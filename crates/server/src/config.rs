//! The configuration: built-in defaults, overlaid by a TOML file, by the environment and by flags.
//!
//! - one table row for each setting, with its bounds; nothing else reads or prints one
//! - every effective setting remembers its [`Source`]; `fanfare check` prints both
//! - every error is a [`Problem`] that points into the text it came from; all are reported at once
//!
//! ```
//! use fanfare_server::config::{self, Inputs};
//!
//! let loaded = config::load(&Inputs::new(&["native"])).ok().unwrap();
//! assert_eq!(loaded.config.listen[0].to_string(), "127.0.0.1:8000");
//! assert_eq!(loaded.config.limits.message_bytes_max, 64 * 1024);
//! ```

mod admin;
mod auth;
mod changes;
mod compression;
mod dialects;
mod document;
mod environment;
mod issuers;
mod kinds;
mod load;
mod namespaces;
mod network;
mod problem;
mod relations;
mod settings;
mod show;
mod source;
#[cfg(test)]
mod tests;
mod tls;
mod verifier;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use fanfare_core::limits::{Deadlines, Limits, RateLimits};
use fanfare_core::namespace::{Namespace, Namespaces};

pub use admin::AdminConfig;
pub use auth::{AuthConfig, AuthErrors, AuthMode, Csrf, IssuerConfig};
pub use changes::Change;
pub use compression::CompressionConfig;
pub use dialects::DialectsConfig;
pub use load::{Flag, Inputs, Loaded, load};
pub use network::NetworkConfig;
pub use problem::{Problem, Problems};
pub use show::Shown;
pub use source::Source;
pub use tls::TlsConfig;
pub(crate) use verifier::own_issuer;

use crate::secrets::Secret;

/// Everything an operator can set, validated.
pub struct Config {
    /// Addresses the server listens on.
    pub listen: Vec<SocketAddr>,
    /// Whether the operator has said that this server may do without authentication and rates.
    pub insecure: bool,
    /// Whether they have said it again, for addresses that other hosts reach.
    pub insecure_public: bool,
    /// How many shards; 0 is one for each core but one.
    pub shards: u8,
    /// What is spoken at `/ws` when the client names no dialect.
    pub default_dialect: String,
    /// What dialects leave to the operator.
    pub dialects: DialectsConfig,
    /// Where the server keeps what has to outlive it.
    pub data_dir: PathBuf,
    /// The HTTP API.
    pub api: ApiConfig,
    /// The listener for metrics and administration.
    pub admin: AdminConfig,
    /// Who may come in.
    pub auth: AuthConfig,
    /// Who may connect from where, and how often.
    pub network: NetworkConfig,
    /// TLS.
    pub tls: TlsConfig,
    /// Compression of WebSocket messages.
    pub compression: CompressionConfig,
    /// The engine's bounds.
    pub limits: Limits,
    /// The engine's deadlines.
    pub deadlines: Deadlines,
    /// How much may be asked for in a time, as configured; [`Config::rate_limits`] says what is in force.
    pub rate_limits: RateLimits,
    /// The settings of channels without a namespace of their own.
    pub namespace: Namespace,
    /// The settings of the namespaces that have some.
    pub namespaces: BTreeMap<String, Namespace>,
    /// Whether a namespace that is not configured is an error.
    pub namespaces_strict: bool,
    /// The log.
    pub log: LogConfig,
    /// Whether `/metrics` is served.
    pub metrics: bool,
    /// Whether the demo page is served and its namespace exists.
    pub demo: bool,
    sources: BTreeMap<String, Source>,
}

/// The HTTP API's part.
pub struct ApiConfig {
    /// Keys that open the API. Without any, one is generated into [`ApiConfig::key_file`].
    pub keys: Vec<Secret>,
    /// Where the generated key is kept; in the data directory if none is named.
    pub key_file: Option<PathBuf>,
}

/// The log's part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// Which events, in the syntax of `tracing`'s filters: `info`, `fanfare_server=debug,warn`.
    pub filter: String,
    /// In which form.
    pub format: LogFormat,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

/// The namespace of the demo page.
pub const DEMO_NAMESPACE: &str = "demo";

/// The data directory where nothing says where it could be. The command does not use it.
const HOMELESS: &str = "fanfare-data";

/// How long a token is to last, written as durations are here, in milliseconds; a sentence if it is no duration.
pub(crate) fn token_lifetime_ms(text: &str) -> Result<u64, String> {
    let kind = kinds::Millis::<u64>::new(1_000, settings::TOKEN_LIFETIME_MAX_MS);
    kinds::Kind::read(&kind, &kinds::Given::Loose(text.to_owned())).map_err(|refusal| refusal.text)
}

/// How long a client wants to wait, written as durations are here, in milliseconds; a sentence if it is no duration.
pub(crate) fn wait_ms(text: &str) -> Result<u64, String> {
    let kind = kinds::Millis::<u64>::new(0, settings::HOUR_MS);
    kinds::Kind::read(&kind, &kinds::Given::Loose(text.to_owned())).map_err(|refusal| refusal.text)
}

impl Config {
    /// Whether every listener can be reached from this host only.
    pub fn loopback_only(&self) -> bool {
        self.listen.iter().chain(&self.tls.listen).all(|address| address.ip().is_loopback())
    }

    /// Whether nobody from elsewhere gets here: a trusted proxy brings them to a loopback address too.
    pub(crate) fn private(&self) -> bool {
        self.loopback_only() && self.network.trusted_proxies.is_empty()
    }

    /// Whether connections have to authenticate: one of [`AuthMode`]'s words other than [`AuthMode::Auto`].
    pub fn auth_mode(&self) -> AuthMode {
        match self.auth.mode {
            AuthMode::Auto if self.insecure => AuthMode::Open,
            AuthMode::Auto if self.private() && self.auth.issuers.is_empty() => AuthMode::Open,
            AuthMode::Auto => AuthMode::Required,
            said => said,
        }
    }

    /// Whether a connection may simply say which user it is (`?user=`).
    pub fn open_user_ids(&self) -> bool {
        self.auth_mode() == AuthMode::Open
    }

    /// How much may be asked for in a time; without bound if the operator has said `insecure`.
    pub fn rate_limits(&self) -> RateLimits {
        if self.insecure { RateLimits::off() } else { self.rate_limits.clone() }
    }

    /// Who may connect from where, and how often, with what `insecure` switches off.
    pub fn network(&self) -> NetworkConfig {
        let network = self.network.clone();
        if self.insecure { network.without_rates() } else { network }
    }

    /// The namespaces as the engine wants them.
    pub fn engine_namespaces(&self) -> Namespaces {
        let mut namespaces = Namespaces::new(self.namespace.clone(), self.namespaces_strict);
        for (name, namespace) in &self.namespaces {
            namespaces.insert(name, namespace.clone());
        }
        namespaces
    }

    /// Whether nothing says where data can lie: no setting, no service manager and no home directory.
    pub fn is_homeless(&self) -> bool {
        self.data_dir == Path::new(HOMELESS) && self.source("data_dir") == Source::Default
    }

    /// Where the generated API key is kept.
    pub fn key_file(&self) -> PathBuf {
        self.api.key_file.clone().unwrap_or_else(|| self.data_dir.join("api.key"))
    }

    /// Where the generated signing secret is kept.
    pub fn secret_file(&self) -> PathBuf {
        self.auth.secret_file.clone().unwrap_or_else(|| self.data_dir.join("token.secret"))
    }

    /// Which certificate is ordered, where one is.
    #[cfg(feature = "acme")]
    pub fn acme(&self) -> crate::tls::acme::AcmeOptions {
        crate::tls::acme::AcmeOptions {
            domains: self.tls.acme_domains.clone(),
            directory: self.tls.acme_directory.clone().unwrap_or_default(),
            contact: self.tls.acme_contact.clone(),
            ca_file: self.tls.acme_ca_file.clone(),
            folder: self.data_dir.join("acme"),
        }
    }

    /// Where a setting's value came from; the key is written as in the file: `limits.message_bytes_max`.
    pub fn source(&self, key: &str) -> Source {
        self.sources.get(key).cloned().unwrap_or(Source::Default)
    }

    /// The built-in defaults.
    fn built_in() -> Self {
        Self {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 8000))],
            insecure: false,
            insecure_public: false,
            shards: 0,
            default_dialect: "native".to_owned(),
            dialects: DialectsConfig::default(),
            data_dir: PathBuf::from(HOMELESS),
            admin: AdminConfig::default(),
            auth: AuthConfig::default(),
            api: ApiConfig { keys: Vec::new(), key_file: None },
            network: NetworkConfig::default(),
            tls: TlsConfig::default(),
            compression: CompressionConfig::default(),
            limits: Limits::default(),
            deadlines: Deadlines::default(),
            rate_limits: RateLimits::default(),
            namespace: Namespace::default(),
            namespaces: BTreeMap::new(),
            namespaces_strict: false,
            log: LogConfig { filter: "info".to_owned(), format: LogFormat::Text },
            metrics: true,
            demo: true,
            sources: BTreeMap::new(),
        }
    }
}
