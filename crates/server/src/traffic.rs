//! Bytes and writes of all workers, for the metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// What one turn of a worker moved.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Traffic {
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) writes: u64,
}

/// The sum over one worker's turns. Written by its worker only, once a turn; read at scrape.
#[derive(Debug, Default)]
pub(crate) struct SharedTraffic {
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    writes: AtomicU64,
}

impl SharedTraffic {
    pub(crate) fn add(&self, turn: &Traffic) {
        for (sum, more) in
            [(&self.bytes_in, turn.bytes_in), (&self.bytes_out, turn.bytes_out), (&self.writes, turn.writes)]
        {
            if more > 0 {
                sum.fetch_add(more, Ordering::Relaxed);
            }
        }
    }

    pub(crate) fn get(&self) -> Traffic {
        Traffic {
            bytes_in: self.bytes_in.load(Ordering::Relaxed),
            bytes_out: self.bytes_out.load(Ordering::Relaxed),
            writes: self.writes.load(Ordering::Relaxed),
        }
    }
}
