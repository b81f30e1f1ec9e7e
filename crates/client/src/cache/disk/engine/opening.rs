//! Opening a file of redb's: is it ours, of a version that is known, whole; and what to do if not.
//!
//! Separate from the engine because everything here happens once, before the first packet is read.

use std::error::Error;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use redb::{
    Builder, Database, DatabaseError, ReadTransaction, ReadableDatabase, StorageError, TableError,
};

use super::super::super::persistent::{Failure, Home, OpenCacheError, SetAside, read_ahead};
use super::{Disk, FACTS, FORMAT, KNOWN, ORDER, PACKETS, PAGES_IN_MEMORY, closed, guarded};

/// How a file of redb's begins.
const MAGIC: &[u8] = b"redb\x1a\x0a\xa9\x0d\x0a";
/// Where the two commits in its head say which format they have.
const VERSIONS: [usize; 2] = [64, 192];
/// The newest format that the redb we are built with reads.
const NEWEST: u8 = 3;
/// Formats that there may be one day; other numbers are damage.
const NEXT: std::ops::RangeInclusive<u8> = NEWEST + 1..=16;

/// Why a file was not opened.
pub(super) enum Refused {
    Damaged(Box<dyn Error + Send + Sync>),
    Error(OpenCacheError),
}

/// Opens the file or begins one; sets a damaged one aside first.
pub(super) fn open(
    disk: &impl Disk,
    path: &Path,
    check: bool,
) -> Result<(Database, Option<SetAside>), OpenCacheError> {
    let mut set_aside = None;
    loop {
        match begin(disk, path, check) {
            Ok(database) => return Ok((database, set_aside)),
            Err(Refused::Damaged(damage)) if set_aside.is_none() => {
                let Some(_alone) = alone(path)? else { continue };
                set_aside = Some(Home::set_aside(path, damage)?);
            }
            Err(Refused::Damaged(source)) => {
                return Err(OpenCacheError::Damaged { path: path.to_owned(), source });
            }
            Err(Refused::Error(error)) => return Err(error),
        }
    }
}

/// Opens the file or begins one.
pub(super) fn begin(disk: &impl Disk, path: &Path, check: bool) -> Result<Database, Refused> {
    let path_of = || path.to_owned();
    let opened = panic::catch_unwind(AssertUnwindSafe(|| {
        let mut builder = Builder::new();
        builder.set_cache_size(PAGES_IN_MEMORY).set_check_integrity_on_open(check);
        let mut file = OpenOptions::new();
        file.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
        let file = file.open(path).map_err(StorageError::from)?;
        let is_other = other_format(&file).map_err(StorageError::from)?;
        let is_as_closed = closed::lock_and_take(&file, path).map_err(in_use)?;
        if is_as_closed {
            builder.set_check_integrity_on_open(false);
        }
        let same = file.try_clone().ok().filter(|_| !is_as_closed);
        let backend = disk.open(file)?;
        let create = || builder.create_with_backend(backend);
        Ok((is_other, if let Some(file) = same { read_ahead(&file, create) } else { create() }))
    }));
    let (other, database) = match opened {
        Ok(Ok((other, database))) => (other, database),
        Ok(Err(error)) => (None, Err(error)),
        Err(_) => (None, Err(StorageError::Corrupted("the engine stumbled".to_owned()).into())),
    };
    let database = match (other, database) {
        (Some(Other::Newer(found)), Err(_)) => {
            let (found, known) = (found.into(), NEWEST.into());
            let error = OpenCacheError::NewerFormat { path: path_of(), found, known };
            return Err(Refused::Error(error));
        }
        (Some(Other::Older), Err(_)) => {
            return Err(Refused::Error(OpenCacheError::Foreign { path: path_of() }));
        }
        (_, Ok(database)) => database,
        (None, Err(error)) => return Err(Refused::by_engine(path, error)),
    };
    let refused = match guarded(|| prepare(&database)) {
        Ok(Content::Ours(KNOWN)) => return Ok(database),
        Ok(Content::Ours(found)) => {
            let (path, found) = (path_of(), u32::try_from(found).unwrap_or(u32::MAX));
            let known = u32::try_from(KNOWN).unwrap_or(u32::MAX);
            OpenCacheError::NewerFormat { path, found, known }
        }
        Ok(Content::Foreign) => OpenCacheError::Foreign { path: path_of() },
        Err(Failure::Io(source)) => OpenCacheError::Io { path: path_of(), source },
        Err(Failure::Damaged(damage) | Failure::Engine(damage) | Failure::NeedsRoom(damage)) => {
            return Err(Refused::Damaged(damage));
        }
    };
    Err(Refused::Error(refused))
}

