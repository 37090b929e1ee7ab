//! What every case goes through: a node behind a real listener, clients that somebody else wrote, a socket
//! without any client, and a neighbour that must not notice.

pub(crate) mod alarm;
pub(crate) mod case;
pub(crate) mod client;
pub(crate) mod frames;
pub(crate) mod neighbour;
pub(crate) mod node;
pub(crate) mod process;
pub(crate) mod raw;
pub(crate) mod tls;

use std::future::Future;
use std::time::Duration;

/// How long anything awaited may take before it counts as never happening.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// What a step of a case comes to: a failure says what was awaited.
pub(crate) type Outcome<T> = Result<T, String>;

/// Waits for something, or says in vain for what.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> Outcome<T> {
    tokio::time::timeout(PATIENCE, future).await.map_err(|_| format!("waited in vain for {what}"))
}
