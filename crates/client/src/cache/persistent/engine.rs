//! What an engine does for a cache on disk: keep records by key, in the order in which they expire.
//!
//! Separate so that merging, eviction and failure are written once for all engines.

use std::error::Error;
use std::fmt;
use std::io;

use mainstay_keys::PublicKey;

use super::error::CacheFault;

/// A place for records, open.
pub(crate) trait Engine: fmt::Debug + Send + Sync + 'static {
    /// A transaction that writes; there is one at a time.
    type Batch<'t>: Batch;

    /// Whether a read is one of memory, which the system keeps equal to the file: then it may be done where somebody
    /// waits.
    const IS_MAPPED: bool;

    /// The epoch that reads are in. Costs nanoseconds, and no transaction.
    fn epoch(&self) -> Epoch;

    /// Reads a key's record, if there is one, as of the last commit, and says in which epoch.
    fn read<T>(
        &self,
        key: &PublicKey,
        look: impl FnOnce(&[u8]) -> T,
    ) -> Result<(Option<T>, Epoch), Failure>;

    /// Makes all that `work` writes durable, or nothing of it; then it is part of this epoch.
    fn write<T>(
        &self,
        work: impl FnOnce(&mut Self::Batch<'_>) -> Result<T, Failure>,
    ) -> Result<(T, Epoch), Unwritten>;

    /// Notes that something in the file is not what was written: the next opening is to check it.
    fn doubt(&self);

    /// What it holds.
    fn usage(&self) -> Result<Usage, Failure>;

    /// Mends what made a batch fail, if that can be done while running; whether to try it again.
    fn mend(&self, failure: &Failure) -> bool;
}

/// A time in which no other process has written: what was seen on disk in it, or put there by this process,
/// is there still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Epoch(u64);

impl Epoch {
    /// The epoch of what was not on disk yet when it was looked at.
    pub(crate) const NONE: Self = Self(0);

    /// The only one, of an engine that no other process writes to.
    #[cfg(feature = "disk-cache")]
    pub(crate) const ALONE: Self = Self(1);

    /// The epoch that begins with this commit; commits count from 1.
    #[cfg(feature = "lmdb-cache")]
    pub(crate) const fn since(commit: u64) -> Self {
        Self(commit)
    }

    /// As a number to store.
    pub(super) const fn number(self) -> u64 {
        self.0
    }
}

/// A transaction that writes.
pub(crate) trait Batch {
    /// How the engine names a key.
    type Id: Copy + PartialEq;

    fn id(key: &PublicKey) -> Self::Id;

    /// The record, as this batch leaves it.
    fn record<T>(
        &mut self,
        id: Self::Id,
        look: impl FnOnce(&[u8]) -> T,
    ) -> Result<Option<T>, Failure>;

    /// Stores a record that expires at `due`, in microseconds.
    fn put(&mut self, id: Self::Id, record: &[u8], due: u64) -> Result<(), Failure>;

    fn remove(&mut self, id: Self::Id) -> Result<(), Failure>;

    /// The record that expires first, and when.
    fn first_due(&mut self) -> Result<Option<(u64, Self::Id)>, Failure>;

    /// Moves a record to another place in the order.
    fn postpone(&mut self, id: Self::Id, due: u64) -> Result<(), Failure>;

    /// The record whose name comes next after this point on a circle of names.
    fn near(&mut self, point: u64) -> Result<Option<Self::Id>, Failure>;

    /// The record whose name comes next after this one; the same again if there is no other.
    fn next(&mut self, id: Self::Id) -> Result<Option<Self::Id>, Failure>;

    fn usage(&mut self) -> Result<Usage, Failure>;
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) packets: usize,
    pub(crate) bytes: u64,
}

/// Why nothing was written.
#[derive(Debug)]
pub(crate) enum Unwritten {
    /// The engine failed, and what is on disk is what was there before.
    Before(Failure),
    /// It failed so that the disk may have lost what the system takes for written.
    Commit(Failure),
}

impl From<Failure> for Unwritten {
    fn from(failure: Failure) -> Self {
        Self::Before(failure)
    }
}

/// Why an engine failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The map or file of the engine is too small: [`Engine::mend`] makes it larger.
    #[cfg_attr(not(feature = "lmdb-cache"), expect(dead_code, reason = "files grow by themselves"))]
    NeedsRoom(Box<dyn Error + Send + Sync>),
    Io(io::Error),
    Damaged(Box<dyn Error + Send + Sync>),
    Engine(Box<dyn Error + Send + Sync>),
}

impl Failure {
    pub(crate) fn into_fault(self) -> CacheFault {
        match self {
            Self::Io(error) => CacheFault::from_io(error),
            Self::Damaged(source) => CacheFault::Damaged(source),
            Self::NeedsRoom(source) | Self::Engine(source) => CacheFault::Engine(source),
        }
    }
}
