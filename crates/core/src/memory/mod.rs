//! The memory engine: the broker of a single node. What it holds is gone with the process.
//!
//! - [`channel`]: one channel's numbering, history, members and keys
//! - [`history`], [`entries`], [`presence`], [`idempotency`]: the parts of it
//! - [`epochs`]: which life of its numbering a channel is in
//! - [`ledger`], [`holdings`]: who holds how much, and whose goes first
//! - [`leaving`]: who leaves a channel, and when that counts
//! - [`listening`]: which shards listen to which pattern
//! - [`recency`]: which channels were used longest ago
//! - [`users`]: who is online, independent of channels
//!
//! Channels are spread over stripes with a lock each. Lock order: a stripe, then patterns, then the accounts of a share,
//! then an inbox; `users` is never held together with another, and `making_room` is only ever tried.

mod channel;
mod entries;
mod epochs;
mod history;
mod holdings;
mod idempotency;
mod leaving;
mod ledger;
mod listening;
mod presence;
mod recency;
mod trim;
mod users;

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fanfare_protocol::command::HistoryRange;
use fanfare_protocol::event::{Member, Members};
use fanfare_protocol::{ChannelName, ErrorCode};
use foldhash::HashMap;

use crate::limits::{Deadlines, Limits};
use crate::namespace::Namespaces;
use crate::ports::broker::{
    Broker, ChannelState, Delivery, Inboxes, Publish, Reply, ReplyTo, Request, ShardId, Subscribe,
};
use channel::Channel;
use epochs::Epochs;
use ledger::{Ledger, Next};
use listening::Listening;
use presence::Told;
use users::Users;

const STRIPES: usize = 64;

/// How often a channel is held against all patterns without its stripe's lock.
const MATCHES_MAX: usize = 3;

/// What the engine reads the time from.
pub type Clock = Arc<dyn Fn() -> Moment + Send + Sync>;

/// A moment, by two clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Milliseconds since some fixed moment, by a clock that is never set. What is kept for a time is measured by it: when
    /// the computer's clock is set, nothing expires too early, and nothing stays.
    pub steady_ms: u64,
    /// Milliseconds of Unix time, as people are shown it.
    pub unix_ms: u64,
}

/// The broker of a single node.
pub struct Memory {
    stripes: Box<[Mutex<Stripe>]>,
    hasher: foldhash::fast::FixedState,
    listening: Listening,
    users: Mutex<Users>,
    inboxes: Arc<dyn Inboxes>,
    clock: Clock,
    limits: Limits,
    epochs: Epochs,
    /// For how long a numbering goes on after the last use.
    position_ms: u64,
    /// Which stripe is swept at the next tick.
    sweep_next: AtomicUsize,
    /// Who holds how much of all histories.
    ledger: Ledger,
    /// Held by whoever makes room; tried before any stripe is locked, never waited for.
    making_room: Mutex<()>,
}

/// Numbers of things held; all are zero when everyone has gone and everything has expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Census {
    /// Channels.
    pub channels: usize,
    /// Patterns that some shard listens to.
    pub patterns: usize,
    /// Grace periods that have not ended.
    pub graces: usize,
    /// Bytes of history and idempotency keys, and of the entries of the channels that have any.
    pub history_bytes: usize,
    /// Senders of whom some namespace keeps anything.
    pub senders: usize,
    /// Users with a connection.
    pub users_online: usize,
}

#[derive(Default)]
struct Stripe {
    channels: HashMap<ChannelName, Channel>,
    /// When grace periods end.
    graces: leaving::Graces,
}

impl Memory {
    /// An empty engine. `seed` is drawn at random by the caller; it makes epochs unique among runs.
    pub fn new(
        limits: Limits,
        deadlines: &Deadlines,
        namespaces: &Namespaces,
        seed: u64,
        clock: Clock,
        inboxes: Arc<dyn Inboxes>,
    ) -> Self {
        Self {
            stripes: (0..STRIPES).map(|_| Mutex::default()).collect(),
            hasher: foldhash::fast::FixedState::with_seed(seed),
            listening: Listening::default(),
            users: Mutex::new(Users::new(limits.last_seen_users_max)),
            inboxes,
            clock,
            ledger: Ledger::new(limits.history_bytes_max, namespaces),
            limits,
            epochs: Epochs::new(seed),
            position_ms: u64::from(deadlines.position_ms),
            sweep_next: AtomicUsize::new(0),
            making_room: Mutex::default(),
        }
    }

