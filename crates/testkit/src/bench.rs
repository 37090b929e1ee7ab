//! Shards, the memory broker, a clock and sockets, all moved by the test.

use std::io::IoSlice;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use fanfare_core::auth::Identity;
use fanfare_core::limits::RateLimits;
use fanfare_core::memory::{Memory, Moment};
use fanfare_core::namespace::{Namespace, Namespaces};
use fanfare_core::ports::application::Answer;
use fanfare_core::ports::broker::{
    Broker, Delivery, Inboxes, Instruction, Reply, ReplyTo, Request, ShardId, Target, Ticket,
};
use fanfare_core::ports::lane::{Lane, LaneEncoder};
use fanfare_core::session::{Ending, Opening, Phase};
use fanfare_core::shard::{Census, Settings, Shard};
use fanfare_protocol::dialect::Habits;
use fanfare_protocol::{CloseCode, Command, Rejection, UserId};

use crate::application::ScriptedApplication;
use crate::authority::{self, ScriptedAuthority};
use crate::client::Client;
use crate::inboxes::HeldInboxes;
use crate::lane::{Epochs, PlainLane, UNIX_BEGIN_MS};
use crate::script::Words;

/// The letters of the lanes. The third is terse; those after it have the habits of the setup.
pub const LANES: [char; 6] = ['a', 'b', 'c', 'd', 'e', 'f'];
const TERSE: usize = 2;

/// How often a settling bench goes round before it is taken for one that never rests.
const ROUNDS_MAX: usize = 100_000;

/// Time between the broker's ticks while the bench waits.
const TICK_MS: u64 = 250;

/// What a bench is built from.
#[derive(Debug, Clone)]
pub struct Setup {
    /// How many shards.
    pub shards: u8,
    /// Bounds and deadlines; namespaces come from below.
    pub settings: Settings,
    /// The settings of names without a namespace of their own.
    pub fallback: Namespace,
    /// Whether unknown namespaces are errors.
    pub strict: bool,
    /// Named namespaces.
    pub namespaces: Vec<(&'static str, Namespace)>,
    /// The broker's seed.
    pub seed: u64,
    /// Whether connections can authenticate.
    pub tokens: bool,
    /// Whether the application decides about subscriptions that the rules leave open.
    pub application_decides: bool,
    /// What the clients of the lanes from `d` on expect.
    pub habits: [Habits; LANES.len() - TERSE - 1],
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            shards: 2,
            settings: Settings { rate_limits: RateLimits::off(), ..Settings::default() },
            fallback: Namespace::default(),
            strict: false,
            namespaces: Vec::new(),
            seed: 1,
            tokens: false,
            application_decides: false,
            habits: Default::default(),
        }
    }
}

impl Setup {
    /// Adds a namespace that differs from the default by what `change` does.
    pub fn namespace(&mut self, name: &'static str, change: impl FnOnce(&mut Namespace)) {
        let mut namespace = Namespace::default();
        change(&mut namespace);
        self.namespaces.push((name, namespace));
    }

    fn settings(&self) -> Arc<Settings> {
        let mut namespaces = Namespaces::new(self.fallback.clone(), self.strict);
        for (name, namespace) in &self.namespaces {
            namespaces.insert(name, namespace.clone());
        }
        let mut settings = self.settings.clone();
        settings.namespaces = Arc::new(namespaces);
        Arc::new(settings)
    }
}

/// A node on the bench.
pub struct Bench {
    /// The engine itself.
    pub shards: Vec<Shard>,
    /// Every client that was ever opened; one that comes back keeps its place.
    pub clients: Vec<Client>,
    /// The broker.
    pub broker: Arc<Memory>,
    /// The application.
    pub application: Arc<ScriptedApplication>,
    /// The authority.
    pub authority: Arc<ScriptedAuthority>,
    /// Short names of epochs.
    pub epochs: Epochs,
    /// What the shards and the broker run with.
    pub settings: Arc<Settings>,
    inboxes: Arc<HeldInboxes>,
    clock: Arc<AtomicU64>,
    /// By how much the clock that people are shown has been set forward.
    pub(crate) clock_set_ms: Arc<AtomicU64>,
    /// Shards whose deliveries are held back.
    held: Vec<bool>,
}

