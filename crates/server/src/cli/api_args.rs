//! The part of the command line that says where the HTTP API is and what opens it.

use std::io::{IsTerminal as _, Write as _};

use super::api_client::ApiClient;
use super::config_args::ConfigArgs;
use super::tls_args::TlsArgs;
use super::{Failure, Program, nearest};
use crate::config::Config;
use crate::secrets::{KeyFile, KeyKind};

/// Flags of every subcommand that calls the HTTP API.
#[derive(clap::Args)]
pub(super) struct ApiArgs {
    /// The server, http:// or https:// [default: where the configuration listens].
    #[arg(long, env = "FANFARE_URL")]
    url: Option<String>,
    /// The API key; better given as FANFARE_KEY, which other users do not see [default: the generated one].
    #[arg(long = "key", env = "FANFARE_KEY", hide_env_values = true)]
    key: Option<String>,
    #[command(flatten)]
    tls: TlsArgs,
    #[command(flatten)]
    config: ConfigArgs,
}

impl ApiArgs {
    /// Calls an operation and returns its JSON.
    pub(super) fn call(&self, program: &Program, operation: &str, body: String) -> Result<String, Failure> {
        let config = self.config.load(program)?.config;
        let client = ApiClient {
            url: self.url.clone().unwrap_or_else(|| nearest(&config)),
            key: match &self.key {
                Some(key) => key.clone(),
                None => kept_key(&config)?,
            },
            ca_file: self.tls.cacert.clone(),
            insecure_tls: self.tls.insecure_tls,
        };
        if std::io::stderr().is_terminal() {
            let _ = writeln!(std::io::stderr(), "fanfare: asking {}", client.url);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::Text(error.to_string()))?;
        runtime.block_on(client.call(operation, body)).map_err(Failure::Text)
    }
}

/// The key that the server of this configuration made for itself.
fn kept_key(config: &Config) -> Result<String, Failure> {
    if !config.api.keys.is_empty() {
        return Err(Failure::Usage("give the API key as FANFARE_KEY or with --key".to_owned()));
    }
    if config.api.key_file.is_none() && config.is_homeless() {
        return Err(Failure::Usage(
            "no home directory has a server's key: give it as FANFARE_KEY or with --key".to_owned(),
        ));
    }
    KeyFile::text(&config.key_file(), KeyKind::Api)
        .map_err(|error| Failure::Text(format!("{error}; or give the key as FANFARE_KEY or with --key")))
}
