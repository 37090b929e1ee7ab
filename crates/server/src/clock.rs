//! The time, by the clock that people are shown and by one that is never set.

use std::time::{SystemTime, UNIX_EPOCH};

use fanfare_core::memory::Moment;
use rustix::time::{ClockId, clock_gettime};

/// Milliseconds of Unix time.
pub(crate) fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// This moment.
pub(crate) fn now() -> Moment {
    Moment { steady_ms: steady_ms(), unix_ms: unix_ms() }
}

/// Milliseconds since the computer was started, those in which it slept included where the system counts them.
fn steady_ms() -> u64 {
    #[cfg(target_os = "linux")]
    const CLOCK: ClockId = ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    const CLOCK: ClockId = ClockId::Monotonic;
    let time = clock_gettime(CLOCK);
    time.tv_sec as u64 * 1000 + time.tv_nsec as u64 / 1_000_000
}
