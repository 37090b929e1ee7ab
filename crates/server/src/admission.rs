//! Who may come in: counts of connections per node, per address and per user; and how many could not.
//!
//! - [`users`]: the places of users, which connections take once it is known whose they are

pub(crate) mod users;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fanfare_core::limits::Limits;
use fanfare_protocol::ErrorCode;
use foldhash::HashMap;
use tokio::sync::Notify;

use crate::network::AddressKey;

/// The counts of a node.
pub(crate) struct Admission {
    /// Replaced by a reload, read by handshakes.
    limits: Mutex<Limits>,
    /// Changed by handshakes and by connections that go.
    counts: Mutex<Counts>,
    /// Told when the last seat is given back.
    emptied: Notify,
    /// Handshakes that were refused. Changed by them, read at scrape.
    refusals: Mutex<BTreeMap<ErrorCode, u64>>,
}

#[derive(Default)]
struct Counts {
    total: u32,
    by_ip: HashMap<AddressKey, u32>,
    /// Those that are told why they are not let in.
    farewells: u32,
}

/// The most connections at a time that are let in only to hear that they are not: each is gone as soon as its client has
/// closed too, or within the close deadline. What comes beyond is refused with a status.
const FAREWELLS_MAX: u32 = 1024;

/// A connection's place in the counts, given back when it is dropped.
pub(crate) struct Seat {
    admission: Arc<Admission>,
    ip: Option<AddressKey>,
    is_farewell: bool,
}

impl Admission {
    pub(crate) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            limits: Mutex::new(limits),
            counts: Mutex::default(),
            emptied: Notify::new(),
            refusals: Mutex::default(),
        })
    }

    /// Lets so many in from now on. Who is there stays.
    pub(crate) fn set_limits(&self, limits: Limits) {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner) = limits;
    }

    /// Whether loopback addresses are bounded, and how many connections there may be, of the node and of an address.
    fn bounds(&self) -> (bool, u32, u32) {
        let limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        (limits.limit_loopback, limits.connections_max, limits.connections_per_ip_max)
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place, or says which bound is reached.
    pub(crate) fn seat(self: &Arc<Self>, ip: Option<IpAddr>) -> Result<Seat, ErrorCode> {
        // All clients behind a proxy on this host share its address; the proxy's own limits are theirs.
        let (limit_loopback, connections_max, per_ip_max) = self.bounds();
        let ip = ip.filter(|ip| limit_loopback || !ip.to_canonical().is_loopback());
        let ip = ip.map(AddressKey::of);
        let mut counts = self.counts();
        if counts.total >= connections_max {
            return Err(ErrorCode::NodeFull);
        }
        let of_ip = ip.map_or(0, |ip| counts.by_ip.get(&ip).copied().unwrap_or(0));
        if of_ip >= per_ip_max {
            return Err(ErrorCode::AddressLimit);
        }
        counts.total += 1;
        if let Some(ip) = ip {
            counts.by_ip.insert(ip, of_ip + 1);
        }
        drop(counts);
        Ok(Seat { admission: self.clone(), ip, is_farewell: false })
    }

    /// A place for a connection that is told why it is not let in. It counts for none of the bounds on connections.
    pub(crate) fn farewell(self: &Arc<Self>) -> Option<Seat> {
        let mut counts = self.counts();
        if counts.farewells >= FAREWELLS_MAX {
            return None;
        }
        counts.farewells += 1;
        drop(counts);
        Some(Seat { admission: self.clone(), ip: None, is_farewell: true })
    }

    /// Counts a handshake that was refused, for whatever reason.
    pub(crate) fn refused(&self, code: ErrorCode) {
        *self.refusals.lock().unwrap_or_else(PoisonError::into_inner).entry(code).or_default() += 1;
    }

    /// Handshakes that were refused so far, by reason.
    pub(crate) fn refusals(&self) -> BTreeMap<ErrorCode, u64> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until there are no connections.
    pub(crate) async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.total() == 0 {
                return;
            }
            emptied.await;
        }
    }

    /// The most connections that any one address has.
    pub(crate) fn most_of_one_address(&self) -> u32 {
        self.counts().by_ip.values().copied().max().unwrap_or(0)
    }

    /// How many connections there are.
    pub(crate) fn total(&self) -> u32 {
        self.counts().total
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = self.admission.counts();
        if self.is_farewell {
            counts.farewells -= 1;
            return;
        }
        counts.total -= 1;
        if counts.total == 0 {
            self.admission.emptied.notify_waiters();
        }
        if let Some(ip) = &self.ip {
            give_back(&mut counts.by_ip, ip);
        }
    }
}

fn give_back(counts: &mut HashMap<AddressKey, u32>, ip: &AddressKey) {
    if let Some(count) = counts.get_mut(ip) {
        *count -= 1;
        if *count == 0 {
            counts.remove(ip);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bound_is_named_and_seats_are_given_back() {
        let limits = Limits { connections_max: 4, connections_per_ip_max: 2, ..Limits::default() };
        let admission = Admission::new(limits);
        let ip = |last| Some(IpAddr::from([192, 0, 2, last]));
        let refused = |ip| admission.seat(ip).err();
        let first = admission.seat(ip(1)).ok();
        let _second = admission.seat(ip(1)).ok();
        assert_eq!(refused(ip(1)), Some(ErrorCode::AddressLimit));
        let loopback = Some(IpAddr::from([127, 0, 0, 1]));
        let _more = [admission.seat(loopback).ok(), admission.seat(loopback).ok()];
        assert_eq!(refused(loopback), Some(ErrorCode::NodeFull));
        assert_eq!(admission.most_of_one_address(), 2);
        drop(first);
        assert_eq!(refused(ip(1)), None);
        assert_eq!(admission.total(), 3);
    }

    /// Whoever has one IPv6 address has all of its /64.
    #[test]
    fn addresses_of_one_customer_count_together() {
        let admission = Admission::new(Limits { connections_per_ip_max: 1, ..Limits::default() });
        let seat = |address: &str| admission.seat(Some(address.parse().unwrap()));
        let first = seat("2001:db8:0:1::1").ok();
        assert_eq!(seat("2001:db8:0:1:ffff::2").err(), Some(ErrorCode::AddressLimit));
        let _other = seat("2001:db8:0:2::1").ok().unwrap();
        let _mapped = seat("::ffff:192.0.2.1").ok().unwrap();
        assert_eq!(seat("192.0.2.1").err(), Some(ErrorCode::AddressLimit));
        drop(first);
        assert!(seat("2001:db8:0:1:ffff::2").is_ok());
    }
}
