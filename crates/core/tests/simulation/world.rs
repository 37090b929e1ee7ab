//! Clients that do whatever the seed says, and write down what they did and saw.

#[path = "ending.rs"]
mod ending;
#[path = "guarded.rs"]
mod guarded;
#[path = "hearing.rs"]
mod hearing;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use fanfare_core::auth::Access;
use fanfare_core::limits::Rate;
use fanfare_core::namespace::OutboxPolicy;
use fanfare_core::ports::broker::{Broker as _, Delivery};
use fanfare_core::session::Phase;
use fanfare_protocol::dialect::Habits;
use fanfare_testkit::client::Client;
use fanfare_testkit::history::{History, Operation, Outcome, Place};
use fanfare_testkit::rng::Rng;
use fanfare_testkit::script::{self, command};
use fanfare_testkit::{Bench, Setup};

use crate::guests::Guests;
use crate::members::Members;
use crate::rights::{GUARDED, Permits, Revocation, Token};
use ending::note_held;
use guarded::{Found, LISTENER};

/// Channels with different settings; see [`setup`].
const CHANNELS: [&str; 10] =
    ["long:a", "long:b", "short:c", "bare:d", LOUD, SOFT, "last:g", "vault:h", "staff:i", "long:$j"];
/// The channel whose joins and leaves everyone hears of, and one where only those do who expect it: both are watched.
const LOUD: &str = "loud:e";
const SOFT: &str = "soft:f";
/// The lane of those who expect it.
const HEARING: u8 = 3;
/// Why a publish may fail.
const FAILURES: [&str; 5] = [
    "overloaded",
    "too_many_requests_in_flight",
    "permission_denied",
    "rate_limited",
    "authentication_required",
];
const CLIENTS: u32 = 6;
const LONG_SIZE: u32 = 40;
const GRACE_MS: u64 = 2_000;

fn setup(seed: u64) -> Setup {
    let mut setup = Setup { shards: 3, seed, tokens: true, ..Setup::default() };
    setup.habits[0] = Habits { hears_members: true, ..Habits::default() };
    setup.habits[1] = Habits { one_room: true, posts_entries: true, history_on_join: 2, ..Habits::default() };
    setup.settings.deadlines.expiry_warning_ms = 1_000;
    if seed.is_multiple_of(4) {
        setup.settings.rate_limits.connection = Rate { per_second: 3, burst: 6 };
        setup.settings.rate_limits.refusals_max = 8;
    }
    setup.settings.limits.outbox_bytes_max = 800;
    setup.settings.limits.inbox_deliveries_max = 60;
    setup.settings.limits.requests_in_flight_max = 10;
    setup.namespace("long", |n| n.history_size = LONG_SIZE);
    setup.namespace("short", |n| (n.history_size, n.history_ttl_ms) = (6, 3_000));
    setup.namespace("bare", |n| (n.history_size, n.presence) = (0, false));
    setup.namespace("guests", |n| n.history_size = 10_000);
    setup.namespace("soft", |n| {
        (n.outbox_policy, n.presence_grace_ms) = (OutboxPolicy::DropOldest, GRACE_MS as u32);
    });
    setup.namespace("last", |n| n.outbox_policy = OutboxPolicy::KeepLatest);
    setup.namespace("vault", |n| n.rules.subscribe = Access::Token);
    setup.namespace("staff", |n| n.rules.subscribe = Access::Roles(["crew".into()].into()));
    setup.namespace("loud", |n| {
        (n.join_leave, n.replay_on_subscribe) = (true, 1);
        n.presence_grace_ms = GRACE_MS as u32;
    });
    setup
}

/// What a client has of a channel.
#[derive(Debug, Clone, Default)]
struct Sub {
    /// Whether it is subscribed, as far as it was told.
    live: bool,
    /// Whether it is subscribed, or has asked to be.
    active: bool,
    /// The request that it waits for.
    asked: Option<u64>,
    filter: Option<u64>,
    position: Option<Place>,
}

