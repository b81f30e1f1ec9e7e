//! Records in redb: one table by key, one by expiry, and a few facts.
//!
//! Separate from the cache because only this folder knows redb.

mod closed;
mod opening;

use std::fmt;
use std::fs::File;
use std::ops::Bound;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use mainstay_keys::PublicKey;
use redb::backends::FileBackend;
use redb::{
    CommitError, Database, DatabaseError, ReadableDatabase, ReadableTable, ReadableTableMetadata,
    StorageBackend, StorageError, Table, TableDefinition, TableError, TransactionError,
};

use super::super::persistent::{
    Batch, CacheOptions, Engine, Epoch, Failure, Home, OpenCacheError, SetAside, Unwritten, Usage,
};

type Id = [u8; PublicKey::LENGTH];

/// By key: when the record expires (microseconds, 64 bits, big-endian), then the record.
const PACKETS: TableDefinition<'static, Id, &[u8]> = TableDefinition::new("packets");
/// In the order of expiry.
const ORDER: TableDefinition<'static, (u64, Id), ()> = TableDefinition::new("order");
const FACTS: TableDefinition<'static, &str, u64> = TableDefinition::new("facts");

/// The fact that says which version of these tables the file has.
const FORMAT: &str = "format";
/// The fact that says how many bytes all records have.
const BYTES: &str = "bytes";

/// The version of the tables above.
const KNOWN: u64 = 1;

/// What a record takes beside its own bytes: its key twice, and its place in both tables.
const ENTRY_OVERHEAD: u64 = 128;

/// How much of the file redb may keep in memory; packets in use are kept by the cache itself.
const PAGES_IN_MEMORY: usize = 16 << 20;

/// How redb reads and writes its file.
pub(super) trait Disk: Send + Sync + 'static {
    type Backend: StorageBackend;

    fn open(&self, file: File) -> Result<Self::Backend, DatabaseError>;
}

/// As the system does.
pub(super) struct System;

impl Disk for System {
    type Backend = FileBackend;

    fn open(&self, file: File) -> Result<FileBackend, DatabaseError> {
        FileBackend::new(file)
    }
}

/// An open file.
pub(super) struct Redb<D = System> {
    path: PathBuf,
    disk: D,
    /// `None` while a file that failed waits to be opened again.
    database: RwLock<Option<Database>>,
    /// Whether anything has failed since it was opened: then the next opening is to check the file.
    is_in_doubt: AtomicBool,
}

impl<D: Disk> Redb<D> {
    pub(super) fn open(
        disk: D,
        path: &Path,
        options: &CacheOptions,
    ) -> Result<(Self, Option<SetAside>), OpenCacheError> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        Home::folder(folder.unwrap_or(Path::new(".")))?;
        Home::has(path)?;
        let (database, set_aside) = opening::open(&disk, path, options.check)?;
        let database = RwLock::new(Some(database));
        // What was never checked is not to be marked as if it had been.
        let is_in_doubt = AtomicBool::new(!options.check);
        Ok((Self { path: path.to_owned(), disk, database, is_in_doubt }, set_aside))
    }

    fn with<T>(&self, work: impl FnOnce(&Database) -> Result<T, Failure>) -> Result<T, Failure> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let Some(database) = &*database else { return Err(Failure::Engine("not open".into())) };
        let done = guarded(|| work(database));
        if done.is_err() {
            self.is_in_doubt.store(true, Ordering::Relaxed);
        }
        done
    }
}

impl<D> Drop for Redb<D> {
    /// Closes the file, and says so beside it if nothing has failed.
    fn drop(&mut self) {
        let database = self.database.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let closed = guarded(|| Ok(database.is_some_and(|database| database.close().is_ok())));
        if matches!(closed, Ok(true)) && !*self.is_in_doubt.get_mut() {
            closed::mark(&self.path);
        }
    }
}

/// Runs what calls redb; should it panic on a file that changed behind its back, that is damage.
fn guarded<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    panic::catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(Failure::Damaged("the engine stumbled over the file".into())))
}

impl<D: Disk> Engine for Redb<D> {
    type Batch<'t> = Tables<'t>;

    const IS_MAPPED: bool = false;

    fn epoch(&self) -> Epoch {
        Epoch::ALONE
    }

    fn read<T>(
        &self,
        key: &PublicKey,
        look: impl FnOnce(&[u8]) -> T,
    ) -> Result<(Option<T>, Epoch), Failure> {
        self.with(|database| {
            let packets = database.begin_read()?.open_table(PACKETS)?;
            let found = packets.get(key.as_bytes())?;
            Ok((found.map(|value| look(split(value.value()).1)), Epoch::ALONE))
        })
    }

    fn write<T>(
        &self,
        work: impl FnOnce(&mut Tables<'_>) -> Result<T, Failure>,
    ) -> Result<(T, Epoch), Unwritten> {
        let mut is_committing = false;
        let written = self.with(|database| {
            let transaction = database.begin_write()?;
            let mut tables = Tables {
                packets: transaction.open_table(PACKETS)?,
                order: transaction.open_table(ORDER)?,
                facts: transaction.open_table(FACTS)?,
            };
            let done = work(&mut tables)?;
            drop(tables);
            is_committing = true;
            transaction.commit()?;
            Ok((done, Epoch::ALONE))
        });
        written.map_err(if is_committing { Unwritten::Commit } else { Unwritten::Before })
    }

    fn doubt(&self) {
        self.is_in_doubt.store(true, Ordering::Relaxed);
    }

    fn usage(&self) -> Result<Usage, Failure> {
        self.with(|database| {
            let transaction = database.begin_read()?;
            let packets = transaction.open_table(PACKETS)?;
            let facts = transaction.open_table(FACTS)?;
            usage(&packets, &facts)
        })
    }

    /// After any failure to read or write redb wants the file opened anew; this tries it, and leaves the
    /// batch to the next put. After damage it checks the file, sets it aside if need be, and the batch may go on.
    fn mend(&self, failure: &Failure) -> bool {
        if matches!(failure, Failure::NeedsRoom(_)) {
            return false;
        }
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        // The file is locked until the old one is closed.
        *database = None;
        if matches!(failure, Failure::Damaged(_)) {
            *database =
                opening::open(&self.disk, &self.path, true).map(|(database, _)| database).ok();
            return database.is_some();
        }
        *database = opening::begin(&self.disk, &self.path, false).ok();
        false
    }
}

impl<D> fmt::Debug for Redb<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redb").field("path", &self.path).finish_non_exhaustive()
    }
}

