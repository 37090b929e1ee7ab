//! The language of scripts: what one line tells a client, the backend or the bench to do.
//!
//! A client's commands, `ann: …`:
//!
//! - `connect`, `subscribe TOPIC`, `unsubscribe TOPIC`, `message CHANNEL DATA`, `say DATA` (in its own room), `publish CHANNEL DATA`,
//!   `presence CHANNEL`, `history CHANNEL`, `request METHOD DATA`, `status WORD`, `users NAME…`, `ping`, `pong`,
//!   `disconnect`, `custom KIND DATA`, `auth TOKEN`, `garbage`
//! - `#1` anywhere is the request's id; other options are `recover=A.3`, `history=5`, `filter=tag:a|b,other:c`,
//!   `info=X`, `presence`, `token=T`, `echo`, `idem=KEY`, `tag=name:value`, `key=K`, `counts`, `since=A.3`, `limit=2`, `reverse`
//!
//! A topic with `*` or `>` in it is a pattern. Everything else is described where it is run: [`crate::run`].

use bytes::Bytes;
use fanfare_core::ports::broker::{IdempotencyKey, Instruction, Publish, Target};
use fanfare_core::shard::Settings;
use fanfare_protocol::command::{HistoryRange, Secret, Status, SubscribeOptions, Topic};
use fanfare_protocol::publication::{Filter, Kind, Labels};
use fanfare_protocol::{
    ChannelName, ChannelPattern, CloseCode, Command, ErrorCode, Payload, Position, Rejection, RequestId,
    UserId,
};

use crate::lane::Epochs;

/// The words of one line: plain ones in order, and the options among them.
#[derive(Debug, Clone)]
pub struct Words<'a> {
    line: &'a str,
    plain: Vec<&'a str>,
    options: Vec<(&'a str, &'a str)>,
    id: Option<RequestId>,
}

/// Plain words that are options without a value.
const FLAGS: [&str; 9] = [
    "presence",
    "echo",
    "counts",
    "reverse",
    "silent",
    "unauthenticated",
    "by-token",
    "anonymous",
    "resumable",
];

impl<'a> Words<'a> {
    /// Takes a line apart.
    pub fn new(line: &'a str) -> Self {
        let mut words = Self { line, plain: Vec::new(), options: Vec::new(), id: None };
        for word in line.split_whitespace() {
            if let Some(id) = word.strip_prefix('#') {
                words.id = Some(RequestId::Number(id.into()));
            } else if let Some((name, value)) = word.split_once('=') {
                words.options.push((name, value));
            } else if FLAGS.contains(&word) && !words.plain.is_empty() {
                words.options.push((word, ""));
            } else {
                words.plain.push(word);
            }
        }
        words
    }

    /// The plain word at an index.
    ///
    /// # Panics
    /// When the line has none.
    pub fn word(&self, index: usize) -> &'a str {
        match self.plain.get(index) {
            Some(word) => word,
            None => panic!("a word is missing: {}", self.line),
        }
    }

    /// The plain word at an index, if there is one.
    pub fn get(&self, index: usize) -> Option<&'a str> {
        self.plain.get(index).copied()
    }

    /// How many plain words there are.
    pub fn plain_count(&self) -> usize {
        self.plain.len()
    }

    /// The value of an option.
    pub fn option(&self, name: &str) -> Option<&'a str> {
        self.options.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// A number as an option's value.
    pub fn number<N: std::str::FromStr + Default>(&self, name: &str) -> N {
        self.option(name).map_or_else(N::default, |value| match value.parse() {
            Ok(number) => number,
            Err(_) => panic!("{name} is no number: {}", self.line),
        })
    }

    fn position(&self, name: &str, epochs: &Epochs) -> Option<Position> {
        let (epoch, offset) = self.option(name)?.split_once('.')?;
        Some(Position { epoch: epochs.epoch(epoch), offset: offset.parse().ok()? })
    }

    fn labels(&self) -> Option<Box<Labels>> {
        let tags = self.options.iter().filter(|(name, _)| *name == "tag");
        let tags = tags.filter_map(|(_, value)| value.split_once(':').map(|(t, v)| (t.into(), v.into())));
        let labels = Labels {
            tags: tags.collect(),
            key: self.option("key").map(Into::into),
            word: self.option("word").map(Into::into),
        };
        (labels != Labels::default()).then(|| Box::new(labels))
    }
}

/// A channel's name.
///
/// # Panics
/// When it is none.
pub fn channel(name: &str) -> ChannelName {
    match ChannelName::new(name) {
        Ok(name) => name,
        Err(error) => panic!("{name}: {error}"),
    }
}

/// A user's id.
///
/// # Panics
/// When it is none.
pub fn user(name: &str) -> UserId {
    match UserId::new(name) {
        Ok(name) => name,
        Err(error) => panic!("{name}: {error}"),
    }
}

/// A channel, or a pattern if it has a wildcard.
///
/// # Panics
/// When it is neither.
pub fn topic(name: &str) -> Topic {
    match ChannelPattern::new(name) {
        Ok(pattern) => Topic::Pattern(pattern),
        Err(_) => Topic::Channel(channel(name)),
    }
}

/// Application data of these characters.
pub fn payload(text: &str) -> Payload {
    Payload::Text(Bytes::copy_from_slice(text.as_bytes()))
}

/// An error's code by its name.
///
/// # Panics
/// When there is none of this name.
pub fn error_code(name: &str) -> ErrorCode {
    match ErrorCode::ALL.iter().find(|code| code.as_str() == name) {
        Some(code) => *code,
        None => panic!("no such code: {name}"),
    }
}

