//! The thread that writes the state, so that no task waits for a disk.
//!
//! Separate because it alone blocks. What waits for it is one plan a key, however often the plan changes.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use mainstay_keys::PublicKey;
use tokio::sync::oneshot;

use super::event::Counters;
use super::state::{Planned, StateFolder};

/// Writes plans in the background, each key's latest.
#[derive(Debug)]
pub(crate) struct Saver {
    shared: Arc<Shared>,
    ended: oneshot::Receiver<()>,
}

#[derive(Debug)]
struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    /// `None` for a key to be forgotten.
    plans: BTreeMap<PublicKey, Option<Planned>>,
    closed: bool,
}

impl Saver {
    /// Starts the thread.
    pub(crate) fn start(folder: StateFolder, counters: Arc<Counters>) -> io::Result<Self> {
        let shared = Arc::new(Shared { waiting: Mutex::default(), changed: Condvar::new() });
        let (sender, ended) = oneshot::channel();
        let its = shared.clone();
        thread::Builder::new().name("mainstay-state".to_owned()).spawn(move || {
            its.write_all(&folder, &counters);
            let _ = sender.send(());
        })?;
        Ok(Self { shared, ended })
    }

    /// Has this written, in place of what was to be written for the key before.
    pub(crate) fn save(&self, key: PublicKey, plan: Option<Planned>) {
        self.shared.lock().plans.insert(key, plan);
        self.shared.changed.notify_one();
    }

    /// Returns when everything is written.
    pub(crate) async fn finish(mut self) {
        self.close();
        // If the thread died there is nothing to wait for.
        let _ = (&mut self.ended).await;
    }

    fn close(&self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_one();
    }
}

impl Drop for Saver {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // No holder leaves the map half changed, so what a panic left is sound.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_all(&self, folder: &StateFolder, counters: &Counters) {
        while let Some((key, plan)) = self.next() {
            let written = match &plan {
                Some(plan) => folder.save(plan),
                None => folder.remove(&key),
            };
            if let Err(error) = written {
                counters.note_unsaved();
                tracing::warn!(%key, %error, "the state was not written; the republisher goes on without");
            }
        }
    }

    /// Sleeps until there is a plan; `None` when there will be none.
    fn next(&self) -> Option<(PublicKey, Option<Planned>)> {
        let mut waiting = self.lock();
        loop {
            if let Some(plan) = waiting.plans.pop_first() {
                return Some(plan);
            }
            if waiting.closed {
                return None;
            }
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
