//! What a shard holds at the moment.

use super::Shard;

/// Numbers of things held; all are zero when every connection has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Census {
    /// Sessions.
    pub sessions: usize,
    /// Channels and patterns.
    pub topics: usize,
    /// Users with a session here.
    pub users: usize,
    /// Questions to the broker or the application that are unanswered.
    pub questions: usize,
}

impl Shard {
    /// Counts what is held.
    pub fn census(&self) -> Census {
        debug_assert_eq!(self.channels.len(), self.by_name.len() + self.by_pattern.len());
        Census {
            sessions: self.sessions.len(),
            topics: self.channels.len(),
            users: self.by_user.len(),
            questions: self.questions.len(),
        }
    }
}
