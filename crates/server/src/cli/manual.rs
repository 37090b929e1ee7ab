//! `fanfare completions` and `fanfare man`: the command line described for shells and for man.

use clap::Command;
use clap_complete::Shell;

use super::{Failure, print};

#[derive(clap::Args)]
pub(super) struct Completions {
    /// Which shell.
    shell: Shell,
}

pub(super) fn completions(args: &Completions, mut command: Command) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "fanfare", &mut script);
    print(&String::from_utf8_lossy(&script))
}

/// The page of the command itself, and behind it those of its subcommands.
pub(super) fn page(mut command: Command) -> Result<(), Failure> {
    command.build();
    let mut text = Vec::new();
    let mut add = |command: Command| {
        let failure = |error: std::io::Error| Failure::Text(error.to_string());
        clap_mangen::Man::new(command).render(&mut text).map_err(failure)
    };
    let subcommands: Vec<Command> = command.get_subcommands().cloned().collect();
    add(command)?;
    for subcommand in subcommands.into_iter().filter(|command| command.get_name() != "help") {
        add(subcommand)?;
    }
    print(&String::from_utf8_lossy(&text))
}
