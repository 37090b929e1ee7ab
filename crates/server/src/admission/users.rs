//! The users of a node: how many connections each has, and the rate that all of them share.
//!
//! A user's entry outlives the last connection for as long as their bucket is not full: who comes back has spent what
//! they have spent.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use fanfare_core::limits::Rate;
use fanfare_core::ports::authority::Place;
use fanfare_protocol::{ErrorCode, UserId};
use foldhash::HashMap;

/// Users without a connection whose buckets are remembered. Beyond it: they are forgotten, and full when they return.
const ABSENT_MAX: usize = 100_000;

const NS_PER_SECOND: u64 = 1_000_000_000;
const NS_PER_MS: u64 = 1_000_000;

/// What a message costs at most in one go, in thousandths; more would be waited for too long to be meant.
const COST_MAX: u32 = 1_000_000;

/// All users of a node.
pub(crate) struct Users {
    connections_max: AtomicU32,
    rate: SharedRate,
    started: Instant,
    /// Changed when a connection comes or goes, and by the timer that forgets.
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    by_user: HashMap<UserId, Entry>,
    /// How many of them have no connection.
    absent: usize,
}

struct Entry {
    connections: u32,
    bucket: Arc<Bucket>,
}

/// Whether a connection is one more of its user's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arriving {
    /// It is: the bound holds.
    Anew,
    /// It has a place already, and gives that back as soon as it has this one.
    Again,
}

/// A connection's place among those of its user, given back when it is dropped.
pub(crate) struct UserPlace {
    users: Arc<Users>,
    user: UserId,
    bucket: Arc<Bucket>,
}

impl Users {
    pub(crate) fn new(connections_max: u32, rate: Rate) -> Arc<Self> {
        Arc::new(Self {
            connections_max: connections_max.into(),
            rate: SharedRate::new(rate),
            started: Instant::now(),
            entries: Mutex::default(),
        })
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Takes a place.
    ///
    /// # Errors
    /// `user_limit`.
    pub(crate) fn place(
        self: &Arc<Self>,
        user: &UserId,
        arriving: Arriving,
    ) -> Result<Arc<dyn Place>, ErrorCode> {
        let connections_max = self.connections_max.load(Ordering::Relaxed);
        let mut entries = self.entries();
        let Entries { by_user, absent } = &mut *entries;
        if let Some(entry) = by_user.get_mut(user) {
            if arriving == Arriving::Anew && entry.connections >= connections_max {
                return Err(ErrorCode::UserLimit);
            }
            *absent -= usize::from(entry.connections == 0);
            entry.connections += 1;
            let bucket = entry.bucket.clone();
            return Ok(Arc::new(UserPlace { users: self.clone(), user: user.clone(), bucket }));
        }
        if arriving == Arriving::Anew && connections_max == 0 {
            return Err(ErrorCode::UserLimit);
        }
        let bucket = Arc::new(Bucket::new(self.rate.get()));
        by_user.insert(user.clone(), Entry { connections: 1, bucket: bucket.clone() });
        Ok(Arc::new(UserPlace { users: self.clone(), user: user.clone(), bucket }))
    }

    /// Bounds each user so from now on. Connections that are there stay.
    pub(crate) fn set(&self, connections_max: u32, rate: Rate) {
        self.connections_max.store(connections_max, Ordering::Relaxed);
        let entries = self.entries();
        self.rate.set(rate);
        entries.by_user.values().for_each(|entry| entry.bucket.rate.set(rate));
    }

    /// Forgets the users who have no connection and whose buckets are full again.
    pub(crate) fn evict(&self) {
        let now_ns = self.now_ns();
        let mut entries = self.entries();
        if entries.absent == 0 {
            return;
        }
        entries.by_user.retain(|_, entry| entry.connections > 0 || !entry.bucket.is_full(now_ns));
        entries.absent = entries.by_user.values().filter(|entry| entry.connections == 0).count();
        // What a burst of users took is not kept.
        if entries.by_user.capacity() > 4 * entries.by_user.len().max(1024) {
            entries.by_user.shrink_to_fit();
        }
    }
}

impl Place for UserPlace {
    fn spend(&self, cost: u32) -> Result<(), u32> {
        self.bucket.spend(self.users.now_ns(), cost)
    }
}

impl Drop for UserPlace {
    fn drop(&mut self) {
        let mut entries = self.users.entries();
        let Entries { by_user, absent } = &mut *entries;
        let Some(entry) = by_user.get_mut(&self.user) else { return };
        entry.connections -= 1;
        if entry.connections > 0 {
            return;
        }
        if entry.bucket.is_full(self.users.now_ns()) || *absent >= ABSENT_MAX {
            by_user.remove(&self.user);
        } else {
            *absent += 1;
        }
    }
}

/// A rate in one number, so that it changes as a whole.
struct SharedRate(AtomicU64);

impl SharedRate {
    fn new(rate: Rate) -> Self {
        let shared = Self(AtomicU64::new(0));
        shared.set(rate);
        shared
    }

    fn set(&self, rate: Rate) {
        self.0.store(u64::from(rate.per_second) << 32 | u64::from(rate.burst), Ordering::Relaxed);
    }

    fn get(&self) -> Rate {
        let both = self.0.load(Ordering::Relaxed);
        Rate { per_second: (both >> 32) as u32, burst: both as u32 }
    }
}

/// A token bucket as one number, after the generic cell rate algorithm (ITU-T I.371, annex A): the time at which the
/// bucket will be full, in nanoseconds since the node started. Any connection of the user spends from it.
struct Bucket {
    rate: SharedRate,
    full_at_ns: AtomicU64,
}

impl Bucket {
    fn new(rate: Rate) -> Self {
        Self { rate: SharedRate::new(rate), full_at_ns: AtomicU64::new(0) }
    }

