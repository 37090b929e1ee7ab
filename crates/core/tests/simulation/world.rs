//! Clients that do whatever the seed says, and write down what they did and saw.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use fanfare_core::namespace::OutboxPolicy;
use fanfare_core::ports::broker::{Broker as _, Delivery, Reply, Request};
use fanfare_protocol::command::HistoryRange;
use fanfare_testkit::bench::opening;
use fanfare_testkit::history::{History, Operation, Outcome, Place};
use fanfare_testkit::lane::UNIX_BEGIN_MS;
use fanfare_testkit::rng::Rng;
use fanfare_testkit::script::{self, command};
use fanfare_testkit::{Bench, Setup};

use crate::members::Members;

/// Channels with different settings; see [`setup`].
const CHANNELS: [&str; 7] = ["long:a", "long:b", "short:c", "bare:d", LOUD, "soft:f", "last:g"];
/// The channel whose joins and leaves are watched.
const LOUD: &str = "loud:e";
const CLIENTS: u32 = 6;
const LONG_SIZE: u32 = 40;
const GRACE_MS: u64 = 2_000;

fn setup(seed: u64) -> Setup {
    let mut setup = Setup { shards: 3, seed, ..Setup::default() };
    setup.settings.limits.outbox_bytes_max = 800;
    setup.settings.limits.inbox_deliveries_max = 60;
    setup.settings.limits.requests_in_flight_max = 10;
    setup.namespace("long", |n| n.history_size = LONG_SIZE);
    setup.namespace("short", |n| (n.history_size, n.history_ttl_ms) = (6, 3_000));
    setup.namespace("bare", |n| (n.history_size, n.presence) = (0, false));
    setup.namespace("soft", |n| n.outbox_policy = OutboxPolicy::DropOldest);
    setup.namespace("last", |n| n.outbox_policy = OutboxPolicy::KeepLatest);
    setup.namespace("loud", |n| {
        (n.join_leave, n.replay_on_subscribe) = (true, 1);
        n.presence_grace_ms = GRACE_MS as u32;
    });
    setup
}

/// What a client has of a channel.
#[derive(Debug, Clone, Default)]
struct Sub {
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
}

