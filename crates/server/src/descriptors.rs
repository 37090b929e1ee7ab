//! The limit on file descriptors: every connection takes one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are not connections: files, listeners, selectors, and connections that still speak HTTP.
const RESERVED: u64 = 1024;

/// Raises the soft limit so that `connections_max` connections fit, as far as the hard limit allows. Where they do not
/// fit, a warning says so: the server would refuse clients before its own bound is reached.
pub(crate) fn prepare(connections_max: u32) {
    let limit = getrlimit(Resource::Nofile);
    let wanted = u64::from(connections_max) + RESERVED;
    let soft = raised(limit.current, limit.maximum, wanted);
    if soft != limit.current {
        let raised = Rlimit { current: soft, maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::warn!(%error, "the limit on file descriptors cannot be raised");
        }
    }
    if let Some(descriptors) = getrlimit(Resource::Nofile).current.filter(|soft| *soft < wanted) {
        tracing::warn!(
            descriptors,
            connections_max,
            "fewer file descriptors than limits.connections_max needs: raise the limit (ulimit -n, LimitNOFILE= in \
             systemd) or lower the setting"
        );
    }
}

/// The soft limit to set; none is without end.
fn raised(soft: Option<u64>, hard: Option<u64>, wanted: u64) -> Option<u64> {
    let soft = soft?;
    Some(soft.max(wanted.min(hard.unwrap_or(u64::MAX))))
}

#[cfg(test)]
mod tests {
    use super::raised;

    #[test]
    fn the_soft_limit_is_raised_as_far_as_needed_and_allowed() {
        assert_eq!(raised(Some(1024), Some(524_288), 101_024), Some(101_024));
        assert_eq!(raised(Some(1024), Some(4096), 101_024), Some(4096));
        assert_eq!(raised(Some(1024), None, 101_024), Some(101_024));
        assert_eq!(raised(Some(200_000), Some(524_288), 101_024), Some(200_000), "it is never lowered");
        assert_eq!(raised(None, None, 101_024), None);
    }
}
