//! `fanfare tail`: what channels of a running server say, line by line.

mod line;

use std::io::{IsTerminal as _, Write as _};

use fanfare_client::{Client, Error, Event, Options, State, SubscribeOptions, Subscription, Token};
use fanfare_protocol::ErrorCode;
use futures_util::StreamExt as _;
use futures_util::stream::select_all;

use super::config_args::ConfigArgs;
use super::tls_args::TlsArgs;
use super::{Failure, Program, nearest, print};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Which channels.
    #[arg(required_unless_present_any = ["pattern", "all"])]
    channel: Vec<String>,
    /// All channels that the pattern matches, such as orders.* or orders.>; may be repeated.
    #[arg(long)]
    pattern: Vec<String>,
    /// Every channel, as the pattern > does; what restricted channels say, no pattern brings.
    #[arg(long)]
    all: bool,
    /// The server [default: where the configuration listens].
    #[arg(long, env = "FANFARE_URL")]
    url: Option<String>,
    #[command(flatten)]
    tls: TlsArgs,
    /// The user to connect as, where the server takes it openly.
    #[arg(long)]
    user: Option<String>,
    /// The credential to connect with; better given as FANFARE_TOKEN, which other users do not see.
    #[arg(long, env = "FANFARE_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// A token for the channels and patterns, where the connection's own does not allow them.
    #[arg(long, env = "FANFARE_SUBSCRIPTION_TOKEN", hide_env_values = true)]
    subscription_token: Option<String>,
    /// Begin with so many of the last messages of each channel that is named. Patterns have no history.
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    history: u32,
    /// End after so many messages.
    #[arg(long, value_name = "COUNT")]
    count: Option<u64>,
    /// Print each event as a JSON object on a line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

/// What a terminal is told once.
const LEGEND: &str = "fanfare: connected. A line is: channel, offset, sender, data; \"-\" where there is none. \
    Lines with \"*\" tell who comes and goes. Ctrl-C ends.";

pub(super) fn run(args: &Args, program: &Program) -> Result<(), Failure> {
    if args.history > 0 && args.channel.is_empty() {
        return Err(Failure::Usage(
            "a pattern has no history; name the channels to begin with their last messages".to_owned(),
        ));
    }
    let url = match &args.url {
        Some(url) => url.clone(),
        None => nearest(&args.config.load(program)?.config),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Text(error.to_string()))?;
    runtime.block_on(async {
        tokio::select! {
            result = follow(args, &url) => result,
            // Interrupting it is how one ends it.
            _ = tokio::signal::ctrl_c() => Ok(()),
        }
    })
}

async fn follow(args: &Args, url: &str) -> Result<(), Failure> {
    let token = args.token.as_deref().map(Token::fixed);
    let options = Options { user: args.user.clone(), token, trust: args.tls.trust()?, ..Options::default() };
    let on_terminal = std::io::stderr().is_terminal();
    if on_terminal {
        let _ = writeln!(std::io::stderr(), "fanfare: connecting to {url}");
    }
    let client =
        Client::connect(url, options).await.map_err(|error| Failure::Text(format!("{url}: {error}")))?;
    let mut events = select_all(subscribe(args, &client).await?.into_iter().map(|subscription| {
        let topic = subscription.topic().to_owned();
        subscription.map(move |event| (topic.clone(), event))
    }));
    if on_terminal && !args.json {
        let _ = writeln!(std::io::stderr(), "{LEGEND}");
    }
    let mut messages_left = args.count.unwrap_or(u64::MAX);
    while messages_left > 0 {
        let Some((topic, event)) = events.next().await else {
            return Err(Failure::Text(match &*client.state().borrow() {
                State::Closed(Some(ending)) => format!("the connection has ended: {ending}"),
                _ => "the server ended the last of the subscriptions".to_owned(),
            }));
        };
        messages_left -= u64::from(matches!(event, Event::Message(_)));
        let line = if args.json { line::json(&topic, &event) } else { line::text(&topic, &event) };
        match line {
            Some(line) => print(&format!("{line}\n"))?,
            None => remark(&topic, &event),
        }
    }
    client.close().await;
    Ok(())
}

async fn subscribe(args: &Args, client: &Client) -> Result<Vec<Subscription>, Failure> {
    let refused = |topic: &str, error: Error| {
        let advice = advice(args, &error);
        Failure::Text(format!("{topic}: {error}{advice}"))
    };
    let token = args.subscription_token.as_deref().map(Token::fixed);
    let plain = SubscribeOptions { token, ..SubscribeOptions::default() };
    let options = SubscribeOptions { history: args.history, ..plain.clone() };
    let mut subscriptions = Vec::new();
    for channel in &args.channel {
        let subscription = client.subscribe(channel, options.clone()).await;
        subscriptions.push(subscription.map_err(|error| refused(channel, error))?);
    }
    for pattern in args.pattern.iter().map(String::as_str).chain(args.all.then_some(">")) {
        let subscription = client.subscribe_pattern(pattern, plain.clone()).await;
        subscriptions.push(subscription.map_err(|error| refused(pattern, error))?);
    }
    Ok(subscriptions)
}

/// What else to say where a connection without a token is refused.
fn advice(args: &Args, error: &Error) -> &'static str {
    if args.token.is_none() && error.code() == Some(ErrorCode::AuthenticationRequired) {
        "; give a token as FANFARE_TOKEN, such as `fanfare token --user NAME` prints on the server's host"
    } else {
        ""
    }
}

/// Says on standard error what is no content of the channel.
fn remark(topic: &str, event: &Event) {
    let text = match event {
        Event::Recovered => "the connection was interrupted; nothing is missing".to_owned(),
        Event::Lost => "the connection was interrupted; messages are missing".to_owned(),
        Event::Lagged { dropped } => format!("{dropped} messages were left out: this reader is too slow"),
        Event::Ended(Some(error)) => format!("the subscription ended: {error}"),
        Event::Ended(None) => "the subscription ended".to_owned(),
        Event::Message(_) | Event::Joined(_) | Event::Left(_) => return,
    };
    let _ = writeln!(std::io::stderr(), "fanfare: {topic}: {text}");
}
