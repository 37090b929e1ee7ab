//! The `fanfare` command.
//!
//! One file for each subcommand, all of the same shape: `Args`, what the command line says, and `run`.
//! Exit codes: 0 done, 1 failed, 2 not understood.

mod api_args;
mod api_client;
mod ask;
mod bench;
mod check;
mod config_args;
mod manual;
mod publish;
mod serve;
mod tail;
mod tls_args;
mod token;
mod welcome;

use std::ffi::OsString;
use std::fmt;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

pub use serve::Setup;
pub use welcome::Welcome;

use crate::config::{Config, Problems};

/// What the composition root brings along.
#[derive(Clone, Copy)]
pub struct Program {
    /// The dialects that this build speaks.
    pub dialects: &'static [&'static str],
    /// Runs a server until it has drained.
    pub serve: fn(Setup) -> Result<(), String>,
}

#[derive(Parser)]
#[command(name = "fanfare", version, about = "The real-time server that any client can already talk to")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server.
    #[command(
        after_help = "Examples:\n  fanfare serve\n  fanfare serve --config fanfare.toml --listen 0.0.0.0:8000\n  fanfare serve --set rate_limits.user_per_second=200"
    )]
    Serve(serve::Args),
    /// Check the configuration and print the effective settings with their sources.
    #[command(
        after_help = "Examples:\n  fanfare check --config fanfare.toml\n  fanfare check --reference > all-settings.toml"
    )]
    Check(check::Args),
    /// Publish a message to a channel of a running server.
    #[command(
        mut_arg("listen", hidden),
        mut_arg("origin", hidden),
        mut_arg("insecure", hidden),
        after_help = "Examples:\n  fanfare publish chat:lobby '{\"text\": \"hello\"}'\n  fanfare publish chat:lobby hello --from ann --url https://example.org\n  fanfare publish chat:lobby '{not json}' --text\n  date | fanfare publish chat:clock - --json"
    )]
    Publish(publish::Args),
    /// Print what channels of a running server say.
    #[command(
        mut_arg("listen", hidden),
        mut_arg("origin", hidden),
        mut_arg("insecure", hidden),
        after_help = "Examples:\n  fanfare tail chat:lobby --history 10\n  fanfare tail --pattern 'chat:>' --json"
    )]
    Tail(tail::Args),
    /// Show who is in a channel.
    #[command(
        mut_arg("listen", hidden),
        mut_arg("origin", hidden),
        mut_arg("insecure", hidden),
        after_help = "Example:\n  fanfare presence chat:lobby"
    )]
    Presence(ask::Args<ask::Presence>),
    /// Show the messages that a channel keeps.
    #[command(
        mut_arg("listen", hidden),
        mut_arg("origin", hidden),
        mut_arg("insecure", hidden),
        after_help = "Example:\n  fanfare history chat:lobby --limit 10 --reverse"
    )]
    History(ask::Args<ask::History>),
    /// List the channels that have subscribers.
    #[command(
        mut_arg("listen", hidden),
        mut_arg("origin", hidden),
        mut_arg("insecure", hidden),
        after_help = "Example:\n  fanfare channels --prefix chat:"
    )]
    Channels(ask::Args<ask::Channels>),
    /// List connections.
    #[command(
        mut_arg("listen", hidden),
        mut_arg("origin", hidden),
        mut_arg("insecure", hidden),
        after_help = "Example:\n  fanfare connections --user ann"
    )]
    Connections(ask::Args<ask::Connections>),
    /// Close connections.
    #[command(
        mut_arg("listen", hidden),
        mut_arg("origin", hidden),
        mut_arg("insecure", hidden),
        after_help = "Example:\n  fanfare disconnect --user ann --code 4003"
    )]
    Disconnect(ask::Args<ask::Disconnect>),
    /// Sign a token for a client.
    #[command(
        mut_arg("listen", hidden),
        mut_arg("origin", hidden),
        mut_arg("insecure", hidden),
        after_help = "Examples:\n  fanfare token --user ann --expires 12h\n  fanfare token --user ann --subscribe 'chat:$secret'\n  fanfare token --user ann --channel chat:lobby=subscribe,publish --json"
    )]
    Token(Box<token::Args>),
    /// Load a server and measure what it does.
    #[command(
        after_help = "Examples:\n  fanfare serve --insecure --listen 127.0.0.1:8100\n  fanfare bench --quick --url ws://127.0.0.1:8100\n  fanfare bench --list"
    )]
    Bench(bench::Args),
    /// Print what completes this command in a shell.
    #[command(
        after_help = "Example:\n  fanfare completions bash > ~/.local/share/bash-completion/completions/fanfare"
    )]
    Completions(manual::Completions),
    /// Print the manual page, for man.
    #[command(after_help = "Example:\n  fanfare man > ~/.local/share/man/man1/fanfare.1")]
    Man,
}

/// A flag for the server's configuration: a client command takes it, to find the server, and does not list it.
fn hidden(flag: clap::Arg) -> clap::Arg {
    flag.hide(true)
}

/// Why a command failed.
enum Failure {
    /// The configuration is wrong.
    Config(Problems),
    /// Anything else, in a sentence.
    Text(String),
    /// The command line asks for what makes no sense.
    Usage(String),
    /// Whoever read standard output, such as `head`, has gone: there is nothing left to do, and nothing wrong.
    ReaderGone,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Config(problems) => {
                f.write_str(problems.render(std::io::stderr().is_terminal()).trim_end())
            }
            Failure::Text(text) | Failure::Usage(text) => write!(f, "fanfare: {text}"),
            Failure::ReaderGone => Ok(()),
        }
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Failure::Config(problems)
    }
}

/// Runs the command that the arguments ask for; the first one is the program's name.
pub fn run(arguments: impl IntoIterator<Item = OsString>, program: &Program) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // If even the message cannot be written, the exit code has to do.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let result = match cli.command {
        Command::Serve(args) => serve::run(&args, program),
        Command::Check(args) => check::run(&args, program),
        Command::Publish(args) => publish::run(&args, program),
        Command::Tail(args) => tail::run(&args, program),
        Command::Presence(args) => ask::run(&args, "presence", program),
        Command::History(args) => ask::run(&args, "history", program),
        Command::Channels(args) => ask::run(&args, "channels", program),
        Command::Connections(args) => ask::run(&args, "connections", program),
        Command::Disconnect(args) => ask::run(&args, "disconnect", program),
        Command::Completions(args) => manual::completions(&args, Cli::command()),
        Command::Man => manual::page(Cli::command()),
        Command::Token(args) => token::run(&args, program),
        Command::Bench(args) => bench::run(&args),
    };
    match result {
        Ok(()) | Err(Failure::ReaderGone) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "{failure}");
            ExitCode::from(if matches!(failure, Failure::Usage(_)) { 2 } else { 1 })
        }
    }
}

/// Writes to standard output.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| match error.kind() {
        std::io::ErrorKind::BrokenPipe => Failure::ReaderGone,
        _ => Failure::Text(format!("cannot write to standard output: {error}")),
    })
}

/// Where the server of this configuration is found from this host.
fn nearest(config: &Config) -> String {
    let address = config.listen.first().copied().map(welcome::reachable);
    address.map_or_else(String::new, |address| format!("http://{address}"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Cli;

    /// `fanfare bench` of a development build ended with a panic: two groups of its arguments had one name, which only
    /// those builds look for.
    #[test]
    fn no_two_arguments_have_one_name() {
        Cli::command().debug_assert();
    }
}
