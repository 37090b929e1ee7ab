//! Does a reader who stops hurt the others, and is it told?

use std::time::Duration;

use super::{Bench, SETTLING};
use crate::dial::SocketOptions;
use crate::drive::Stream;
use crate::error::Error;
use crate::ledger::Tally;
use crate::measure::Measured;
use crate::process::Process;
use crate::swarm::{Place, Swarm};

/// Large messages, so that buffers are filled within seconds.
const PAYLOAD_BYTES: usize = 8 * 1024;
const PER_SECOND: f64 = 25.0;
/// The stalled ones' receive buffers are small for the same reason.
const RECEIVE_BYTES: usize = 32 * 1024;
/// The stalled ones read on one after the other over this time, so that some do so while the server still
/// keeps their messages, some while it tells them that it has given up, and some after.
const STALL: Duration = Duration::from_secs(20);
const STALL_QUICK: Duration = Duration::from_secs(5);
/// How long the last of them are given to find what was kept for them.
const AFTERMATH: Duration = Duration::from_secs(8);
const AFTERMATH_QUICK: Duration = Duration::from_secs(1);
/// The close code that says "too slow".
const SLOW_CONSUMER: u16 = 4011;

/// `stalled` of `members` stop reading; the others' latency is compared with before.
pub(crate) fn run(bench: &Bench, members: usize, stalled: usize) -> Result<Measured, Error> {
    let (members, stalled) = (bench.scaled(members), bench.scaled(stalled));
    let (stall, aftermath) = if bench.quick { (STALL_QUICK, AFTERMATH_QUICK) } else { (STALL, AFTERMATH) };
    let mut swarm = bench.swarm()?;
    swarm.set_payload_bytes(PAYLOAD_BYTES);
    let rooms = swarm.open_rooms(1, false);
    let room = rooms.start;
    // The ones who will stall come first: their index is below `stalled`.
    let slow = Place {
        tally: Tally::uncounted(room),
        options: SocketOptions { receive_bytes: Some(RECEIVE_BYTES), ..SocketOptions::default() },
        ..Place::subscriber(room)
    };
    swarm.seat_all((0..stalled).map(|_| slow))?;
    swarm.seat_all((stalled..members).map(|_| Place::subscriber(room)))?;
    swarm.seat_publishers(rooms.clone(), 1)?;
    swarm.settle(SETTLING)?;

    let mut measured = Measured::default();
    let mut streams = [Stream::new(rooms, PER_SECOND, swarm.now_ns())];
    swarm.pace(&mut streams, bench.warm_up())?;
    let quiet_p99 =
        recorded(&mut swarm, "quiet_", &mut measured, |swarm| swarm.pace(&mut streams, bench.time))?;
    let stall_start_ns = swarm.now_ns();
    let mut resumed_ns = vec![0; stalled];
    let stalled_p99 = recorded(&mut swarm, "stalled_", &mut measured, |swarm| {
        swarm.seats[..stalled].iter_mut().for_each(|seat| seat.stalled = true);
        for (index, resumed_ns) in resumed_ns.iter_mut().enumerate() {
            swarm.pace(&mut streams, stall / stalled as u32)?;
            swarm.resume(index);
            *resumed_ns = swarm.now_ns();
        }
        Ok(())
    })?;
    measured.add("others_p99_stalled_to_quiet_ratio", stalled_p99 / quiet_p99);
    swarm.settle(aftermath)?;
    classify(&swarm, &resumed_ns, stall_start_ns, &mut measured);
    if let Some(server) = bench.gauge.server {
        measured.add("server_rss_peak_mib", Process::rss_peak_kib(server) / 1024.0);
    }
    measured.faults = swarm.audit();
    swarm.part_all();
    Ok(measured)
}

/// Records latencies while `phase` runs and returns the p99.
fn recorded(
    swarm: &mut Swarm,
    prefix: &str,
    measured: &mut Measured,
    phase: impl FnOnce(&mut Swarm) -> Result<(), Error>,
) -> Result<f64, Error> {
    swarm.ledger().record();
    phase(swarm)?;
    swarm.drain()?;
    let histogram = swarm.ledger().take_latencies().ok_or_else(|| Error::new("no histogram"))?;
    measured.add_latency(prefix, &histogram);
    Ok(histogram.value_at_quantile(0.99) as f64)
}

/// What became of those who had stopped reading.
fn classify(swarm: &Swarm, resumed_ns: &[u64], stall_start_ns: u64, measured: &mut Measured) {
    let (mut told, mut told_otherwise, mut cut, mut complete, mut behind) = (0, 0, 0, 0, 0);
    let mut first_told_ns = u64::MAX;
    let mut last_told_ns = 0;
    let mut slowest_close_ns = 0;
    for (seat, resumed_ns) in swarm.seats.iter().zip(resumed_ns) {
        match seat.end {
            Some(end) if end.code == Some(SLOW_CONSUMER) => {
                told += 1;
                first_told_ns = first_told_ns.min(resumed_ns - stall_start_ns);
                last_told_ns = last_told_ns.max(resumed_ns - stall_start_ns);
                slowest_close_ns = slowest_close_ns.max(end.at_ns.saturating_sub(*resumed_ns));
            }
            Some(end) if end.code.is_some() => told_otherwise += 1,
            Some(_) => cut += 1,
            None if seat.tally.delivered() == swarm.ground.ledger.published_to(&seat.tally) => complete += 1,
            None => behind += 1,
        }
    }
    measured.add("stalled_closed_with_4011", f64::from(told));
    measured.add("stalled_closed_with_other_code", f64::from(told_otherwise));
    measured.add("stalled_cut_without_close", f64::from(cut));
    measured.add("stalled_kept_and_complete", f64::from(complete));
    measured.add("stalled_kept_and_behind", f64::from(behind));
    if told > 0 {
        measured.add("first_4011_found_after_stall_ms", first_told_ns as f64 / 1e6);
        measured.add("last_4011_found_after_stall_ms", last_told_ns as f64 / 1e6);
        measured.add("slowest_4011_after_reading_on_ms", slowest_close_ns as f64 / 1e6);
    }
}
