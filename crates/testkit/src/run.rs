//! Runs scripts: every line that is no expectation is carried out, and what everybody received because of it
//! must be exactly the expectations (`name> …`) that follow it.
//!
//! What a script may say beside a client's commands (see [`crate::script`]):
//!
//! - `open NAME [user=U] [anonymous] [roles=a,b] [lane=b] [shard=1] [room=R] [resumable] [silent]`
//! - `NAME closes [CODE]`, `NAME cut`, `NAME detaches`, `NAME blocks`, `NAME takes BYTES`, `NAME reads`, `NAME heard`,
//!   `NAME begins` (a message that it does not finish), `NAME wsping DATA`, `NAME wspong`
//! - `wait MS`, `skip MS`, `jump MS` (the clock that people are shown is set), `drain [OVER_MS]`, `restart AFTER_MS OVER_MS`, `hold`, `release`, `deliver COUNT`, `lost CHANNEL`
//! - ` unfinished` after a client's command: the same read brought the beginning of another message
//! - `api publish CHANNEL DATA`, `api direct TARGET DATA`, `api subscribe|unsubscribe|disconnect TARGET ARGUMENT`,
//!   `api channels PREFIX`, `api history CHANNEL`; targets are `everyone`, `users=`, `roles=`, `to=NAME`
//! - `open … [unauthenticated|by-token|refused=CODE] [grants=NAME/subscribe+publish,…] [expires=MS] [issued=MS] [token=ID] [info=DATA] [name=N]`
//! - `authority says USER` with what a credential may say, `authority grants [for=PATTERN] [allow=subscribe+publish] [expires=MS]
//!   [issued=MS] [token=ID]`, `authority refuses CODE`, `revoke token=ID`, `revoke user=U [before=MS]`
//! - `app answers DATA`, `app returns` (nothing), `app fails CODE`
//!
//! Lines that begin with `//` are comments.

use std::fmt::Write as _;

use fanfare_core::auth::Standing;
use fanfare_core::ports::broker::{Delivery, Instruction, Reply, Request, Target};
use fanfare_core::session::Special;
use fanfare_core::shard::Departure;
use fanfare_protocol::ErrorCode;
use fanfare_protocol::event::Direct;

use crate::authority;
use crate::bench::{Bench, LANES, Setup, opening};
use crate::lane::UNIX_BEGIN_MS;
use crate::script::{self, Words};

/// Runs a script on a node with default settings; everything must be gone at the end.
///
/// # Panics
/// When anybody receives anything else than the script says.
pub fn check(script: &str) {
    check_with(|_| {}, script);
}

/// Runs a script on a node with settings of its own; everything must be gone at the end.
///
/// # Panics
/// When anybody receives anything else than the script says.
pub fn check_with(change: impl FnOnce(&mut Setup), script: &str) {
    let mut setup = Setup::default();
    change(&mut setup);
    let mut bench = Bench::new(&setup);
    bench.run(script);
    bench.end();
}

impl Bench {
    /// Runs a script on a bench that goes on.
    ///
    /// # Panics
    /// When anybody receives anything else than the script says.
    pub fn run(&mut self, script: &str) {
        let lines = script.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
        let (mut wanted, mut actual) = (String::new(), String::new());
        for line in lines {
            let _ = writeln!(wanted, "{line}");
            let is_expectation = line.split_whitespace().next().is_some_and(|word| word.ends_with('>'));
            if !is_expectation {
                let _ = writeln!(actual, "{line}");
                let answers = self.act(line);
                self.tell(answers, &mut actual);
            }
        }
        if wanted != actual {
            panic!("the script says otherwise than what happened\n{}", difference(&wanted, &actual));
        }
    }

    /// Carries out one line and leaves what is received unread.
    pub fn run_quietly(&mut self, line: &str) {
        self.act(line);
    }

