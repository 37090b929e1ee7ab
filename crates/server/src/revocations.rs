//! Credentials that were taken back: what a node refuses though its signature holds.
//!
//! - [`list`]: what is looked at for every credential
//! - [`journal`]: the file that outlives the process

mod journal;
mod list;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fanfare_core::auth::Standing;
use fanfare_core::ports::broker::{Instruction, Request, Target};
use fanfare_protocol::{ErrorCode, UserId};

pub use journal::JournalError;

use crate::handle::Fanfare;
use journal::Journal;
use list::List;

/// How much longer than it says a token may be good, counted from when it was issued: by a clock that is as far ahead of
/// ours as it may be, and accepted for as long after its end. Twice the largest leeway.
const LEEWAY_MS: u64 = 60_000;

/// The longest id of a token, in bytes; no token with a longer one is accepted.
pub const TOKEN_ID_BYTES_MAX: usize = 255;

/// What was taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revoked {
    /// Tokens with one of these ids (`jti`), whoever issued them.
    Tokens(Vec<Box<str>>),
    /// Every token of these users that was issued before this point of Unix time, in milliseconds, or does not say when.
    Users(Vec<UserId>, u64),
}

/// How a node remembers revocations.
#[derive(Debug, Clone)]
pub struct RevocationSettings {
    /// Where; without a file they are forgotten when the node ends.
    pub file: Option<PathBuf>,
    /// The longest that a token may have to live: a revocation is remembered for so long, or for as long as the node's
    /// verifier takes tokens if that is more.
    pub lifetime_max: Duration,
    /// The most that are remembered. Beyond it: `overloaded`.
    pub entries_max: usize,
}

impl Default for RevocationSettings {
    fn default() -> Self {
        Self { file: None, lifetime_max: Duration::from_secs(30 * 86_400), entries_max: 100_000 }
    }
}

/// The revocations of a node.
pub(crate) struct Revocations {
    list: List,
    kept_ms: u64,
    /// Written by whoever revokes, one at a time; none where nothing is to be kept.
    journal: Option<Arc<Mutex<Journal>>>,
}

impl Revocations {
    /// Takes up what an earlier process has noted.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub(crate) fn open(settings: &RevocationSettings, now_unix_ms: u64) -> Result<Self, JournalError> {
        let list = List::new(settings.entries_max);
        let lifetime_ms = u64::try_from(settings.lifetime_max.as_millis()).unwrap_or(u64::MAX);
        let journal = match &settings.file {
            Some(path) => {
                let journal = Journal::open(path, now_unix_ms, |entry| list.restore(entry))?;
                Some(Arc::new(Mutex::new(journal)))
            }
            None => None,
        };
        Ok(Self { list, kept_ms: lifetime_ms.saturating_add(LEEWAY_MS), journal })
    }

    /// Whether a credential of this user was taken back.
    pub(crate) fn is_revoked(&self, user: Option<&UserId>, standing: &Standing) -> bool {
        self.has_token(standing.token_id.as_deref())
            || user.is_some_and(|user| self.list.has_user(user, standing.issued_unix_ms))
    }

    /// Whether the token with this id was taken back.
    fn has_token(&self, token_id: Option<&str>) -> bool {
        token_id.is_some_and(|id| self.list.has_token(id))
    }

    /// Notes a revocation, of which every credential that is looked at from now on takes heed.
    ///
    /// # Errors
    /// `overloaded` when no more can be remembered; then nothing is noted.
    fn note(&self, revoked: &Revoked, now_unix_ms: u64) -> Result<Unwritten, ErrorCode> {
        let entries = self.list.note(revoked, now_unix_ms.saturating_add(self.kept_ms))?;
        Ok(Unwritten { journal: self.journal.clone(), entries })
    }

    /// Forgets revocations of credentials that have expired by now.
    pub(crate) fn evict(&self, now_unix_ms: u64) {
        self.list.evict(now_unix_ms);
    }
}

/// Revocations that hold in this process, and do not outlive it before they are written.
struct Unwritten {
    journal: Option<Arc<Mutex<Journal>>>,
    entries: Vec<list::Entry>,
}

impl Unwritten {
    async fn write(self) -> Result<(), ErrorCode> {
        let Self { journal: Some(journal), entries } = self else { return Ok(()) };
        let writing = tokio::task::spawn_blocking(move || {
            journal.lock().unwrap_or_else(PoisonError::into_inner).append(&entries)
        });
        match writing.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                tracing::error!(%error, "a revocation holds only until this process ends");
                Err(ErrorCode::Internal)
            }
            Err(_) => Err(ErrorCode::Internal),
        }
    }
}

impl Fanfare {
    /// Takes credentials back: connections that came with them are closed (4001, after the error `token_revoked`), and
    /// they open none any more, until they would have expired by themselves. Returns once that is written where it
    /// outlives the process, if the node has such a place.
    ///
    /// # Errors
    /// `invalid_field` when the id of a token is too long, `overloaded` when no more can be remembered, and nothing was
    /// done; `internal` when it could not be written, and
    /// holds until the process ends; `unavailable`.
    pub async fn revoke(&self, revoked: Revoked) -> Result<(), ErrorCode> {
        if let Revoked::Tokens(ids) = &revoked
            && ids.iter().any(|id| id.len() > TOKEN_ID_BYTES_MAX)
        {
            return Err(ErrorCode::InvalidField);
        }
        // Noted first: a credential that is looked at while the shards are told must not pass between the two.
        let unwritten = self.revocations.note(&revoked, crate::clock::unix_ms())?;
        let (target, before_unix_ms) = match revoked {
            Revoked::Tokens(ids) => (Target::Tokens(ids), u64::MAX),
            Revoked::Users(users, before_unix_ms) => (Target::Users(users), before_unix_ms),
        };
        let told = self.ask(Request::Instruct(target, Instruction::Revoke { before_unix_ms }));
        let (told, written) = tokio::join!(told, unwritten.write());
        written.and(told.map(drop))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A token that is issued at the same moment by a clock that is ahead, and is as long as it may be.
    #[test]
    fn a_revocation_outlives_every_token_that_there_is() {
        let lifetime_max = Duration::from_secs(3600);
        let settings = RevocationSettings { lifetime_max, ..RevocationSettings::default() };
        let revocations = Revocations::open(&settings, 0).unwrap_or_else(|error| panic!("{error}"));
        assert!(revocations.note(&Revoked::Tokens(vec!["lost".into()]), 0).is_ok());
        let ahead_ms = 30_000;
        let last_accepted_ms = ahead_ms + 3_600_000 + 30_000 - 1;
        revocations.evict(last_accepted_ms);
        assert!(revocations.has_token(Some("lost")));
        revocations.evict(last_accepted_ms + 1);
        assert!(!revocations.has_token(Some("lost")));
    }
}
