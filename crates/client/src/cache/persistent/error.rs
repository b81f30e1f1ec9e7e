//! Why a cache on disk could not be opened, and why it could not answer.
//!
//! Separate because what to do about it is said here alone.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a cache on disk could not be opened.
///
/// Damage is no error: a damaged file is set aside and a new one begun (see
/// [`SetAside`](crate::SetAside)), unless even that fails.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenCacheError {
    /// The folder or file cannot be made, read or written: a missing permission, a read-only or full
    /// disk. The source says which; give the process the right, or the cache another place.
    #[error("the cache {path} cannot be opened for writing")]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody has it open already. An LMDB cache may be open once in a process, a disk cache once
    /// on the machine: share the one that is open in an `Arc`.
    #[error("the cache {path} is open already, in this process or another")]
    InUse {
        /// The folder or file.
        path: PathBuf,
    },
    /// A newer Mainstay, or engine, has written it, and it is left as it is. Use that version, or another
    /// place.
    #[error("the cache {path} has format {found}, and this version knows none after {known}")]
    NewerFormat {
        /// The folder or file.
        path: PathBuf,
        /// The format of the file.
        found: u32,
        /// The newest format that this version reads.
        known: u32,
    },
    /// It is a database of another program, whole and left as it is. Give the cache a place of its own.
    #[error("{path} is a database of another program")]
    Foreign {
        /// The folder or file.
        path: PathBuf,
    },
    /// It was written by a machine of another kind: other word size, byte order or page size.
    #[error("the cache {path} was written by a machine of another kind")]
    OtherMachine {
        /// The folder or file.
        path: PathBuf,
    },
    /// Any user of the machine may write there, and could end this process by shortening the file.
    /// Take that right away.
    #[error("any user may write to {path}: a cache needs a folder of its own")]
    OpenToAll {
        /// The folder.
        path: PathBuf,
    },
    /// What should be a file of the cache is a symbolic link, a folder, or something else.
    #[error("{path} is not a plain file")]
    NotAFile {
        /// The file.
        path: PathBuf,
    },
    /// It is damaged and could not be set aside, because another process works with it. End that one.
    #[error("the cache {path} is damaged, and another process has it open")]
    Damaged {
        /// The folder or file.
        path: PathBuf,
        /// What is wrong.
        source: Box<dyn Error + Send + Sync>,
    },
    /// This machine gave no thread to write with.
    #[error("no thread for the cache")]
    Threads(#[source] io::Error),
    /// The engine failed for a reason of its own.
    #[error("the engine of the cache {path} failed")]
    Engine {
        /// The folder or file.
        path: PathBuf,
        /// What it said.
        source: Box<dyn Error + Send + Sync>,
    },
}

/// Why a cache on disk could not answer: the source of its [`CacheError`](crate::CacheError).
///
/// Nothing that was acknowledged is lost by any of these, and reads go on from what is there.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CacheFault {
    /// The disk, or the process's share of it, is full. Puts succeed again once there is room.
    #[error("no room on disk")]
    DiskFull(#[source] io::Error),
    /// The disk failed to write or to read; or it is full, which LMDB cannot always tell apart.
    ///
    /// If what the system still has of the file in memory cannot be trusted after that, nothing more is
    /// written to it until it is opened anew ([`Writing::Stopped`](crate::Writing)).
    #[error("the disk failed")]
    Disk(#[source] io::Error),
    /// An earlier failure of the disk stopped the writing.
    #[error("an earlier failure of the disk stopped the writing")]
    Stopped,
    /// The engine found its own file damaged.
    #[error("the file is damaged")]
    Damaged(#[source] Box<dyn Error + Send + Sync>),
    /// The engine failed for a reason of its own.
    #[error("the engine failed")]
    Engine(#[source] Box<dyn Error + Send + Sync>),
    /// The cache is being dropped.
    #[error("the cache is closed")]
    Closed,
}

impl CacheFault {
    /// The same once more, for the others whose puts were in the same commit.
    pub(crate) fn again(&self) -> Self {
        let copy = |error: &io::Error| {
            error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
        };
        match self {
            Self::DiskFull(error) => Self::DiskFull(copy(error)),
            Self::Disk(error) => Self::Disk(copy(error)),
            Self::Damaged(source) => Self::Damaged(source.to_string().into()),
            Self::Engine(source) => Self::Engine(source.to_string().into()),
            Self::Stopped => Self::Stopped,
            Self::Closed => Self::Closed,
        }
    }

    /// The fault that an error of the system is.
    pub(crate) fn from_io(error: io::Error) -> Self {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        match error.kind() {
            StorageFull | QuotaExceeded | FileTooLarge => Self::DiskFull(error),
            _ => Self::Disk(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::persistent::engine::Failure;

    #[test]
    fn a_fault_is_told_to_all_whose_puts_it_cost_as_the_same_fault() {
        let io = |kind: io::ErrorKind| CacheFault::from_io(kind.into());
        let faults = [
            io(io::ErrorKind::StorageFull),
            io(io::ErrorKind::PermissionDenied),
            CacheFault::from_io(io::Error::from_raw_os_error(5)),
            Failure::Damaged("a page".into()).into_fault(),
            Failure::Engine("a lock".into()).into_fault(),
            CacheFault::Stopped,
            CacheFault::Closed,
        ];
        let source = |fault: &CacheFault| fault.source().map(ToString::to_string);
        for fault in faults {
            let again = fault.again();
            assert_eq!(std::mem::discriminant(&again), std::mem::discriminant(&fault));
            assert_eq!((again.to_string(), source(&again)), (fault.to_string(), source(&fault)));
        }
    }
}
