//! What goes on within a connection of HTTP/2: requests, and streams that stay.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use tokio::sync::watch;

/// The streams of one connection. Written by them, read by the task that serves the connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Streams {
    load: Arc<watch::Sender<Load>>,
    /// Bytes that their requests hold. Written by the requests.
    held: Arc<AtomicUsize>,
}

/// How many there are, and what has become of others. Every change of it is a sign that something goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Load {
    /// Something has been asked since the connection began.
    pub(super) asked: bool,
    /// Requests without an answer yet.
    pub(super) unanswered: u32,
    /// Streams that stay.
    pub(super) stays: u32,
    /// Requests that were taken back before there was an answer, less those that were answered since.
    pub(super) taken_back: u32,
    /// Parts of answers that clients had room for.
    parts: u64,
}

/// A request, until there is an answer or it is taken back.
pub(super) struct Asked {
    streams: Streams,
    answered: bool,
}

/// A stream that has become a connection of its own, with a seat in the counts of connections, for as long as it is
/// there. What carries one is no longer counted among those that speak HTTP.
pub(crate) struct Stay(Streams);

impl Streams {
    /// What all of them hold.
    pub(crate) fn held(&self) -> Arc<AtomicUsize> {
        self.held.clone()
    }

    pub(super) fn load(&self) -> watch::Receiver<Load> {
        self.load.subscribe()
    }

    pub(super) fn ask(&self) -> Asked {
        self.load.send_modify(|load| {
            load.asked = true;
            load.unanswered += 1;
        });
        Asked { streams: self.clone(), answered: false }
    }

    /// Begins to stay, until what is given is dropped.
    pub(crate) fn stay(&self) -> Stay {
        self.load.send_modify(|load| load.stays += 1);
        Stay(self.clone())
    }
}

impl Asked {
    /// There is an answer; it may still have to be sent.
    pub(super) fn answered(&mut self) {
        self.answered = true;
        self.streams.load.send_modify(|load| {
            load.unanswered -= 1;
            load.taken_back = load.taken_back.saturating_sub(1);
        });
    }

    /// A part of the answer is being sent.
    pub(super) fn sent(&self) {
        self.streams.load.send_modify(|load| load.parts += 1);
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if !self.answered {
            self.streams.load.send_modify(|load| {
                load.unanswered -= 1;
                load.taken_back += 1;
            });
        }
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        self.0.load.send_modify(|load| load.stays -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_is_no_longer_there() {
        let streams = Streams::default();
        let load = || *streams.load().borrow();
        assert_eq!(load(), Load::default());
        let taken_back = streams.ask();
        let mut answered = streams.ask();
        assert_eq!(load(), Load { asked: true, unanswered: 2, ..Load::default() });
        drop(taken_back);
        assert_eq!(load(), Load { asked: true, unanswered: 1, taken_back: 1, ..Load::default() });
        answered.answered();
        drop(answered);
        let stay = streams.stay();
        assert_eq!(load(), Load { asked: true, stays: 1, ..Load::default() });
        drop(stay);
        assert_eq!(load(), Load { asked: true, ..Load::default() });
    }
}
