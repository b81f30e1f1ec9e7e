//! What a republisher reports: events as they happen, and counters for those who look now and then.
//!
//! Separate because programs that only watch read nothing else.

use std::sync::atomic::{AtomicU64, Ordering};

use mainstay_keys::PublicKey;
use mainstay_packets::Timestamp;
use thiserror::Error;
use tokio::sync::broadcast;

use super::schedule::{Verdict, Work};
use crate::error::{PublishError, ResolveError};
use crate::republish::state::StateError;

/// Something that happened to a key that is kept.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Event {
    /// Which key.
    pub key: PublicKey,
    /// What was done.
    pub work: Work,
    /// What it amounts to.
    pub verdict: Verdict,
    /// The timestamp of the packet that is kept from now on, if there is one.
    pub timestamp: Option<Timestamp>,
    /// How many nodes have it, if anybody said.
    pub copies: Option<usize>,
    /// When the key's next turn comes.
    pub next: Timestamp,
    /// What went wrong, if something did.
    pub error: Option<RepublishError>,
}

/// Why a packet was not put, or not looked for.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum RepublishError {
    /// It was not stored.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The newest packet was not found.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// The state was not written: after a restart this key begins with what was written before.
    #[error(transparent)]
    State(#[from] StateError),
}

/// Events from the moment of [`Republisher::events`](super::Republisher::events) on.
#[derive(Debug)]
pub struct Events(pub(crate) broadcast::Receiver<Event>);

impl Events {
    /// The next event; `None` once the republisher has ended.
    ///
    /// Whoever reads so slowly that more than a thousand events wait misses the oldest of them.
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            match self.0.recv().await {
                Ok(event) => return Some(event),
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

/// What a republisher has done since it was started, and what it has before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// Keys that are kept.
    pub kept: u64,
    /// Keys that are due and have not begun.
    pub overdue: u64,
    /// Tasks under way.
    pub running: u64,
    /// Puts that went well.
    pub stored: u64,
    /// Puts and reads after which too few nodes had the packet.
    pub thin: u64,
    /// Reads that ended, whatever they found.
    pub reads: u64,
    /// Newer packets that took the place of those kept.
    pub adopted: u64,
    /// Puts that were refused because of a newer packet.
    pub refused: u64,
    /// Puts and reads that failed.
    pub failed: u64,
    /// Times that the state could not be written.
    pub unsaved: u64,
}

/// [`Metrics`] as they are counted.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    kept: AtomicU64,
    overdue: AtomicU64,
    running: AtomicU64,
    stored: AtomicU64,
    thin: AtomicU64,
    reads: AtomicU64,
    adopted: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
    unsaved: AtomicU64,
}

impl Counters {
    pub(crate) fn note(&self, event: &Event) {
        let add = |counter: &AtomicU64| {
            counter.fetch_add(1, Ordering::Relaxed);
        };
        if event.work == Work::Read {
            add(&self.reads);
        }
        match event.verdict {
            Verdict::Kept if event.work == Work::Put => add(&self.stored),
            Verdict::Thin => {
                add(&self.thin);
                if event.work == Work::Put {
                    add(&self.stored);
                }
            }
            Verdict::Adopted { .. } => add(&self.adopted),
            Verdict::Searching => add(&self.refused),
            Verdict::Failed { .. } => add(&self.failed),
            Verdict::Kept | Verdict::Absent | Verdict::Postponed | Verdict::Forgotten => {}
        }
    }

    pub(crate) fn note_unsaved(&self) {
        self.unsaved.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, kept: usize, overdue: usize, running: usize) {
        let set = |counter: &AtomicU64, value: usize| {
            counter.store(u64::try_from(value).unwrap_or(u64::MAX), Ordering::Relaxed);
        };
        set(&self.kept, kept);
        set(&self.overdue, overdue);
        set(&self.running, running);
    }

    pub(crate) fn read(&self) -> Metrics {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Metrics {
            kept: read(&self.kept),
            overdue: read(&self.overdue),
            running: read(&self.running),
            stored: read(&self.stored),
            thin: read(&self.thin),
            reads: read(&self.reads),
            adopted: read(&self.adopted),
            refused: read(&self.refused),
            failed: read(&self.failed),
            unsaved: read(&self.unsaved),
        }
    }
}
