//! Who holds how much of all histories, and whose goes first when they are too much.
//!
//! Each configured namespace has a share of the bound and may borrow what the others leave. Of a namespace that holds more
//! than its share, the sender who holds most gives way, and the backend last: nobody's messages are lost because somebody
//! else wrote many.
//!
//! An account is what one sender holds in one namespace. A channel's part of an account is a [`Holding`](super::holdings).

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use fanfare_protocol::{ChannelName, UserId};
use foldhash::HashMap;
use slab::Slab;

use super::holdings::FAR_BYTES_MIN;
use super::lock;
use super::recency::{Place, Recency};
use crate::namespace::Namespaces;
use crate::ports::broker::Publish;

/// Whose bytes they are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Writer {
    /// The backend's.
    Backend,
    /// A user's, on whichever connection.
    User(UserId),
    /// Those of all connections without a user: one who opened many would be as many otherwise.
    Anonymous,
    /// What channels cost in which nothing is left but the numbering.
    Nobody,
}

impl Writer {
    pub(super) fn of(publish: &Publish) -> Self {
        match (&publish.connection, &publish.from) {
            (None, _) => Self::Backend,
            (Some(_), Some(user)) if !publish.anonymous => Self::User(user.clone()),
            (Some(_), _) => Self::Anonymous,
        }
    }
}

/// Which of a share's accounts. Good as long as some channel has a holding in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AccountId(u32);

/// The shares of all namespaces.
#[derive(Debug)]
pub(super) struct Ledger {
    bytes_max: usize,
    /// The sum of what the shares hold.
    bytes: AtomicUsize,
    shares: RwLock<Shares>,
}

#[derive(Debug, Default)]
struct Shares {
    /// By the names of the namespaces that are configured.
    current: HashMap<Box<str>, Arc<Share>>,
    /// Those of namespaces that are no longer, as long as channels are counted in them.
    former: Vec<Arc<Share>>,
}

/// What a namespace may hold, and what it does.
#[derive(Debug, Default)]
pub(super) struct Share {
    guaranteed: AtomicUsize,
    bytes: AtomicUsize,
    accounts: Mutex<Accounts>,
}

#[derive(Debug, Default)]
pub(super) struct Accounts {
    list: Slab<Account>,
    by_writer: HashMap<Writer, usize>,
    by_bytes: BTreeSet<Rank>,
}

/// Where something has to go.
#[derive(Debug)]
pub(super) struct Next {
    /// The channel.
    pub(super) channel: ChannelName,
    /// Whose messages there.
    pub(super) account: AccountId,
    /// How much at most.
    pub(super) bytes_max: usize,
    /// How many channels are worth a look for one whose oldest message is the sender's.
    pub(super) looks_max: usize,
}

/// So many channels of a sender are looked at for one in which nobody else's messages are older: those would go first.
const LOOKS_MAX: usize = 64;

/// Who gives way before whom: the greater one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    is_client: bool,
    bytes: usize,
    account: usize,
}

#[derive(Debug)]
struct Account {
    writer: Writer,
    /// What it holds, give or take an eighth.
    bytes: usize,
    /// The channels in which it holds anything, in the order of their last use.
    channels: Recency,
}

impl Account {
    fn rank(&self, account: usize) -> Rank {
        Rank { is_client: self.writer != Writer::Backend, bytes: self.bytes, account }
    }
}

impl Ledger {
    pub(super) fn new(bytes_max: usize, namespaces: &Namespaces) -> Self {
        let ledger = Self { bytes_max, bytes: AtomicUsize::new(0), shares: RwLock::default() };
        ledger.divide(namespaces);
        ledger
    }

    /// Divides the bound among the namespaces that are configured.
    pub(super) fn divide(&self, namespaces: &Namespaces) {
        let parts: u64 = namespaces.all().map(|(_, namespace)| u64::from(namespace.history_share)).sum();
        let mut shares = self.shares.write().unwrap_or_else(PoisonError::into_inner);
        let mut before = std::mem::take(&mut shares.current);
        for (name, namespace) in namespaces.all() {
            let part = u128::from(namespace.history_share) * self.bytes_max as u128;
            let guaranteed = part.checked_div(u128::from(parts)).unwrap_or(0) as usize;
            let share = before.remove(name).unwrap_or_default();
            share.guaranteed.store(guaranteed, Ordering::Relaxed);
            shares.current.insert(name.into(), share);
        }
        shares.former.extend(before.into_values());
        shares.former.retain(|share| Arc::strong_count(share) > 1);
        for share in &shares.former {
            share.guaranteed.store(0, Ordering::Relaxed);
        }
    }