/// A run.
pub(crate) struct World {
    bench: Bench,
    rng: Rng,
    actors: Vec<Actor>,
    members: Members,
    /// What happened, for the checker.
    pub(crate) history: History,
    /// What happened, for comparing runs.
    pub(crate) trace: String,
    next: u64,
    connections: u32,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut bench = Bench::new(&setup(seed));
        let mut history = History::default();
        note_held(&bench, &mut history);
        let members = Members::watch(&mut bench, LOUD, GRACE_MS, CLIENTS as usize);
        (0..bench.shards.len()).for_each(|shard| bench.hold(shard, true));
        let actors = (0..CLIENTS).map(|_| Actor::default()).collect();
        let (rng, trace) = (Rng::new(seed), String::new());
        Self { bench, rng, actors, members, history, trace, next: 0, connections: 0 }
    }

    /// One thing that the seed chooses.
    pub(crate) fn step(&mut self) {
        let actor = self.rng.below(self.actors.len());
        let shard = self.rng.below(self.bench.shards.len());
        match self.rng.below(100) {
            0..26 => (0..=self.rng.below(3)).for_each(|_| self.publish(actor)),
            26..34 => self.toggle(actor),
            34..56 => {
                for _ in 0..=self.rng.below(6) {
                    self.bench.deliver_one(shard);
                }
            }
            56..74 => self.bench.turn(shard),
            74..80 => self.pass(),
            80..86 => self.make_slow(actor),
            86..88 => self.cut(actor),
            88 => self.lose_continuity(),
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
        let lane = self.rng.below(2) as u8;
        let shard = self.rng.below(self.bench.shards.len());
        let name = format!("u{actor}");
        let client = self.bench.open(&name, shard, opening(lane, Some(script::user(&name))), false);
        self.connections += 1;
        self.actors[actor].connection = self.connections;
        self.actors[actor].client = Some(client);
        let wanted: Vec<&str> =
            self.actors[actor].subs.iter().filter(|(_, s)| s.active).map(|(c, _)| *c).collect();
        for channel in wanted {
            self.subscribe(actor, channel);
        }
    }

    fn subscribe(&mut self, actor: usize, channel: &'static str) {
        let id = self.fresh();
        let history = if self.rng.chance(30) { " history=4" } else { "" };
        let Actor { client: Some(client), subs, asking, .. } = &mut self.actors[actor] else { return };
        let sub = subs.entry(channel).or_default();
        let since = sub.position;
        (sub.active, sub.asked) = (true, Some(id));
        asking.insert(id, (sub.filter, since));
        let mut line = format!("subscribe #{id} {channel}{history}");
        if let Some(place) = since {
            let _ = write!(line, " recover={}.{}", name_of(place.epoch), place.offset);
        }
        if let Some(filter) = sub.filter {
            let _ = write!(line, " filter=t:{filter}");
        }
        let client = *client;
        self.send(client, &line);
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
            self.send(client, &format!("unsubscribe #{id} {channel}"));
            self.look(Some(actor));
            // What is asked is taken back, and answered with an error of its own.
            if let Some(sub) = self.actors[actor].subs.get_mut(channel) {
                (sub.active, sub.asked) = (false, None);
            }
        } else if !sub.active {
            let filter = self.rng.chance(30).then(|| self.rng.below(2) as u64);
            // A position under one filter says nothing about messages that another lets through.
            let position = sub.position.filter(|_| filter == sub.filter && self.rng.chance(50));
            self.actors[actor].subs.insert(channel, Sub { filter, position, ..Sub::default() });
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

    fn pass(&mut self) {
        let ms = if self.rng.chance(10) { 4_000 } else { self.rng.below(300) as u64 };
        self.bench.skip(ms);
        self.bench.broker.tick(UNIX_BEGIN_MS + self.bench.now_ms());
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
        self.members.look(&mut self.bench, &clients, deliberate, &mut self.history);
    }

    /// Everybody takes note of what came.
    fn read(&mut self) {
        self.bench.answer_pings();
        self.look(None);
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
    }

    fn gone(&mut self, actor: usize) {
        let (id, connection) = (actor as u32, self.actors[actor].connection);
        self.actors[actor].client = None;
        let _ = writeln!(self.trace, "u{actor} gone");
        self.actors[actor].publishing.clear();
        self.actors[actor].asking.clear();
        for (channel, sub) in &mut self.actors[actor].subs {
            sub.asked = None;
            self.history.add(id, Operation::End, channel).by(connection);
        }
    }

    fn hear(&mut self, actor: usize, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["message", channel, place, data] => self.hear_message(actor, channel, place, data),
            ["subscribed", id, channel, place, ..] => {
                self.hear_subscribed(actor, id, channel, place, line.contains("recovered=true"));
            }
            ["unsubscribed", _, channel] => {
                let connection = self.actors[actor].connection;
                self.history.add(actor as u32, Operation::End, channel).by(connection);
            }
            ["published", id, place, ..] => {
                let Some(index) = self.actors[actor].publishing.remove(&number(id)) else { return };
                let now = self.history.records.len() as u64;
                let record = &mut self.history.records[index];
                (record.outcome, record.place, record.complete) = (Outcome::Ok, Some(place_of(place)), now);
            }
            ["lagged", channel, count] => {
                let count = number(count);
                self.history.add(actor as u32, Operation::Lagged { count }, channel);
            }
            ["error", id, code] => self.hear_error(actor, number(id), code),
            ["joined" | "left", LOUD, _] | ["disconnect" | "CLOSE", ..] => {}
            _ => panic!("an unexpected line: {line}"),
        }
    }

    fn hear_message(&mut self, actor: usize, channel: &str, place: &str, data: &str) {
        let (place, connection) = (place_of(place), self.actors[actor].connection);
        let payload = data.parse().unwrap_or(u64::MAX);
        let record = self.history.add(actor as u32, Operation::Deliver, channel);
        record.by(connection).at(place.epoch, place.offset).with(payload);
        if let Some(sub) = self.actors[actor].subs.get_mut(channel)
            && sub.position.is_none_or(|known| known.epoch != place.epoch || known < place)
        {
            sub.position = Some(place);
        }
    }

    fn hear_subscribed(&mut self, actor: usize, id: &str, channel: &str, place: &str, recovered: bool) {
        let (place, connection) = (place_of(place), self.actors[actor].connection);
        let Actor { subs, asking, .. } = &mut self.actors[actor];
        let Some((filter, since)) = asking.remove(&number(id)) else { panic!("{id} was not asked") };
        let Some(sub) = subs.get_mut(channel) else { return };
        sub.asked.take_if(|asked| *asked == number(id));
        // What is replayed counts from when it comes; without a recovery the channel begins anew.
        if !recovered {
            sub.position = Some(place);
        }
        let lossy = channel.starts_with("soft") || channel.starts_with("last");
        let operation = Operation::Subscribe { filter, since, lossy };
        let record = self.history.add(actor as u32, operation, channel);
        record.by(connection).at(place.epoch, place.offset).recovered = since.map(|_| recovered);
    }

    fn hear_error(&mut self, actor: usize, id: u64, code: &str) {
        if let Some(index) = self.actors[actor].publishing.remove(&id) {
            assert!(matches!(code, "overloaded" | "too_many_requests_in_flight"), "{code}");
            self.history.records[index].outcome = Outcome::Fail;
        }
        for sub in self.actors[actor].subs.values_mut() {
            if sub.asked == Some(id) {
                (sub.asked, sub.active) = (None, false);
            }
        }
    }

    /// All sockets read, all clients come back, everything rests; then everything goes.
    pub(crate) fn finish(&mut self) {
        for shard in 0..self.bench.shards.len() {
            self.bench.hold(shard, false);
        }
        self.bench.settle();
        self.read();
        for _ in 0..3 {
            for actor in 0..self.actors.len() {
                self.connect(actor);
                let Some(client) = self.actors[actor].client else { continue };
                self.bench.give_room(client, usize::MAX);
            }
            self.bench.settle();
            self.read();
            self.bench.wait(15_000);
            self.read();
        }
        let away: Vec<usize> = (0..self.actors.len()).filter(|a| self.actors[*a].client.is_none()).collect();
        assert!(away.is_empty(), "{away:?} cannot come back");
        self.members.end(&mut self.bench);
        self.note_end();
        self.bench.end();
        for actor in 0..self.actors.len() {
            self.gone(actor);
        }
        note_held(&self.bench, &mut self.history);
    }

    fn note_end(&mut self) {
        for channel in CHANNELS {
            let name = script::channel(channel);
            let range = HistoryRange { since: None, limit: u32::MAX, reverse: false };
            if let Reply::History(page) = self.bench.ask(Request::History { channel: name.clone(), range }) {
                for publication in &page.publications {
                    let place = place_of(&format!(
                        "{}.{}",
                        self.bench.epochs.name(publication.position.epoch),
                        publication.position.offset
                    ));
                    let data = String::from_utf8_lossy(publication.data.bytes()).parse().unwrap_or(u64::MAX);
                    self.history
                        .add(u32::MAX, Operation::Keep, channel)
                        .at(place.epoch, place.offset)
                        .with(data);
                }
                let top = place_of(&format!(
                    "{}.{}",
                    self.bench.epochs.name(page.position.epoch),
                    page.position.offset
                ));
                let kept_min = channel.starts_with("long").then(|| u64::from(LONG_SIZE).min(top.offset));
                if !channel.starts_with("bare") {
                    self.history
                        .add(u32::MAX, Operation::Top { kept_min }, channel)
                        .at(top.epoch, top.offset);
                }
            }
            let Reply::Presence(members) =
                self.bench.ask(Request::Presence { channel: name, counts_only: false })
            else {
                continue;
            };
            for (actor, state) in self.actors.iter().enumerate() {
                let is_member = state.subs.get(channel).is_some_and(|sub| sub.active);
                if is_member && !channel.starts_with("bare") && channel != LOUD {
                    self.history.add(actor as u32, Operation::Transition { joined: true }, channel);
                }
            }
            let users =
                members.members.iter().map(|m| number(m.user.as_str().trim_start_matches('u')) as u32);
            self.history.add(u32::MAX, Operation::Members { users: users.collect() }, channel);
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

fn note_held(bench: &Bench, history: &mut History) {
    let held = bench.census().iter().map(|c| c.sessions + c.topics + c.users + c.questions).sum();
    history.add(u32::MAX, Operation::Held { count: held }, "held by shards");
    let broker = bench.broker.census();
    let count = broker.channels + broker.graces + broker.users_online + broker.history_bytes;
    history.add(u32::MAX, Operation::Held { count }, "held by the broker");
}
