//! The part of the command line that says where the configuration comes from.

use std::path::PathBuf;

use super::{Failure, Program};
use crate::config::{self, Flag, Inputs, Loaded};

/// Flags of every subcommand that needs the configuration.
#[derive(clap::Args)]
pub(super) struct ConfigArgs {
    /// The configuration file.
    #[arg(long, value_name = "FILE", env = "FANFARE_CONFIG")]
    config: Option<PathBuf>,
    /// Listen here; may be repeated [default: 127.0.0.1:8000].
    #[arg(long, value_name = "ADDR")]
    listen: Vec<String>,
    /// Let pages of this origin connect; may be repeated [default: the same host and port].
    #[arg(long, value_name = "ORIGIN")]
    origin: Vec<String>,
    /// Do without authentication and rates, on loopback addresses; given twice, where other hosts can connect too.
    #[arg(long, action = clap::ArgAction::Count)]
    insecure: u8,
    /// Any setting, as the file names it: limits.message_bytes_max=128KiB; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl ConfigArgs {
    /// Loads what the flags, the environment and the file say.
    pub(super) fn load(&self, program: &Program) -> Result<Loaded, Failure> {
        Ok(config::load(&self.inputs(program)?)?)
    }

    /// Where the configuration comes from.
    pub(super) fn inputs(&self, program: &Program) -> Result<Inputs, Failure> {
        let mut flags = Vec::new();
        for setting in &self.set {
            let Some((key, value)) = setting.split_once('=') else {
                return Err(Failure::Usage("--set takes KEY=VALUE".to_owned()));
            };
            let (key, value) = (key.trim().to_owned(), value.to_owned());
            flags.push(Flag { name: "--set".to_owned(), key, value });
        }
        if !self.listen.is_empty() {
            let value = self.listen.join(",");
            flags.push(Flag { name: "--listen".to_owned(), key: "listen".to_owned(), value });
        }
        if !self.origin.is_empty() {
            let (key, value) = ("network.origins".to_owned(), self.origin.join(","));
            flags.push(Flag { name: "--origin".to_owned(), key, value });
        }
        for key in ["insecure", "insecure_public"].into_iter().take(usize::from(self.insecure)) {
            let (name, key, value) = ("--insecure".to_owned(), key.to_owned(), "true".to_owned());
            flags.push(Flag { name, key, value });
        }
        // Variables that are not text cannot be settings.
        let mut environment: Vec<(String, String)> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        // Service managers and containers leave HOME out; the user database knows it then.
        if !environment.iter().any(|(name, value)| name == "HOME" && !value.is_empty())
            && let Some(home) = std::env::home_dir().filter(|home| home.is_absolute() && home.is_dir())
            && let Ok(home) = home.into_os_string().into_string()
        {
            environment.retain(|(name, _)| name != "HOME");
            environment.push(("HOME".to_owned(), home));
        }
        Ok(Inputs { file: self.config.clone(), environment, flags, dialects: program.dialects })
    }
}
