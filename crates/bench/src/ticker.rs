//! Wakes the event loop when the next publication is due.
//!
//! The poller's own timeout counts in whole milliseconds, which would be seen in every latency. A thread
//! that sleeps until the exact time and then wakes the poller is off by some tens of microseconds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mio::Waker;

/// Nothing is due.
const NEVER: u64 = u64::MAX;
/// The thread is to end.
const STOP: u64 = 0;

/// The alarm clock. Dropping it ends its thread.
#[derive(Debug)]
pub(crate) struct Ticker {
    /// Written by the loop to set the alarm and by the thread to say that it rang.
    due_ns: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    /// Starts the thread; times are nanoseconds since `epoch`.
    pub(crate) fn start(epoch: Instant, waker: Waker) -> Self {
        let due_ns = Arc::new(AtomicU64::new(NEVER));
        let alarm = Arc::clone(&due_ns);
        let thread = std::thread::spawn(move || ring(epoch, &waker, &alarm));
        Self { due_ns, thread: Some(thread) }
    }

    /// Wakes the poller at `due_ns`. A later alarm than the one set is ignored: the loop sets it again
    /// when it has been woken.
    pub(crate) fn set(&self, due_ns: u64) {
        let due_ns = due_ns.clamp(STOP + 1, NEVER - 1);
        if due_ns < self.due_ns.load(Ordering::Acquire) {
            self.due_ns.store(due_ns, Ordering::Release);
            self.unpark();
        }
    }

    fn unpark(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.due_ns.store(STOP, Ordering::Release);
        self.unpark();
        if let Some(thread) = self.thread.take() {
            // The thread has nothing that can fail.
            let _ = thread.join();
        }
    }
}

fn ring(epoch: Instant, waker: &Waker, alarm: &AtomicU64) {
    loop {
        let due_ns = alarm.load(Ordering::Acquire);
        let now_ns = epoch.elapsed().as_nanos() as u64;
        match due_ns {
            STOP => return,
            NEVER => std::thread::park(),
            later if later > now_ns => std::thread::park_timeout(Duration::from_nanos(later - now_ns)),
            _ => {
                if alarm.compare_exchange(due_ns, NEVER, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                    // A waker fails only when the poller is gone, and then nobody waits.
                    let _ = waker.wake();
                }
            }
        }
    }
}