impl Bench {
    /// A node without connections, at time zero.
    pub fn new(setup: &Setup) -> Self {
        let settings = setup.settings();
        let clock = Arc::new(AtomicU64::new(0));
        let inboxes = Arc::new(HeldInboxes::new(setup.shards));
        let clock_set_ms = Arc::new(AtomicU64::new(0));
        let (read, set) = (clock.clone(), clock_set_ms.clone());
        let broker = Arc::new(Memory::new(
            settings.limits.clone(),
            &settings.deadlines,
            &settings.namespaces,
            setup.seed,
            Arc::new(move || {
                let steady_ms = read.load(Ordering::Relaxed);
                Moment { steady_ms, unix_ms: UNIX_BEGIN_MS + steady_ms + set.load(Ordering::Relaxed) }
            }),
            inboxes.clone(),
        ));
        let application = Arc::new(ScriptedApplication::default());
        let authority = Arc::new(ScriptedAuthority {
            tokens: setup.tokens,
            decides: setup.application_decides,
            ..ScriptedAuthority::default()
        });
        let epochs = Epochs::default();
        let shards = (0..setup.shards).map(|shard| {
            let lane = |(index, letter): (usize, char)| -> Box<dyn LaneEncoder> {
                let habits = index.checked_sub(TERSE + 1).map_or_else(Habits::default, |at| setup.habits[at]);
                Box::new(PlainLane::new(letter, index == TERSE, habits, epochs.clone()))
            };
            let lanes = LANES.into_iter().enumerate().map(lane).collect();
            Shard::new(
                ShardId(shard),
                7,
                settings.clone(),
                lanes,
                broker.clone(),
                application.clone(),
                authority.clone(),
            )
        });
        let shards: Vec<Shard> = shards.collect();
        let held = vec![false; shards.len()];
        Self {
            shards,
            clients: Vec::new(),
            broker,
            application,
            authority,
            epochs,
            settings,
            inboxes,
            clock,
            clock_set_ms,
            held,
        }
    }

    /// Milliseconds since the bench began.
    pub fn now_ms(&self) -> u64 {
        self.clock.load(Ordering::Relaxed)
    }

    /// Opens a connection and returns its client's index. A name that has gone may come again.
    ///
    /// # Panics
    /// When the name is still connected.
    pub fn open(&mut self, name: &str, shard: usize, opening: Opening, silent: bool) -> usize {
        let now_ms = self.now_ms();
        let letter = LANES[usize::from(opening.lane.0)];
        self.shards[shard].set_now(now_ms);
        let key = self.shards[shard].open(opening);
        let client = Client::new(name, shard, key, letter, silent);
        match self.clients.iter().position(|known| known.name == name) {
            Some(index) => {
                assert!(self.clients[index].key.is_none(), "{name} is still connected");
                self.clients[index] = client;
                index
            }
            None => {
                self.clients.push(client);
                self.clients.len() - 1
            }
        }
    }

    /// Opens a connection of a user with the client's own name, on the first lane.
    pub fn open_user(&mut self, name: &str, shard: usize) -> usize {
        self.open(name, shard, opening(0, UserId::new(name).ok()), false)
    }

    /// The index of a client.
    ///
    /// # Panics
    /// When there is no such client.
    pub fn client(&self, name: &str) -> usize {
        match self.clients.iter().position(|client| client.name == name) {
            Some(index) => index,
            None => panic!("no client is called {name}"),
        }
    }

    /// A message from a client.
    pub fn command(&mut self, client: usize, command: Result<Command, Rejection>) {
        self.command_and(client, command, false);
    }

    /// A message from a client, and whether the same read brought the beginning of another.
    pub fn command_and(&mut self, client: usize, command: Result<Command, Rejection>, unfinished: bool) {
        let now_ms = self.now_ms();
        let Client { shard, key: Some(key), .. } = self.clients[client] else { return };
        self.shards[shard].set_now(now_ms);
        self.shards[shard].command(key, command);
        self.hears(client, unfinished);
    }

    /// Bytes came from the client, the last of them perhaps in the middle of a message.
    pub fn hears(&mut self, client: usize, unfinished: bool) {
        let now_ms = self.now_ms();
        let Client { shard, key: Some(key), .. } = self.clients[client] else { return };
        self.clients[client].unfinished = unfinished;
        self.shards[shard].set_now(now_ms);
        self.shards[shard].heard(key, unfinished);
    }

