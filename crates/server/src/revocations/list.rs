//! The revocations that a node holds in memory.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock, RwLockWriteGuard};

use fanfare_protocol::{ErrorCode, UserId};
use foldhash::HashMap;

use super::Revoked;

/// A revocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) subject: Subject,
    /// When it may be forgotten, in milliseconds of Unix time.
    pub(super) until_unix_ms: u64,
}

/// Whose credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Subject {
    /// The token with this id.
    Token(Box<str>),
    /// The user's tokens that were issued before this point of Unix time, in milliseconds.
    User(UserId, u64),
}

/// All of them.
pub(super) struct List {
    entries_max: usize,
    /// How many there are, so that a node without any looks at nothing else.
    count: AtomicUsize,
    /// Written by whoever revokes and by the timer that forgets; read for every credential.
    tables: RwLock<Tables>,
}

#[derive(Default)]
struct Tables {
    /// Until when, by the token's id.
    tokens: HashMap<Box<str>, u64>,
    /// Issued before when, and until when, by user.
    users: HashMap<UserId, (u64, u64)>,
}

impl Tables {
    fn len(&self) -> usize {
        self.tokens.len() + self.users.len()
    }

    /// Adds an entry to what is known: of two for the same subject, the later bounds hold.
    fn add(&mut self, entry: &Entry) {
        let until = entry.until_unix_ms;
        match &entry.subject {
            Subject::Token(id) => {
                let known = self.tokens.entry(id.clone()).or_default();
                *known = until.max(*known);
            }
            Subject::User(user, before) => {
                let known = self.users.entry(user.clone()).or_default();
                *known = (known.0.max(*before), known.1.max(until));
            }
        }
    }

    fn has(&self, subject: &Subject) -> bool {
        match subject {
            Subject::Token(id) => self.tokens.contains_key(id),
            Subject::User(user, _) => self.users.contains_key(user),
        }
    }
}

impl List {
    pub(super) fn new(entries_max: usize) -> Self {
        Self { entries_max, count: AtomicUsize::new(0), tables: RwLock::default() }
    }

    fn tables(&self) -> RwLockWriteGuard<'_, Tables> {
        self.tables.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_empty(&self) -> bool {
        // A revocation is noted before it is announced, and both go through locks: whoever has heard of it sees it.
        self.count.load(Ordering::Acquire) == 0
    }

    pub(super) fn has_token(&self, id: &str) -> bool {
        !self.is_empty() && self.tables.read().unwrap_or_else(PoisonError::into_inner).tokens.contains_key(id)
    }

    /// Whether a credential of this user, issued then, was taken back. One that does not say when it was issued counts
    /// as older.
    pub(super) fn has_user(&self, user: &UserId, issued_unix_ms: Option<u64>) -> bool {
        if self.is_empty() {
            return false;
        }
        let tables = self.tables.read().unwrap_or_else(PoisonError::into_inner);
        let before = tables.users.get(user).map(|(before, _)| *before);
        before.is_some_and(|before| issued_unix_ms.is_none_or(|issued| issued < before))
    }

    /// Notes a revocation, whole or not at all; returns what was noted.
    pub(super) fn note(&self, revoked: &Revoked, until_unix_ms: u64) -> Result<Vec<Entry>, ErrorCode> {
        let entry = |subject| Entry { subject, until_unix_ms };
        let entries: Vec<Entry> = match revoked {
            Revoked::Tokens(ids) => ids.iter().map(|id| entry(Subject::Token(id.clone()))).collect(),
            Revoked::Users(users, before) => {
                users.iter().map(|user| entry(Subject::User(user.clone(), *before))).collect()
            }
        };
        let mut tables = self.tables();
        let new = entries.iter().filter(|entry| !tables.has(&entry.subject)).count();
        if new > 0 && tables.len() + new > self.entries_max {
            return Err(ErrorCode::Overloaded);
        }
        entries.iter().for_each(|entry| tables.add(entry));
        self.count.store(tables.len(), Ordering::Release);
        Ok(entries)
    }

    /// Takes up an entry of an earlier process, bound or no bound: none of them may be forgotten.
    pub(super) fn restore(&self, entry: &Entry) {
        let mut tables = self.tables();
        tables.add(entry);
        self.count.store(tables.len(), Ordering::Release);
    }

    pub(super) fn evict(&self, now_unix_ms: u64) {
        if self.is_empty() {
            return;
        }
        let mut tables = self.tables();
        tables.tokens.retain(|_, until| *until > now_unix_ms);
        tables.users.retain(|_, (_, until)| *until > now_unix_ms);
        self.count.store(tables.len(), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> UserId {
        UserId::new(name).unwrap()
    }

    fn tokens(ids: &[&str]) -> Revoked {
        Revoked::Tokens(ids.iter().map(|id| (*id).into()).collect())
    }

    #[test]
    fn tokens_are_known_by_id_and_users_by_when_their_tokens_were_issued() {
        let list = List::new(10);
        assert!(!list.has_token("a") && !list.has_user(&user("ann"), None));
        list.note(&tokens(&["a"]), 100).unwrap();
        list.note(&Revoked::Users(vec![user("ann")], 50), 100).unwrap();
        assert!(list.has_token("a") && !list.has_token("b") && !list.has_token("A"));
        assert!(list.has_user(&user("ann"), Some(49)) && !list.has_user(&user("ann"), Some(50)));
        assert!(list.has_user(&user("ann"), None), "one that does not say counts as older");
        assert!(!list.has_user(&user("bob"), None));
        list.note(&Revoked::Users(vec![user("ann")], 20), 100).unwrap();
        assert!(list.has_user(&user("ann"), Some(49)), "an earlier bound takes nothing back");
    }

    #[test]
    fn the_bound_holds_for_new_entries_all_or_none() {
        let list = List::new(2);
        list.note(&tokens(&["a"]), 100).unwrap();
        assert_eq!(list.note(&tokens(&["b", "c"]), 100), Err(ErrorCode::Overloaded));
        assert!(!list.has_token("b"));
        assert!(list.note(&tokens(&["a", "b"]), 100).is_ok());
        assert!(list.note(&tokens(&["a", "b"]), 200).is_ok(), "nothing new");
        list.evict(100);
        assert!(list.has_token("a"), "noted again, so kept longer");
        list.evict(200);
        assert!(!list.has_token("a") && list.is_empty());
    }
}
