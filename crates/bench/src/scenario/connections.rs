//! Connections that come and go.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::Bench;
use crate::dial::SocketOptions;
use crate::error::Error;
use crate::measure::{Measured, latencies};
use crate::swarm::{PATIENCE, Place, Swarm};

/// Subscribers per room while they are there.
const ROOM_MEMBERS: usize = 10;

/// `lanes` connections at a time are made, subscribed and closed again, over and over.
pub(crate) fn run(bench: &Bench, lanes: usize) -> Result<Measured, Error> {
    let mut swarm = bench.swarm()?;
    let rooms = swarm.open_rooms(lanes.div_ceil(ROOM_MEMBERS), false);
    let options = SocketOptions { rotate_sources: true, ..SocketOptions::default() };
    let place =
        |lane: usize| Place { options, ..Place::subscriber(rooms.start + (lane / ROOM_MEMBERS) as u32) };
    for lane in 0..lanes {
        swarm.open(place(lane))?;
    }
    let mut opened_ns = vec![swarm.now_ns(); lanes];

    churn(&mut swarm, &place, &mut opened_ns, None, bench.warm_up())?;
    let mut histogram = latencies().ok_or_else(|| Error::new("no histogram"))?;
    let before = bench.gauge.mark(0);
    let made = churn(&mut swarm, &place, &mut opened_ns, Some(&mut histogram), bench.time)?;
    let after = bench.gauge.mark(made);

    let mut measured = Measured::default();
    measured.add_span("connection", before, after);
    measured.add_latency("connect_", &histogram);
    measured.faults = swarm.audit();
    swarm.part_all();
    Ok(measured)
}

/// Replaces each connection as soon as it is ready, and returns how many were.
fn churn(
    swarm: &mut Swarm,
    place: &impl Fn(usize) -> Place,
    opened_ns: &mut [u64],
    mut histogram: Option<&mut Histogram<u64>>,
    time: Duration,
) -> Result<u64, Error> {
    let end = Instant::now() + time;
    let mut moved = Instant::now();
    let mut made = 0;
    while Instant::now() < end {
        swarm.turn(Some(Duration::from_millis(100)))?;
        for (lane, opened_ns) in opened_ns.iter_mut().enumerate() {
            let seat = &swarm.seats[lane];
            if seat.link.ready {
                let now_ns = swarm.now_ns();
                if let Some(histogram) = &mut histogram {
                    histogram.saturating_record(now_ns - *opened_ns);
                }
                swarm.reopen(lane, place(lane))?;
                *opened_ns = now_ns;
                made += 1;
                moved = Instant::now();
            } else if seat.end.is_some() || moved.elapsed() > PATIENCE {
                let faults = swarm.audit().join("; ");
                return Err(Error::new(format!("a connection did not become ready; {faults}")));
            }
        }
    }
    Ok(made)
}
