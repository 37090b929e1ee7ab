//! `fanfare check`: is the configuration valid, what is in force, and why.

use std::io::Write as _;

use fanfare_auth::Verifier;

use super::config_args::ConfigArgs;
use super::{Failure, Program, print};
use crate::config::Config;
use crate::tls::Tls;

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    /// Print instead every setting there is, at its default, as a commented file.
    #[arg(long)]
    reference: bool,
}

pub(super) fn run(args: &Args, program: &Program) -> Result<(), Failure> {
    if args.reference {
        return print(&Config::reference());
    }
    let loaded = args.config.load(program)?;
    for warning in &loaded.warnings {
        let _ = writeln!(std::io::stderr(), "warning: {warning}");
    }
    // The files that it names are a part of it. The generated secret is not: looking makes nothing.
    let config = &loaded.config;
    let issuers = config.configured_issuers().map_err(Failure::Text)?;
    Verifier::new(issuers, config.token_rules()).map_err(Failure::Text)?;
    if let Some((cert, key)) = config.tls.files() {
        Tls::from_files(cert, key, config.tls.min_version)
            .map_err(|error| Failure::Text(error.to_string()))?;
    }
    print(&config.render())
}
