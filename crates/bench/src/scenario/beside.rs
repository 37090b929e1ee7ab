//! Does a big room hurt the small ones?
//!
//! The big room's connections have a thread of their own: the small ones' messages must not wait in the
//! generator behind ten thousand others, or the generator would be what is measured.

use std::ops::Range;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::{Bench, SETTLING};
use crate::dial::check_descriptors;
use crate::drive::Stream;
use crate::error::Error;
use crate::measure::Measured;
use crate::swarm::{Place, Swarm};

const SMALL_ROOMS: usize = 100;
const SMALL_ROOM_MEMBERS: usize = 10;
const SMALL_ROOM_PER_SECOND: f64 = 2.0;
const BIG_ROOM_PER_SECOND: f64 = 10.0;

/// Rooms, their connections, and how often they are published to.
struct Side {
    swarm: Swarm,
    rooms: Range<u32>,
    per_second: f64,
}

impl Side {
    fn new(bench: &Bench, name: &str, rooms: usize, members: usize, per_second: f64) -> Result<Self, Error> {
        let mut swarm = bench.named_swarm(name)?;
        let rooms = swarm.open_rooms(rooms, false);
        let members = rooms.clone().flat_map(|room| (0..members).map(move |_| Place::subscriber(room)));
        swarm.seat_all(members)?;
        swarm.seat_publishers(rooms.clone(), 1)?;
        swarm.settle(SETTLING)?;
        Ok(Self { swarm, rooms, per_second })
    }

    /// Publishes for a while and returns the latencies of what was published after the warm-up.
    fn speak(&mut self, warm_up: Duration, time: Duration) -> Result<Histogram<u64>, Error> {
        let mut streams = [Stream::new(self.rooms.clone(), self.per_second, self.swarm.now_ns())];
        self.swarm.pace(&mut streams, warm_up)?;
        self.swarm.ledger().record();
        self.swarm.pace(&mut streams, time)?;
        self.swarm.drain()?;
        self.swarm.ledger().take_latencies().ok_or_else(|| Error::new("no histogram"))
    }
}

/// Latency of small rooms while a big one is silent, and while it is not.
pub(crate) fn run(bench: &Bench, members: usize) -> Result<Measured, Error> {
    let (members, small_rooms) = (bench.scaled(members), bench.scaled(SMALL_ROOMS));
    check_descriptors(members + small_rooms * SMALL_ROOM_MEMBERS)?;
    let mut big = Side::new(bench, "big", 1, members, BIG_ROOM_PER_SECOND)?;
    let mut small = Side::new(bench, "small", small_rooms, SMALL_ROOM_MEMBERS, SMALL_ROOM_PER_SECOND)?;
    let (warm_up, time) = (bench.warm_up(), bench.time);

    let quiet = beside(|| big.swarm.settle(warm_up + time), || small.speak(warm_up, time))?.1;
    let (big_loud, loud) = beside(|| big.speak(warm_up, time), || small.speak(warm_up, time))?;

    let mut measured = Measured::default();
    measured.add_latency("quiet_small_rooms_", &quiet);
    measured.add_latency("loud_small_rooms_", &loud);
    measured.add_latency("loud_big_room_", &big_loud);
    let p99 = |histogram: &Histogram<u64>| histogram.value_at_quantile(0.99) as f64;
    measured.add("small_rooms_p99_loud_to_quiet_ratio", p99(&loud) / p99(&quiet));
    for mut side in [big, small] {
        measured.faults.extend(side.swarm.audit());
        side.swarm.part_all();
    }
    Ok(measured)
}

/// Does both at the same time, the first on another thread.
fn beside<A: Send, B>(
    other: impl FnOnce() -> Result<A, Error> + Send,
    own: impl FnOnce() -> Result<B, Error>,
) -> Result<(A, B), Error> {
    std::thread::scope(|scope| {
        let other = scope.spawn(other);
        let own = own();
        let other = other.join().map_err(|_| Error::new("the big room's thread failed"))?;
        Ok((other?, own?))
    })
}
