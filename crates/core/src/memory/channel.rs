//! One channel as the memory engine keeps it.

use std::sync::Arc;

use fanfare_protocol::command::HistoryRange;
use fanfare_protocol::event::{Member, Members};
use fanfare_protocol::publication::Kind;
use fanfare_protocol::{ChannelName, Epoch, ErrorCode, Position, Publication};
use smallvec::SmallVec;

use super::Moment;
use super::history::History;
use super::holdings::Holdings;
use super::idempotency::Idempotency;
use super::ledger::{AccountId, Ledger, Writer};
use super::presence::Presence;
use crate::limits::Limits;
use crate::ports::broker::{HistoryPage, Publish, Reply, ShardId, Subscribe, Subscribed};

/// Connections per shard.
#[derive(Debug, Default, Clone)]
pub(super) struct ShardCounts(SmallVec<[u32; 4]>);

impl ShardCounts {
    pub(super) fn add(&mut self, shard: ShardId) {
        let index = usize::from(shard.0);
        if self.0.len() <= index {
            self.0.resize(index + 1, 0);
        }
        self.0[index] += 1;
    }

    pub(super) fn remove(&mut self, shard: ShardId) {
        if let Some(count) = self.0.get_mut(usize::from(shard.0)) {
            *count = count.saturating_sub(1);
        }
    }

    /// One bit per shard that has any.
    pub(super) fn mask(&self) -> u64 {
        self.0
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0)
            .fold(0, |mask, (shard, _)| mask | 1 << shard)
    }

    pub(super) fn total(&self) -> u32 {
        self.0.iter().sum()
    }
}

/// What a channel's entry costs: itself, its places in the map and among the holdings, its name.
const ENTRY_BYTES: usize = size_of::<Channel>() + size_of::<Holdings>() + 384;

#[derive(Debug)]
pub(super) struct Channel {
    epoch: Epoch,
    offset: u64,
    pub(super) shards: ShardCounts,
    pub(super) history: History,
    pub(super) presence: Presence,
    pub(super) idempotency: Idempotency,
    /// When it was last published to, joined or left.
    pub(super) used_ms: u64,
    /// Whether somebody may come back who knows a place here: someone has joined or looked since it was made.
    lingers: bool,
    /// For how long the numbering goes on after the last use, though there is nobody and nothing left: a sole subscriber who
    /// comes back to a channel without history is told that nothing was missed.
    position_ms: u64,
}

impl Channel {
    pub(super) fn new(epoch: Epoch, now_ms: u64, position_ms: u64) -> Self {
        Self {
            epoch,
            offset: 0,
            shards: ShardCounts::default(),
            history: History::default(),
            presence: Presence::default(),
            idempotency: Idempotency::default(),
            used_ms: now_ms,
            lingers: false,
            position_ms,
        }
    }

    /// Whether it has given a number to any message.
    pub(super) fn is_numbered(&self) -> bool {
        self.offset > 0
    }

    pub(super) fn position(&self) -> Position {
        Position { epoch: self.epoch, offset: self.offset }
    }

    /// What the channel costs beside its members: history, keys, and the entry if it is kept for no member.
    pub(super) fn held_bytes(&self) -> usize {
        match self.history.bytes() + self.idempotency.bytes() {
            0 if self.is_joined() => 0,
            bytes => bytes + ENTRY_BYTES,
        }
    }

    /// Tells the ledger what the channel holds now. Whether it is to go.
    pub(super) fn settle(&mut self, ledger: &Ledger, name: &ChannelName, now_ms: u64) -> bool {
        let is_idle = self.is_idle(now_ms);
        let held = if is_idle { 0 } else { self.held_bytes() };
        if held == 0 {
            if let Some(holdings) = self.history.holdings.take() {
                holdings.end(ledger);
            }
            return is_idle;
        }
        let (own, used_ms) = (held - self.history.bytes(), self.used_ms);
        self.holdings(ledger, name).settle(ledger, name, own, held, used_ms);
        false
    }

    fn holdings(&mut self, ledger: &Ledger, name: &ChannelName) -> &mut Holdings {
        self.history.holdings.get_or_insert_with(|| Box::new(Holdings::new(ledger.share(name))))
    }

    /// What a publication is to be counted under, if anything is kept of it.
    fn account(&mut self, ledger: &Ledger, publish: &Publish) -> Option<AccountId> {
        let keeps_messages = publish.namespace.history_size > 0 && publish.kind != Kind::Passing;
        if !keeps_messages && publish.idempotency_key.is_none() {
            return None;
        }
        let used_ms = self.used_ms;
        Some(self.holdings(ledger, &publish.channel).open(Writer::of(publish), &publish.channel, used_ms))
    }