/// A filter as scripts write it: `tag:a|b,other:c`.
pub fn filter(text: &str) -> Filter {
    let rows = text.split(',').filter_map(|row| row.split_once(':'));
    let rows = rows.map(|(tag, values)| (tag.into(), values.split('|').map(Into::into).collect()));
    Filter { any_of: rows.collect() }
}

/// A client's command.
///
/// # Errors
/// With what a dialect would have found wrong, for `garbage`.
///
/// # Panics
/// When the line is no command.
pub fn command(line: &str, epochs: &Epochs) -> Result<Command, Rejection> {
    let words = Words::new(line);
    let id = words.id.clone();
    let at = |index| channel(words.word(index));
    let data = |index| payload(words.get(index).unwrap_or_default());
    Ok(match words.word(0) {
        "connect" => Command::Connect { id },
        "auth" => Command::Authenticate { id, token: Secret::new(words.word(1)) },
        "subscribe" => {
            Command::Subscribe { id, topic: topic(words.word(1)), options: subscribe_options(&words, epochs) }
        }
        "unsubscribe" => Command::Unsubscribe { id, topic: topic(words.word(1)) },
        "message" => Command::Message {
            id: None,
            channel: Some(at(1)),
            data: data(2),
            labels: words.labels(),
            echo: true,
        },
        "say" => {
            Command::Message { id: None, channel: None, data: data(1), labels: words.labels(), echo: true }
        }
        "publish" => Command::Publish {
            id,
            channel: at(1),
            data: data(2),
            labels: words.labels(),
            echo: words.option("echo").is_some(),
            idempotency_key: words.option("idem").map(Into::into),
        },
        "presence" => Command::Presence { id, channel: at(1), counts_only: words.option("counts").is_some() },
        "history" => Command::History { id, channel: at(1), range: range(&words, epochs) },
        "request" => Command::Request { id, method: words.word(1).into(), data: data(2) },
        "custom" => Command::Custom { id, kind: words.word(1).into(), data: data(2) },
        "status" => Command::SetStatus { id, status: status(words.word(1)) },
        "users" => Command::Users { id, users: words.plain[1..].iter().map(|name| user(name)).collect() },
        "ping" => Command::Ping { id },
        "pong" => Command::Pong,
        "disconnect" => Command::Disconnect,
        "garbage" => {
            return Err(Rejection { id, code: ErrorCode::InvalidJson, text: "no JSON".into() });
        }
        _ => panic!("no such command: {line}"),
    })
}

fn subscribe_options(words: &Words<'_>, epochs: &Epochs) -> SubscribeOptions {
    SubscribeOptions {
        token: words.option("token").map(Secret::new),
        recover: words.position("recover", epochs),
        history: words.number("history"),
        filter: words.option("filter").map(|text| Box::new(filter(text))),
        info: words.option("info").map(payload),
        presence: words.option("presence").is_some(),
    }
}

fn range(words: &Words<'_>, epochs: &Epochs) -> HistoryRange {
    HistoryRange {
        since: words.position("since", epochs),
        limit: words.option("limit").map_or(u32::MAX, |_| words.number("limit")),
        reverse: words.option("reverse").is_some(),
    }
}

fn status(word: &str) -> Status {
    match word {
        "online" => Status::Online,
        "away" => Status::Away,
        "offline" => Status::Offline,
        _ => panic!("no such status: {word}"),
    }
}

/// The backend's publication: `publish CHANNEL DATA`.
///
/// # Panics
/// When the namespace is unknown.
pub fn publish(line: &str, settings: &Settings) -> Publish {
    let words = Words::new(line);
    let channel = channel(words.word(1));
    let Some(namespace) = settings.namespaces.get(channel.namespace()).cloned() else {
        panic!("no such namespace: {line}");
    };
    Publish {
        channel,
        namespace,
        from: words.option("from").map(user),
        from_name: None,
        kind: Kind::Message,
        anonymous: false,
        connection: None,
        exclude_sender: false,
        data: payload(words.get(2).unwrap_or_default()),
        labels: words.labels(),
        idempotency_key: words.option("idem").map(IdempotencyKey::of_backend),
    }
}

/// Who is meant: `everyone`, `users=a,b` or `roles=a,b`. A connection is named by the bench.
pub fn target(words: &Words<'_>) -> Option<Target> {
    let users = words.option("users").map(|names| Target::Users(names.split(',').map(user).collect()));
    let roles = words.option("roles").map(|roles| Target::Roles(roles.split(',').map(Into::into).collect()));
    let everyone = words.plain.contains(&"everyone").then_some(Target::Everyone);
    users.or(roles).or(everyone)
}

/// What is to be done: `subscribe`, `unsubscribe` or `disconnect`, with its argument as the last plain word.
///
/// # Panics
/// When it is none of these.
pub fn instruction(words: &Words<'_>) -> Instruction {
    let argument = words.plain.last().copied().unwrap_or_default();
    match words.word(0) {
        "subscribe" => Instruction::Subscribe(topic(argument)),
        "unsubscribe" => Instruction::Unsubscribe(topic(argument)),
        "disconnect" => match argument.parse().ok().and_then(CloseCode::from_number) {
            Some(code) => Instruction::Disconnect(code),
            None => panic!("no such close code: {}", words.line),
        },
        _ => panic!("no such instruction: {}", words.line),
    }
}
