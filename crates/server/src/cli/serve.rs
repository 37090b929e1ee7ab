//! `fanfare serve`: everything up to the point where the composition root takes over.

use super::config_args::ConfigArgs;
use super::{Failure, Program};
use crate::config::Config;
use crate::logging;
use crate::secrets::{KeyFile, KeyRing};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArgs,
}

/// What a server starts with.
pub struct Setup {
    /// The configuration in force.
    pub config: Config,
    /// The keys of the HTTP API.
    pub keys: KeyRing,
    /// The file of the generated key, where no key is configured.
    pub key_file: Option<KeyFile>,
}

pub(super) fn run(args: &Args, program: &Program) -> Result<(), Failure> {
    let loaded = args.config.load(program)?;
    let config = loaded.config;
    logging::start(&config.log);
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    if config.insecure {
        tracing::warn!("insecure: anyone who can connect may say they are any user");
    } else if config.open_user_ids() {
        tracing::warn!("anyone on this host may say they are any user; other hosts cannot connect");
    }
    let (keys, key_file) = keys(&config)?;
    (program.serve)(Setup { config, keys, key_file }).map_err(Failure::Text)
}

fn keys(config: &Config) -> Result<(KeyRing, Option<KeyFile>), Failure> {
    if !config.api.keys.is_empty() {
        return Ok((KeyRing::new(config.api.keys.clone()), None));
    }
    let file = KeyFile::open(&config.key_file()).map_err(|error| Failure::Text(error.to_string()))?;
    if file.exposed {
        tracing::warn!(path = %file.path.display(), "other users of this host may read the API key");
    }
    Ok((KeyRing::new(vec![file.key.clone()]), Some(file)))
}
