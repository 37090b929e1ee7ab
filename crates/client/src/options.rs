//! What can be chosen, and every bound of the client.

use std::fmt;
use std::time::Duration;

use fanfare_protocol::publication::Filter;
use fanfare_protocol::{Payload, Position};

use crate::token::Token;

/// Calls that wait for the connection to take them. When there are more, a call waits for its turn within
/// its own time limit.
pub(crate) const CALLS_QUEUED_MAX: usize = 256;
/// Calls that wait for the server's answer; one more fails at once.
pub(crate) const CALLS_UNANSWERED_MAX: usize = 4096;
/// Bytes that wait for the socket to take them; while there are more, calls wait.
pub(crate) const OUT_BYTES_MAX: usize = 1024 * 1024;
/// The longest message the client takes.
pub(crate) const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The most frames one message may come in.
pub(crate) const FRAGMENTS_MAX: u32 = 65_536;
/// Messages outside of channels that wait for a reader; older ones give way.
pub(crate) const DIRECTS_QUEUED_MAX: usize = 256;
/// A connection that held for so long counts as good: the next failure starts from the shortest delay.
pub(crate) const STABLE_AFTER: Duration = Duration::from_secs(5);

/// Whose certificates are good, where the URL asks for TLS.
#[derive(Debug, Clone, Default)]
pub enum Trust {
    /// Those of authorities that the system trusts.
    #[default]
    System,
    /// Those of these authorities too: certificates in PEM.
    SystemAnd(Vec<u8>),
    /// Any. Whoever is on the way reads and changes what is said; for trying things out.
    Anything,
}

/// How to connect.
#[derive(Debug, Clone)]
pub struct Options {
    /// The user id, where the server takes it openly.
    pub user: Option<String>,
    /// The connection's token, sent as `Authorization: Bearer` with the handshake. One that is provided is
    /// renewed on the live connection before it expires.
    pub token: Option<Token>,
    /// Whose certificates are good, with `wss://`.
    pub trust: Trust,
    /// How long a connection may take until the handshake is through, the token's provider included.
    pub connect_timeout: Duration,
    /// How long a call waits for its answer.
    pub call_timeout: Duration,
    /// After so long without a byte from the server the client asks whether it is there.
    pub ping_after: Duration,
    /// After so long without an answer the connection counts as lost.
    pub pong_timeout: Duration,
    /// The delays between attempts to connect again.
    pub backoff: Backoff,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            user: None,
            token: None,
            trust: Trust::default(),
            connect_timeout: Duration::from_secs(10),
            call_timeout: Duration::from_secs(10),
            ping_after: Duration::from_secs(30),
            pong_timeout: Duration::from_secs(10),
            backoff: Backoff::default(),
        }
    }
}

impl Options {
    /// The same with this token.
    #[must_use]
    pub fn with_token(self, token: &str) -> Self {
        Self { token: Some(Token::fixed(token)), ..self }
    }

    /// The same with a provider of tokens, as [`Token::provider`] describes it.
    #[must_use]
    pub fn with_token_provider<F, T, E>(self, provide: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: AsRef<str>,
        E: fmt::Display,
    {
        Self { token: Some(Token::provider(provide)), ..self }
    }
}

/// Exponential back-off with full jitter: before attempt n a random time between nothing and
/// `shortest` · 2ⁿ, at most `longest`, after whatever delay the server asked for.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    /// The bound of the first delay.
    pub shortest: Duration,
    /// The bound of all delays.
    pub longest: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { shortest: Duration::from_millis(500), longest: Duration::from_secs(20) }
    }
}

impl Backoff {
    /// The delay before an attempt; `random` is drawn evenly from all values.
    pub(crate) fn delay(self, attempt: u32, retry_after: Option<Duration>, random: u32) -> Duration {
        let bound = self.shortest.saturating_mul(1_u32.checked_shl(attempt).unwrap_or(u32::MAX));
        let share = f64::from(random) / f64::from(u32::MAX);
        retry_after.unwrap_or_default() + bound.min(self.longest).mul_f64(share)
    }
}

/// How to subscribe.
#[derive(Debug, Clone, Default)]
pub struct SubscribeOptions {
    /// Where the caller was, from an earlier [`crate::Subscription::position`]: the messages since then come
    /// first, or the answer says that they cannot.
    pub recover: Option<Position>,
    /// Without `recover`: how many of the last messages come first. 1 is the last value.
    pub history: u32,
    /// Only messages that pass.
    pub filter: Option<Filter>,
    /// What other members see of this one; JSON.
    pub info: Option<Payload>,
    /// Whether the answer lists the members.
    pub presence: bool,
    /// A token that allows this subscription where the connection's own does not. One that is provided is asked
    /// for again whenever the client subscribes anew: after an interruption, and when the last one has expired.
    pub token: Option<Token>,
    /// Events that wait for the reader; 0 means 1,024. When there are more, the client leaves the channel
    /// and, once the reader has caught up, joins again and recovers: a slow reader delays nobody and
    /// loses only what the server's history no longer has, of which [`crate::Event::Lost`] tells.
    pub events_queued_max: usize,
}

impl SubscribeOptions {
    pub(crate) fn queue(&self) -> usize {
        if self.events_queued_max == 0 { 1024 } else { self.events_queued_max }
    }
}

/// Which past messages.
#[derive(Debug, Clone, Copy)]
pub struct HistoryRange {
    /// Messages after this place, or before it when reversed; without one, from the channel's end or
    /// beginning.
    pub since: Option<Position>,
    /// At most so many; 0 asks only for the place of the newest.
    pub limit: u32,
    /// Newest first.
    pub reverse: bool,
}

impl Default for HistoryRange {
    fn default() -> Self {
        Self { since: None, limit: 100, reverse: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_up_to_their_bound_and_begin_after_the_servers() {
        let backoff = Backoff { shortest: Duration::from_millis(100), longest: Duration::from_secs(1) };
        let longest = |attempt| backoff.delay(attempt, None, u32::MAX).as_millis();
        assert_eq!([0, 1, 2, 3, 4, 40].map(longest), [100, 200, 400, 800, 1000, 1000]);
        assert_eq!(backoff.delay(3, None, 0), Duration::ZERO);
        assert_eq!(backoff.delay(0, Some(Duration::from_secs(3)), u32::MAX).as_millis(), 3100);
    }
}