#[derive(Debug, Default)]
struct Actor {
    /// Its index on the bench, while connected.
    client: Option<usize>,
    connection: u32,
    subs: BTreeMap<&'static str, Sub>,
    /// Subscriptions that are unanswered: request, filter, place.
    asking: BTreeMap<u64, (Option<u64>, Option<Place>)>,
    /// Publishes that are unanswered: request and the record's index.
    publishing: BTreeMap<u64, usize>,
    /// The last publish with a key: channel, key, payload, tag.
    keyed: Option<(&'static str, u64, u64)>,
    /// Whether it has yet to say who it is.
    is_unauthenticated: bool,
    /// The request with a newer token that is unanswered.
    authenticating: Option<u64>,
    /// Unsubscriptions that are unanswered: request and channel.
    leaving: BTreeMap<u64, &'static str>,
    /// Subscriptions with a token that are unanswered: request and channel.
    tokens: BTreeMap<u64, &'static str>,
    /// The token that its connection came with, this one or the last.
    former: Option<Token>,
}

/// A run.
pub(crate) struct World {
    bench: Bench,
    rng: Rng,
    actors: Vec<Actor>,
    members: [Members; 2],
    guests: Guests,
    /// What happened, for the checker.
    pub(crate) history: History,
    /// What happened, for comparing runs.
    pub(crate) trace: String,
    next: u64,
    connections: u32,
    seed: u64,
    /// Whether credentials last and everyone says at once who they are.
    calm: bool,
    permits: Permits,
    /// What the authority has yet to say.
    found: Vec<Found>,
    /// Revocations that were noted, and those among them that have yet to be sent.
    noted: Vec<Revocation>,
    revoking: Vec<Revocation>,
    /// Held by every place among a user's connections.
    places: Arc<()>,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut bench = Bench::new(&setup(seed));
        let mut history = History::default();
        let places = Arc::new(());
        note_held(&bench, &places, &mut history);
        let permits = Permits::new(CLIENTS as usize, &[LISTENER], &mut history);
        let mut watch = |channel, lane| Members::watch(&mut bench, channel, lane, GRACE_MS, CLIENTS as usize);
        let members = [watch(LOUD, 0), watch(SOFT, HEARING)];
        (0..bench.shards.len()).for_each(|shard| bench.hold(shard, true));
        let actors = (0..CLIENTS).map(|_| Actor::default()).collect();
        let (rng, trace) = (Rng::new(seed), String::new());
        let (found, noted, revoking) = Default::default();
        Self {
            bench,
            rng,
            actors,
            members,
            guests: Guests::default(),
            history,
            trace,
            next: 0,
            connections: 0,
            seed,
            calm: false,
            permits,
            found,
            noted,
            revoking,
            places,
        }
    }

    /// One thing that the seed chooses.
    pub(crate) fn step(&mut self) {
        let actor = self.rng.below(self.actors.len());
        let shard = self.rng.below(self.bench.shards.len());
        match self.rng.below(130) {
            0..26 => (0..=self.rng.below(3)).for_each(|_| self.publish(actor)),
            26..34 => self.toggle(actor),
            34..56 => {
                for _ in 0..=self.rng.below(6) {
                    self.bench.deliver_one(shard);
                }
            }
            56..74 => self.turn(shard),
            74..80 => self.pass(),
            80..86 => self.make_slow(actor),
            86..88 => self.cut(actor),
            88 => self.lose_continuity(),
            89..92 => self.authenticate(actor),
            92..96 => self.renew(actor),
            96..106 => self.tell_found(),
            106 => self.revoke(actor),
            107..109 => self.send_revocation(),
            113..118 => self.guests.step(&mut self.bench, &mut self.rng),
            109..113 => {
                let channel = *self.rng.pick(&CHANNELS);
                self.look_back(actor, channel);
            }
            _ => self.connect(actor),
        }
        self.read();
    }

    fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn connect(&mut self, actor: usize) {
        if self.actors[actor].client.is_some() {
            return;
        }
        let lane = if self.rng.chance(20) { HEARING } else { self.rng.below(2) as u8 };
        let shard = self.rng.below(self.bench.shards.len());
        let name = format!("u{actor}");
        let opening = self.arrive(actor, lane);
        let is_unauthenticated = opening.must_authenticate;
        let client = self.bench.open(&name, shard, opening, false);
        self.connections += 1;
        self.actors[actor].connection = self.connections;
        self.actors[actor].client = Some(client);
        self.actors[actor].is_unauthenticated = is_unauthenticated;
        match is_unauthenticated {
            true if self.rng.chance(70) => self.authenticate(actor),
            true => {}
            false => self.subscribe_to_all(actor),
        }
    }

