//! Who is online, independent of channels, and when the others were last seen.

use std::collections::VecDeque;

use fanfare_protocol::command::Status;
use fanfare_protocol::event::UserState;
use fanfare_protocol::{ConnectionId, UserId};
use foldhash::HashMap;
use smallvec::SmallVec;

#[derive(Debug)]
pub(super) struct Users {
    entries: HashMap<UserId, Entry>,
    online: usize,
    offline_max: usize,
    /// Who left and when, in that order; some have come back since.
    departed: VecDeque<(u64, UserId)>,
}

#[derive(Debug)]
struct Entry {
    /// The connections, and whether the user is away as far as that one says.
    connections: SmallVec<[(ConnectionId, bool); 1]>,
    last_seen_ms: u64,
}

impl Users {
    pub(super) fn new(offline_max: usize) -> Self {
        Self { entries: HashMap::default(), online: 0, offline_max, departed: VecDeque::new() }
    }

    pub(super) fn online(&self) -> usize {
        self.online
    }

    pub(super) fn opened(&mut self, user: UserId, connection: ConnectionId, now_ms: u64) {
        let entry = self
            .entries
            .entry(user)
            .or_insert_with(|| Entry { connections: SmallVec::new(), last_seen_ms: now_ms });
        entry.last_seen_ms = now_ms;
        if entry.connections.iter().any(|(known, _)| *known == connection) {
            return;
        }
        entry.connections.push((connection, false));
        self.online += usize::from(entry.connections.len() == 1);
    }

    pub(super) fn closed(&mut self, user: &UserId, connection: ConnectionId, now_ms: u64) {
        let Some(entry) = self.entries.get_mut(user) else { return };
        let Some(index) = entry.connections.iter().position(|(known, _)| *known == connection) else {
            return;
        };
        entry.connections.swap_remove(index);
        entry.last_seen_ms = now_ms;
        if entry.connections.is_empty() {
            self.online -= 1;
            self.departed.push_back((now_ms, user.clone()));
            self.forget_longest_gone();
        }
    }

    fn forget_longest_gone(&mut self) {
        while self.entries.len() - self.online > self.offline_max {
            let Some((left_ms, user)) = self.departed.pop_front() else { return };
            if self.has_been_gone_since(&user, left_ms) {
                self.entries.remove(&user);
            }
        }
        // Whoever comes and goes leaves a trace each time: the old ones are cleared away now and then.
        if self.departed.len() > 2 * (self.entries.len() - self.online) + 64 {
            let departed = std::mem::take(&mut self.departed);
            self.departed = departed
                .into_iter()
                .filter(|(left_ms, user)| self.has_been_gone_since(user, *left_ms))
                .collect();
        }
    }

    fn has_been_gone_since(&self, user: &UserId, left_ms: u64) -> bool {
        self.entries
            .get(user)
            .is_some_and(|entry| entry.connections.is_empty() && entry.last_seen_ms == left_ms)
    }

    /// What one connection says of its user. Whoever is there on one of them is there.
    pub(super) fn set_status(&mut self, user: &UserId, connection: ConnectionId, status: Status) {
        let connections = self.entries.get_mut(user).map(|entry| &mut entry.connections);
        let known = connections.into_iter().flatten().find(|(known, _)| *known == connection);
        if let Some((_, away)) = known {
            *away = status == Status::Away;
        }
    }

    pub(super) fn states(&self, users: Vec<UserId>, now_ms: u64) -> Vec<UserState> {
        let state = |user: UserId| {
            let entry = self.entries.get(&user);
            let (status, last_seen_ms) = match entry {
                Some(entry) if !entry.connections.is_empty() => {
                    let is_away = entry.connections.iter().all(|(_, away)| *away);
                    (if is_away { Status::Away } else { Status::Online }, Some(now_ms))
                }
                Some(entry) => (Status::Offline, Some(entry.last_seen_ms)),
                None => (Status::Offline, None),
            };
            UserState { user, status, last_seen_ms }
        };
        users.into_iter().map(state).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(index: usize) -> UserId {
        UserId::new(&format!("u{index}")).unwrap()
    }

    const TAB: ConnectionId = ConnectionId { node: 1, serial: 1 };

    /// With a small bound, every disconnect went through all users, those online among them; and zero, the choice of
    /// who wants to keep nothing, was the smallest.
    #[test]
    fn where_nobody_is_to_be_remembered_each_is_forgotten_at_once() {
        let mut users = Users::new(0);
        (0..100).for_each(|index| users.opened(user(index), TAB, 1));
        for index in 0..100 {
            users.closed(&user(index), TAB, 2);
            assert_eq!((users.entries.len(), users.departed.len()), (99 - index, 0));
        }
    }

    /// The queue of those who left holds one entry for each time of leaving: who comes and goes all day must not
    /// grow it.
    #[test]
    fn coming_and_going_leaves_a_bounded_trace_and_the_order_is_that_of_the_last_leaving() {
        let mut users = Users::new(2);
        for index in 0..3 {
            users.opened(user(index), TAB, 0);
        }
        users.closed(&user(0), TAB, 1);
        users.closed(&user(1), TAB, 2);
        for round in 0..10_000 {
            users.opened(user(0), TAB, 3 + round);
            users.closed(&user(0), TAB, 3 + round);
            assert!(users.departed.len() <= 68, "{} entries for two users", users.departed.len());
        }
        users.closed(&user(2), TAB, 20_000);
        let states = users.states((0..3).map(user).collect(), 20_000);
        let seen: Vec<_> = states.iter().map(|state| state.last_seen_ms).collect();
        assert_eq!(seen, [Some(10_002), None, Some(20_000)]);
    }
}
