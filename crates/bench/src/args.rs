//! The command line of `fanfare bench`.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use crate::adapter::Peer;

/// Loads a server and measures what it does.
#[derive(Debug, Clone, ClapArgs)]
pub struct Args {
    /// Where the server listens: ws://host:port or http://host:port, with a path where it differs from the peer's usual one.
    #[arg(long, default_value = "ws://127.0.0.1:8000")]
    pub url: String,

    /// What the server speaks.
    #[arg(long, value_enum, default_value_t = Peer::Fanfare)]
    pub peer: Peer,

    /// A scenario to run, by its name or the beginning of it; may be given several times. All by default.
    #[arg(long)]
    pub scenario: Vec<String>,

    /// Shows the scenarios and ends.
    #[arg(long)]
    pub list: bool,

    /// How long each run measures, warm-up apart.
    #[arg(long, default_value_t = 5.0)]
    pub seconds: f64,

    /// How often each scenario is run; the median is shown.
    #[arg(long, default_value_t = 5)]
    pub runs: usize,

    /// One run of one second with a tenth of the connections, to see that everything works.
    #[arg(long)]
    pub quick: bool,

    /// The server's process id: measures its processor time and memory, its child processes' included.
    #[arg(long)]
    pub pid: Option<u32>,

    /// Publications of one room that are under way at a time in the saturated scenarios.
    #[arg(long, default_value_t = 256)]
    pub window: usize,

    /// In the saturated scenarios, how long arriving bytes gather before they are read, in milliseconds.
    /// Reading each message by itself would take the processor from a server on the same machine.
    #[arg(long, default_value_t = 2.0)]
    pub gather_ms: f64,

    /// The size of a payload, where the scenario does not set it.
    #[arg(long, default_value_t = 64)]
    pub payload_bytes: usize,

    /// Offers permessage-deflate without context takeover, and reads compressed messages; several lines in one count as
    /// several. `--url ws://host:port/ws/native.lines` has Fanfare join them.
    #[arg(long)]
    pub deflate: bool,

    /// Writes every run's numbers to this file.
    #[arg(long)]
    pub json: Option<PathBuf>,
}
