//! Credentials that come, are renewed, expire and are revoked; and who looks at channels without subscribing.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use fanfare_core::auth::{Grant, Identity, Operations, Scope, Standing};
use fanfare_core::ports::authority::{Finding, Matter, Place as UserPlace, Verdict};
use fanfare_core::ports::broker::{Delivery, Instruction, Request, ShardId, Target, Ticket};
use fanfare_core::session::Opening;
use fanfare_protocol::ErrorCode;
use fanfare_protocol::command::Topic;
use fanfare_testkit::bench::opening;
use fanfare_testkit::history::Operation;
use fanfare_testkit::lane::UNIX_BEGIN_MS;
use fanfare_testkit::script;

use super::{World, number, place_of};
use crate::rights::{GUARDED, Revocation, Token};

/// The number among the actors of who listens by pattern.
pub(super) const LISTENER: u32 = 1001;
const PATTERN: &str = "long:*";

/// What the authority has found out and not told yet.
pub(super) struct Found {
    shard: ShardId,
    ticket: Ticket,
    verdict: Verdict,
    actor: usize,
    connection: u32,
    request: u64,
    /// Where, for a subscription's token.
    channel: Option<&'static str>,
    /// What it gives; none where it is refused.
    token: Option<Token>,
}

/// A place that has no room now and then.
struct Turnstile {
    spent: AtomicU32,
    /// One of so many is refused.
    refused_every: u32,
    /// Held as long as the place is.
    _held: Arc<()>,
}

impl UserPlace for Turnstile {
    fn spend(&self, _cost: u32) -> Result<(), u32> {
        match self.spent.fetch_add(1, Ordering::Relaxed) % self.refused_every {
            0 => Err(100),
            _ => Ok(()),
        }
    }
}

impl World {
    pub(super) fn unix_ms(&self) -> u64 {
        UNIX_BEGIN_MS + self.bench.now_ms()
    }

    /// A token that nobody has had before.
    fn issue(&mut self, channels: Vec<&'static str>, is_crew: bool) -> Token {
        let unix_ms = self.unix_ms();
        let expires = !self.calm && self.rng.chance(40);
        let lasts_ms = 100 + self.rng.below(6_000) as u64;
        Token {
            id: self.fresh(),
            is_crew,
            channels,
            publishes: self.rng.chance(50),
            issued_unix_ms: unix_ms,
            expires_unix_ms: expires.then_some(unix_ms + lasts_ms),
        }
    }

    fn issue_any(&mut self) -> Token {
        let channels = GUARDED.into_iter().filter(|_| self.rng.chance(40)).collect();
        let is_crew = self.rng.chance(50);
        self.issue(channels, is_crew)
    }

    fn identity(&self, actor: usize, token: Option<&Token>) -> Identity {
        let standing = token.map(|token| {
            let mut standing = Standing {
                token_id: Some(token.id.to_string().into()),
                issued_unix_ms: Some(token.issued_unix_ms),
                expires_unix_ms: token.expires_unix_ms,
                ..Standing::default()
            };
            if token.is_crew {
                standing.roles = ["other", "crew"].map(Into::into).into();
            }
            standing.grants = token.channels.iter().map(|channel| grant(token, channel)).collect();
            Box::new(standing)
        });
        let place = (self.seed % 4 == 1 && actor.is_multiple_of(2)).then(|| -> Arc<dyn UserPlace> {
            Arc::new(Turnstile { spent: 1.into(), refused_every: 5, _held: self.places.clone() })
        });
        Identity { user: Some(script::user(&format!("u{actor}"))), standing, place }
    }

    /// How an actor comes, and what it may then.
    pub(super) fn arrive(&mut self, actor: usize, lane: u8) -> Opening {
        let mut opening = opening(lane, None);
        opening.opened_unix_ms = self.unix_ms();
        let former = self.actors[actor].former.clone();
        let former = former.filter(|token| !self.calm && !token.has_expired(opening.opened_unix_ms));
        let token = match (self.rng.below(10), former) {
            (0..2, _) if !self.calm => {
                opening.must_authenticate = true;
                return opening;
            }
            (2, _) => None,
            (3..6, Some(former)) => Some(former),
            _ => Some(self.issue_any()),
        };
        self.actors[actor].former.clone_from(&token);
        opening.identity = self.identity(actor, token.as_ref());
        let accepted = token.filter(|token| !self.noted.iter().any(|noted| noted.meets(actor, token)));
        self.permits.opened(actor, accepted);
        self.permits.note(&mut self.history);
        opening
    }

