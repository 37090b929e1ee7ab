//! The end of what was given for a time: tokens of connections, and tokens of subscriptions.

use fanfare_protocol::{ErrorCode, Event};

use super::Shard;
use crate::session::SessionKey;
use crate::timers::{Timer, TimerKind};

/// How far ahead a deadline is set. What ends later is looked at again by then: so deadlines do not outlive their
/// connections for long, and follow the wall clock when that is set.
const LOOK_MS: u64 = 30_000;

impl Shard {
    /// The wall clock, in milliseconds of Unix time, as far as this shard was told.
    pub(crate) fn unix_ms(&self) -> u64 {
        self.now_ms + self.unix_began_ms
    }

    /// Notes the wall clock. It may be set while the server runs; deadlines of tokens follow it.
    pub fn set_unix(&mut self, unix_ms: u64) {
        self.unix_began_ms = unix_ms.saturating_sub(self.now_ms);
    }

    /// Whether what ends then, in milliseconds of Unix time, has ended by now; never without an end.
    pub(crate) fn has_expired(&self, end_unix_ms: Option<u64>) -> bool {
        end_unix_ms.is_some_and(|end_ms| end_ms <= self.unix_ms())
    }

    /// A handshake was some time ago, and says what time it was only where nothing newer is known.
    pub(super) fn set_unix_if_unknown(&mut self, unix_ms: u64) {
        if self.unix_began_ms == 0 {
            self.set_unix(unix_ms);
        }
    }

    /// How long the session's token holds; none without end.
    pub(crate) fn expires_in_ms(&self, key: SessionKey) -> Option<u64> {
        let session = self.sessions.get(key.0 as usize)?;
        Some(session.opening.identity.expires_unix_ms()?.saturating_sub(self.unix_ms()))
    }

    /// A token is in force from now on: plans when its bearer is warned of its end.
    pub(crate) fn begin_token(&mut self, key: SessionKey) {
        let warning_ms = self.settings.deadlines.expiry_warning_ms;
        let left_ms = self.expires_in_ms(key).unwrap_or(u64::MAX);
        let Some(session) = self.sessions.get_mut(key.0 as usize) else { return };
        session.warning_ms = match u32::try_from(left_ms) {
            // A client that is warned at once of every short token asks for tokens without a pause.
            Ok(left_ms) if left_ms <= warning_ms => left_ms / 2,
            _ => warning_ms,
        };
        self.watch_expiry(key);
    }

    /// Sets the deadline for what expires next. A session has one at a time; an earlier one takes its place.
    pub(crate) fn watch_expiry(&mut self, key: SessionKey) {
        let unix_ms = self.unix_ms();
        let Some(session) = self.sessions.get_mut(key.0 as usize) else { return };
        let own = session.opening.identity.expires_unix_ms();
        let own = own.map(|end_ms| end_ms.saturating_sub(u64::from(session.warning_ms)));
        let given = session.given.grants().iter().filter_map(|grant| grant.expires_unix_ms).min();
        let Some(next_unix_ms) = own.into_iter().chain(given).min() else { return };
        let due_ms = self.now_ms + next_unix_ms.saturating_sub(unix_ms).min(LOOK_MS);
        if due_ms < session.expiry_due_ms {
            session.expiry_due_ms = due_ms;
            let serial = session.id.serial;
            self.timers.push(Timer { due_ms, serial, key: key.0, kind: TimerKind::Expiry });
        }
    }

    /// The deadline has come: ends what has expired, warns of what soon will, and looks for the next.
    pub(super) fn expire(&mut self, key: SessionKey) {
        let unix_ms = self.unix_ms();
        let now_ms = self.now_ms;
        let Some(session) = self.sessions.get_mut(key.0 as usize) else { return };
        if session.expiry_due_ms > now_ms {
            // An earlier deadline took this one's place and has been dealt with.
            return;
        }
        session.expiry_due_ms = u64::MAX;
        let given_expired =
            session.given.retain(|grant| grant.expires_unix_ms.is_none_or(|end_ms| unix_ms < end_ms));
        let own = session.opening.identity.expires_unix_ms();
        if own.is_some_and(|end_ms| end_ms <= unix_ms) {
            return self.expel(key, ErrorCode::TokenExpired);
        }
        if let Some(end_ms) = own
            && end_ms - unix_ms <= u64::from(session.warning_ms)
        {
            session.warning_ms = 0;
            self.send(key, &Event::Expiring { in_ms: end_ms - unix_ms });
        }
        if given_expired {
            self.end_subscriptions_no_longer_allowed(key, ErrorCode::TokenExpired);
        }
        self.watch_expiry(key);
    }
}
