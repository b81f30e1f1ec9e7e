//! Since when a connection waits for a request, and when that is too long.
//!
//! Separate because it is the one clock of a connection. It is written when a request begins and when its answer ends,
//! and read when a deadline may have come: no timer is set for a request, so requests share no lock of the timers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// While a request is being answered, no head is waited for.
const ANSWERING: u64 = u64::MAX;

/// What a connection is doing: waiting for a head since some time, or answering.
#[derive(Debug)]
pub(super) struct Pace {
    begun: Instant,
    /// Microseconds from the beginning to the end of the last answer, or [`ANSWERING`].
    waiting_since: AtomicU64,
}

/// What is too late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Late {
    /// The head of the next request.
    Head,
    /// Everything: the connection has lasted for its lifetime.
    Lifetime,
}

impl Pace {
    /// Waits for the first head from now on.
    pub(super) fn begin() -> Self {
        Self { begun: Instant::now(), waiting_since: AtomicU64::new(0) }
    }

    /// A head has arrived.
    pub(super) fn request(&self) {
        self.waiting_since.store(ANSWERING, Ordering::Relaxed);
    }

    /// An answer has ended; the next head is waited for.
    pub(super) fn answered(&self) {
        let since = u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(ANSWERING);
        self.waiting_since.store(since, Ordering::Relaxed);
    }

    /// Since when a head is waited for, if one is.
    pub(super) fn waiting_since(&self) -> Option<Instant> {
        let since = self.waiting_since.load(Ordering::Relaxed);
        (since != ANSWERING).then(|| self.begun + Duration::from_micros(since))
    }

    /// Ends when a head is late, or when this has been waited for as long as `lifetime`.
    pub(super) async fn late(&self, head: Duration, lifetime: Duration) -> Late {
        let end = after(Instant::now(), lifetime);
        loop {
            let now = Instant::now();
            // Whoever is being answered now cannot be late sooner than that.
            let due = after(self.waiting_since().unwrap_or(now), head);
            if now >= end {
                return Late::Lifetime;
            }
            if now >= due {
                return Late::Head;
            }
            sleep_until(due.min(end)).await;
        }
    }
}

/// A time so much later; what no clock can say is a year, and then another one.
fn after(time: Instant, wait: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(31_536_000);
    time.checked_add(wait.min(YEAR)).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::time::{advance, timeout};

    use super::*;

    const HEAD: Duration = Duration::from_secs(10);
    const LIFETIME: Duration = Duration::from_secs(300);

    #[tokio::test(start_paused = true)]
    async fn a_head_is_late_when_the_time_since_the_last_answer_is_over() {
        let pace = Arc::new(Pace::begin());
        let begun = Instant::now();
        let watching = tokio::spawn({
            let pace = pace.clone();
            async move { pace.late(HEAD, LIFETIME).await }
        });
        for _ in 0..5 {
            advance(HEAD - Duration::from_secs(1)).await;
            pace.request();
            pace.answered();
        }
        assert_eq!(watching.await.unwrap(), Late::Head);
        assert_eq!(begun.elapsed().as_secs(), 5 * 9 + 10);
    }

    #[tokio::test(start_paused = true)]
    async fn while_an_answer_runs_no_head_is_late_and_the_lifetime_is() {
        let pace = Pace::begin();
        pace.request();
        assert!(timeout(HEAD * 5, pace.late(HEAD, LIFETIME)).await.is_err());
        let begun = Instant::now();
        assert_eq!(pace.late(HEAD, LIFETIME).await, Late::Lifetime);
        assert_eq!(begun.elapsed().as_secs(), 300);
    }
}
