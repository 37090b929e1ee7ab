//! `fanfare presence`, `history`, `channels`, `connections`, `disconnect`: operations of the HTTP API, by the same names.

use std::io::IsTerminal as _;

use serde::Serialize;
use serde_json::Value;

use super::api_args::ApiArgs;
use super::{Failure, Program, print};

#[derive(clap::Args, Serialize)]
pub(super) struct Presence {
    /// Of which channel.
    channel: String,
}

#[derive(clap::Args, Serialize)]
pub(super) struct History {
    /// Of which channel.
    channel: String,
    /// At most so many messages.
    #[arg(long, value_name = "COUNT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u32>,
    /// The newest first.
    #[arg(long)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    reverse: bool,
}

#[derive(clap::Args, Serialize)]
pub(super) struct Channels {
    /// Only those whose name begins so.
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    prefix: Option<String>,
    /// Only those behind this one: the last of the page before.
    #[arg(long, value_name = "CHANNEL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<String>,
    /// At most so many.
    #[arg(long, value_name = "COUNT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u32>,
}

#[derive(clap::Args, Serialize)]
pub(super) struct Connections {
    /// Only those of this user.
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    /// Only those that subscribe to this channel.
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<String>,
    /// Only those behind this one: the last of the page before.
    #[arg(long, value_name = "ID")]
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<String>,
    /// At most so many.
    #[arg(long, value_name = "COUNT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u32>,
}

#[derive(clap::Args, Serialize)]
pub(super) struct Disconnect {
    /// All connections of this user.
    #[arg(long, required_unless_present = "connection")]
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    /// This connection, as `fanfare connections` shows it.
    #[arg(long, value_name = "ID", conflicts_with = "user")]
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<String>,
    /// The code to close with, such as 4003.
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
}

/// One of these commands: what it asks, and whom.
#[derive(clap::Args)]
pub(super) struct Args<Q: clap::Args> {
    #[command(flatten)]
    question: Q,
    /// Print the answer as it came, on one line, to a terminal too.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    api: ApiArgs,
}

/// Asks, and prints the answer: indented for a terminal, elsewhere on one line.
pub(super) fn run<Q: clap::Args + Serialize>(
    args: &Args<Q>,
    operation: &str,
    program: &Program,
) -> Result<(), Failure> {
    let body = serde_json::to_string(&args.question).map_err(|error| Failure::Text(error.to_string()))?;
    let answer = args.api.call(program, operation, body)?;
    let pretty = match args.json || !std::io::stdout().is_terminal() {
        true => None,
        false => serde_json::from_str::<Value>(&answer).ok().map(|value| format!("{value:#}")),
    };
    print(&format!("{}\n", pretty.as_deref().unwrap_or(answer.trim_end())))
}
