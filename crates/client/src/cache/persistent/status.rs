//! What a cache on disk tells of itself.
//!
//! Separate because it is for operators, not for clients.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use super::engine::Usage;

/// What a cache on disk holds, and what has happened to it since it was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheStatus {
    /// How many packets it holds.
    pub packets: usize,
    /// About how many bytes they take.
    pub bytes: u64,
    /// How many left to make room.
    pub evicted: u64,
    /// How many records were dropped because their key has not signed them.
    pub damaged: u64,
    /// How many reads the disk or the engine failed.
    pub failed_reads: u64,
    /// How many puts the disk or the engine failed.
    pub failed_writes: u64,
    /// How many commits: each carried one put or more.
    pub commits: u64,
    /// Whether puts reach the disk.
    pub writing: Writing,
}

/// Whether puts reach the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Writing {
    /// They do.
    Works,
    /// The last one did not; the next one is tried.
    Failing,
    /// The disk lost a write: no more is tried until the cache is opened anew. Reads go on.
    Stopped,
}

/// Counts that several threads add to.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) evicted: Counter,
    pub(super) damaged: Counter,
    pub(super) failed_reads: Counter,
    pub(super) failed_writes: Counter,
    pub(super) commits: Counter,
    writing: AtomicU8,
}

#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counters {
    pub(super) fn set_writing(&self, writing: Writing) {
        let code = match writing {
            Writing::Works => 0,
            Writing::Failing => 1,
            Writing::Stopped => 2,
        };
        self.writing.store(code, Ordering::Relaxed);
    }

    pub(super) fn writing(&self) -> Writing {
        match self.writing.load(Ordering::Relaxed) {
            0 => Writing::Works,
            1 => Writing::Failing,
            _ => Writing::Stopped,
        }
    }

    pub(super) fn status(&self, usage: Usage) -> CacheStatus {
        CacheStatus {
            packets: usage.packets,
            bytes: usage.bytes,
            evicted: self.evicted.count(),
            damaged: self.damaged.count(),
            failed_reads: self.failed_reads.count(),
            failed_writes: self.failed_writes.count(),
            commits: self.commits.count(),
            writing: self.writing(),
        }
    }
}
