//! Does a big room hurt the small ones?

use super::{Bench, SETTLING};
use crate::drive::Stream;
use crate::error::Error;
use crate::measure::Measured;
use crate::swarm::{Place, Swarm};

const SMALL_ROOMS: usize = 100;
const SMALL_ROOM_MEMBERS: usize = 10;
const SMALL_ROOM_PER_SECOND: f64 = 2.0;
const BIG_ROOM_PER_SECOND: f64 = 10.0;
/// Histogram numbers.
const SMALL: u8 = 0;
const BIG: u8 = 1;

/// Latency of small rooms while a big one is silent, and while it is not.
pub(crate) fn run(bench: &Bench, members: usize) -> Result<Measured, Error> {
    let mut swarm = bench.swarm()?;
    let big = swarm.open_rooms(1, false);
    let small = swarm.open_rooms(bench.scaled(SMALL_ROOMS), false);
    swarm.seat_all((0..bench.scaled(members)).map(|_| Place::in_group(big.start, BIG)))?;
    let small_members =
        small.clone().flat_map(|room| (0..SMALL_ROOM_MEMBERS).map(move |_| Place::in_group(room, SMALL)));
    swarm.seat_all(small_members.collect::<Vec<_>>())?;
    swarm.seat_publishers(big.clone(), 1)?;
    swarm.seat_publishers(small.clone(), 1)?;
    swarm.settle(SETTLING)?;

    let mut measured = Measured::default();
    let quiet = [Stream::new(small.clone(), SMALL_ROOM_PER_SECOND, swarm.now_ns())];
    let quiet_p99 = phase(bench, &mut swarm, quiet, "quiet_", &mut measured)?;
    let start_ns = swarm.now_ns();
    let loud = [
        Stream::new(small, SMALL_ROOM_PER_SECOND, start_ns),
        Stream::new(big, BIG_ROOM_PER_SECOND, start_ns),
    ];
    let loud_p99 = phase(bench, &mut swarm, loud, "loud_", &mut measured)?;
    measured.add("small_rooms_p99_loud_to_quiet_ratio", loud_p99 / quiet_p99);
    measured.faults = swarm.audit();
    swarm.part_all();
    Ok(measured)
}

/// Runs the streams and returns the small rooms' p99.
fn phase<const N: usize>(
    bench: &Bench,
    swarm: &mut Swarm,
    mut streams: [Stream; N],
    prefix: &str,
    measured: &mut Measured,
) -> Result<f64, Error> {
    swarm.pace(&mut streams, bench.warm_up())?;
    swarm.drain()?;
    swarm.ledger().record(2);
    swarm.pace(&mut streams, bench.time)?;
    swarm.drain()?;
    let histograms = swarm.ledger().take_histograms();
    let [small, big] = histograms.as_slice() else { return Err(Error::new("no histograms")) };
    measured.add_latency(&format!("{prefix}small_rooms_"), small);
    if !big.is_empty() {
        measured.add_latency(&format!("{prefix}big_room_"), big);
    }
    Ok(small.value_at_quantile(0.99) as f64)
}