impl Refused {
    /// What an error of the engine means.
    fn by_engine(path: &Path, error: DatabaseError) -> Self {
        let path = path.to_owned();
        match error {
            DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
                Self::Error(OpenCacheError::InUse { path })
            }
            DatabaseError::Storage(StorageError::Io(source)) => match source.kind() {
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                    Self::Damaged(source.into())
                }
                _ => Self::Error(OpenCacheError::Io { path, source }),
            },
            error => Self::Damaged(error.into()),
        }
    }
}

/// Why a file could not be locked, as redb would have it.
fn in_use(error: TryLockError) -> DatabaseError {
    match error {
        TryLockError::WouldBlock => DatabaseError::DatabaseAlreadyOpen,
        TryLockError::Error(error) => StorageError::from(error).into(),
    }
}

/// A format of redb's that no cache of this version has.
#[derive(Clone, Copy)]
enum Other {
    Newer(u8),
    /// No Mainstay has ever written it.
    Older,
}

/// The format that both commits in the head name, if it is not ours. If only one does, that is damage.
fn other_format(file: &File) -> io::Result<Option<Other>> {
    let mut head = [0; 256];
    let mut from = file;
    io::Seek::rewind(&mut from)?;
    match io::Read::read_exact(&mut from, &mut head) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let versions = VERSIONS.map(|at| head.get(at).copied().unwrap_or_default());
    Ok(match versions {
        [first, second] if first != second || !head.starts_with(MAGIC) => None,
        [1 | 2, _] => Some(Other::Older),
        [found, _] if NEXT.contains(&found) => Some(Other::Newer(found)),
        _ => None,
    })
}

/// Whose tables a file has.
enum Content {
    /// Ours, in this format.
    Ours(u64),
    Foreign,
}

/// Looks whose tables these are, and makes ours if there are none at all.
fn prepare(database: &Database) -> Result<Content, Failure> {
    let transaction = database.begin_read()?;
    let facts = match transaction.open_table(FACTS) {
        Ok(facts) => facts,
        Err(TableError::TableDoesNotExist(_)) if is_empty(&transaction)? => {
            drop(transaction);
            return make(database);
        }
        Err(TableError::Storage(error)) => return Err(error.into()),
        Err(_) => return Ok(Content::Foreign),
    };
    let Some(found) = facts.get(FORMAT)?.map(|format| format.value()) else {
        return Err(Failure::Damaged("the file does not say which format it has".into()));
    };
    if found == KNOWN {
        let _ = (transaction.open_table(PACKETS)?, transaction.open_table(ORDER)?);
    }
    Ok(Content::Ours(found))
}

fn is_empty(transaction: &ReadTransaction) -> Result<bool, StorageError> {
    let tables = transaction.list_tables()?.count();
    Ok(tables == 0 && transaction.list_multimap_tables()?.count() == 0)
}

fn make(database: &Database) -> Result<Content, Failure> {
    let transaction = database.begin_write()?;
    transaction.open_table(FACTS)?.insert(FORMAT, KNOWN)?;
    transaction.open_table(PACKETS)?;
    transaction.open_table(ORDER)?;
    transaction.commit()?;
    Ok(Content::Ours(KNOWN))
}

/// Locks the file of this name as redb does, so that nobody else sets it aside, or opens it meanwhile;
/// `None` if somebody just has.
pub(super) fn alone(path: &Path) -> Result<Option<File>, OpenCacheError> {
    let failed = |source| OpenCacheError::Io { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(OpenCacheError::InUse { path: path.to_owned() });
        }
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    let is_same = Home::is_at(&file, path).map_err(failed)?;
    Ok(is_same.then_some(file))
}

#[cfg(test)]
mod tests;
