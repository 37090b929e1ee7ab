//! What the kernel says of this process, under the names that every Prometheus client has for it.

/// The process in numbers; all are zero where the system has no `/proc`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ProcessMetrics {
    /// Time on the CPUs since the start, in seconds.
    pub cpu_seconds: f64,
    /// Open descriptors.
    pub open_fds: u64,
    /// The soft limit on descriptors.
    pub max_fds: u64,
    /// Resident memory.
    pub resident_bytes: u64,
    /// Addressed memory.
    pub virtual_bytes: u64,
    /// When it started, in seconds of Unix time.
    pub start_seconds: f64,
    /// Threads.
    pub threads: u64,
}

impl ProcessMetrics {
    /// As they are now.
    pub fn read() -> Option<Self> {
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        let boot = std::fs::read_to_string("/proc/stat").ok()?;
        let open_fds = std::fs::read_dir("/proc/self/fd").ok()?.count() as u64;
        let limits = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        let mut process = parse(&stat, &boot, ticks, rustix::param::page_size() as u64)?;
        process.open_fds = open_fds;
        process.max_fds = limits.current.unwrap_or(u64::MAX);
        Some(process)
    }
}

/// Reads `/proc/self/stat` and the boot time of `/proc/stat` (proc(5)).
fn parse(stat: &str, boot: &str, ticks: f64, page_bytes: u64) -> Option<ProcessMetrics> {
    // The name of the program, in parentheses, may hold spaces. The field after it is the third.
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    let boot_seconds: f64 = boot.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(ProcessMetrics {
        cpu_seconds: (number(14)? + number(15)?) as f64 / ticks,
        threads: number(20)?,
        start_seconds: boot_seconds + number(22)? as f64 / ticks,
        virtual_bytes: number(23)?,
        resident_bytes: number(24)? * page_bytes,
        ..ProcessMetrics::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_those_of_proc_5() {
        let stat =
            "7 (a b) c) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 5 0 1000 8192 3 18446744073709551615";
        let process = parse(stat, "cpu 1\nbtime 1700000000\n", 100.0, 4096).unwrap();
        let expected = ProcessMetrics {
            cpu_seconds: 3.0,
            threads: 5,
            start_seconds: 1_700_000_010.0,
            virtual_bytes: 8192,
            resident_bytes: 12_288,
            ..ProcessMetrics::default()
        };
        assert_eq!(process, expected);
        assert_eq!(parse("7 (x) S 1", "btime 1\n", 100.0, 4096), None);
    }

    #[test]
    fn this_process_has_memory_descriptors_and_a_start() {
        let process = ProcessMetrics::read().unwrap();
        assert!(process.resident_bytes > 0 && process.open_fds > 0 && process.threads > 0, "{process:?}");
        assert!(process.open_fds <= process.max_fds && process.start_seconds > 1e9, "{process:?}");
    }
}
