//! How publications are set going: as fast as they are taken, or by the clock.

use std::ops::Range;
use std::time::{Duration, Instant};

use crate::account::refusal;
use crate::error::Error;
use crate::swarm::{PATIENCE, Swarm};

/// Publications at a fixed rate, round the rooms in turn.
///
/// The schedule is fixed when the stream starts and never waits for the server (open loop).
#[derive(Debug)]
pub(crate) struct Stream {
    rooms: Range<u32>,
    interval_ns: f64,
    start_ns: u64,
    sent: u64,
}

impl Stream {
    /// `per_second` publications for each of `rooms`, from `start_ns` on.
    pub(crate) fn new(rooms: Range<u32>, per_second: f64, start_ns: u64) -> Self {
        let interval_ns = 1e9 / (per_second * rooms.len() as f64);
        Self { rooms, interval_ns, start_ns, sent: 0 }
    }

    fn due_ns(&self) -> u64 {
        self.start_ns + (self.sent as f64 * self.interval_ns) as u64
    }

    fn room(&self) -> u32 {
        self.rooms.start + (self.sent % self.rooms.len() as u64) as u32
    }
}

/// Notices that deliveries have ceased.
struct Progress {
    deliveries: u64,
    since: Instant,
}

impl Progress {
    fn new() -> Self {
        Self { deliveries: 0, since: Instant::now() }
    }

    fn check(&mut self, swarm: &mut Swarm) -> Result<(), Error> {
        // What was refused is never delivered: to wait for it tells nothing new.
        let (refused, code) = swarm.ledger().refusals();
        if refused > 0 {
            let cause = refusal(code);
            return Err(Error::new(format!("the server refused {refused} messages: {cause}")));
        }
        let deliveries = swarm.ledger().deliveries();
        if deliveries != self.deliveries || swarm.ledger().is_drained() {
            *self = Self { deliveries, since: Instant::now() };
        } else if self.since.elapsed() > PATIENCE {
            let owed = swarm.ledger().owed();
            let faults = swarm.audit().join("; ");
            return Err(Error::new(format!(
                "{owed} deliveries did not come within {} s; {faults}",
                PATIENCE.as_secs()
            )));
        }
        Ok(())
    }
}

impl Swarm {
    /// Serves the connections for a while without publishing.
    pub(crate) fn settle(&mut self, time: Duration) -> Result<(), Error> {
        let end = Instant::now() + time;
        while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            self.turn(Some(left.min(Duration::from_millis(100))))?;
        }
        Ok(())
    }

    /// Publishes to each room as fast as its members take it: `window` publications of a room are under
    /// way at a time, so that no server has a reason to call anybody slow. Between turns the loop sleeps a
    /// little: many messages are then taken by one read, and the server keeps the processor.
    pub(crate) fn saturate(
        &mut self,
        rooms: &Range<u32>,
        window: usize,
        time: Duration,
    ) -> Result<(), Error> {
        let end = Instant::now() + time;
        let mut progress = Progress::new();
        while Instant::now() < end {
            let now_ns = self.now_ns();
            for room in rooms.clone() {
                for _ in self.ground.ledger.in_flight(room)..window {
                    self.publish(room, now_ns);
                }
            }
            self.turn(Some(Duration::from_millis(100)))?;
            progress.check(self)?;
            std::thread::sleep(self.gather);
        }
        Ok(())
    }

    /// Publishes by the clock. Can be called again to go on with the same streams.
    pub(crate) fn pace(&mut self, streams: &mut [Stream], time: Duration) -> Result<(), Error> {
        let end_ns = self.now_ns() + time.as_nanos() as u64;
        let mut progress = Progress::new();
        loop {
            let now_ns = self.now_ns();
            let mut next_ns = end_ns;
            for stream in streams.iter_mut() {
                while stream.due_ns() <= now_ns.min(end_ns) {
                    self.publish(stream.room(), stream.due_ns());
                    stream.sent += 1;
                }
                next_ns = next_ns.min(stream.due_ns());
            }
            if now_ns >= end_ns {
                return self.turn(Some(Duration::ZERO));
            }
            self.set_alarm(next_ns);
            self.turn(Some(Duration::from_millis(1_000)))?;
            progress.check(self)?;
        }
    }

    /// Waits until every publication is with every member.
    pub(crate) fn drain(&mut self) -> Result<(), Error> {
        let mut progress = Progress::new();
        while !self.ledger().is_drained() {
            self.turn(Some(Duration::from_millis(100)))?;
            progress.check(self)?;
        }
        Ok(())
    }
}
