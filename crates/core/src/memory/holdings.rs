//! What each sender holds of one channel.

use std::sync::Arc;

use fanfare_protocol::ChannelName;
use smallvec::SmallVec;

use super::ledger::{AccountId, Accounts, Ledger, Share, Writer};
use super::recency::Place;

/// Among so many senders one is found without the lock of all accounts.
const FEW_MAX: usize = 16;

/// A channel counts as used again after so long.
const USED_MS: u64 = 100;

#[derive(Debug)]
pub(super) struct Holdings {
    share: Arc<Share>,
    /// In the order of the accounts.
    list: SmallVec<[Holding; 1]>,
    /// Those whose bytes have changed since the ledger was told.
    changed: SmallVec<[AccountId; 2]>,
    /// What the ledger knows of all together.
    total: usize,
    /// Who pays for the channel itself: somebody who holds a part of it, as long as it holds one.
    bearer: Option<AccountId>,
    /// Who wrote last.
    last: Option<AccountId>,
}

/// A channel's part of an account.
#[derive(Debug)]
struct Holding {
    account: AccountId,
    writer: Writer,
    /// Of messages and entries.
    bytes: usize,
    /// What its account knows, with what the channel itself costs; see [`is_far`].
    counted: usize,
    used_ms: u64,
    place: Place,
    /// Whether it is in the list of those that have changed.
    has_changed: bool,
}

impl Holdings {
    pub(super) fn new(share: Arc<Share>) -> Self {
        Self { share, list: SmallVec::new(), changed: SmallVec::new(), total: 0, bearer: None, last: None }
    }

    /// What the writer's bytes are to be counted under.
    pub(super) fn open(&mut self, writer: Writer, channel: &ChannelName, used_ms: u64) -> AccountId {
        if self.list.len() <= FEW_MAX
            && let Some(holding) = self.list.iter().find(|holding| holding.writer == writer)
        {
            self.last = Some(holding.account);
            return holding.account;
        }
        let share = self.share.clone();
        let mut accounts = share.accounts();
        let account = accounts.find(&writer).filter(|account| self.find(*account).is_ok());
        let account = account.unwrap_or_else(|| {
            let (account, place) = accounts.open(&writer, channel);
            let holding =
                Holding { account, writer, bytes: 0, counted: 0, used_ms, place, has_changed: true };
            let index = self.list.partition_point(|known| known.account < account);
            self.list.insert(index, holding);
            // If nothing comes of it, it is closed again.
            self.changed.push(account);
            account
        });
        self.last = Some(account);
        account
    }

    pub(super) fn add(&mut self, account: AccountId, bytes: usize) {
        if let Some(holding) = self.changing(account) {
            holding.bytes += bytes;
        }
    }

    pub(super) fn subtract(&mut self, account: AccountId, bytes: usize) {
        if let Some(holding) = self.changing(account) {
            holding.bytes -= bytes;
        }
    }

    fn changing(&mut self, account: AccountId) -> Option<&mut Holding> {
        let index = self.find(account).ok()?;
        let holding = &mut self.list[index];
        if !std::mem::replace(&mut holding.has_changed, true) {
            self.changed.push(account);
        }
        Some(holding)
    }

    /// Tells the ledger what has changed. `own_bytes` is what the channel itself costs, beside messages and entries.
    pub(super) fn settle(
        &mut self,
        ledger: &Ledger,
        channel: &ChannelName,
        own_bytes: usize,
        held_bytes: usize,
        used_ms: u64,
    ) {
        ledger.count(&self.share, self.total, held_bytes);
        self.total = held_bytes;
        let before = self.bearer;
        let bearer = self.bearer(channel, used_ms);
        self.bearer = Some(bearer);
        let mut touched = std::mem::take(&mut self.changed);
        touched.extend(before.filter(|before| *before != bearer));
        touched.push(bearer);
        let share = self.share.clone();
        let mut accounts = None;
        for account in touched {
            let Ok(index) = self.find(account) else { continue };
            let holding = &mut self.list[index];
            holding.has_changed = false;
            let after = holding.bytes + if account == bearer { own_bytes } else { 0 };
            let is_used = used_ms.saturating_sub(holding.used_ms) >= USED_MS;
            if !is_far(holding.counted, after) && !is_used {
                continue;
            }
            let accounts = accounts.get_or_insert_with(|| share.accounts());
            accounts.count(account, holding.counted, after);
            if after == 0 {
                self.close(index, accounts);
                continue;
            }
            accounts.used(account, holding.place);
            (holding.counted, holding.used_ms) = (after, used_ms);
        }
    }

    /// Who pays for the channel itself.
    fn bearer(&mut self, channel: &ChannelName, used_ms: u64) -> AccountId {
        let holds = |account: &AccountId| self.find(*account).is_ok_and(|index| self.list[index].bytes > 0);
        let known = self.bearer.filter(holds);
        let someone = || self.list.iter().find(|holding| holding.bytes > 0).map(|holding| holding.account);
        let bearer = known.or_else(someone).or(self.bearer).or(self.last);
        bearer.unwrap_or_else(|| self.open(Writer::Nobody, channel, used_ms))
    }

    /// The channel is looked at again only after the others of the account.
    pub(super) fn look_later(&self, account: AccountId) {
        if let Ok(index) = self.find(account) {
            self.share.accounts().used(account, self.list[index].place);
        }
    }

    /// The channel holds nothing any more.
    pub(super) fn end(mut self, ledger: &Ledger) {
        ledger.count(&self.share, self.total, 0);
        let share = self.share.clone();
        let mut accounts = share.accounts();
        while let Some(index) = self.list.len().checked_sub(1) {
            let (account, counted) = (self.list[index].account, self.list[index].counted);
            accounts.count(account, counted, 0);
            self.close(index, &mut accounts);
        }
    }

    /// Whether everything is counted in this share.
    pub(super) fn is_in(&self, share: &Arc<Share>) -> bool {
        Arc::ptr_eq(share, &self.share)
    }

    /// Counts everything in another share from now on; gives the account that each becomes, in
    /// the order of those that were.
    pub(super) fn moved_to(
        self,
        share: Arc<Share>,
        ledger: &Ledger,
        channel: &ChannelName,
    ) -> (Self, Vec<(AccountId, AccountId)>) {
        let mut moved = Self::new(share);
        let mut renamed = Vec::new();
        for holding in &self.list {
            let account = moved.open(holding.writer.clone(), channel, holding.used_ms);
            moved.add(account, holding.bytes);
            renamed.push((holding.account, account));
        }
        let bearer =
            |(before, after): &(AccountId, AccountId)| (Some(*before) == self.bearer).then_some(*after);
        moved.bearer = renamed.iter().find_map(bearer);
        self.end(ledger);
        (moved, renamed)
    }

    fn find(&self, account: AccountId) -> Result<usize, usize> {
        self.list.binary_search_by_key(&account, |holding| holding.account)
    }

    fn close(&mut self, index: usize, accounts: &mut Accounts) {
        let Holding { account, place, .. } = self.list.remove(index);
        accounts.close(account, place);
        if self.last == Some(account) {
            self.last = None;
        }
        if self.bearer == Some(account) {
            self.bearer = None;
        }
    }
}

/// An account is told of a change when it is an eighth of what it knows, or 1 KiB: a room in which many speak in turn would
/// take the lock of all accounts for each message otherwise.
pub(super) const FAR_BYTES_MIN: usize = 1024;

fn is_far(counted: usize, after: usize) -> bool {
    let change = counted.abs_diff(after);
    after == 0 || counted == 0 || change >= FAR_BYTES_MIN.max(counted / 8)
}