    /// The share of a channel's namespace: of one that is not configured, that of the unnamed one.
    pub(super) fn share(&self, channel: &ChannelName) -> Arc<Share> {
        let shares = &self.shares.read().unwrap_or_else(PoisonError::into_inner).current;
        let share = shares.get(channel.namespace()).or_else(|| shares.get(""));
        share.cloned().unwrap_or_default()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// How much is held above the bound.
    pub(super) fn surplus(&self) -> usize {
        self.bytes().saturating_sub(self.bytes_max)
    }

    /// Where something has to go next. None if nothing is held.
    pub(super) fn next(&self) -> Option<Next> {
        let share = {
            let shares = self.shares.read().unwrap_or_else(PoisonError::into_inner);
            let all = shares.current.values().chain(&shares.former);
            all.max_by_key(|share| (share.excess(), share.bytes.load(Ordering::Relaxed)))?.clone()
        };
        let most = self.surplus().min(share.excess()).max(1);
        let accounts = share.accounts();
        let index = accounts.by_bytes.last()?.account;
        let channels = &accounts.list[index].channels;
        let (channel, looks_max) = (channels.oldest()?.clone(), channels.len().min(LOOKS_MAX));
        Some(Next { channel, account: AccountId(index as u32), bytes_max: most, looks_max })
    }

    /// How many accounts there are.
    pub(super) fn accounts(&self) -> usize {
        self.all().iter().map(|share| share.accounts().list.len()).sum()
    }

    /// Whether all sums are what the channels hold, and those of accounts as near to it as they have to be.
    pub(super) fn is_balanced(&self, held: usize) -> bool {
        let shares = self.all();
        let of_share = |share: &Arc<Share>| share.bytes.load(Ordering::Relaxed);
        let agrees = |share: &Arc<Share>| {
            let accounts = share.accounts();
            let all = || accounts.list.iter().map(|(_, account)| account);
            let sum: usize = all().map(|account| account.bytes).sum();
            let lag = all().map(|account| account.channels.len() * FAR_BYTES_MIN).sum::<usize>() + sum / 4;
            sum.abs_diff(of_share(share)) <= lag
        };
        shares.iter().all(agrees)
            && shares.iter().map(of_share).sum::<usize>() == held
            && self.bytes() == held
    }

    fn all(&self) -> Vec<Arc<Share>> {
        let shares = self.shares.read().unwrap_or_else(PoisonError::into_inner);
        shares.current.values().chain(&shares.former).cloned().collect()
    }

    /// Counts anew what a channel holds.
    pub(super) fn count(&self, share: &Share, before: usize, after: usize) {
        if before == after {
            return;
        }
        // Wrapping subtraction is addition of the negative: the sums themselves never fall below zero.
        let change = after.wrapping_sub(before);
        share.bytes.fetch_add(change, Ordering::Relaxed);
        self.bytes.fetch_add(change, Ordering::Relaxed);
    }
}

impl Share {
    fn excess(&self) -> usize {
        self.bytes.load(Ordering::Relaxed).saturating_sub(self.guaranteed.load(Ordering::Relaxed))
    }

    pub(super) fn accounts(&self) -> MutexGuard<'_, Accounts> {
        lock(&self.accounts)
    }
}

impl Accounts {
    /// Gives a channel a holding in the account of a writer, who may not have had any.
    pub(super) fn open(&mut self, writer: &Writer, channel: &ChannelName) -> (AccountId, Place) {
        let index = match self.by_writer.get(writer) {
            Some(index) => *index,
            None => {
                let account = Account { writer: writer.clone(), bytes: 0, channels: Recency::default() };
                let index = self.list.insert(account);
                self.by_writer.insert(writer.clone(), index);
                self.by_bytes.insert(self.list[index].rank(index));
                index
            }
        };
        (AccountId(index as u32), self.list[index].channels.add(channel))
    }

    /// The account of a writer who has one.
    pub(super) fn find(&self, writer: &Writer) -> Option<AccountId> {
        self.by_writer.get(writer).map(|index| AccountId(*index as u32))
    }

    /// Counts a holding anew.
    pub(super) fn count(&mut self, account: AccountId, before: usize, after: usize) {
        if before != after {
            let index = account.0 as usize;
            let account = &mut self.list[index];
            self.by_bytes.remove(&account.rank(index));
            account.bytes = account.bytes + after - before;
            self.by_bytes.insert(account.rank(index));
        }
    }

    /// Puts a channel behind the account's others.
    pub(super) fn used(&mut self, account: AccountId, place: Place) {
        self.list[account.0 as usize].channels.used(place);
    }

    /// Ends a holding, of which nothing is counted any more.
    pub(super) fn close(&mut self, account: AccountId, place: Place) {
        let index = account.0 as usize;
        let account = &mut self.list[index];
        account.channels.remove(place);
        if account.channels.is_empty() {
            self.by_bytes.remove(&account.rank(index));
            self.by_writer.remove(&account.writer);
            self.list.remove(index);
        }
    }
}