/// The tables of one transaction.
pub(super) struct Tables<'t> {
    packets: Table<'t, Id, &'static [u8]>,
    order: Table<'t, (u64, Id), ()>,
    facts: Table<'t, &'static str, u64>,
}

impl Tables<'_> {
    /// The first name from here on, else the first of all.
    fn first_from(&self, start: Bound<Id>) -> Result<Option<Id>, Failure> {
        let next = self.packets.range::<Id>((start, Bound::Unbounded))?.next().transpose()?;
        if let Some((id, _)) = next {
            return Ok(Some(id.value()));
        }
        Ok(self.packets.first()?.map(|(id, _)| id.value()))
    }

    fn add_bytes(&mut self, more: u64, less: u64) -> Result<(), Failure> {
        let bytes = self.facts.get(BYTES)?.map_or(0, |bytes| bytes.value());
        self.facts.insert(BYTES, bytes.saturating_add(more).saturating_sub(less))?;
        Ok(())
    }
}

impl Batch for Tables<'_> {
    type Id = Id;

    fn id(key: &PublicKey) -> Id {
        *key.as_bytes()
    }

    fn record<T>(&mut self, id: Id, look: impl FnOnce(&[u8]) -> T) -> Result<Option<T>, Failure> {
        Ok(self.packets.get(id)?.map(|value| look(split(value.value()).1)))
    }

    fn put(&mut self, id: Id, record: &[u8], due: u64) -> Result<(), Failure> {
        let mut value = Vec::with_capacity(record.len().saturating_add(size_of::<u64>()));
        value.extend_from_slice(&due.to_be_bytes());
        value.extend_from_slice(record);
        let replaced = self.packets.insert(id, value.as_slice())?.map(|old| about(old.value()));
        if let Some((old_due, _)) = replaced {
            self.order.remove((old_due, id))?;
        }
        self.order.insert((due, id), ())?;
        self.add_bytes(weight(value.len()), replaced.map_or(0, |(_, bytes)| bytes))
    }

    fn remove(&mut self, id: Id) -> Result<(), Failure> {
        let removed = self.packets.remove(id)?.map(|old| about(old.value()));
        let Some((due, bytes)) = removed else { return Ok(()) };
        self.order.remove((due, id))?;
        self.add_bytes(0, bytes)
    }

    fn first_due(&mut self) -> Result<Option<(u64, Id)>, Failure> {
        Ok(self.order.first()?.map(|(place, _)| place.value()))
    }

    fn postpone(&mut self, id: Id, due: u64) -> Result<(), Failure> {
        let Some(record) = self.record(id, <[u8]>::to_vec)? else { return Ok(()) };
        self.put(id, &record, due)
    }

    fn near(&mut self, point: u64) -> Result<Option<Id>, Failure> {
        let mut from = Id::default();
        if let Some(head) = from.first_chunk_mut() {
            *head = point.to_be_bytes();
        }
        self.first_from(Bound::Included(from))
    }

    fn next(&mut self, id: Id) -> Result<Option<Id>, Failure> {
        self.first_from(Bound::Excluded(id))
    }

    fn usage(&mut self) -> Result<Usage, Failure> {
        usage(&self.packets, &self.facts)
    }
}

fn usage(
    packets: &impl ReadableTableMetadata,
    facts: &impl ReadableTable<&'static str, u64>,
) -> Result<Usage, Failure> {
    let bytes = facts.get(BYTES)?.map_or(0, |bytes| bytes.value());
    Ok(Usage { packets: usize::try_from(packets.len()?).unwrap_or(usize::MAX), bytes })
}

/// When a stored value expires, and its record.
fn split(value: &[u8]) -> (u64, &[u8]) {
    value.split_first_chunk().map_or((0, &[]), |(due, record)| (u64::from_be_bytes(*due), record))
}

/// When a stored value expires, and what it weighs.
fn about(value: &[u8]) -> (u64, u64) {
    (split(value).0, weight(value.len()))
}

fn weight(length: usize) -> u64 {
    ENTRY_OVERHEAD.saturating_add(length as u64)
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Io(error) => Self::Io(error),
            StorageError::Corrupted(_) => Self::Damaged(error.into()),
            other => Self::Engine(other.into()),
        }
    }
}

impl From<TableError> for Failure {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Storage(error) => error.into(),
            other => Self::Damaged(other.into()),
        }
    }
}

impl From<TransactionError> for Failure {
    fn from(error: TransactionError) -> Self {
        match error {
            TransactionError::Storage(error) => error.into(),
            other => Self::Engine(other.into()),
        }
    }
}

impl From<CommitError> for Failure {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Storage(error) => error.into(),
            other => Self::Engine(other.into()),
        }
    }
}
