//! A page that costs something to make and that anyone may ask for: made once, shown to all who ask meanwhile.

use std::sync::Arc;
use std::time::Duration;

use fanfare_protocol::ErrorCode;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How long a page is shown before another one is made.
const SHOWN: Duration = Duration::from_secs(1);

type Made<P> = Result<P, ErrorCode>;

/// When the page was made last, and what came of it.
type Last<P> = Option<(Instant, Made<P>)>;

/// The page as it was last made. Whoever finds it old makes it anew, and whoever comes meanwhile waits for that.
pub(super) struct Snapshot<P>(Arc<Mutex<Last<P>>>);

impl<P> Clone for Snapshot<P> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<P> Default for Snapshot<P> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<P: Clone + Send + 'static> Snapshot<P> {
    /// The page, or why there is none.
    pub(super) async fn get(&self, make: impl Future<Output = Made<P>> + Send + 'static) -> Made<P> {
        let mut last = self.0.clone().lock_owned().await;
        if let Some((at, made)) = &*last
            && at.elapsed() < SHOWN
        {
            return made.clone();
        }
        // As a task of its own: clients that ask and hang up at once must not start it again and again.
        let making = tokio::spawn(async move {
            let made = make.await;
            *last = Some((Instant::now(), made.clone()));
            made
        });
        making.await.unwrap_or(Err(ErrorCode::Internal))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    /// Each scrape walked all sessions and sorted the names of all channels, and needs no key: whoever asked often
    /// enough kept the shards from their work.
    #[tokio::test(start_paused = true)]
    async fn however_many_ask_the_shards_are_looked_at_once_a_second() {
        let snapshot = Snapshot::default();
        let made = Arc::new(AtomicUsize::new(0));
        let gate = Arc::new(Semaphore::new(0));
        let ask = || {
            let (snapshot, made, gate) = (snapshot.clone(), made.clone(), gate.clone());
            async move {
                let make = async move {
                    made.fetch_add(1, Ordering::Relaxed);
                    let _passed = gate.acquire().await;
                    Ok("page")
                };
                snapshot.get(make).await
            }
        };
        // The first one hangs up while its page is made.
        let gone = tokio::spawn(ask());
        while made.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        gone.abort();
        let asking: Vec<_> = (0..10).map(|_| tokio::spawn(ask())).collect();
        gate.add_permits(1);
        for asked in asking {
            assert_eq!(asked.await.unwrap().unwrap(), "page");
        }
        assert_eq!(made.load(Ordering::Relaxed), 1);
        tokio::time::advance(SHOWN).await;
        assert_eq!(ask().await.unwrap(), "page");
        assert_eq!(made.load(Ordering::Relaxed), 2);
    }
}