    /// Counts what is held.
    pub fn census(&self) -> Census {
        let history_bytes = self.ledger.bytes();
        let senders = self.ledger.accounts();
        let mut census =
            Census { patterns: self.listening.count(), history_bytes, senders, ..Census::default() };
        for stripe in &*self.stripes {
            let stripe = lock(stripe);
            census.channels += stripe.channels.len();
            census.graces += stripe.graces.len();
        }
        census.users_online = lock(&self.users).online();
        census
    }

    /// Whether the sums agree: of what is held of each channel, of each sender, in each namespace, and of all. True unless
    /// something changes meanwhile.
    pub fn is_balanced(&self) -> bool {
        let held = |channel: &Channel| channel.held_bytes();
        let channels = |stripe: &Mutex<Stripe>| lock(stripe).channels.values().map(held).sum::<usize>();
        self.ledger.is_balanced(self.stripes.iter().map(channels).sum())
    }

    fn stripe(&self, channel: &ChannelName) -> MutexGuard<'_, Stripe> {
        let index = self.hasher.hash_one(channel) as usize % STRIPES;
        lock(&self.stripes[index])
    }

    /// A channel's stripe, and the shards that listen to patterns which the channel matches. These are found before the
    /// stripe is locked, since others wait for it, and once more if somebody has begun to listen meanwhile. Only where that
    /// goes on and on are they found under the lock.
    fn stripe_and_listening(&self, channel: &ChannelName) -> (MutexGuard<'_, Stripe>, u64) {
        for _ in 0..MATCHES_MAX {
            let found = self.listening.find(channel);
            let stripe = self.stripe(channel);
            if let Some(shards) = self.listening.confirm(found) {
                return (stripe, shards);
            }
        }
        let stripe = self.stripe(channel);
        let shards = self.listening.find(channel).shards;
        (stripe, shards)
    }

    /// A channel that is not kept yet.
    fn begin(&self, name: &ChannelName, now: Moment) -> Channel {
        Channel::new(self.epochs.next(name), now.steady_ms, self.position_ms)
    }

    /// Tells the ledger what a channel holds now. Whether it is to be kept; if not, its numbering is given up.
    fn stays(&self, name: &ChannelName, channel: &mut Channel, now_ms: u64) -> bool {
        let is_idle = channel.settle(&self.ledger, name, now_ms);
        if is_idle && channel.is_numbered() {
            self.epochs.given_up(name);
        }
        !is_idle
    }

    /// Keeps a channel no longer.
    fn end(&self, stripe: &mut Stripe, name: &ChannelName) {
        let Some(mut channel) = stripe.channels.remove(name) else { return };
        if channel.is_numbered() {
            self.epochs.given_up(name);
        }
        if let Some(holdings) = channel.history.holdings.take() {
            holdings.end(&self.ledger);
        }
    }

    fn publish(&self, publish: Publish, reply: ReplyTo) {
        self.publish_numbered(publish, reply);
        self.make_room();
    }

    fn publish_numbered(&self, mut publish: Publish, reply: ReplyTo) {
        let now = (self.clock)();
        let now_ms = now.steady_ms;
        let (mut stripe, listening) = self.stripe_and_listening(&publish.channel);
        let stripe = &mut *stripe;
        // Every message kept shares the one name, not the one it was sent with.
        if let Some((name, _)) = stripe.channels.get_key_value(&publish.channel) {
            publish.channel = name.clone();
        }
        let name = publish.channel.clone();
        let channel = stripe.channels.entry(name.clone()).or_insert_with(|| self.begin(&name, now));
        if let Some(key) = &publish.idempotency_key
            && let Some(position) = channel.idempotency.first_result(key.as_str(), now_ms)
        {
            self.reply(reply, Reply::Published { position, duplicate: true });
            return;
        }
        let shards = channel.shards.mask() | listening;
        if !publish.kind.is_entry() && self.is_behind(shards) {
            if channel.is_idle(now_ms) {
                self.end(stripe, &name);
            }
            self.reply(reply, Reply::Failed(ErrorCode::Overloaded));
            return;
        }
        let publication = channel.publish(publish, now, self.limits.idempotency_keys_max, &self.ledger);
        let position = publication.position;
        if channel.settle(&self.ledger, &name, now_ms) {
            self.end(stripe, &name);
        }
        for shard in each_shard(shards) {
            self.inboxes.push(shard, Delivery::Publication(publication.clone()));
        }
        self.reply(reply, Reply::Published { position, duplicate: false });
    }

    /// Whether some of the shards have as much before them as they may.
    fn is_behind(&self, shards: u64) -> bool {
        each_shard(shards)
            .take_while(|shard| shard.0 < self.inboxes.shards())
            .any(|shard| self.inboxes.waiting(shard) >= self.limits.inbox_deliveries_max)
    }

    /// Makes room above the bound, see [`ledger`]: of a channel the oldest messages go, then the oldest idempotency keys,
    /// then the numbering. Whoever comes back to one is told that it cannot recover.
    ///
    /// It frees as much as was added since, so its cost does not depend on how many channels there are.
    fn make_room(&self) {
        if self.ledger.surplus() == 0 {
            return;
        }
        let Ok(_only_one) = self.making_room.try_lock() else { return };
        let now_ms = (self.clock)().steady_ms;
        let mut looks = 0;
        while self.ledger.surplus() > 0 {
            let Some(Next { channel: name, account, bytes_max, looks_max }) = self.ledger.next() else {
                return;
            };
            let stripe = &mut *self.stripe(&name);
            // It has gone meanwhile: whoever is next makes the room that is still needed.
            let Some(channel) = stripe.channels.get_mut(&name) else { return };
            looks += 1;
            if looks <= looks_max && channel.history.is_behind(account) {
                continue;
            }
            looks = 0;
            channel.free(bytes_max);
            if channel.settle(&self.ledger, &name, now_ms) {
                self.end(stripe, &name);
            }
        }
    }

    fn subscribe(&self, subscribe: &Subscribe, reply: ReplyTo) {
        let now = (self.clock)();
        let mut stripe = self.stripe(&subscribe.channel);
        let stripe = &mut *stripe;
        let channel = stripe
            .channels
            .entry(subscribe.channel.clone())
            .or_insert_with(|| self.begin(&subscribe.channel, now));
        let is_heard = subscribe.namespace.join_leave || channel.presence.is_heard();
        let joined = channel.join(subscribe, now);
        if let Some(member) = joined
            && is_heard
        {
            self.tell(channel, &subscribe.channel, member, true);
        }
        // Only now does the shard hear of the channel: its own join event was for the others.
        channel.shards.add(subscribe.shard);
        let subscribed = channel.subscribed(subscribe, now, &self.limits);
        channel.settle(&self.ledger, &subscribe.channel, now.steady_ms);
        self.reply(reply, Reply::Subscribed(Box::new(subscribed)));
    }

    /// Tells the members who has come or gone, or that they are not told.
    fn tell(&self, channel: &mut Channel, name: &ChannelName, member: Member, joined: bool) {
        let told = channel.presence.tells(self.limits.join_leave_users_max);
        let member = Arc::new(member);
        for shard in each_shard(channel.shards.mask()) {
            let channel = name.clone();
            self.inboxes.push(
                shard,
                match told {
                    Told::Who => Delivery::Presence { channel, member: member.clone(), joined },
                    Told::NoMore => Delivery::PresenceTold { channel, told: false },
                    Told::Again => Delivery::PresenceTold { channel, told: true },
                    Told::Nothing => return,
                },
            );
        }
    }

    fn history(&self, name: &ChannelName, range: HistoryRange) -> Reply {
        let now = (self.clock)();
        let mut stripe = self.stripe(name);
        let stripe = &mut *stripe;
        let Some(channel) = stripe.channels.get_mut(name) else {
            // Nothing is kept of who only looks.
            let mut begun = self.begin(name, now);
            return begun.page(range, now, &self.limits);
        };
        let page = channel.page(range, now, &self.limits);
        channel.settle(&self.ledger, name, now.steady_ms);
        page
    }

    fn presence(&self, name: &ChannelName, counts_only: bool) -> Reply {
        let stripe = self.stripe(name);
        let members = stripe.channels.get(name).map_or_else(Members::default, |channel| {
            let listed_max = if counts_only { 0 } else { self.limits.presence_listed_max };
            channel.members(listed_max, self.limits.replay_bytes_max)
        });
        Reply::Presence(Box::new(members))
    }

    fn channels(&self, prefix: &str, after: Option<&ChannelName>, limit: usize) -> Reply {
        let mut found = Vec::new();
        for stripe in &*self.stripes {
            for (name, channel) in &lock(stripe).channels {
                let wanted = name.as_str().starts_with(prefix) && after.is_none_or(|after| name > after);
                if wanted && channel.shards.total() > 0 {
                    let connections = channel.shards.total();
                    let users =
                        if channel.presence.is_kept() { channel.presence.users() } else { connections };
                    found.push(ChannelState { channel: name.clone(), connections, users });
                }
            }
        }
        found.sort_unstable_by(|a, b| a.channel.cmp(&b.channel));
        found.truncate(limit);
        Reply::Channels(found)
    }

    fn counts(&self) -> Reply {
        let channels = self.stripes.iter().map(|stripe| lock(stripe).channels.len()).sum();
        let users = lock(&self.users).online();
        Reply::Counts { channels, users, history_bytes: self.ledger.bytes() }
    }

    fn to_every_shard(&self, mut delivery: impl FnMut() -> Delivery) -> Reply {
        for shard in 0..self.inboxes.shards() {
            self.inboxes.push(ShardId(shard), delivery());
        }
        Reply::Done
    }

    fn reply(&self, to: ReplyTo, reply: Reply) {
        match to {
            ReplyTo::Nobody => {}
            ReplyTo::Shard(shard, ticket) => self.inboxes.push(shard, Delivery::Reply(ticket, reply)),
            ReplyTo::Callback(callback) => callback(reply),
        }
    }
}

