//! How much one connection asks for: a token bucket, a fixed window and a shortest interval, each alone or together.

use crate::limits::{Rate, RateLimits};

const NS_PER_MS: u64 = 1_000_000;
/// Nanoseconds of a rate of one message a second, for a thousandth of a message.
const NS_PER_THOUSANDTH: u64 = 1_000_000;
const THOUSANDTHS: u64 = 1_000;

/// What a connection has spent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Meter {
    /// When the bucket will be full again, if nothing more is asked (the generic cell rate algorithm).
    full_ns: u64,
    /// Boxed because hardly any server has these bounds.
    other: Option<Box<Other>>,
}

/// What there is to know for the fixed window and the shortest interval.
#[derive(Debug, Clone, Copy, Default)]
struct Other {
    /// Before this time the shortest interval is not over.
    next_ns: u64,
    window_began_ms: u64,
    /// Thousandths of a message spent in that window.
    window_spent: u64,
}

/// A message that is too much for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMuch {
    /// After how long there is room for it; rounded up, so that who waits so long is not refused again.
    pub(crate) retry_after_ms: u32,
}

impl Meter {
    /// Takes `cost` thousandths of a message. `further` is asked last, when every bound of the connection's own holds;
    /// nothing is spent unless all agree.
    pub(crate) fn spend(
        &mut self,
        limits: &RateLimits,
        cost: u32,
        now_ms: u64,
        further: impl FnOnce() -> Result<(), u32>,
    ) -> Result<(), TooMuch> {
        let (full_ns, other) = self.would_take(limits, cost, now_ms)?;
        further().map_err(|retry_after_ms| TooMuch { retry_after_ms })?;
        self.full_ns = full_ns;
        if let Some(other) = other {
            **self.other.get_or_insert_default() = other;
        }
        Ok(())
    }

    fn would_take(
        &self,
        limits: &RateLimits,
        cost: u32,
        now_ms: u64,
    ) -> Result<(u64, Option<Other>), TooMuch> {
        let full_ns = take(limits.connection, cost, self.full_ns, now_ms * NS_PER_MS).map_err(too_much)?;
        if limits.window_messages == 0 && limits.interval_ms == 0 {
            return Ok((full_ns, None));
        }
        let mut other = self.other.as_deref().copied().unwrap_or_default();
        other.take_of_window(limits, cost, now_ms)?;
        other.take_of_interval(limits, cost, now_ms)?;
        Ok((full_ns, Some(other)))
    }
}

impl Other {
    fn take_of_window(&mut self, limits: &RateLimits, cost: u32, now_ms: u64) -> Result<(), TooMuch> {
        if limits.window_messages == 0 {
            return Ok(());
        }
        let window_ms = u64::from(limits.window_ms);
        if now_ms >= self.window_began_ms + window_ms || self.window_spent == 0 {
            (self.window_began_ms, self.window_spent) = (now_ms, 0);
        }
        let allowed = u64::from(limits.window_messages) * THOUSANDTHS;
        let spent = self.window_spent + u64::from(cost);
        if spent > allowed && self.window_spent > 0 {
            return Err(too_much((self.window_began_ms + window_ms - now_ms) * NS_PER_MS));
        }
        self.window_spent = spent;
        Ok(())
    }

    fn take_of_interval(&mut self, limits: &RateLimits, cost: u32, now_ms: u64) -> Result<(), TooMuch> {
        let now_ns = now_ms * NS_PER_MS;
        if now_ns < self.next_ns {
            return Err(too_much(self.next_ns - now_ns));
        }
        let thousandth_ns = u64::from(limits.interval_ms) * NS_PER_MS / THOUSANDTHS;
        self.next_ns = now_ns.saturating_add(thousandth_ns.saturating_mul(u64::from(cost)));
        Ok(())
    }
}

/// Takes from a bucket that is full again at `full_ns`: the new such time, or by how much it is short. A cost above
/// the bucket's size empties a full bucket.
pub fn take(rate: Rate, cost: u32, full_ns: u64, now_ns: u64) -> Result<u64, u64> {
    let Some(per_second) = std::num::NonZeroU64::new(u64::from(rate.per_second)) else { return Ok(full_ns) };
    let size_ns = u64::from(rate.burst.max(1)) * THOUSANDTHS * NS_PER_THOUSANDTH / per_second;
    let cost_ns = (u64::from(cost) * NS_PER_THOUSANDTH / per_second).min(size_ns);
    let full_ns = full_ns.max(now_ns) + cost_ns;
    let missing_ns = full_ns - now_ns;
    if missing_ns > size_ns { Err(missing_ns - size_ns) } else { Ok(full_ns) }
}