    /// Gives up the oldest messages of one sender, then the oldest keys, and at last the numbering if there is no member,
    /// until so many bytes are free, or the next message is another's, or nothing is held.
    pub(super) fn free(&mut self, bytes: usize) {
        let wanted = self.held_bytes().saturating_sub(bytes);
        self.history.free(self.held_bytes() - wanted);
        if !self.history.is_empty() {
            return;
        }
        while self.held_bytes() > wanted && self.idempotency.forget_oldest() {}
        if self.held_bytes() > wanted && self.idempotency.is_empty() {
            self.lingers = false;
        }
    }

    fn is_joined(&self) -> bool {
        self.shards.total() > 0 || self.presence.users() > 0
    }

    /// Whether nothing would be lost with it.
    pub(super) fn is_idle(&self, now_ms: u64) -> bool {
        let lingers = self.lingers && self.offset > 0 && self.used_ms + self.position_ms > now_ms;
        !lingers && !self.is_joined() && self.history.is_empty() && self.idempotency.is_empty()
    }

    /// Numbers and keeps a message; keeps beside them that somebody came or went; passes on what is neither.
    pub(super) fn publish(
        &mut self,
        publish: Publish,
        now: Moment,
        keys_max: usize,
        ledger: &Ledger,
    ) -> Arc<Publication> {
        let is_numbered = publish.kind.is_numbered();
        self.offset += u64::from(is_numbered);
        self.used_ms = now.steady_ms;
        let position = self.position();
        let account = self.account(ledger, &publish);
        let publication = Arc::new(Publication {
            channel: publish.channel,
            position,
            from: publish.from,
            from_name: publish.from_name,
            kind: publish.kind,
            connection: publish.connection,
            exclude_sender: publish.exclude_sender,
            data: publish.data,
            labels: publish.labels,
            timestamp_ms: now.unix_ms,
        });
        match publish.kind {
            Kind::Message => {
                self.history.push(publication.clone(), account, &publish.namespace, now.steady_ms)
            }
            Kind::Join | Kind::Leave => {
                self.history.push_entry(publication.clone(), account, &publish.namespace, now.steady_ms);
            }
            Kind::Passing => {}
        }
        if let Some(key) = publish.idempotency_key {
            let until_ms = now.steady_ms + publish.namespace.idempotency_ttl_ms;
            self.idempotency.remember(key.into_text(), position, until_ms, keys_max);
        }
        publication
    }

    /// Adds a connection to the members; returns the member if the user is new here.
    pub(super) fn join(&mut self, subscribe: &Subscribe, now: Moment) -> Option<Member> {
        self.used_ms = now.steady_ms;
        self.lingers = true;
        if !subscribe.namespace.presence {
            return None;
        }
        self.presence.join(subscribe, now)
    }

    /// What the new subscriber is told: its place, what it missed, who is there.
    pub(super) fn subscribed(&mut self, subscribe: &Subscribe, now: Moment, limits: &Limits) -> Subscribed {
        let now_ms = now.steady_ms;
        let top = self.position();
        let missed =
            subscribe.recover.map(|since| self.history.since(top, since, now_ms, limits.replay_bytes_max));
        let recovered = missed.as_ref().map(Option::is_some);
        let replay = missed.flatten().unwrap_or_else(|| {
            let wanted = subscribe.history.min(limits.history_page_max);
            self.history.last(wanted as usize, now_ms, limits.replay_bytes_max)
        });
        let presence =
            subscribe.presence.then(|| self.members(limits.presence_listed_max, limits.replay_bytes_max));
        let own = subscribe.hears_members.then(|| Box::new(self.own(subscribe, now)));
        Subscribed { position: top, recovered, replay, presence, own, crowded: self.presence.is_crowded() }
    }

    /// The subscriber as a member; where it is not kept who is there, as far as it says itself.
    fn own(&self, subscribe: &Subscribe, now: Moment) -> Member {
        self.presence.member(&subscribe.member).unwrap_or_else(|| Member {
            user: subscribe.member.clone(),
            name: subscribe.name.clone(),
            connections: 1,
            info: subscribe.info.clone(),
            posted: subscribe.posts_entries,
            joined_ms: now.unix_ms,
            last_seen_ms: now.unix_ms,
        })
    }

    /// A page of history, or `history_unavailable`. Who has it knows a place here.
    pub(super) fn page(&mut self, range: HistoryRange, now: Moment, limits: &Limits) -> Reply {
        (self.lingers, self.used_ms) = (true, now.steady_ms);
        let position = self.position();
        match self.history.page(position, range, now.steady_ms, limits) {
            None => Reply::Failed(ErrorCode::HistoryUnavailable),
            Some((publications, more)) => {
                Reply::History(Box::new(HistoryPage { publications, position, more }))
            }
        }
    }

    pub(super) fn members(&self, listed_max: usize, bytes_max: usize) -> Members {
        Members {
            members: self.presence.list(listed_max, bytes_max),
            users: self.presence.users(),
            connections: self.shards.total(),
        }
    }

    pub(super) fn expire(&mut self, now_ms: u64) {
        self.history.expire(now_ms);
        self.idempotency.expire(now_ms);
    }
}
