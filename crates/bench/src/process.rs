//! What a process has used: processor time and resident memory, from `/proc`.

use std::fs;
use std::path::Path;

/// Ticks per second of the times in `/proc/<pid>/stat`; the kernel's interface fixes it for user space.
const TICKS_PER_SECOND: f64 = 100.0;

/// The server under test: a process and everything it started.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process {
    pid: u32,
}

impl Process {
    /// The process with this id, if it can be watched.
    pub(crate) fn watch(pid: u32) -> Option<Self> {
        cpu_seconds_of(pid)?;
        Some(Self { pid })
    }

    /// This very process.
    pub(crate) fn own() -> Self {
        Self { pid: std::process::id() }
    }

    /// User and system time so far, of the process and its descendants.
    pub(crate) fn cpu_seconds(self) -> f64 {
        family(self.pid).into_iter().filter_map(cpu_seconds_of).sum()
    }

    /// Resident memory in KiB. Of a family of processes the proportional share is summed, so that pages
    /// they share count once.
    pub(crate) fn rss_kib(self) -> f64 {
        let family = family(self.pid);
        let field = if family.len() > 1 { "Pss:" } else { "Rss:" };
        family.into_iter().filter_map(|pid| field_kib(&format!("/proc/{pid}/smaps_rollup"), field)).sum()
    }

    /// The most resident memory there ever was, in KiB; of a family, of each of its processes.
    pub(crate) fn rss_peak_kib(self) -> f64 {
        let peak = |pid| field_kib(&format!("/proc/{pid}/status"), "VmHWM:");
        family(self.pid).into_iter().filter_map(peak).sum()
    }
}

/// The process and all its descendants.
fn family(root: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, stat_fields(pid)?.get(1)?.parse().ok()?)))
        .collect();
    let mut family = vec![root];
    let mut next = 0;
    while next < family.len() {
        let parent = family[next];
        family.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    family
}

/// The fields of `/proc/<pid>/stat` after the command name, which may itself hold spaces and brackets.
fn stat_fields(pid: u32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    Some(fields.split_whitespace().map(str::to_owned).collect())
}

fn cpu_seconds_of(pid: u32) -> Option<f64> {
    let fields = stat_fields(pid)?;
    let ticks = |field: usize| fields.get(field)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / TICKS_PER_SECOND)
}

/// A line such as `Rss:   123 kB`.
fn field_kib(path: &str, field: &str) -> Option<f64> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(field))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// How many descriptors this process may open, where that is known.
pub(crate) fn descriptors_max() -> Option<usize> {
    let limits = fs::read_to_string(Path::new("/proc/self/limits")).ok()?;
    let line = limits.lines().find(|line| line.starts_with("Max open files"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_memory_and_time() {
        let own = Process::own();
        assert!(own.rss_kib() > 100.0);
        assert!(own.rss_peak_kib() > 100.0);
        let before = own.cpu_seconds();
        while own.cpu_seconds() <= before {
            std::hint::black_box((0..10_000).sum::<u64>());
        }
        assert!(descriptors_max().is_some_and(|limit| limit > 10));
    }

    #[test]
    fn a_process_that_is_not_there_cannot_be_watched() {
        assert!(Process::watch(u32::MAX).is_none());
    }
}
