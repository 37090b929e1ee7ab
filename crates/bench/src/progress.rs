//! What a person sees while a bench runs: one line, written again and again.

use std::io::{IsTerminal as _, Write};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::account::Account;

/// How often the line is written: seldom enough not to be seen in what is measured.
const INTERVAL: Duration = Duration::from_millis(250);
/// Back to the line's beginning, and empty it.
const ERASE: &str = "\r\u{1b}[K";

/// The line, where standard error is a terminal. Dropping it removes the line.
pub(crate) struct Progress {
    /// What is being done. Written by the bench, read by the thread that shows it.
    now: Arc<Mutex<Option<Doing>>>,
    /// Closed to end the thread.
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Clone)]
struct Doing {
    text: String,
    since: Instant,
    /// The account when it began.
    ready: u64,
    deliveries: u64,
}

impl Progress {
    /// Shows progress on standard error if that is a terminal, otherwise nothing.
    pub(crate) fn on_terminal(account: &Arc<Account>) -> Self {
        let stderr = std::io::stderr();
        if stderr.is_terminal() { Self::on(account, stderr) } else { Self::nowhere() }
    }

    fn nowhere() -> Self {
        Self { now: Arc::default(), end: None, thread: None }
    }

    fn on(account: &Arc<Account>, mut out: impl Write + Send + 'static) -> Self {
        let now: Arc<Mutex<Option<Doing>>> = Arc::default();
        let (end, ended) = channel();
        let (shown, account) = (Arc::clone(&now), Arc::clone(account));
        let thread = std::thread::spawn(move || {
            while ended.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                let doing = shown.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(doing) = &*doing {
                    // Under the lock, so that no line is written after `quiet`. A terminal that is gone is no fault.
                    let _ = write!(out, "{ERASE}{}", doing.line(&account)).and_then(|()| out.flush());
                }
            }
        });
        Self { now, end: Some(end), thread: Some(thread) }
    }

    /// Something begins.
    pub(crate) fn begin(&self, text: String, account: &Account) {
        let doing = Doing {
            text,
            since: Instant::now(),
            ready: account.ready.load(Relaxed),
            deliveries: account.deliveries.load(Relaxed),
        };
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = Some(doing);
    }

    /// It has ended; the line is removed before something else is written.
    pub(crate) fn quiet(&self) {
        let was = self.now.lock().unwrap_or_else(PoisonError::into_inner).take();
        if was.is_some() && self.thread.is_some() {
            let mut stderr = std::io::stderr();
            let _ = stderr.write_all(ERASE.as_bytes()).and_then(|()| stderr.flush());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.quiet();
        self.end = None;
        if let Some(thread) = self.thread.take() {
            // The thread has nothing that can fail.
            let _ = thread.join();
        }
    }
}

impl Doing {
    fn line(&self, account: &Account) -> String {
        let ready = account.ready.load(Relaxed) - self.ready;
        let deliveries = account.deliveries.load(Relaxed) - self.deliveries;
        let seconds = self.since.elapsed().as_secs();
        format!("{}: {ready} connections, {deliveries} deliveries, {seconds} s", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands each line over.
    struct Lines(Sender<String>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let _ = self.0.send(String::from_utf8_lossy(bytes).into_owned());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_line_counts_from_the_beginning_of_a_run() {
        let account = Arc::new(Account::default());
        account.ready.store(5, Relaxed);
        let (lines, shown) = channel();
        let progress = Progress::on(&account, Lines(lines));
        progress.begin("idle, run 1 of 5".to_owned(), &account);
        account.ready.store(12, Relaxed);
        account.deliveries.store(3, Relaxed);
        let mut said = String::new();
        while !said.contains("7 connections, 3 deliveries") {
            said.push_str(&shown.recv().unwrap());
        }
        assert!(said.contains("\r\u{1b}[Kidle, run 1 of 5: "), "{said:?}");
        drop(progress);
        assert!(shown.iter().count() < 10, "the thread has ended");
    }
}
