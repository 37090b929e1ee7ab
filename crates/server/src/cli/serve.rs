//! `fanfare serve`: everything up to the point where the composition root takes over.

use std::path::Path;

use super::config_args::ConfigArgs;
use super::{Failure, Program};
use crate::config::{self, Config, Inputs};
use crate::logging;
use crate::secrets::{KeyFile, KeyKind, KeyRing};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArgs,
}

/// What a server starts with.
pub struct Setup {
    /// The configuration in force.
    pub config: Config,
    /// Where it came from, to be read again.
    pub inputs: Inputs,
    /// The keys of the HTTP API.
    pub keys: KeyRing,
    /// The file of the generated key, where no key is configured.
    pub key_file: Option<KeyFile>,
    /// The generated secret that signs this server's own tokens.
    pub token_secret: KeyFile,
}

pub(super) fn run(args: &Args, program: &Program) -> Result<(), Failure> {
    let inputs = args.config.inputs(program)?;
    let loaded = config::load(&inputs)?;
    let config = loaded.config;
    let _log = logging::start(&config.log);
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    warn(&config);
    has_home(&config)?;
    let (keys, key_file) = keys(&config)?;
    let token_secret = open(&config.secret_file(), KeyKind::Token)?;
    (program.serve)(Setup { config, inputs, keys, key_file, token_secret }).map_err(Failure::Text)
}

/// Refuses to keep secrets in whatever directory the command was started from.
pub(super) fn has_home(config: &Config) -> Result<(), Failure> {
    if !config.is_homeless() {
        return Ok(());
    }
    Err(Failure::Text(
        "this user has no home directory for the server's keys: name a data directory, such as \
         --set data_dir=/var/lib/fanfare or FANFARE_DATA_DIR=/var/lib/fanfare"
            .to_owned(),
    ))
}

/// What an operator should hear of what they have switched off.
fn warn(config: &Config) {
    for danger in dangers(config) {
        tracing::warn!("{danger}");
    }
}

/// What is switched off, a line for each.
pub(super) fn dangers(config: &Config) -> Vec<&'static str> {
    let mut dangers = Vec::new();
    match (config.open_user_ids(), config.loopback_only()) {
        (true, true) => {
            dangers.push("anyone on this host may say they are any user; other hosts cannot connect")
        }
        (true, false) => dangers.push("anyone who can connect may say they are any user"),
        (false, _) => {}
    }
    if config.insecure {
        dangers.push("insecure: rate limits are off, those of connections, users and addresses");
    }
    if config.insecure && !config.loopback_only() {
        dangers.push("insecure, said twice: other hosts can connect");
    }
    dangers
}

/// Reads a generated secret or makes it.
fn open(path: &Path, kind: KeyKind) -> Result<KeyFile, Failure> {
    let file = KeyFile::open(path, kind).map_err(|error| Failure::Text(error.to_string()))?;
    if file.exposed {
        tracing::warn!(path = %file.path.display(), "other users of this host may read this secret");
    }
    Ok(file)
}

fn keys(config: &Config) -> Result<(KeyRing, Option<KeyFile>), Failure> {
    if !config.api.keys.is_empty() {
        return Ok((KeyRing::new(config.api.keys.clone()), None));
    }
    let file = open(&config.key_file(), KeyKind::Api)?;
    Ok((KeyRing::new(vec![file.key.clone()]), Some(file)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Flag, Inputs};

    /// Without HOME the keys lay in the directory that the server was started from, and a start from another one made
    /// others.
    #[test]
    fn without_a_home_the_command_asks_where_the_data_are() {
        let place = |environment: &[(&str, &str)], data_dir: Option<&str>| {
            let environment =
                environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let flag = |value: &str| Flag {
                name: "--set".to_owned(),
                key: "data_dir".to_owned(),
                value: value.to_owned(),
            };
            let flags = data_dir.into_iter().map(flag).collect();
            let config = config::load(&Inputs { environment, flags, ..Inputs::new(&["native"]) });
            let config = config.unwrap_or_else(|problems| panic!("{problems}")).config;
            has_home(&config)
                .map(|()| config.data_dir.display().to_string())
                .map_err(|error| error.to_string())
        };
        for nothing in [&[][..], &[("HOME", "")], &[("HOME", "here"), ("XDG_DATA_HOME", "data")]] {
            let said = place(nothing, None).unwrap_err();
            assert!(said.contains("data_dir=/var/lib/fanfare"), "{said}");
            assert_eq!(
                place(nothing, Some("fanfare-data")).as_deref(),
                Ok("fanfare-data"),
                "who says so means it"
            );
        }
        for (environment, wanted) in [
            (&[("HOME", "/home/ann")][..], "/home/ann/.local/share/fanfare"),
            (&[("HOME", "/home/ann"), ("XDG_DATA_HOME", "data")], "/home/ann/.local/share/fanfare"),
            (&[("HOME", "/home/ann"), ("XDG_DATA_HOME", "/data")], "/data/fanfare"),
            (&[("HOME", "/home/ann"), ("STATE_DIRECTORY", "/var/lib/a:/var/lib/b")], "/var/lib/a"),
        ] {
            assert_eq!(place(environment, None).as_deref(), Ok(wanted), "{environment:?}");
        }
    }
}
