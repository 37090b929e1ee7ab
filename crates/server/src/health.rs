//! Whether the node lives and whether it wants new work.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// Whether new clients should be sent here. Cheap to clone: all clones are one.
///
/// Written by the composition root alone, read by `/ready` and by the handshake.
#[derive(Debug, Clone)]
pub struct Readiness(Arc<AtomicU8>);

/// The stages of a node's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Not listening yet, or not connected to what it needs.
    Starting,
    /// At work.
    Ready,
    /// Shutting down: clients are being told to go elsewhere.
    Draining,
}

impl Readiness {
    /// A node that is starting.
    pub fn new() -> Self {
        Self(Arc::new(AtomicU8::new(0)))
    }

    /// The node is at work now. Has no effect once it drains.
    pub fn ready(&self) {
        // The order of these stages against other memory does not matter: they announce, they guard nothing.
        let _ = self.0.compare_exchange(0, 1, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// The node is shutting down; there is no way back.
    pub fn drain(&self) {
        self.0.store(2, Ordering::Relaxed);
    }

    /// Where the node is.
    pub fn stage(&self) -> Stage {
        match self.0.load(Ordering::Relaxed) {
            0 => Stage::Starting,
            1 => Stage::Ready,
            _ => Stage::Draining,
        }
    }
}

impl Default for Readiness {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_drains_never_gets_ready_again() {
        let readiness = Readiness::new();
        assert_eq!(readiness.stage(), Stage::Starting);
        readiness.ready();
        assert_eq!(readiness.clone().stage(), Stage::Ready);
        readiness.drain();
        readiness.ready();
        assert_eq!(readiness.stage(), Stage::Draining);
    }
}
