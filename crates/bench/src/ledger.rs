//! Every publication and every delivery, counted exactly.
//!
//! A room's publications are numbered by the generator. For each one the ledger knows how many members
//! still miss it; each member knows which number it expects next. So a lost, doubled, reordered or
//! misdirected delivery is found, not averaged away.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use hdrhistogram::Histogram;

use crate::account::Account;
use crate::measure::latencies;
use crate::stamp::Stamp;

/// Faults kept as text; further ones are only counted.
const FAULTS_MAX: usize = 8;

/// One room and what is on its way to its members.
#[derive(Debug, Default)]
struct Room {
    /// Counted members: those whose deliveries are waited for.
    members: u32,
    published: u32,
    /// Publications that every member has; always the oldest ones.
    complete: u32,
    /// For each later publication, how many members still miss it.
    missing: VecDeque<u32>,
    /// Whether members may see publications in different orders (several publishers).
    unordered: bool,
}

/// What one subscriber has had.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    /// Which room's deliveries are its own.
    pub(crate) room: u32,
    /// Whether the room waits for it. A subscriber that stops reading is not waited for.
    pub(crate) counted: bool,
    delivered: u32,
    expected: u32,
    /// The first publication that was its own.
    entered: u32,
}

impl Tally {
    /// A member whose deliveries the room waits for.
    pub(crate) fn counted(room: u32) -> Self {
        Self { room, counted: true, ..Self::default() }
    }

    /// A publisher, or a subscriber whose deliveries nobody waits for.
    pub(crate) fn uncounted(room: u32) -> Self {
        Self { room, ..Self::default() }
    }

    /// How many deliveries it has had.
    pub(crate) fn delivered(&self) -> u32 {
        self.delivered
    }
}

/// The account of one run.
#[derive(Debug)]
pub(crate) struct Ledger {
    rooms: Vec<Room>,
    /// Where latencies go, when they are wanted.
    histogram: Option<Histogram<u64>>,
    deliveries: u64,
    /// Publications that the server answered with an error, and the first error's code.
    refused: u64,
    refusal: String,
    faults: Vec<String>,
    faults_total: u64,
    /// Where counts go that outlive the run.
    account: Arc<Account>,
    /// What of the deliveries is in the account already.
    accounted: u64,
}

impl Ledger {
    pub(crate) fn new(account: Arc<Account>) -> Self {
        Self {
            rooms: Vec::new(),
            histogram: None,
            deliveries: 0,
            refused: 0,
            refusal: String::new(),
            faults: Vec::new(),
            faults_total: 0,
            account,
            accounted: 0,
        }
    }

    /// Adds rooms and returns the first one's number.
    pub(crate) fn open_rooms(&mut self, rooms: usize, unordered: bool) -> u32 {
        let first = self.rooms.len() as u32;
        self.rooms.extend((0..rooms).map(|_| Room { unordered, ..Room::default() }));
        first
    }

    /// A subscriber has come; it expects what is published from now on.
    pub(crate) fn enter(&mut self, tally: &mut Tally) {
        let room = &mut self.rooms[tally.room as usize];
        tally.expected = room.published;
        tally.entered = room.published;
        room.members += u32::from(tally.counted);
        self.account.ready.fetch_add(1, Relaxed);
    }

    /// A member is no longer waited for; nothing may be on its way to it at that moment.
    pub(crate) fn leave(&mut self, tally: &mut Tally) {
        if std::mem::take(&mut tally.counted) {
            self.rooms[tally.room as usize].members -= 1;
        }
    }

    /// Numbers the next publication of a room.
    pub(crate) fn publish(&mut self, room: u32) -> u32 {
        let room = &mut self.rooms[room as usize];
        let sequence = room.published;
        room.published += 1;
        if room.members > 0 {
            room.missing.push_back(room.members);
        } else {
            room.complete += 1;
        }
        sequence
    }

    /// How many publications of a room are not with all members yet.
    pub(crate) fn in_flight(&self, room: u32) -> usize {
        self.rooms[room as usize].missing.len()
    }

