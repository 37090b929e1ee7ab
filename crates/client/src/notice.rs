//! What the server tells this client outside of channels.

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::error::Error;
use crate::event::Message;

/// Something that belongs to no channel and to no call.
#[derive(Debug, Clone)]
pub enum Notice {
    /// A message for everyone, for the user, or for one of the user's roles.
    Message(Message),
    /// Something that was sent without asking for an answer was not accepted.
    Complaint(Error),
    /// The reader was too slow, and so many notices were let go.
    Missed(u64),
}

/// A stream of notices, from when it was made.
#[derive(Debug)]
pub struct Notices(pub(crate) broadcast::Receiver<Notice>);

impl Notices {
    /// The next notice; none when the client is closed for good.
    pub async fn next(&mut self) -> Option<Notice> {
        match self.0.recv().await {
            Ok(notice) => Some(notice),
            Err(RecvError::Lagged(missed)) => Some(Notice::Missed(missed)),
            Err(RecvError::Closed) => None,
        }
    }
}