fn too_much(short_ns: u64) -> TooMuch {
    TooMuch { retry_after_ms: u32::try_from(short_ns.div_ceil(NS_PER_MS)).unwrap_or(u32::MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(change: impl FnOnce(&mut RateLimits)) -> RateLimits {
        let mut limits = RateLimits::off();
        change(&mut limits);
        limits
    }

    fn spend(meter: &mut Meter, limits: &RateLimits, cost: u32, now_ms: u64) -> Result<(), u32> {
        meter.spend(limits, cost, now_ms, || Ok(())).map_err(|too_much| too_much.retry_after_ms)
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let limits = only(|limits| limits.connection = Rate { per_second: 10, burst: 20 });
        let mut meter = Meter::default();
        for _ in 0..20 {
            assert_eq!(spend(&mut meter, &limits, 1_000, 5_000), Ok(()));
        }
        assert_eq!(spend(&mut meter, &limits, 1_000, 5_000), Err(100));
        assert_eq!(spend(&mut meter, &limits, 100, 5_000), Err(10), "a cheap one has to wait less");
        assert_eq!(spend(&mut meter, &limits, 1_000, 5_099), Err(1));
        assert_eq!(spend(&mut meter, &limits, 1_000, 5_100), Ok(()), "who waits as long as told is served");
        let served = (5_101..15_101).filter(|now| spend(&mut meter, &limits, 1_000, *now).is_ok()).count();
        assert_eq!(served, 100);
    }

    #[test]
    fn a_window_begins_with_its_first_message() {
        let limits = only(|limits| (limits.window_messages, limits.window_ms) = (2, 1_000));
        let mut meter = Meter::default();
        assert_eq!(spend(&mut meter, &limits, 1_000, 700), Ok(()));
        assert_eq!(spend(&mut meter, &limits, 1_000, 1_200), Ok(()));
        assert_eq!(spend(&mut meter, &limits, 1_000, 1_300), Err(400));
        assert_eq!(spend(&mut meter, &limits, 1_000, 1_700), Ok(()));
    }

    #[test]
    fn an_interval_is_kept_after_what_was_allowed() {
        let limits = only(|limits| limits.interval_ms = 100);
        let mut meter = Meter::default();
        assert_eq!(spend(&mut meter, &limits, 1_000, 50), Ok(()));
        assert_eq!(spend(&mut meter, &limits, 1_000, 149), Err(1));
        assert_eq!(spend(&mut meter, &limits, 100, 150), Ok(()));
        assert_eq!(
            spend(&mut meter, &limits, 1_000, 160),
            Ok(()),
            "a tenth of a message, a tenth of the time"
        );
    }

    /// Elsewhere a limit of 0 switched the other limits off along with itself.
    #[test]
    fn each_bound_holds_alone_and_none_at_zero() {
        let burst = |limits: &RateLimits| {
            let mut meter = Meter::default();
            (0..1_000).filter(|_| spend(&mut meter, limits, 1_000, 1_000).is_ok()).count()
        };
        assert_eq!(burst(&RateLimits::off()), 1_000);
        assert_eq!(burst(&only(|limits| limits.connection = Rate { per_second: 1, burst: 7 })), 7);
        assert_eq!(burst(&only(|limits| limits.window_messages = 9)), 9);
        assert_eq!(burst(&only(|limits| limits.interval_ms = 1)), 1);
        let mut meter = Meter::default();
        let refusing = meter.spend(&RateLimits::off(), 1_000, 0, || Err(5));
        assert_eq!(refusing, Err(TooMuch { retry_after_ms: 5 }));
    }

    #[test]
    fn what_is_refused_spends_nothing() {
        let limits = only(|limits| {
            limits.connection = Rate { per_second: 1, burst: 2 };
            limits.window_messages = 100;
        });
        let mut meter = Meter::default();
        for _ in 0..3 {
            assert!(meter.spend(&limits, 1_000, 0, || Err(1)).is_err());
        }
        assert_eq!(spend(&mut meter, &limits, 1_000, 0), Ok(()));
        assert_eq!(spend(&mut meter, &limits, 1_000, 0), Ok(()));
        assert!(spend(&mut meter, &limits, 1_000, 0).is_err());
    }

    /// What had been spent was counted in 32 bits, and a larger window never ended.
    #[test]
    fn bounds_hold_up_to_the_largest() {
        let limits = only(|limits| limits.window_messages = 5_000_000);
        let mut meter = Meter::default();
        assert_eq!(spend(&mut meter, &limits, u32::MAX, 0), Ok(()));
        assert_eq!(spend(&mut meter, &limits, u32::MAX, 0), Err(60_000));
        let limits = only(|limits| limits.interval_ms = u32::MAX);
        assert_eq!(spend(&mut meter, &limits, u32::MAX, 0), Ok(()));
        assert_eq!(spend(&mut meter, &limits, 1, 1), Err(u32::MAX));
    }

    #[test]
    fn a_cost_above_the_burst_needs_a_full_bucket() {
        let limits = only(|limits| limits.connection = Rate { per_second: 1, burst: 2 });
        let mut meter = Meter::default();
        assert_eq!(spend(&mut meter, &limits, 50_000, 0), Ok(()));
        assert_eq!(spend(&mut meter, &limits, 50_000, 0), Err(2_000));
    }
}
