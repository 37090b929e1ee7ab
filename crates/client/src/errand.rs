//! Asking the program for tokens while the connection goes on.

use std::time::Duration;

use fanfare_protocol::command::{Secret, Topic};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::error::Error;
use crate::options::{Backoff, Options};
use crate::table::Wish;
use crate::token::Token;

/// What was brought back.
#[derive(Debug)]
pub(crate) enum Errand {
    /// The connection's next token.
    Connection(Secret),
    /// A subscription's, or why there is none.
    Subscription { topic: Topic, id: u64, token: Result<Secret, Error> },
}

/// The tokens that are being asked for, on behalf of one connection. Dropping it gives them up.
#[derive(Debug)]
pub(crate) struct Errands {
    tasks: JoinSet<Errand>,
    /// Whether one of them is for the connection itself.
    connection: bool,
    /// When the connection's last token was had.
    token_at: Instant,
}

/// None, for a connection that begins now with a token of its own.
impl Default for Errands {
    fn default() -> Self {
        Self { tasks: JoinSet::new(), connection: false, token_at: Instant::now() }
    }
}

impl Errands {
    /// Sets out for what is wanted.
    pub(crate) fn run(&mut self, wishes: impl Iterator<Item = Wish>, options: &Options) {
        let backoff = options.backoff;
        for wish in wishes {
            match wish {
                Wish::Connection { in_ms } => self.renew(Duration::from_millis(in_ms), options),
                Wish::Subscription { topic, id, token, caller_waits } => {
                    self.tasks.spawn(async move {
                        let token = if caller_waits {
                            token.get().await
                        } else {
                            Ok(until_had(&token, backoff).await)
                        };
                        Errand::Subscription { topic, id, token }
                    });
                }
            }
        }
    }

    /// Asks for the connection's next token: at once, or halfway to the end of one that is as short-lived as the
    /// warning ahead of it. The next warning would follow on its heels otherwise, and so on.
    fn renew(&mut self, end: Duration, options: &Options) {
        let Some(token) = options.token.clone().filter(Token::is_provided) else { return };
        if self.connection {
            return;
        }
        self.connection = true;
        let wait = if self.token_at.elapsed() < end { end / 2 } else { Duration::ZERO };
        let backoff = options.backoff;
        self.tasks.spawn(async move {
            sleep(wait).await;
            Errand::Connection(until_had(&token, backoff).await)
        });
    }

    /// What the next one brings; none while there is nobody to wait for.
    pub(crate) async fn next(&mut self) -> Option<Errand> {
        let errand = match self.tasks.join_next().await? {
            Ok(errand) => errand,
            Err(ended) if ended.is_panic() => std::panic::resume_unwind(ended.into_panic()),
            // Only those are given up that belong to an earlier connection.
            Err(_) => return None,
        };
        if matches!(errand, Errand::Connection(_)) {
            self.connection = false;
            self.token_at = Instant::now();
        }
        Some(errand)
    }
}

/// Asks until there is a token: who asks has nothing better to do.
async fn until_had(token: &Token, backoff: Backoff) -> Secret {
    let mut attempt = 0_u32;
    loop {
        if let Ok(token) = token.get().await {
            return token;
        }
        // Should there be no randomness, the longest delay is the safe one.
        sleep(backoff.delay(attempt, None, getrandom::u32().unwrap_or(u32::MAX))).await;
        attempt = attempt.saturating_add(1);
    }
}