    /// The peer's close frame.
    pub fn peer_closes(&mut self, client: usize, code: Option<u16>) {
        let Client { shard, key: Some(key), .. } = self.clients[client] else { return };
        self.shards[shard].end(key, Ending::Closed(code));
    }

    /// The connection breaks: nobody says anything.
    pub fn cut(&mut self, client: usize) {
        let Client { shard, key: Some(key), .. } = self.clients[client] else { return };
        self.clients[client].key = None;
        self.shards[shard].gone(key);
    }

    /// How many more bytes the client's socket takes; it is written to if that is any.
    pub fn give_room(&mut self, client: usize, room: usize) {
        self.clients[client].room = room;
        if room > 0 {
            self.flush(client);
        }
    }

    /// Asks the broker from outside the shards.
    ///
    /// # Panics
    /// When it does not answer at once.
    pub fn ask(&mut self, request: Request) -> Reply {
        let slot = Arc::new(Mutex::new(None));
        let into = slot.clone();
        let callback = move |reply| *into.lock().unwrap_or_else(PoisonError::into_inner) = Some(reply);
        self.broker.submit(request, ReplyTo::Callback(Box::new(callback)));
        let reply = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        match reply {
            Some(reply) => reply,
            None => panic!("the broker did not answer"),
        }
    }

    /// Answers the application's oldest call.
    ///
    /// # Panics
    /// When there is none.
    pub fn answer(&mut self, answer: Answer) {
        let Some(call) = self.application.pop_call() else { panic!("no call is unanswered") };
        self.inboxes.push(call.shard, Delivery::Answer(call.ticket, answer));
    }

    /// Answers the oldest question to the authority.
    ///
    /// # Panics
    /// When there is none.
    pub(crate) fn find_out(&mut self, words: &Words<'_>) {
        let Some(asked) = self.authority.pop() else { panic!("the authority was not asked") };
        let verdict = authority::verdict(words, &asked.matter, UNIX_BEGIN_MS + self.now_ms());
        self.inboxes.push(asked.shard, Delivery::Verdict(asked.ticket, verdict));
    }

    /// Puts a delivery into a shard's inbox, as a broker would.
    pub fn push(&mut self, shard: usize, delivery: Delivery) {
        self.inboxes.push(ShardId(shard as u8), delivery);
    }

    /// The tickets of a broker's replies that wait in a shard's inbox, oldest first.
    pub fn tickets(&self, shard: usize) -> Vec<Ticket> {
        self.inboxes.tickets(shard)
    }

    /// Puts a delivery before everything that waits in a shard's inbox.
    pub fn push_first(&mut self, shard: usize, delivery: Delivery) {
        self.inboxes.push_first(shard, delivery);
    }

    /// Takes the oldest of a shard's deliveries out.
    pub fn take_first(&mut self, shard: usize) -> Option<Delivery> {
        self.inboxes.pop(shard)
    }

    /// Holds the deliveries of a shard back, or lets them through again.
    pub fn hold(&mut self, shard: usize, held: bool) {
        self.held[shard] = held;
    }

    /// Gives a shard the oldest of its deliveries; false if there was none.
    pub fn deliver_one(&mut self, shard: usize) -> bool {
        let now_ms = self.now_ms();
        let Some(delivery) = self.inboxes.pop(shard) else { return false };
        self.shards[shard].set_now(now_ms);
        self.shards[shard].deliver(delivery, UNIX_BEGIN_MS + now_ms);
        true
    }

    /// The backend closes every connection of a shard, which hears of it now.
    pub fn deliver_instruction(&mut self, shard: usize, code: CloseCode) {
        let instruction = Delivery::Instruct(Target::Everyone, Instruction::Disconnect(code));
        let unix_ms = UNIX_BEGIN_MS + self.now_ms();
        self.shards[shard].deliver(instruction, unix_ms);
    }

    /// One turn of a shard, as its thread makes it, apart from deliveries that are held.
    pub fn turn(&mut self, shard: usize) {
        let now_ms = self.now_ms();
        self.shards[shard].set_now(now_ms);
        self.shards[shard].tick();
        while !self.held[shard] && self.deliver_one(shard) {}
        self.shards[shard].fan_out();
        while let Some(key) = self.shards[shard].next_flush(true) {
            let found = self.clients.iter().position(|c| c.shard == shard && c.key == Some(key));
            if let Some(client) = found {
                self.flush(client);
            }
        }
    }

