//! Publications to rooms: as fast as they are taken, or by the clock.

use super::{Bench, SETTLING};
use crate::drive::Stream;
use crate::error::Error;
use crate::measure::Measured;
use crate::swarm::{Place, Swarm};

/// Publications in flight per room when each room has publishers of its own.
const OWN_WINDOW: usize = 10;

/// One publisher to one room, flow-controlled.
pub(crate) fn saturated(bench: &Bench, members: usize) -> Result<Measured, Error> {
    let members = bench.scaled(members);
    let mut swarm = bench.swarm()?;
    let rooms = swarm.open_rooms(1, false);
    swarm.seat_all((0..members).map(|_| Place::subscriber(rooms.start)))?;
    swarm.seat_publishers(rooms.clone(), 1)?;
    swarm.settle(SETTLING)?;
    measure_saturated(bench, &mut swarm, &rooms, bench.window)
}

/// Several publishers to each of many rooms, flow-controlled.
pub(crate) fn many_publishers(
    bench: &Bench,
    rooms: usize,
    members: usize,
    publishers: usize,
) -> Result<Measured, Error> {
    let mut swarm = bench.swarm()?;
    let rooms = swarm.open_rooms(bench.scaled(rooms), true);
    swarm.seat_all(rooms.clone().flat_map(|room| (0..members).map(move |_| Place::subscriber(room))))?;
    swarm.seat_own_publishers(rooms.clone(), publishers)?;
    swarm.settle(SETTLING)?;
    measure_saturated(bench, &mut swarm, &rooms, OWN_WINDOW)
}

fn measure_saturated(
    bench: &Bench,
    swarm: &mut Swarm,
    rooms: &std::ops::Range<u32>,
    window: usize,
) -> Result<Measured, Error> {
    swarm.saturate(rooms, window, bench.warm_up())?;
    let before = bench.gauge.mark(swarm.ledger().deliveries());
    let received_before = swarm.received_bytes();
    swarm.saturate(rooms, window, bench.time)?;
    // The clock stops when the last delivery is in, not when the last publication is out.
    swarm.drain()?;
    let after = bench.gauge.mark(swarm.ledger().deliveries());

    let mut measured = Measured::default();
    measured.add_span("delivery", before, after);
    measured.add_received("delivery", before, after, swarm.received_bytes() - received_before);
    measured.add_rss(&bench.gauge);
    measured.faults = swarm.audit();
    swarm.part_all();
    Ok(measured)
}

/// `per_second` publications to each of `rooms` rooms of `members`, whatever the server does.
pub(crate) fn paced(bench: &Bench, rooms: usize, members: usize, per_second: f64) -> Result<Measured, Error> {
    let (rooms, members) =
        if rooms == 1 { (1, bench.scaled(members)) } else { (bench.scaled(rooms), members) };
    let mut swarm = bench.swarm()?;
    let rooms = swarm.open_rooms(rooms, false);
    swarm.seat_all(rooms.clone().flat_map(|room| (0..members).map(move |_| Place::subscriber(room))))?;
    swarm.seat_publishers(rooms.clone(), 1)?;
    swarm.settle(SETTLING)?;

    let mut streams = [Stream::new(rooms, per_second, swarm.now_ns())];
    swarm.pace(&mut streams, bench.warm_up())?;
    swarm.drain()?;
    swarm.ledger().record();
    let before = bench.gauge.mark(swarm.ledger().deliveries());
    let received_before = swarm.received_bytes();
    swarm.pace(&mut streams, bench.time)?;
    swarm.drain()?;
    let after = bench.gauge.mark(swarm.ledger().deliveries());

    let mut measured = Measured::default();
    measured.add_span("delivery", before, after);
    measured.add_received("delivery", before, after, swarm.received_bytes() - received_before);
    if let Some(histogram) = swarm.ledger().take_latencies() {
        measured.add_latency("", &histogram);
    }
    measured.faults = swarm.audit();
    swarm.part_all();
    Ok(measured)
}