    fn is_full(&self, now_ns: u64) -> bool {
        self.full_at_ns.load(Ordering::Relaxed) <= now_ns
    }

    /// How long so many thousandths of a message take to come back.
    fn time_ns(&self, thousandths: u64) -> u64 {
        thousandths.saturating_mul(NS_PER_SECOND / 1000) / u64::from(self.rate.get().per_second.max(1))
    }

    /// Takes so many thousandths of a message, or says after how many milliseconds there are enough.
    fn spend(&self, now_ns: u64, cost: u32) -> Result<(), u32> {
        if self.rate.get().per_second == 0 {
            return Ok(());
        }
        let cost_ns = self.time_ns(u64::from(cost.min(COST_MAX)));
        // What costs more than the bucket holds is had from a full one.
        let holds_ns = self.time_ns(u64::from(self.rate.get().burst) * 1000).max(cost_ns);
        let spent = |full_at_ns: u64| full_at_ns.max(now_ns).saturating_add(cost_ns);
        let fits = |full_at_ns: u64| spent(full_at_ns) - now_ns <= holds_ns;
        let taken = self.full_at_ns.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full_at_ns| {
            fits(full_at_ns).then(|| spent(full_at_ns))
        });
        taken.map(drop).map_err(|full_at_ns| {
            let wait_ns = spent(full_at_ns) - now_ns - holds_ns;
            u32::try_from(wait_ns.div_ceil(NS_PER_MS)).unwrap_or(u32::MAX)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = NS_PER_MS;

    fn user(name: &str) -> UserId {
        UserId::new(name).unwrap()
    }

    fn known(users: &Users) -> usize {
        users.entries().by_user.len()
    }

    #[test]
    fn a_bucket_gives_its_burst_then_its_rate_and_says_how_long_to_wait() {
        let bucket = Bucket::new(Rate { per_second: 10, burst: 3 });
        for _ in 0..3 {
            assert_eq!(bucket.spend(0, 1000), Ok(()));
        }
        assert_eq!(bucket.spend(0, 1000), Err(100));
        assert_eq!(bucket.spend(99 * MS, 1000), Err(1));
        assert_eq!(bucket.spend(100 * MS, 1000), Ok(()));
        assert_eq!(bucket.spend(100 * MS, 500), Err(50));
        assert!(!bucket.is_full(399 * MS) && bucket.is_full(400 * MS));
        assert_eq!(bucket.spend(10_000 * MS, 5000), Ok(()), "more than it holds, from a full one");
        assert_eq!(bucket.spend(10_000 * MS, 1), Err(201), "it is paid for all the same");
    }

    #[test]
    fn whoever_spends_concurrently_gets_the_burst_and_no_more() {
        let bucket = Bucket::new(Rate { per_second: 1, burst: 1000 });
        let taken = |_| (0..1000).filter(|_| bucket.spend(0, 1000).is_ok()).count();
        let sum: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|index| scope.spawn(move || taken(index))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(sum, 1000);
    }

    #[test]
    fn each_bound_works_without_the_other() {
        let users = Users::new(1, Rate { per_second: 0, burst: 1 });
        let place = users.place(&user("ann"), Arriving::Anew).ok().unwrap();
        assert!((0..1000).all(|_| place.spend(1000).is_ok()));
        assert_eq!(users.place(&user("ann"), Arriving::Anew).err(), Some(ErrorCode::UserLimit));
        let users = Users::new(u32::MAX, Rate { per_second: 1, burst: 1 });
        let places: Vec<_> =
            (0..100).map(|_| users.place(&user("ann"), Arriving::Anew).ok().unwrap()).collect();
        assert!(places[0].spend(1000).is_ok());
        assert!(places[1].spend(1000).is_err(), "the bucket is the user's, not the connection's");
    }

    #[test]
    fn a_refreshed_connection_needs_no_second_place() {
        let users = Users::new(1, Rate { per_second: 0, burst: 1 });
        let first = users.place(&user("ann"), Arriving::Anew).ok().unwrap();
        let second = users.place(&user("ann"), Arriving::Again).ok().unwrap();
        drop(first);
        assert_eq!(users.place(&user("ann"), Arriving::Anew).err(), Some(ErrorCode::UserLimit));
        drop(second);
        assert!(users.place(&user("ann"), Arriving::Anew).is_ok());
    }

    #[test]
    fn a_bucket_outlives_the_last_connection_until_it_is_full() {
        let users = Users::new(10, Rate { per_second: 1, burst: 1 });
        let place = users.place(&user("ann"), Arriving::Anew).ok().unwrap();
        assert!(place.spend(1000).is_ok());
        drop(place);
        users.evict();
        assert_eq!(known(&users), 1, "not full yet");
        let place = users.place(&user("ann"), Arriving::Anew).ok().unwrap();
        assert!(place.spend(1000).is_err());
        // As if a second had passed.
        users
            .entries()
            .by_user
            .values()
            .for_each(|entry| entry.bucket.full_at_ns.store(0, Ordering::Relaxed));
        drop(place);
        assert_eq!(known(&users), 0);
        let gone = users.place(&user("bob"), Arriving::Anew).ok().unwrap();
        assert!(gone.spend(1000).is_ok());
        drop(gone);
        users
            .entries()
            .by_user
            .values()
            .for_each(|entry| entry.bucket.full_at_ns.store(0, Ordering::Relaxed));
        users.evict();
        assert_eq!((known(&users), users.entries().absent), (0, 0));
    }
}