impl Broker for Memory {
    fn submit(&self, request: Request, to: ReplyTo) {
        let reply = match request {
            // These two answer under the stripe's lock, because the contract ties the answer's place to it.
            Request::Publish(publish) => return self.publish(publish, to),
            Request::Subscribe(subscribe) => return self.subscribe(&subscribe, to),
            Request::Unsubscribe(leaving) => {
                self.unsubscribe(&leaving);
                self.make_room();
                Reply::Done
            }
            Request::Listen(shard, pattern) => {
                self.listening.listen(shard, &pattern);
                Reply::Done
            }
            Request::Unlisten(shard, pattern) => {
                self.listening.unlisten(shard, &pattern);
                Reply::Done
            }
            Request::History { channel, range } => self.history(&channel, range),
            Request::Presence { channel, counts_only } => self.presence(&channel, counts_only),
            Request::Direct(..) if self.is_behind(u64::MAX) => Reply::Failed(ErrorCode::Overloaded),
            Request::Direct(target, message) => {
                self.to_every_shard(|| Delivery::Direct(target.clone(), message.clone()))
            }
            Request::Instruct(target, instruction) => {
                self.end_graces(&target, &instruction);
                self.to_every_shard(|| Delivery::Instruct(target.clone(), instruction.clone()))
            }
            Request::UserOpened(user, connection) => {
                lock(&self.users).opened(user, connection, (self.clock)().unix_ms);
                Reply::Done
            }
            Request::UserClosed(user, connection) => {
                lock(&self.users).closed(&user, connection, (self.clock)().unix_ms);
                Reply::Done
            }
            Request::SetStatus(user, connection, status) => {
                lock(&self.users).set_status(&user, connection, status);
                Reply::Done
            }
            Request::Users(users) => Reply::Users(lock(&self.users).states(users, (self.clock)().unix_ms)),
            Request::Channels { prefix, after, limit } => self.channels(&prefix, after.as_ref(), limit),
            Request::Counts => self.counts(),
        };
        self.reply(to, reply);
    }

