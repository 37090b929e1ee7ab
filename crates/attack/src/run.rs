//! One attack after the other, and whether all is as before.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::account::Window;
use crate::attacks::{self, Attack, Tally};
use crate::healthy::Healthy;
use crate::plan::Plan;
use crate::report::{Outcome, Report, Seen};
use crate::server::{MEMORY_KIB_MAX, Server, tcp_kib};

/// Within this time after an attack, memory and descriptors have to be where they were.
const RECOVERY: Duration = Duration::from_secs(15);

/// Descriptors that may be more than before: newcomers come all the time.
const DESCRIPTORS_SLACK: usize = 16;

/// How much more may be resident while requests hold what they may: it is bounded for each connection and each address.
const REQUESTS_KIB_MAX: u64 = 64 * 1024;

/// How often the server is looked at.
const GLANCE: Duration = Duration::from_millis(100);

/// What the server holds while nothing happens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Holding {
    pub(crate) descriptors: usize,
    pub(crate) rss_kib: u64,
}

impl Holding {
    fn of(server: &Server) -> Self {
        Self { descriptors: server.descriptors(), rss_kib: server.rss_kib() }
    }
}

/// Carries out a plan: starts the server and the healthy ones, attacks, and ends the server.
///
/// # Errors
/// When something could not be tried: the server does not start, or a healthy client is not let in at first. What
/// goes wrong under attack is in the report.
pub fn run(plan: &Plan) -> io::Result<Report> {
    let own = [
        ("FANFARE_LIMITS_LIMIT_LOOPBACK", "true"),
        ("FANFARE_DEADLINES_DRAIN", "1s"),
        ("FANFARE_COMPRESSION_ENABLED", "true"),
    ];
    let mut settings: Vec<(String, String)> =
        own.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    settings.extend(plan.settings.iter().cloned());
    let mut server = Server::start_guarded(&plan.server, &settings)?;
    let healthy = Healthy::start(&server, plan.scale)?;
    // What grows at first use has grown when the first window has passed.
    healthy.begin();
    std::thread::sleep(plan.scale.idle);
    healthy.settle();
    let baseline = Holding::of(&server);
    let mut outcomes = Vec::new();
    for attack in &plan.attacks {
        let outcome = one(*attack, plan, &mut server, &healthy, baseline)?;
        let is_over = !server.is_alive();
        outcomes.push(outcome);
        if is_over {
            break;
        }
    }
    drop(healthy);
    let mut end_faults = server.panics();
    if server.is_alive() {
        let status = server.end()?;
        if !status.success() {
            end_faults.push(format!("the server ended with {status}"));
        }
    } else {
        end_faults.push("the server has ended under attack".to_owned());
    }
    Ok(Report { scale: plan.scale, baseline, outcomes, end_faults })
}

fn one(
    attack: Attack,
    plan: &Plan,
    server: &mut Server,
    healthy: &Healthy,
    baseline: Holding,
) -> io::Result<Outcome> {
    healthy.begin();
    std::thread::sleep(plan.scale.idle);
    let idle = healthy.settle();
    server.forget_peak();
    let rss_idle_kib = server.rss_kib();
    healthy.begin();
    let tally = Arc::new(Tally::default());
    let attacking = attacks::begin(attack, server, plan.scale, tally.clone());
    let (mut descriptors_peak, mut tcp_peak_kib) = (0, 0);
    while !attacking.is_finished() {
        std::thread::sleep(GLANCE);
        descriptors_peak = descriptors_peak.max(server.descriptors());
        tcp_peak_kib = tcp_peak_kib.max(tcp_kib());
    }
    let attacked = attacking.join();
    let ended = Instant::now();
    let mut under_attack = healthy.settle();
    let faults = &mut under_attack.faults;
    match attacked {
        Ok(result) => result?,
        Err(_) => faults.push("the attack itself has failed".to_owned()),
    }
    let rss_peak_kib = server.rss_peak_kib();
    judge(server, &tally, rss_peak_kib, faults);
    if attack.holds_requests() && rss_peak_kib > rss_idle_kib + REQUESTS_KIB_MAX {
        faults.push(format!("{rss_peak_kib} KiB were resident, and {rss_idle_kib} KiB before"));
    }
    let recovered = recover(server, baseline, plan.scale.memory_slack_kib, ended);
    let after = Holding::of(server);
    if recovered.is_none() {
        faults.push(format!("{RECOVERY:?} later the server holds {after:?}, at first {baseline:?}"));
    }
    Ok(Outcome {
        attack,
        tally,
        idle: Seen::of(idle),
        under_attack: Seen::of(under_attack),
        descriptors_peak,
        rss_peak_kib,
        tcp_peak_kib,
        recovered,
        after,
    })
}

fn judge(server: &mut Server, tally: &Tally, rss_peak_kib: u64, faults: &mut Vec<String>) {
    if !server.is_alive() {
        faults.push("the server has ended".to_owned());
    }
    if rss_peak_kib >= MEMORY_KIB_MAX {
        faults.push(format!("{rss_peak_kib} KiB were resident"));
    }
    if tally.opened() == 0 {
        faults.push("the attack did not take place".to_owned());
    }
    faults.extend(server.panics());
}

/// Waits until the server holds what it held at first; how long after the attack that was.
fn recover(server: &Server, baseline: Holding, slack_kib: u64, ended: Instant) -> Option<Duration> {
    loop {
        let now = Holding::of(server);
        if now.descriptors <= baseline.descriptors + DESCRIPTORS_SLACK
            && now.rss_kib <= baseline.rss_kib + slack_kib
        {
            return Some(ended.elapsed());
        }
        if ended.elapsed() > RECOVERY {
            return None;
        }
        std::thread::sleep(GLANCE);
    }
}

impl Seen {
    fn of(mut window: Window) -> Self {
        Self {
            newcomers: window.connects.count(),
            connect_ms: [500, 990, 1000].map(|permille| window.connects.at_permille(permille)),
            deliveries: window.deliveries.count(),
            delivery_ms: [500, 990, 1000].map(|permille| window.deliveries.at_permille(permille)),
            faults: window.faults,
        }
    }
}
