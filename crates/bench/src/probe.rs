//! A first look at the server, before anything is measured: whether it is there, and whether it limits rates.

use std::sync::Arc;

use crate::account::{Account, RATE_LIMITED, refusal};
use crate::dial::Target;
use crate::error::Error;
use crate::scenario::Bench;
use crate::swarm::Place;

/// So many publications at once are more than the default rates let one connection send, and nothing for a server
/// without rates.
const PUBLICATIONS: usize = 64;

/// What the first look found, if it stands in the way of most scenarios.
pub(crate) fn probe(bench: &Bench) -> Result<Option<String>, Error> {
    bench.target.reach()?;
    // What is refused here is part of no run.
    let bench = Bench { account: Arc::new(Account::default()), prefix: prefix(), ..bench.clone() };
    let mut swarm = bench.swarm()?;
    let rooms = swarm.open_rooms(1, false);
    swarm.seat_all([Place::subscriber(rooms.start)])?;
    swarm.seat_publishers(rooms.clone(), 1)?;
    for _ in 0..PUBLICATIONS {
        let now_ns = swarm.now_ns();
        swarm.publish(rooms.start, now_ns);
    }
    // Whatever else goes wrong here goes wrong in a scenario too, and is said there.
    let _ = swarm.drain();
    let (refused, code) = swarm.ledger().refusals();
    if refused == 0 {
        return Ok(None);
    }
    let advice = if code == RATE_LIMITED { advice(&bench.target) } else { String::new() };
    let cause = refusal(code);
    Ok(Some(format!(
        "{cause}: the server refused messages when {PUBLICATIONS} came at once, and what it refuses is not measured{advice}"
    )))
}

fn prefix() -> String {
    format!("bench-{}-probe", std::process::id())
}

/// Which settings take the rates away.
fn advice(target: &Target) -> String {
    let others = if target.is_loopback() {
        ""
    } else {
        " --set network.accepts_per_second=0 --set network.handshakes_per_second=0"
    };
    format!(
        ". Start the server with --insecure, or with --set rate_limits.connection_per_second=0 \
         --set rate_limits.user_per_second=0{others}"
    )
}