    fn tick(&self) {
        let now_ms = (self.clock)().steady_ms;
        let sweep = self.sweep_next.fetch_add(1, Ordering::Relaxed) % STRIPES;
        for (index, stripe) in self.stripes.iter().enumerate() {
            let mut stripe = lock(stripe);
            let stripe = &mut *stripe;
            while let Some((name, user)) = stripe.graces.pop_due(now_ms) {
                let Some(channel) = stripe.channels.get_mut(&name) else { continue };
                if let Some(member) = channel.presence.end_grace(&user, now_ms) {
                    self.tell_left(channel, &name, member);
                }
                if channel.settle(&self.ledger, &name, now_ms) {
                    self.end(stripe, &name);
                }
            }
            if index == sweep {
                // What has expired goes.
                stripe.channels.retain(|name, channel| {
                    channel.expire(now_ms);
                    self.stays(name, channel, now_ms)
                });
            }
        }
        self.make_room();
    }

    fn namespaces_changed(&self, namespaces: &Namespaces) {
        self.ledger.divide(namespaces);
        self.trim(namespaces);
        self.make_room();
    }

    fn congested(&self) -> bool {
        (0..self.inboxes.shards())
            .any(|shard| self.inboxes.waiting(ShardId(shard)) >= self.limits.inbox_deliveries_max / 2)
    }
}

fn each_shard(mask: u64) -> impl Iterator<Item = ShardId> {
    (0..64u8).filter(move |shard| mask & 1 << shard != 0).map(ShardId)
}

/// A panic under the lock would be a defect; the data are still better than none.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