    fn subscribe_to_all(&mut self, actor: usize) {
        let wanted = self.actors[actor].subs.iter().filter(|(_, sub)| sub.active).map(|(name, _)| *name);
        for channel in wanted.collect::<Vec<_>>() {
            self.subscribe(actor, channel);
        }
    }

    fn subscribe(&mut self, actor: usize, channel: &'static str) {
        let id = self.fresh();
        let history = if self.rng.chance(30) { " history=4" } else { "" };
        let has_token = GUARDED.contains(&channel) && self.rng.chance(40);
        let text = has_token.then(|| format!(" token={}", self.token_text(actor, id)));
        let Actor { client: Some(client), subs, asking, tokens, .. } = &mut self.actors[actor] else {
            return;
        };
        let sub = subs.entry(channel).or_default();
        let since = sub.position;
        (sub.active, sub.asked) = (true, Some(id));
        asking.insert(id, (sub.filter, since));
        if has_token {
            tokens.insert(id, channel);
        }
        let mut line = format!("subscribe #{id} {channel}{history}{}", text.unwrap_or_default());
        if let Some(place) = since {
            let _ = write!(line, " recover={}.{}", name_of(place.epoch), place.offset);
        }
        if let Some(filter) = sub.filter {
            let _ = write!(line, " filter=t:{filter}");
        }
        let client = *client;
        self.send(client, &line);
        self.note_found();
    }

    fn send(&mut self, client: usize, line: &str) {
        let _ = writeln!(self.trace, "{}: {line}", self.bench.clients[client].name);
        let command = command(line, &self.bench.epochs);
        self.bench.command(client, command);
    }

    /// Subscribes where it is not subscribed, leaves where it is.
    fn toggle(&mut self, actor: usize) {
        let channel = *self.rng.pick(&CHANNELS);
        let Some(client) = self.actors[actor].client else { return };
        let sub = self.actors[actor].subs.get(channel).cloned().unwrap_or_default();
        if sub.active && self.rng.chance(50) {
            let id = self.fresh();
            self.actors[actor].leaving.insert(id, channel);
            self.send(client, &format!("unsubscribe #{id} {channel}"));
            // Who is sent away for asking too much has not left by their own word.
            let Client { shard, key, .. } = self.bench.clients[client];
            let left = key.is_some_and(|key| self.bench.shards[shard].phase(key) == Phase::Open);
            self.look(left.then_some(actor));
            // What is asked is taken back, and answered with an error of its own.
            if let Some(sub) = self.actors[actor].subs.get_mut(channel) {
                (sub.active, sub.asked) = (false, None);
            }
        } else if !sub.active {
            let filter = self.rng.chance(30).then(|| self.rng.below(2) as u64);
            // A position under one filter says nothing about messages that another lets through.
            let position = sub.position.filter(|_| filter == sub.filter && self.rng.chance(50));
            let live = sub.live;
            self.actors[actor].subs.insert(channel, Sub { live, filter, position, ..Sub::default() });
            self.subscribe(actor, channel);
        }
    }

    fn publish(&mut self, actor: usize) {
        let Some(client) = self.actors[actor].client else { return };
        let id = self.fresh();
        let repeated = self.actors[actor].keyed.filter(|_| self.rng.chance(15));
        let (channel, key, payload) = match repeated {
            Some((channel, key, payload)) => (channel, Some(key), payload),
            None => (*self.rng.pick(&CHANNELS), self.rng.chance(15).then_some(id), id),
        };
        if let Some(key) = key {
            self.actors[actor].keyed = Some((channel, key, payload));
        }
        let (tag, echo) = (payload % 2, payload % 3 == 0);
        let operation = Operation::Publish { tag: Some(tag), echo };
        self.actors[actor].publishing.insert(id, self.history.records.len());
        let record = self.history.add(actor as u32, operation, channel).with(payload).ended(Outcome::Unknown);
        record.by(self.actors[actor].connection).key = key;
        let echo = if echo { " echo" } else { "" };
        let key = key.map(|key| format!(" idem={key}")).unwrap_or_default();
        let latest = if payload % 5 < 3 { format!(" key=k{}", payload % 5) } else { String::new() };
        self.send(client, &format!("publish #{id} {channel} {payload} tag=t:{tag}{echo}{key}{latest}"));
    }