    /// Turns every shard until nothing moves any more.
    ///
    /// # Panics
    /// When that never happens.
    pub fn settle(&mut self) {
        for _ in 0..ROUNDS_MAX {
            for shard in 0..self.shards.len() {
                self.turn(shard);
            }
            self.answer_pings();
            let rests = (0..self.shards.len()).all(|shard| {
                !self.shards[shard].has_work() && (self.held[shard] || self.inboxes.is_empty(shard))
            });
            if rests {
                return;
            }
        }
        panic!("the bench never rests");
    }

    /// Clients that are not silent answer pings and closes as soon as these are the last thing that came.
    pub fn answer_pings(&mut self) {
        for index in 0..self.clients.len() {
            let client = &mut self.clients[index];
            let Client { shard, key: Some(key), silent: false, unfinished, .. } = *client else { continue };
            if client.was_pinged() {
                self.hears(index, unfinished);
            }
            if self.clients[index].was_closed() {
                self.shards[shard].end(key, Ending::Closed(None));
            }
        }
    }

    /// Lets time pass in small steps, settling after each.
    pub fn wait(&mut self, ms: u64) {
        let end_ms = self.now_ms() + ms;
        while self.now_ms() < end_ms {
            let now_ms = self.now_ms();
            let next_tick_ms = (now_ms / TICK_MS + 1) * TICK_MS;
            let due_ms = self.shards.iter().filter_map(Shard::next_due_ms).min().unwrap_or(u64::MAX);
            let next_ms = due_ms.max(now_ms + 1).min(next_tick_ms).min(end_ms);
            self.clock.store(next_ms, Ordering::Relaxed);
            if next_ms == next_tick_ms {
                self.broker.tick();
            }
            self.settle();
        }
    }

    /// Moves the clock without letting anyone act on it.
    pub fn skip(&mut self, ms: u64) {
        self.clock.fetch_add(ms, Ordering::Relaxed);
    }

    /// Writes a client's outbox until it is empty or the socket takes no more, as a connection's writer does.
    ///
    /// # Panics
    /// When an empty chunk waits, which no writer could ever get rid of.
    pub fn flush(&mut self, client: usize) {
        let Client { shard, key: Some(key), .. } = self.clients[client] else { return };
        let phase = self.shards[shard].phase(key);
        while let Some(outbox) = self.shards[shard].outbox(key) {
            let mut slices = [IoSlice::new(&[]); 4];
            let count = outbox.slices(&mut slices);
            if count == 0 {
                break;
            }
            let (mut wanted, mut written) = (0, 0);
            for slice in &slices[..count] {
                wanted += slice.len();
                if written + slice.len() == wanted {
                    written += self.clients[client].take(slice);
                }
            }
            assert!(wanted > 0, "an empty chunk waits for {}", self.clients[client].name);
            self.shards[shard].wrote(key, written, written < wanted);
            if written < wanted {
                break;
            }
        }
        if phase == Phase::Over {
            self.cut(client);
        }
    }

    /// What each shard holds.
    pub fn census(&self) -> Vec<Census> {
        self.shards.iter().map(Shard::census).collect()
    }

    /// Everyone goes, and so much time passes that nothing has a reason to be kept.
    ///
    /// # Panics
    /// When something is left all the same.
    pub fn end(&mut self) {
        assert!(self.broker.is_balanced(), "the sums of what is kept do not agree");
        for shard in 0..self.shards.len() {
            self.hold(shard, false);
        }
        for client in 0..self.clients.len() {
            self.cut(client);
        }
        while self.application.waiting() > 0 {
            self.answer(Ok(None));
        }
        self.settle();
        // Two grace periods, then every stripe's turn to be swept.
        self.wait(25_000);
        self.skip(7_200_000);
        self.wait(25_000);
        for (shard, census) in self.census().into_iter().enumerate() {
            assert_eq!(census, Census::default(), "shard {shard} is not empty at the end");
        }
        assert_eq!(self.broker.census(), fanfare_core::memory::Census::default(), "the broker is not empty");
    }
}

/// What a connection of a lane and user is opened with.
pub fn opening(lane: u8, user: Option<UserId>) -> Opening {
    let identity = Identity { user, ..Identity::default() };
    Opening {
        lane: Lane(lane),
        identity,
        must_authenticate: false,
        by_token: false,
        special: None,
        address: None,
        opened_unix_ms: UNIX_BEGIN_MS,
    }
}
