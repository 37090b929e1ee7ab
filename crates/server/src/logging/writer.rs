//! Standard error behind a thread of its own: whoever logs never waits for who reads the log.
//!
//! A reader that stops reading would otherwise stop the server, and one that has gone would end it.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// Lines that wait to be written. Further ones are dropped.
const LINES_MAX: usize = 4096;

/// How long the end of the program waits for the last lines.
const FLUSH_MAX: Duration = Duration::from_secs(1);

enum Entry {
    Line(Vec<u8>),
    Flush(SyncSender<()>),
}

/// Makes a writer for each line.
#[derive(Clone)]
pub(super) struct LogWriter(SyncSender<Entry>);

/// Waits at its end until the lines before it are written.
pub struct LogGuard(Option<SyncSender<Entry>>);

impl LogWriter {
    /// Writes to `out` from now on. Errors are ignored: there is nowhere to report them to.
    pub(super) fn start(mut out: impl Write + Send + 'static) -> io::Result<(Self, LogGuard)> {
        let (sender, receiver) = sync_channel(LINES_MAX);
        thread::Builder::new().name("log".to_owned()).spawn(move || write_all(&receiver, &mut out))?;
        Ok((Self(sender.clone()), LogGuard(Some(sender))))
    }
}

fn write_all(lines: &Receiver<Entry>, out: &mut impl Write) {
    for entry in lines {
        match entry {
            Entry::Line(line) => drop(out.write_all(&line)),
            Entry::Flush(done) => {
                let _ = out.flush();
                let _ = done.try_send(());
            }
        }
    }
}

impl LogGuard {
    /// Waits for nothing, where another log is in use.
    pub(super) fn idle() -> Self {
        Self(None)
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        let Some(lines) = self.0.take() else { return };
        let (done, written) = sync_channel(1);
        // Full means that nobody reads: then there is nothing to wait for.
        if lines.try_send(Entry::Flush(done)).is_ok() {
            let _ = written.recv_timeout(FLUSH_MAX);
        }
    }
}

impl Write for LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match self.0.try_send(Entry::Line(line.to_vec())) {
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Ok(line.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for LogWriter {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    /// Takes nothing until it is let go.
    struct Blocked(Receiver<()>);

    impl Write for Blocked {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn whoever_logs_does_not_wait_for_a_reader_that_has_stopped() {
        let (free, blocked) = channel();
        let (mut writer, guard) = LogWriter::start(Blocked(blocked)).unwrap();
        for _ in 0..3 * LINES_MAX {
            writer.write_all(b"line\n").unwrap();
        }
        drop(free);
        drop(guard);
    }
}