    fn turn(&mut self, shard: usize) {
        self.expire(Some(shard));
        self.bench.turn(shard);
    }

    fn pass(&mut self) {
        let ms = if self.rng.chance(10) { 4_000 } else { self.rng.below(300) as u64 };
        self.bench.skip(ms);
        self.bench.broker.tick();
    }

    fn make_slow(&mut self, actor: usize) {
        let Some(client) = self.actors[actor].client else { return };
        let room = match self.rng.below(4) {
            0 => 0,
            1 | 2 => self.rng.below(300),
            _ => usize::MAX,
        };
        self.bench.give_room(client, room);
    }

    fn cut(&mut self, actor: usize) {
        if let Some(client) = self.actors[actor].client {
            self.bench.cut(client);
        }
    }

    fn lose_continuity(&mut self) {
        // The watched channel keeps its observer.
        let channel = script::channel(self.rng.pick::<&str>(&CHANNELS[..4]));
        (0..self.bench.shards.len())
            .for_each(|shard| self.bench.push(shard, Delivery::Lost(channel.clone())));
    }

    /// Looks at who is a member now.
    fn look(&mut self, deliberate: Option<usize>) {
        let clients: Vec<Option<usize>> = self.actors.iter().map(|actor| actor.client).collect();
        for members in &mut self.members {
            members.look(&mut self.bench, &clients, deliberate, &mut self.history);
        }
    }

    /// Everybody takes note of what came.
    fn read(&mut self) {
        self.bench.answer_pings();
        self.guests.look(&mut self.bench);
        self.look(None);
        self.listen();
        for actor in 0..self.actors.len() {
            let Some(client) = self.actors[actor].client else { continue };
            for line in self.bench.clients[client].take_lines() {
                let _ = writeln!(self.trace, "u{actor}> {line}");
                self.hear(actor, &line);
            }
            if self.bench.clients[client].key.is_none() {
                self.gone(actor);
            }
        }
        // Who has just heard that it is authenticated has subscribed.
        self.look(None);
    }

    fn gone(&mut self, actor: usize) {
        let (id, connection) = (actor as u32, self.actors[actor].connection);
        self.actors[actor].client = None;
        let _ = writeln!(self.trace, "u{actor} gone");
        self.permits.gone(actor);
        self.permits.note(&mut self.history);
        let Actor { publishing, asking, tokens, authenticating, leaving, subs, .. } = &mut self.actors[actor];
        leaving.clear();
        publishing.clear();
        asking.clear();
        tokens.clear();
        *authenticating = None;
        for (channel, sub) in subs {
            (sub.asked, sub.live) = (None, false);
            self.history.add(id, Operation::End, channel).by(connection);
        }
    }
}

/// An epoch's number from the bench's name for it, and the other way round.
fn place_of(text: &str) -> Place {
    let (epoch, offset) = text.split_once('.').unwrap_or((text, "0"));
    let epoch = match (epoch.as_bytes(), epoch.strip_prefix('E').and_then(|number| number.parse().ok())) {
        (_, Some(number)) => number,
        ([letter, ..], None) => u64::from(letter - b'A'),
        ([], None) => u64::MAX,
    };
    Place { epoch, offset: offset.parse().unwrap_or(u64::MAX) }
}

fn name_of(epoch: u64) -> String {
    match u8::try_from(epoch) {
        Ok(index @ 0..26) => char::from(b'A' + index).to_string(),
        _ => format!("E{epoch}"),
    }
}

fn number(id: &str) -> u64 {
    id.trim_start_matches('#').parse().unwrap_or(u64::MAX)
}
