//! What the healthy ones are owed: everything said reaches everybody in its room, once and in order.

use std::time::Duration;

/// Faults that are kept word for word.
const FAULTS_KEPT: usize = 10;

/// Times in microseconds, all of them: there are some ten thousand in a window.
#[derive(Debug, Default)]
pub(crate) struct Latencies(Vec<u64>);

impl Latencies {
    fn record(&mut self, time: Duration) {
        self.0.push(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Of so many in a thousand it is at most this, in milliseconds; 0 if there are none.
    pub(crate) fn at_permille(&mut self, permille: usize) -> f64 {
        self.0.sort_unstable();
        let rank = (self.0.len() * permille).div_ceil(1000).max(1) - 1;
        self.0.get(rank).map_or(0.0, |time| *time as f64 / 1000.0)
    }
}

/// What was seen within a stretch of time.
#[derive(Debug, Default)]
pub(crate) struct Window {
    /// From connecting to the answer to a first message.
    pub(crate) connects: Latencies,
    /// From just before a message is sent to its arrival at one member.
    pub(crate) deliveries: Latencies,
    pub(crate) faults: Vec<String>,
    faults_total: u64,
}

/// Which messages are under way, and how the rest went.
pub(crate) struct Account {
    clients_per_room: u64,
    /// For each client, how many messages it has sent.
    said: Vec<u64>,
    /// For each client, how many it has got of each member of its room.
    got: Vec<Vec<u64>>,
    /// Deliveries that have to come, for what was sent so far.
    owed: u64,
    delivered: u64,
    pub(crate) arriving: u32,
    window: Window,
}

impl Account {
    pub(crate) fn new(rooms: usize, clients_per_room: usize) -> Self {
        let clients = rooms * clients_per_room;
        Self {
            clients_per_room: clients_per_room as u64,
            said: vec![0; clients],
            got: vec![vec![0; clients_per_room]; clients],
            owed: 0,
            delivered: 0,
            arriving: 0,
            window: Window::default(),
        }
    }

    /// The number of the next message of `client`.
    pub(crate) fn say(&mut self, client: usize) -> u64 {
        self.said[client] += 1;
        self.owed += self.clients_per_room;
        self.said[client]
    }

    /// `client` got message `number` of the `member`th of its room.
    pub(crate) fn got(&mut self, client: usize, member: usize, number: u64, after: Duration) {
        let Some(last) = self.got[client].get_mut(member) else {
            return self.fault(format!("client {client} heard from somebody who is not in its room"));
        };
        let awaited = *last + 1;
        if number != awaited {
            return self.fault(format!("client {client} got {number} from {member} where {awaited} was due"));
        }
        *last = number;
        self.delivered += 1;
        self.window.deliveries.record(after);
    }

    pub(crate) fn connected(&mut self, after: Duration) {
        self.window.connects.record(after);
    }

    pub(crate) fn fault(&mut self, fault: String) {
        self.window.faults_total += 1;
        if self.window.faults.len() < FAULTS_KEPT {
            self.window.faults.push(fault);
        }
    }

    /// Deliveries that have not come yet.
    pub(crate) fn missing(&self) -> u64 {
        self.owed - self.delivered
    }

    /// Ends the window and begins the next.
    pub(crate) fn turn(&mut self) -> Window {
        let mut window = std::mem::take(&mut self.window);
        if window.faults_total > window.faults.len() as u64 {
            window.faults.push(format!("{} faults in all", window.faults_total));
        }
        window
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(1);

    /// Two clients in one room, after the first has said something.
    fn account() -> Account {
        let mut account = Account::new(1, 2);
        assert_eq!(account.say(0), 1);
        account
    }

    #[test]
    fn what_reaches_everybody_once_is_no_fault() {
        let mut account = account();
        assert_eq!(account.missing(), 2);
        account.got(0, 0, 1, SOON);
        account.got(1, 0, 1, SOON);
        assert_eq!(account.missing(), 0);
        let window = account.turn();
        assert!(window.faults.is_empty());
        assert_eq!(window.deliveries.count(), 2);
        assert_eq!(account.turn().deliveries.count(), 0);
    }

    #[test]
    fn ranks_are_counted_from_below() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.at_permille(990), 0.0);
        for millis in (1..=100).rev() {
            latencies.record(Duration::from_millis(millis));
        }
        assert_eq!([500, 990, 1000].map(|permille| latencies.at_permille(permille)), [50.0, 99.0, 100.0]);
    }

    #[test]
    fn doubled_skipped_and_foreign_messages_are_faults() {
        let mut account = account();
        account.got(1, 0, 1, SOON);
        for (member, number) in [(0, 1), (0, 3), (9, 1)] {
            account.got(1, member, number, SOON);
            assert_eq!(account.turn().faults.len(), 1, "{member} {number}");
        }
        assert_eq!(account.missing(), 1, "none of them is a delivery");
    }
}