    /// What stands for the token in a command: whose it is.
    pub(super) fn token_text(&self, actor: usize, request: u64) -> String {
        format!("{actor}.{}.{request}", self.actors[actor].connection)
    }

    /// Sends a newer token, or the first one.
    pub(super) fn authenticate(&mut self, actor: usize) {
        let Some(client) = self.actors[actor].client else { return };
        if self.actors[actor].authenticating.is_some() {
            return;
        }
        let id = self.fresh();
        self.actors[actor].authenticating = Some(id);
        let token = self.token_text(actor, id);
        self.send(client, &format!("auth #{id} {token}"));
        self.note_found();
    }

    /// Subscribes to a guarded channel with a token, be it subscribed already or not.
    pub(super) fn renew(&mut self, actor: usize) {
        let channel = *self.rng.pick(&GUARDED);
        let Some(client) = self.actors[actor].client else { return };
        let id = self.fresh();
        self.actors[actor].asking.insert(id, (None, None));
        self.actors[actor].tokens.insert(id, channel);
        let token = self.token_text(actor, id);
        self.send(client, &format!("subscribe #{id} {channel} token={token}"));
        self.note_found();
    }

    /// The authority verifies what it is asked at once; when it says so is another matter.
    pub(super) fn note_found(&mut self) {
        while let Some(asked) = self.bench.authority.pop() {
            let (secret, channel) = match &asked.matter {
                Matter::Connection(secret) => (secret, None),
                Matter::SubscriptionToken(topic, secret) => {
                    (secret, GUARDED.into_iter().find(|name| *name == topic.as_str()))
                }
                Matter::Subscription(_) => panic!("the application decides nothing here"),
            };
            let numbers: Vec<u64> = secret.expose().split('.').map(number).collect();
            let [actor, connection, request] = numbers[..] else { panic!("no such token") };
            let actor = actor as usize;
            let (verdict, token) = self.find_out(actor, channel);
            let (shard, ticket, connection) = (asked.shard, asked.ticket, connection as u32);
            self.found.push(Found { shard, ticket, verdict, actor, connection, request, channel, token });
        }
    }

    fn find_out(&mut self, actor: usize, channel: Option<&'static str>) -> (Verdict, Option<Token>) {
        if self.rng.chance(15) {
            let refusals = [ErrorCode::AuthenticationFailed, ErrorCode::TokenExpired, ErrorCode::Unavailable];
            let code = *self.rng.pick(&refusals);
            return (Err((code, code.text().to_owned())), None);
        }
        if let Some(channel) = channel {
            let token = self.issue(vec![channel], false);
            return (Ok(Finding::Grant(grant(&token, channel))), Some(token));
        }
        let token = self.issue_any();
        let another = !self.actors[actor].is_unauthenticated && self.rng.chance(10);
        let identity = self.identity(if another { actor + 100 } else { actor }, Some(&token));
        (Ok(Finding::Identity(Box::new(identity))), (!another).then_some(token))
    }

    /// The authority says one of the things that it has found out.
    pub(super) fn tell_found(&mut self) {
        if self.found.is_empty() {
            return;
        }
        let index = self.rng.below(self.found.len());
        let Found { shard, ticket, verdict, actor, connection, request, channel, token } =
            self.found.remove(index);
        let _ = writeln!(self.trace, "authority: {request} of u{actor} {token:?}");
        self.bench.push(usize::from(shard.0), Delivery::Verdict(ticket, verdict));
        let is_there = self.actors[actor].client.is_some() && self.actors[actor].connection == connection;
        let Some(token) = token.filter(|_| is_there) else { return };
        if self.noted.iter().any(|noted| noted.meets(actor, &token)) {
            return;
        }
        if channel.is_none() {
            self.actors[actor].former = Some(token.clone());
        }
        self.permits.found(actor, channel, request, token);
        self.permits.note(&mut self.history);
    }

