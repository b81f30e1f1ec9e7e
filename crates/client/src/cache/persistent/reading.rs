//! The reads from disk that are under way: so many at a time, and the files stay open until the last is over.
//!
//! Separate because a read goes on in its thread when whoever asked for it has gone.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many run at a time, signature check included.
const MOST: usize = 4;

/// What counts the reads of one cache.
#[derive(Debug)]
pub(super) struct Readers {
    permits: Arc<Semaphore>,
    count: Mutex<usize>,
    one_less: Condvar,
}

/// One read, with what it reads from.
pub(super) struct Reading<S> {
    source: Option<Arc<S>>,
    readers: Arc<Readers>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Readers {
    pub(super) fn new() -> Arc<Self> {
        let permits = Arc::new(Semaphore::new(MOST));
        Arc::new(Self { permits, count: Mutex::default(), one_less: Condvar::new() })
    }

    /// Waits for its turn.
    pub(super) async fn begin<S>(self: &Arc<Self>, source: &Arc<S>) -> Reading<S> {
        // Nobody closes the semaphore; who has no permit does no harm.
        let permit = Arc::clone(&self.permits).acquire_owned().await.ok();
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        let (source, readers) = (Some(Arc::clone(source)), Arc::clone(self));
        Reading { source, readers, _permit: permit }
    }

    /// Blocks until no read holds what it reads from.
    pub(super) fn wait(&self) {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        while *count > 0 {
            count = self.one_less.wait(count).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl<S> Reading<S> {
    /// Reads, and is over.
    pub(super) fn run<T>(self, read: impl FnOnce(&S) -> T) -> Option<T> {
        self.source.as_deref().map(read)
    }
}

impl<S> Drop for Reading<S> {
    fn drop(&mut self) {
        drop(self.source.take());
        let mut count = self.readers.count.lock().unwrap_or_else(PoisonError::into_inner);
        *count = count.saturating_sub(1);
        self.readers.one_less.notify_all();
    }
}