    /// Whether every publication is with every member.
    pub(crate) fn is_drained(&self) -> bool {
        self.rooms.iter().all(|room| room.missing.is_empty())
    }

    /// Deliveries that are still owed.
    pub(crate) fn owed(&self) -> u64 {
        self.rooms.iter().flat_map(|room| &room.missing).map(|missing| u64::from(*missing)).sum()
    }

    /// Deliveries so far.
    pub(crate) fn deliveries(&self) -> u64 {
        self.deliveries
    }

    /// Takes one delivered message into account.
    pub(crate) fn deliver(&mut self, tally: &mut Tally, message: &[u8], now_ns: u64) {
        let Some(stamp) = Stamp::find(message) else {
            return self.fault(|| format!("a delivery without a stamp: {}", excerpt(message)));
        };
        let room = &mut self.rooms[tally.room as usize];
        if !room.unordered && stamp.sequence != tally.expected {
            let (expected, found, room) = (tally.expected, stamp.sequence, tally.room);
            self.fault(|| format!("room {room}: expected publication {expected}, got {found}"));
        }
        tally.expected = stamp.sequence.wrapping_add(1);
        tally.delivered += 1;
        if !tally.counted {
            return;
        }
        self.deliveries += 1;
        let room = &mut self.rooms[tally.room as usize];
        let place = stamp.sequence.wrapping_sub(room.complete) as usize;
        match room.missing.get_mut(place) {
            Some(missing) if *missing > 0 => *missing -= 1,
            _ => {
                let (room, sequence) = (tally.room, stamp.sequence);
                return self.fault(|| format!("room {room}: publication {sequence} delivered too often"));
            }
        }
        while room.missing.front() == Some(&0) {
            room.missing.pop_front();
            room.complete += 1;
        }
        if let Some(histogram) = &mut self.histogram {
            histogram.saturating_record(now_ns.saturating_sub(stamp.due_ns));
        }
    }

    /// Begins to record latencies in an empty histogram.
    pub(crate) fn record(&mut self) {
        self.histogram = latencies();
    }

    /// Stops recording and hands the latencies over.
    pub(crate) fn take_latencies(&mut self) -> Option<Histogram<u64>> {
        self.histogram.take()
    }

    /// How many publications this subscriber should have had.
    pub(crate) fn published_to(&self, tally: &Tally) -> u32 {
        self.rooms[tally.room as usize].published - tally.entered
    }

    /// At the end: has this subscriber had each of its room's publications once?
    pub(crate) fn audit(&mut self, tally: &Tally) {
        let published = self.published_to(tally);
        if tally.counted && tally.delivered != published {
            let (room, delivered) = (tally.room, tally.delivered);
            self.fault(|| format!("room {room}: a member got {delivered} of {published} publications"));
        }
    }

    /// Brings the account up to date: once a turn, not once a delivery.
    pub(crate) fn post(&mut self) {
        let new = self.deliveries - std::mem::replace(&mut self.accounted, self.deliveries);
        if new > 0 {
            self.account.deliveries.fetch_add(new, Relaxed);
        }
    }

    /// The server answered a publication with an error.
    pub(crate) fn refuse(&mut self, code: &str) {
        self.refused += 1;
        if self.refused == 1 {
            code.clone_into(&mut self.refusal);
        }
        self.account.refuse(1, code);
    }

    /// How many publications the server refused, and the code of the first refusal.
    pub(crate) fn refusals(&self) -> (u64, &str) {
        (self.refused, &self.refusal)
    }

    /// A connection could not be made.
    pub(crate) fn unready(&mut self, text: impl FnOnce() -> String) {
        self.account.unready.fetch_add(1, Relaxed);
        self.fault(text);
    }

    /// The server has ended a connection that did its part.
    pub(crate) fn ended(&mut self) {
        self.account.ended.fetch_add(1, Relaxed);
    }

    /// Notes that something is wrong with the run. What a thousand connections have in common is kept once.
    pub(crate) fn fault(&mut self, text: impl FnOnce() -> String) {
        self.faults_total += 1;
        if self.faults.len() < FAULTS_MAX {
            let text = text();
            if !self.faults.contains(&text) {
                self.faults.push(text);
            }
        }
    }