    /// Carries out one line, and returns what the backend was answered.
    fn act(&mut self, line: &str) -> Vec<String> {
        let mut answers = Vec::new();
        let words = Words::new(line);
        match (words.word(0), line.split_once(": ")) {
            (first, Some((name, command))) if first.len() == name.len() + 1 => {
                let unfinished = command.ends_with(" unfinished");
                let command = script::command(command, &self.epochs);
                self.command_and(self.client(name), command, unfinished);
            }
            ("open", _) => self.open_scripted(&words),
            ("api", _) => answers = self.api(line.trim_start_matches("api ")),
            ("app", _) => self.app(&words),
            ("authority", _) => self.find_out(&words),
            ("revoke", _) => self.revoke(&words),
            ("wait", _) => self.wait(parse(words.word(1))),
            // The clock that people are shown is set forward.
            ("jump", _) => {
                self.clock_set_ms.fetch_add(parse(words.word(1)), std::sync::atomic::Ordering::Relaxed);
            }
            ("skip", _) => self.skip(parse(words.word(1))),
            ("drain" | "restart", _) => self.drain(&words),
            ("hold" | "release", _) => {
                (0..self.shards.len()).for_each(|shard| self.hold(shard, words.word(0) == "hold"));
            }
            ("deliver", _) => {
                let count: u64 = parse(words.word(1));
                for _ in 0..count {
                    (0..self.shards.len()).for_each(|shard| _ = self.deliver_one(shard));
                }
            }
            ("lost", _) => {
                let channel = script::channel(words.word(1));
                (0..self.shards.len()).for_each(|s| self.push(s, Delivery::Lost(channel.clone())));
            }
            (name, _) => self.socket(self.client(name), &words),
        }
        self.settle();
        answers
    }

    fn tell(&mut self, answers: Vec<String>, transcript: &mut String) {
        for client in &mut self.clients {
            for line in client.take_lines() {
                let _ = writeln!(transcript, "{}> {line}", client.name);
            }
            if client.key.is_none() && !client.told_gone {
                client.told_gone = true;
                let _ = writeln!(transcript, "{}> GONE", client.name);
            }
        }
        for answer in answers {
            let _ = writeln!(transcript, "api> {answer}");
        }
    }

    fn drain(&mut self, words: &Words<'_>) {
        let departure = match words.word(0) {
            "drain" => Departure::Elsewhere { over_ms: words.get(1).map_or(25_000, parse) },
            _ => Departure::Restart { after_ms: parse(words.word(1)), over_ms: parse(words.word(2)) },
        };
        let now_ms = self.now_ms();
        for shard in &mut self.shards {
            shard.set_now(now_ms);
            shard.drain(departure);
        }
    }

    fn open_scripted(&mut self, words: &Words<'_>) {
        let name = words.word(1);
        let lane = words.option("lane").and_then(|letter| letter.chars().next()).unwrap_or(LANES[0]);
        let lane = LANES.iter().position(|letter| *letter == lane).unwrap_or_default() as u8;
        let user = words.option("user").unwrap_or(name);
        let user = words.option("anonymous").is_none().then(|| script::user(user));
        let mut opening = opening(lane, user);
        let standing = authority::standing(words, UNIX_BEGIN_MS + self.now_ms());
        opening.identity.standing = (standing != Standing::default()).then(|| Box::new(standing));
        let special = Special {
            room: words.option("room").map(script::channel),
            resumable: words.option("resumable").is_some(),
            refused: words.option("refused").map(|code| {
                let code = script::error_code(code);
                (code, code.text().into())
            }),
        };
        opening.special = (special != Special::default()).then(|| Box::new(special));
        opening.opened_unix_ms = UNIX_BEGIN_MS + self.now_ms();
        if words.option("unauthenticated").is_some() {
            opening.must_authenticate = true;
            opening.identity.user = None;
        }
        opening.by_token = words.option("by-token").is_some();
        self.open(name, words.number("shard"), opening, words.option("silent").is_some());
    }

    fn socket(&mut self, client: usize, words: &Words<'_>) {
        let (shard, key, now_ms) = (self.clients[client].shard, self.clients[client].key, self.now_ms());
        self.shards[shard].set_now(now_ms);
        match words.word(1) {
            "closes" => self.peer_closes(client, words.get(2).map(parse)),
            "cut" => {
                self.cut(client);
                self.clients[client].told_gone = true;
            }
            "detaches" => key.into_iter().for_each(|key| self.shards[shard].detach(key)),
            "blocks" => self.give_room(client, 0),
            "takes" => self.give_room(client, parse(words.word(2))),
            "reads" => self.give_room(client, usize::MAX),
            "heard" => self.hears(client, false),
            "begins" => self.hears(client, true),
            "wsping" => {
                key.into_iter().for_each(|key| self.shards[shard].pong(key, words.word(2).as_bytes()));
            }
            "wspong" => key.into_iter().for_each(|key| self.shards[shard].pong_received(key)),
            other => panic!("a client cannot do this: {other}"),
        }
    }

