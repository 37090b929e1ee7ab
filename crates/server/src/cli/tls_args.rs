//! The part of the command line that says whose certificates are good.

use std::path::PathBuf;

use fanfare_client::Trust;

use super::Failure;

/// Flags of every subcommand that connects to a server.
#[derive(clap::Args)]
pub(super) struct TlsArgs {
    /// Trust the authorities in this file too, beside those of the system: certificates in PEM.
    #[arg(long, value_name = "FILE")]
    pub(super) cacert: Option<PathBuf>,
    /// Take any certificate. Whoever is on the way then reads the key or the token.
    #[arg(long)]
    pub(super) insecure_tls: bool,
}

impl TlsArgs {
    /// The same, for the client.
    pub(super) fn trust(&self) -> Result<Trust, Failure> {
        match &self.cacert {
            _ if self.insecure_tls => Ok(Trust::Anything),
            None => Ok(Trust::System),
            Some(path) => std::fs::read(path)
                .map(Trust::SystemAnd)
                .map_err(|error| Failure::Text(format!("{}: it cannot be read: {error}", path.display()))),
        }
    }
}
