//! One direction of a connection.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use bytes::{Buf as _, BufMut as _, BytesMut};
use tokio::io::AsyncWriteExt as _;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::connection::End;
use super::{Faults, Line, QUEUE_BYTES_MAX};
use crate::rng::Rng;

/// How much is read at a time.
const READ_BYTES: usize = 8 * 1024;

/// How many reads wait at most; many small ones would else need more than their bytes.
const READS_MAX: usize = 1024;

/// A rate is kept to within the bytes of this time.
const PACE: Duration = Duration::from_millis(20);

/// What has been read and not yet written, and the state of the faults.
pub(super) struct Pipe {
    faults: watch::Receiver<Faults>,
    /// Which of the two delays is this direction's.
    delay: fn(&Faults) -> Duration,
    rng: Rng,
    queue: BytesMut,
    /// When the bytes of the queue came, and how many at a time.
    reads: VecDeque<(Instant, usize)>,
    /// When the source said that nothing more comes.
    ended: Option<Instant>,
    /// Under a rate, when the next byte may be written.
    free: Instant,
    /// While the line is dropping, how many bytes it still carries.
    left: Option<usize>,
}

impl Pipe {
    pub(super) fn new(delay: fn(&Faults) -> Duration, faults: watch::Receiver<Faults>, rng: Rng) -> Self {
        let (queue, reads) = (BytesMut::new(), VecDeque::new());
        Self { faults, delay, rng, queue, reads, ended: None, free: Instant::now(), left: None }
    }

    /// Passes everything on until the source has ended and the target knows.
    pub(super) async fn run(
        mut self,
        source: &mut ReadHalf<'_>,
        target: &mut WriteHalf<'_>,
    ) -> Result<(), End> {
        loop {
            let faults = *self.faults.borrow_and_update();
            self.left = match faults.line {
                Line::Dropping { within_bytes } => self.left.or_else(|| Some(self.rng.below(within_bytes))),
                _ => None,
            };
            let carries = !matches!(faults.line, Line::Cut | Line::Blackhole);
            let reads = carries && self.has_room();
            let due = self.due(&faults).filter(|_| carries);
            let is_due = due.is_some_and(|due| due <= Instant::now());
            tokio::select! {
                // Goes round again for the new state; without a proxy there is nobody to serve.
                changed = self.faults.changed() => changed.map_err(|_| End::Reset)?,
                ready = source.readable(), if reads => {
                    ready?;
                    self.read(source)?;
                }
                ready = target.writable(), if is_due => {
                    ready?;
                    if self.queue.is_empty() {
                        return Ok(target.shutdown().await?);
                    }
                    if self.left == Some(0) {
                        target.shutdown().await?;
                        return Err(End::Closed);
                    }
                    self.write(target, &faults)?;
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() && !is_due => {}
            }
        }
    }

    fn has_room(&self) -> bool {
        self.ended.is_none() && self.queue.len() < QUEUE_BYTES_MAX && self.reads.len() < READS_MAX
    }

    /// When the next byte is to be written, or the end to be told; none while there is neither.
    fn due(&self, faults: &Faults) -> Option<Instant> {
        let arrived = self.reads.front().map(|(arrived, _)| *arrived).or(self.ended)?;
        let due = arrived + (self.delay)(faults);
        match faults.bytes_per_second {
            Some(0) => None,
            Some(_) => Some(due.max(self.free)),
            None => Some(due),
        }
    }

    fn read(&mut self, source: &ReadHalf<'_>) -> io::Result<()> {
        let room = READ_BYTES.min(QUEUE_BYTES_MAX - self.queue.len());
        self.queue.reserve(room);
        match source.try_read_buf(&mut (&mut self.queue).limit(room)) {
            Ok(0) => self.ended = Some(Instant::now()),
            Ok(count) => self.reads.push_back((Instant::now(), count)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Writes what is due of the oldest read, as far as the rate and a dropping line allow.
    fn write(&mut self, target: &WriteHalf<'_>, faults: &Faults) -> io::Result<()> {
        let Some((_, oldest)) = self.reads.front_mut() else { return Ok(()) };
        let paced = |rate: u32| (f64::from(rate) * PACE.as_secs_f64()).max(1.0) as usize;
        let allowed = faults.bytes_per_second.map_or(usize::MAX, paced);
        let count = (*oldest).min(allowed).min(self.left.unwrap_or(usize::MAX));
        let count = match target.try_write(&self.queue[..count]) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        self.queue.advance(count);
        *oldest -= count;
        if *oldest == 0 {
            self.reads.pop_front();
        }
        self.left = self.left.map(|left| left - count);
        if let Some(rate) = faults.bytes_per_second {
            let taken = Duration::from_secs_f64(count as f64 / f64::from(rate.max(1)));
            self.free = self.free.max(Instant::now()) + taken;
        }
        Ok(())
    }
}
