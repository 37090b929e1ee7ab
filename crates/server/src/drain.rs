//! Whether the node is shutting down.

use tokio::sync::watch;

/// Begun once, by the node; looked at by handshakes, awaited by listeners.
#[derive(Debug, Default)]
pub(crate) struct Drain(watch::Sender<bool>);

impl Drain {
    pub(crate) fn begin(&self) {
        self.0.send_replace(true);
    }

    pub(crate) fn has_begun(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits for it.
    pub(crate) async fn begun(&self) {
        // The sender lives as long as this borrow.
        let _ = self.0.subscribe().wait_for(|begun| *begun).await;
    }
}
