//! Rates per address: how often one address may come.
//!
//! An IPv6 address counts as its /64: that is what one customer of a network has at least.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::{DashMapStateStore, ShrinkableKeyedStateStore};
use governor::state::{InMemoryState, NotKeyed, StateStore};
use governor::{Quota, RateLimiter};

/// A rate: so many a second, and so many saved up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressRate {
    /// How many a second; 0 is without bound.
    pub per_second: u32,
    /// How many at once, from one that has not come for a while.
    pub burst: u32,
}

/// A rate with what is remembered of each address.
pub(super) struct Rates<C: Clock = DefaultClock> {
    /// None without a bound.
    limiter: Option<RateLimiter<AddressKey, Bounded, C, NoOpMiddleware<C::Instant>>>,
    /// 0 without a bound.
    per_second: u32,
    clock: C,
}

/// What counts as one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum AddressKey {
    V4(u32),
    /// The first half of an IPv6 address.
    V6(u64),
}

/// The addresses that are remembered, at most so many. Beyond it, all that are new share the rate of one, until the next
/// sweep: who is known is not harmed by a flood from a hundred thousand addresses, and the flood gains nothing.
struct Bounded {
    known: DashMapStateStore<AddressKey>,
    rest: InMemoryState,
    addresses_max: usize,
}

impl Rates {
    pub(super) fn new(rate: AddressRate, addresses_max: usize) -> Self {
        Self::with_clock(rate, addresses_max, DefaultClock::default())
    }
}

impl<C: Clock + Clone> Rates<C> {
    fn with_clock(rate: AddressRate, addresses_max: usize, clock: C) -> Self {
        let per_second = if rate.burst == 0 { 0 } else { rate.per_second };
        let bounds = NonZeroU32::new(rate.per_second).zip(NonZeroU32::new(rate.burst));
        let limiter = bounds.map(|(per_second, burst)| {
            let quota = Quota::per_second(per_second).allow_burst(burst);
            let state = Bounded {
                known: DashMapStateStore::default(),
                rest: InMemoryState::default(),
                addresses_max,
            };
            RateLimiter::new(quota, state, clock.clone())
        });
        Self { limiter, per_second, clock }
    }

    /// How often one address may come in a second; 0 is without bound.
    pub(super) fn per_second(&self) -> u32 {
        self.per_second
    }

    /// Counts one coming.
    ///
    /// # Errors
    /// When it is one too many: how long until the next one is welcome.
    pub(super) fn take(&self, address: IpAddr) -> Result<(), Duration> {
        let Some(limiter) = &self.limiter else { return Ok(()) };
        limiter.check_key(&AddressKey::of(address)).map_err(|until| until.wait_time_from(self.clock.now()))
    }

    /// Forgets whose rate is whole again.
    pub(super) fn sweep(&self) {
        if let Some(limiter) = &self.limiter {
            limiter.retain_recent();
        }
    }
}

impl AddressKey {
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.to_bits()),
            IpAddr::V6(address) => Self::V6((address.to_bits() >> 64) as u64),
        }
    }
}

impl StateStore for Bounded {
    type Key = AddressKey;

    fn measure_and_replace<T, F, E>(&self, key: &AddressKey, f: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        if self.known.contains_key(key) || self.known.len() < self.addresses_max {
            self.known.measure_and_replace(key, f)
        } else {
            self.rest.measure_and_replace(&NotKeyed::NonKey, f)
        }
    }
}

impl ShrinkableKeyedStateStore<AddressKey> for Bounded {
    fn retain_recent(&self, drop_below: Nanos) {
        self.known.retain_recent(drop_below);
    }

    fn len(&self) -> usize {
        self.known.len()
    }

    fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    fn rates(
        per_second: u32,
        burst: u32,
        addresses_max: usize,
    ) -> (Rates<FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        (Rates::with_clock(AddressRate { per_second, burst }, addresses_max, clock.clone()), clock)
    }

    fn admitted<C: Clock + Clone>(rates: &Rates<C>, address: &str, tries: usize) -> usize {
        let address = address.parse().unwrap();
        (0..tries).filter(|_| rates.take(address).is_ok()).count()
    }

    #[test]
    fn an_address_has_its_burst_and_then_its_rate() {
        let (rates, clock) = rates(20, 100, 10);
        assert_eq!(admitted(&rates, "192.0.2.1", 150), 100);
        assert_eq!(admitted(&rates, "192.0.2.2", 150), 100, "another address is not touched");
        let wait = rates.take("192.0.2.1".parse().unwrap()).unwrap_err();
        assert!(wait <= Duration::from_millis(50), "{wait:?}");
        clock.advance(Duration::from_secs(1));
        assert_eq!(admitted(&rates, "192.0.2.1", 150), 20);
        clock.advance(Duration::from_secs(60));
        assert_eq!(admitted(&rates, "192.0.2.1", 150), 100, "no more than the burst is saved up");
    }

    #[test]
    fn zero_is_without_bound() {
        let (rates, _) = rates(0, 1, 10);
        assert_eq!(admitted(&rates, "192.0.2.1", 10_000), 10_000);
        rates.sweep();
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_and_a_mapped_address_as_itself() {
        let (rates, _) = rates(1, 3, 10);
        assert_eq!(admitted(&rates, "2001:db8:0:1::1", 2), 2);
        assert_eq!(admitted(&rates, "2001:db8:0:1:ffff::2", 2), 1);
        assert_eq!(admitted(&rates, "2001:db8:0:2::1", 3), 3);
        assert_eq!(admitted(&rates, "192.0.2.1", 2), 2);
        assert_eq!(admitted(&rates, "::ffff:192.0.2.1", 2), 1);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_forgotten_in_time() {
        let (rates, clock) = rates(10, 20, 1_000);
        for index in 0..5_000_u32 {
            let _ = rates.take(IpAddr::V4(index.into()));
        }
        let len = || rates.limiter.as_ref().unwrap().len();
        assert_eq!(len(), 1_000);
        assert_eq!(admitted(&rates, "0.0.0.5", 50), 19, "who is known has its own rate");
        assert_eq!(admitted(&rates, "192.0.2.1", 50), 0, "who is new shares one with all that are new");
        assert_eq!(admitted(&rates, "192.0.2.2", 50), 0);
        clock.advance(Duration::from_secs(1));
        rates.sweep();
        assert_eq!(len(), 1, "only whose rate is not whole again");
        assert_eq!(admitted(&rates, "192.0.2.1", 50), 20);
        assert_eq!(admitted(&rates, "0.0.0.5", 50), 10, "and that one is not forgiven");
        clock.advance(Duration::from_secs(10));
        rates.sweep();
        assert_eq!(len(), 0);
    }
}
