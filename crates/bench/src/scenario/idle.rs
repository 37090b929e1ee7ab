//! Many connections that say nothing.

use std::time::Duration;

use super::{Bench, SETTLING};
use crate::error::Error;
use crate::measure::Measured;
use crate::swarm::Place;

/// Subscribers per room.
const ROOM_MEMBERS: usize = 10;
/// Long enough that each connection has had one heartbeat, whose interval is 25 s with every peer.
const FULL_HEARTBEAT: Duration = Duration::from_secs(27);

/// Resident memory per connection, and the processor time that heartbeats take.
pub(crate) fn run(bench: &Bench, connections: usize) -> Result<Measured, Error> {
    let connections = bench.scaled(connections);
    let time = if bench.quick { bench.time } else { bench.time.max(FULL_HEARTBEAT) };
    let mut swarm = bench.swarm()?;
    let rooms = swarm.open_rooms(connections.div_ceil(ROOM_MEMBERS), false);
    let room = |index: usize| rooms.start + (index / ROOM_MEMBERS) as u32;
    swarm.seat_all((0..connections).map(|index| Place::subscriber(room(index))))?;
    swarm.settle(SETTLING)?;

    let before = bench.gauge.mark(0);
    swarm.settle(time)?;
    let after = bench.gauge.mark(connections as u64);

    let mut measured = Measured::default();
    measured.add("connections", connections as f64);
    if let Some(server) = bench.gauge.server {
        let rss_kib = server.rss_kib();
        measured.add("server_rss_mib", rss_kib / 1024.0);
        let per_connection = (rss_kib - bench.gauge.baseline_kib) / connections as f64;
        measured.add("server_rss_kib_per_connection", per_connection);
    }
    measured.add_cpu(before, after);
    measured.faults = swarm.audit();
    swarm.part_all();
    Ok(measured)
}