    /// Takes back one of an actor's tokens, in force or about to be, or all that it has had so far.
    pub(super) fn revoke(&mut self, actor: usize) {
        let found = self.found.iter().filter(|found| found.actor == actor);
        let about_to_be = found.filter_map(|found| found.token.as_ref());
        let ids: Vec<u64> = self.permits.tokens(actor).chain(about_to_be).map(|token| token.id).collect();
        let revocation = if ids.is_empty() || self.rng.chance(30) {
            let before_unix_ms = self.unix_ms();
            self.bench.authority.revoke_user(script::user(&format!("u{actor}")), before_unix_ms);
            Revocation::User(actor, before_unix_ms)
        } else {
            let id = *self.rng.pick(&ids);
            self.bench.authority.revoke(&id.to_string());
            Revocation::Token(id)
        };
        let _ = writeln!(self.trace, "noted: {revocation:?}");
        self.permits.doubt(&revocation);
        self.permits.note(&mut self.history);
        self.noted.push(revocation.clone());
        self.revoking.push(revocation);
        if self.rng.chance(60) {
            self.send_revocation();
        }
    }

    /// Sends a revocation that was noted to all shards.
    pub(super) fn send_revocation(&mut self) {
        let Some(revocation) = self.revoking.pop() else { return };
        let _ = writeln!(self.trace, "sent: {revocation:?}");
        let (target, before_unix_ms) = match revocation {
            Revocation::Token(id) => (Target::Tokens(vec![id.to_string().into()]), u64::MAX),
            Revocation::User(actor, before_unix_ms) => {
                (Target::Users(vec![script::user(&format!("u{actor}"))]), before_unix_ms)
            }
        };
        self.bench.ask(Request::Instruct(target, Instruction::Revoke { before_unix_ms }));
        self.permits.revoke(&revocation);
        self.permits.note(&mut self.history);
    }

    /// What has expired by now ends when its shard takes its turn.
    pub(super) fn expire(&mut self, shard: Option<usize>) {
        let unix_ms = self.unix_ms();
        for actor in 0..self.actors.len() {
            let Some(client) = self.actors[actor].client else { continue };
            if shard.is_none_or(|shard| self.bench.clients[client].shard == shard) {
                self.permits.expire(actor, unix_ms);
            }
        }
        self.permits.note(&mut self.history);
    }

    /// Asks for what was published, subscribed or not.
    pub(super) fn look_back(&mut self, actor: usize, channel: &'static str) {
        let Some(client) = self.actors[actor].client else { return };
        let id = self.fresh();
        self.send(client, &format!("history #{id} {channel} limit=5 reverse"));
    }

    pub(super) fn hear_history(&mut self, actor: u32, channel: &str, line: &str) {
        let Some((_, list)) = line.split_once('[') else { panic!("no page: {line}") };
        let list = list.split_once(']').map_or(list, |(list, _)| list);
        for message in list.split(", ").filter(|message| !message.is_empty()) {
            let Some((place, data)) = message.split_once(' ') else { panic!("no message: {line}") };
            self.note_read(actor, channel, place, data);
        }
    }

    fn note_read(&mut self, actor: u32, channel: &str, place: &str, data: &str) {
        let place = place_of(place);
        let record = self.history.add(actor, Operation::Read, channel);
        record.at(place.epoch, place.offset).with(number(data));
    }

    /// Somebody listens by pattern all the time, and must hear nothing of private channels.
    pub(super) fn listen(&mut self) {
        let known = self.bench.clients.iter().position(|client| client.name == "listener");
        if let Some(listener) = known {
            for line in self.bench.clients[listener].take_lines() {
                let words: Vec<&str> = line.split_whitespace().collect();
                if let ["message", channel, place, data] = words[..] {
                    self.note_read(LISTENER, channel, place, data);
                }
            }
            if self.bench.clients[listener].key.is_some() {
                return;
            }
        }
        let mut opening = opening(0, Some(script::user("listener")));
        opening.opened_unix_ms = self.unix_ms();
        let listener = self.bench.open("listener", 1, opening, false);
        self.bench.command(listener, script::command(&format!("subscribe {PATTERN}"), &self.bench.epochs));
    }
}

/// What a token gives of one channel; of `vault` it gives all by a pattern.
fn grant(token: &Token, channel: &str) -> Grant {
    let publishes = if token.publishes { Operations::ALL } else { Operations::READ };
    let wide = token.channels.len() > 1 && channel.starts_with("vault");
    let scope = match script::topic(if wide { "vault:>" } else { channel }) {
        Topic::Channel(channel) => Scope::Channel(channel),
        Topic::Pattern(pattern) => Scope::Pattern(pattern),
    };
    let mut grant = Grant::new(scope, publishes);
    grant.expires_unix_ms = token.expires_unix_ms;
    grant.token_id = Some(token.id.to_string().into());
    grant.issued_unix_ms = Some(token.issued_unix_ms);
    grant
}
