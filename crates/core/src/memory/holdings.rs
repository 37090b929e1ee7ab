//! What each sender holds of one channel.

use std::sync::Arc;

use fanfare_protocol::ChannelName;
use smallvec::SmallVec;

use super::ledger::{AccountId, Accounts, Ledger, Share, Writer};
use super::recency::Place;

#[derive(Debug)]
pub(super) struct Holdings {
    share: Arc<Share>,
    /// In the order of the accounts.
    list: SmallVec<[Holding; 1]>,
    /// Of whose bytes the ledger does not know yet.
    changed: SmallVec<[AccountId; 2]>,
    /// Who pays for the channel itself: the sender of its oldest message, or who was that last.
    bearer: Option<AccountId>,
    /// Who wrote last.
    last: Option<(Writer, AccountId)>,
}

/// A channel's part of an account.
#[derive(Debug)]
struct Holding {
    account: AccountId,
    /// Of messages and entries.
    bytes: usize,
    /// What the ledger knows, with what the channel itself costs.
    counted: usize,
    used_ms: u64,
    place: Place,
    is_front: bool,
    /// Whether it is in the list of those that have changed.
    has_changed: bool,
}

impl Holdings {
    pub(super) fn new(share: Arc<Share>) -> Self {
        Self { share, list: SmallVec::new(), changed: SmallVec::new(), bearer: None, last: None }
    }

    /// What the writer's bytes are to be counted under.
    pub(super) fn open(&mut self, writer: Writer, channel: &ChannelName, used_ms: u64) -> AccountId {
        if let Some((last, account)) = &self.last
            && *last == writer
        {
            return *account;
        }
        let share = self.share.clone();
        let mut accounts = share.accounts();
        let account = accounts.find(&writer).filter(|account| self.find(*account).is_ok());
        let account = account.unwrap_or_else(|| {
            let (account, place) = accounts.open(&writer, channel, used_ms);
            let holding =
                Holding { account, bytes: 0, counted: 0, used_ms, place, is_front: false, has_changed: true };
            let index = self.list.partition_point(|known| known.account < account);
            self.list.insert(index, holding);
            // If nothing comes of it, it is closed again.
            self.changed.push(account);
            account
        });
        self.last = Some((writer, account));
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

    /// Tells the ledger what has changed. `own_bytes` is what the channel itself costs, and `front` whose its oldest
    /// message is.
    pub(super) fn settle(
        &mut self,
        ledger: &Ledger,
        channel: &ChannelName,
        own_bytes: usize,
        front: Option<AccountId>,
        used_ms: u64,
    ) {
        let last = self.last.as_ref().map(|(_, account)| *account);
        let bearer = front.or(self.bearer).or(last);
        let bearer = bearer.unwrap_or_else(|| self.open(Writer::Nobody, channel, used_ms));
        let mut touched = std::mem::take(&mut self.changed);
        touched.extend(self.bearer.filter(|before| *before != bearer));
        touched.push(bearer);
        self.bearer = Some(bearer);
        let share = self.share.clone();
        let mut accounts = None;
        for account in touched {
            let Ok(index) = self.find(account) else { continue };
            let is_front = account == bearer;
            let holding = &mut self.list[index];
            holding.has_changed = false;
            let after = holding.bytes + if is_front { own_bytes } else { 0 };
            let is_known = holding.is_front == is_front && holding.used_ms == used_ms;
            if is_known && holding.counted == after && after > 0 {
                continue;
            }
            let accounts = accounts.get_or_insert_with(|| share.accounts());
            ledger.count(&share, holding.counted, after);
            accounts.count(account, holding.counted, after);
            if after == 0 {
                self.close(index, accounts);
                continue;
            }
            let fronts = (holding.is_front, is_front);
            accounts.used(account, &mut holding.place, fronts, channel, used_ms);
            (holding.counted, holding.used_ms, holding.is_front) = (after, used_ms, is_front);
        }
    }

    /// The channel holds nothing any more.
    pub(super) fn end(mut self, ledger: &Ledger) {
        let share = self.share.clone();
        let mut accounts = share.accounts();
        while let Some(index) = self.list.len().checked_sub(1) {
            let Holding { account, counted, .. } = self.list[index];
            ledger.count(&share, counted, 0);
            accounts.count(account, counted, 0);
            self.close(index, &mut accounts);
        }
    }

    /// Counts everything in another share from now on; gives the account that each becomes. None if it is the same one.
    pub(super) fn moved_to(
        self,
        share: Arc<Share>,
        ledger: &Ledger,
        channel: &ChannelName,
    ) -> Result<(Self, Vec<(AccountId, AccountId)>), Self> {
        if Arc::ptr_eq(&share, &self.share) {
            return Err(self);
        }
        let mut moved = Self::new(share);
        let mut renamed = Vec::new();
        for holding in &self.list {
            let writer = self.share.accounts().writer(holding.account);
            let account = moved.open(writer, channel, holding.used_ms);
            moved.add(account, holding.bytes);
            renamed.push((holding.account, account));
        }
        let bearer =
            |(before, after): &(AccountId, AccountId)| (Some(*before) == self.bearer).then_some(*after);
        moved.bearer = renamed.iter().find_map(bearer);
        self.end(ledger);
        Ok((moved, renamed))
    }

    fn find(&self, account: AccountId) -> Result<usize, usize> {
        self.list.binary_search_by_key(&account, |holding| holding.account)
    }

    fn close(&mut self, index: usize, accounts: &mut Accounts) {
        let Holding { account, place, is_front, .. } = self.list.remove(index);
        accounts.close(account, place, is_front);
        if self.last.as_ref().is_some_and(|(_, last)| *last == account) {
            self.last = None;
        }
        if self.bearer == Some(account) {
            self.bearer = None;
        }
    }
}
