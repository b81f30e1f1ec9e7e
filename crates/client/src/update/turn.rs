//! Turns: updates of one key in one client wait for each other instead of competing.
//!
//! Separate because it knows nothing of what is done in a turn.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mainstay_keys::PublicKey;
use tokio::sync::{Mutex as Queue, OwnedMutexGuard};

/// Who is at work on which key. It holds the keys of those at work and waiting, and no others.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    queues: Mutex<HashMap<PublicKey, Arc<Queue<()>>>>,
}

/// A turn; the next in the queue has theirs when it is dropped.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    turns: &'a Turns,
    key: PublicKey,
    queue: Option<Arc<Queue<()>>>,
    at_work: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    /// Waits until nobody else is at work on the key, first come first served.
    pub(crate) async fn wait_for(&self, key: PublicKey) -> Turn<'_> {
        let queue = self.lock().entry(key).or_default().clone();
        // Made before the wait, so that whoever gives up waiting leaves nothing behind.
        let mut turn = Turn { turns: self, key, queue: Some(queue.clone()), at_work: None };
        turn.at_work = Some(queue.lock_owned().await);
        turn
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PublicKey, Arc<Queue<()>>>> {
        // No holder leaves the map half changed, so what a panic left is sound.
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut queues = self.turns.lock();
        // Ours go first, so that what is left are the map's own and those of others.
        self.at_work = None;
        self.queue = None;
        if queues.get(&self.key).is_some_and(|queue| Arc::strong_count(queue) == 1) {
            queues.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use mainstay_keys::Keypair;

    use super::Turns;

    #[test]
    fn one_key_has_one_at_work_and_nothing_stays_behind() {
        let turns = Turns::default();
        let (key, other) = (Keypair::random().public_key(), Keypair::random().public_key());
        let first = turns.wait_for(key).now_or_never().expect("nobody is at work");
        let elsewhere = turns.wait_for(other).now_or_never().expect("another key");
        assert!(turns.wait_for(key).now_or_never().is_none(), "it gives up waiting");
        let mut waiting = Box::pin(turns.wait_for(key));
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(first);
        let second = waiting.now_or_never().expect("it is its turn");
        drop((second, elsewhere));
        assert!(turns.lock().is_empty());
    }
}