    /// How many faults there are, without forgetting them.
    #[cfg(test)]
    pub(crate) fn faults_total(&self) -> u64 {
        self.faults_total
    }

    /// The faults as text, the surplus as a number.
    pub(crate) fn take_faults(&mut self) -> Vec<String> {
        let mut faults = std::mem::take(&mut self.faults);
        let surplus = self.faults_total - faults.len() as u64;
        if surplus > 0 {
            faults.push(format!("and {surplus} more faults"));
        }
        self.faults_total = 0;
        faults
    }
}

impl Drop for Ledger {
    /// However a run ends, what it still owes is lost.
    fn drop(&mut self) {
        self.post();
        self.account.lost.fetch_add(self.owed(), Relaxed);
    }
}

/// The beginning of what the server said, fit for a terminal.
pub(crate) fn excerpt(message: &[u8]) -> String {
    let head = &message[..message.len().min(160)];
    String::from_utf8_lossy(head).escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Scene {
        ledger: Ledger,
        members: Vec<Tally>,
    }

    impl Scene {
        fn new(members: usize) -> Self {
            let mut ledger = Ledger::new(Arc::default());
            let room = ledger.open_rooms(1, false);
            let members = (0..members)
                .map(|_| {
                    let mut tally = Tally::counted(room);
                    ledger.enter(&mut tally);
                    tally
                })
                .collect();
            Self { ledger, members }
        }

        fn deliver(&mut self, member: usize, sequence: u32) {
            let mut message = Vec::new();
            Stamp { sequence, due_ns: 5 }.write(&mut message, 32);
            self.ledger.deliver(&mut self.members[member], &message, 9);
        }

        fn faults(mut self) -> Vec<String> {
            for tally in &self.members {
                self.ledger.audit(tally);
            }
            self.ledger.take_faults()
        }
    }

    #[test]
    fn a_publication_is_in_flight_until_every_member_has_it() {
        let mut scene = Scene::new(2);
        assert_eq!((scene.ledger.publish(0), scene.ledger.publish(0)), (0, 1));
        scene.deliver(0, 0);
        scene.deliver(0, 1);
        assert_eq!((scene.ledger.in_flight(0), scene.ledger.owed()), (2, 2));
        scene.deliver(1, 0);
        assert_eq!(scene.ledger.in_flight(0), 1);
        scene.deliver(1, 1);
        assert!(scene.ledger.is_drained());
        assert_eq!(scene.ledger.deliveries(), 4);
        assert_eq!(scene.faults(), Vec::<String>::new());
    }

    #[test]
    fn lost_doubled_and_alien_deliveries_are_faults() {
        let mut lost = Scene::new(1);
        lost.ledger.publish(0);
        assert_eq!(lost.faults(), ["room 0: a member got 0 of 1 publications"]);

        let mut doubled = Scene::new(1);
        doubled.ledger.publish(0);
        doubled.deliver(0, 0);
        doubled.deliver(0, 0);
        assert_eq!(doubled.faults().len(), 3);

        let mut alien = Scene::new(1);
        alien.deliver(0, 7);
        assert_eq!(alien.faults().len(), 3);
    }

    #[test]
    fn one_lost_and_one_doubled_do_not_cancel_out() {
        let mut scene = Scene::new(1);
        scene.ledger.publish(0);
        scene.ledger.publish(0);
        scene.deliver(0, 0);
        scene.deliver(0, 0);
        assert!(!scene.ledger.is_drained());
        assert!(!scene.faults().is_empty());
    }

    #[test]
    fn latency_counts_from_the_due_time() {
        let mut scene = Scene::new(1);
        scene.ledger.record();
        scene.ledger.publish(0);
        let mut message = Vec::new();
        Stamp { sequence: 0, due_ns: 1_000_000 }.write(&mut message, 64);
        scene.ledger.deliver(&mut scene.members[0], &message, 3_000_000);
        assert!(scene.ledger.take_latencies().unwrap().max().abs_diff(2_000_000) < 2_000);
    }
}