    fn app(&mut self, words: &Words<'_>) {
        match words.word(1) {
            "answers" => self.answer(Ok(Some(script::payload(words.word(2))))),
            "returns" => self.answer(Ok(None)),
            "fails" => self.answer(Err((ErrorCode::HandlerFailed, words.word(2).to_owned()))),
            other => panic!("an application cannot do this: {other}"),
        }
    }

    fn revoke(&mut self, words: &Words<'_>) {
        let before_unix_ms = words.option("before").map_or(u64::MAX, parse);
        let target = match (words.option("token"), words.option("user")) {
            (Some(id), _) => {
                self.authority.revoke(id);
                Target::Tokens(vec![id.into()])
            }
            (_, Some(user)) => {
                self.authority.revoke_user(script::user(user), before_unix_ms);
                Target::Users(vec![script::user(user)])
            }
            _ => panic!("nothing to revoke"),
        };
        self.ask(Request::Instruct(target, Instruction::Revoke { before_unix_ms }));
    }

    fn api(&mut self, line: &str) -> Vec<String> {
        let words = Words::new(line);
        let one = words.option("to").map(|name| {
            let client = &self.clients[self.client(name)];
            let session = client.key.and_then(|key| self.shards[client.shard].session(key));
            session
                .map_or_else(|| panic!("{name} is not connected"), |session| Target::Connection(session.id()))
        });
        let target = one.or_else(|| script::target(&words));
        let request = match (words.word(0), target) {
            ("publish", _) => Request::Publish(script::publish(line, &self.settings)),
            ("direct", Some(target)) => {
                let data = script::payload(words.word(words.plain_count() - 1));
                let from = words.option("from").map(script::user);
                let timestamp_ms = UNIX_BEGIN_MS + self.now_ms();
                Request::Direct(
                    target,
                    std::sync::Arc::new(Direct { from, data, verbatim: false, timestamp_ms }),
                )
            }
            ("channels", _) => Request::Channels {
                prefix: words.get(1).unwrap_or_default().into(),
                after: words.option("after").map(script::channel),
                limit: words.option("limit").map_or(usize::MAX, parse),
            },
            (_, Some(target)) => Request::Instruct(target, script::instruction(&words)),
            _ => panic!("the backend cannot do this: {line}"),
        };
        match self.ask(request) {
            Reply::Published { position, duplicate } => {
                let again = if duplicate { " again" } else { "" };
                vec![format!("published {}.{}{again}", self.epochs.name(position.epoch), position.offset)]
            }
            Reply::Failed(code) => vec![format!("failed {}", code.as_str())],
            Reply::Channels(channels) => channels
                .iter()
                .map(|c| format!("{} users={} connections={}", c.channel, c.users, c.connections))
                .collect(),
            _ => Vec::new(),
        }
    }
}

fn parse<N: std::str::FromStr>(word: &str) -> N {
    match word.parse() {
        Ok(number) => number,
        Err(_) => panic!("no number: {word}"),
    }
}

/// Both texts, marked where they part.
fn difference(wanted: &str, actual: &str) -> String {
    let (wanted, actual): (Vec<&str>, Vec<&str>) = (wanted.lines().collect(), actual.lines().collect());
    let same = wanted.iter().zip(&actual).take_while(|(a, b)| a == b).count();
    let from = same.saturating_sub(8);
    let mut text = String::new();
    for line in &actual[from..same] {
        let _ = writeln!(text, "  {line}");
    }
    for line in wanted.iter().skip(same).take(12) {
        let _ = writeln!(text, "- {line}");
    }
    for line in actual.iter().skip(same).take(12) {
        let _ = writeln!(text, "+ {line}");
    }
    text
}
