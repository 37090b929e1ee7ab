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
    /// Something that was sent without asking for an answer was not accepted, or the client's token was not.
    Complaint(Error),
    /// The client's token expires soon. Where it has a provider of tokens, the client asks it for the next one.
    Expiring {
        /// After so many milliseconds the server closes the connection otherwise.
        in_ms: u64,
    },
    /// The server has accepted the client's next token.
    Authenticated {
        /// Who the server takes the client for; none for a token without a user.
        user: Option<String>,
        /// After how many milliseconds the token expires; none without end.
        expires_in_ms: Option<u64>,
    },
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
