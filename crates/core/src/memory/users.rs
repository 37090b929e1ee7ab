//! Who is online, independent of channels, and when the others were last seen.

use std::collections::VecDeque;

use fanfare_protocol::UserId;
use fanfare_protocol::command::Status;
use fanfare_protocol::event::UserState;
use foldhash::HashMap;

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
    connections: u32,
    away: bool,
    last_seen_ms: u64,
}

impl Users {
    pub(super) fn new(offline_max: usize) -> Self {
        Self { entries: HashMap::default(), online: 0, offline_max, departed: VecDeque::new() }
    }

    pub(super) fn online(&self) -> usize {
        self.online
    }

    pub(super) fn opened(&mut self, user: UserId, now_ms: u64) {
        let entry =
            self.entries.entry(user).or_insert(Entry { connections: 0, away: false, last_seen_ms: now_ms });
        entry.connections += 1;
        entry.last_seen_ms = now_ms;
        if entry.connections == 1 {
            entry.away = false;
            self.online += 1;
        }
    }

    pub(super) fn closed(&mut self, user: &UserId, now_ms: u64) {
        let Some(entry) = self.entries.get_mut(user) else { return };
        entry.last_seen_ms = now_ms;
        if entry.connections > 0 {
            entry.connections -= 1;
            if entry.connections == 0 {
                self.online -= 1;
                self.departed.push_back((now_ms, user.clone()));
                self.forget_longest_gone();
            }
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
        self.entries.get(user).is_some_and(|entry| entry.connections == 0 && entry.last_seen_ms == left_ms)
    }

    pub(super) fn set_status(&mut self, user: &UserId, status: Status) {
        if let Some(entry) = self.entries.get_mut(user) {
            entry.away = status == Status::Away;
        }
    }

    pub(super) fn states(&self, users: Vec<UserId>, now_ms: u64) -> Vec<UserState> {
        let state = |user: UserId| {
            let entry = self.entries.get(&user);
            let (status, last_seen_ms) = match entry {
                Some(entry) if entry.connections > 0 => {
                    (if entry.away { Status::Away } else { Status::Online }, Some(now_ms))
                }
                Some(entry) => (Status::Offline, Some(entry.last_seen_ms)),
                None => (Status::Offline, None),
            };
            UserState { user, status, last_seen_ms }
        };
        users.into_iter().map(state).collect()
    }
}
