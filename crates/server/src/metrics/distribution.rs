//! How many values fell where.

/// Bounds for numbers of subscribers.
pub const ROOM_SIZES: &[u64] = &[1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 100_000];

/// Bounds for bytes in an outbox.
pub const OUTBOX_BYTES: &[u64] = &[1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 17, 1 << 18, 1 << 20, 1 << 22];

/// Counts of values between fixed bounds. Recording is a short search and an addition, in plain memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    bounds: &'static [u64],
    /// One for each bound, for values up to it and above the one before; one more for those above all.
    counts: Box<[u64]>,
    sum: u64,
}

impl Distribution {
    /// Without any values. `bounds` ascend.
    pub fn new(bounds: &'static [u64]) -> Self {
        Self { bounds, counts: vec![0; bounds.len() + 1].into(), sum: 0 }
    }

    /// With values that were counted elsewhere, one count for each bound and one more.
    pub fn counted(bounds: &'static [u64], counts: &[u64], sum: u64) -> Self {
        debug_assert_eq!(counts.len(), bounds.len() + 1);
        Self { bounds, counts: counts.into(), sum }
    }

    /// Counts a value.
    pub fn record(&mut self, value: u64) {
        self.record_many(value, 1);
    }

    /// Counts a value that occurred several times.
    pub fn record_many(&mut self, value: u64, times: u64) {
        let place = self.bounds.partition_point(|bound| *bound < value);
        self.counts[place] += times;
        self.sum = self.sum.saturating_add(value.saturating_mul(times));
    }

    /// Adds the values of another one of the same bounds.
    pub fn add(&mut self, other: &Distribution) {
        debug_assert_eq!(self.bounds, other.bounds);
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.sum = self.sum.saturating_add(other.sum);
    }

    /// How many values.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// What they add up to.
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// Upper bound and count of each step; the last one has no bound.
    pub fn steps(&self) -> impl Iterator<Item = (Option<u64>, u64)> + '_ {
        let bounds = self.bounds.iter().copied().map(Some).chain([None]);
        bounds.zip(self.counts.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_the_step_below_it() {
        let mut sizes = Distribution::new(&[1, 10]);
        for value in [0, 1, 2, 10, 11, u64::MAX] {
            sizes.record(value);
        }
        assert_eq!(sizes.steps().collect::<Vec<_>>(), [(Some(1), 2), (Some(10), 2), (None, 2)]);
        assert_eq!((sizes.count(), sizes.sum()), (6, u64::MAX));
    }

    #[test]
    fn bounds_ascend() {
        for bounds in [ROOM_SIZES, OUTBOX_BYTES] {
            assert!(bounds.is_sorted_by(|a, b| a < b));
        }
    }
}
