//! Whether a file is one that LMDB can be trusted with: looked at, page by page, before it is mapped.
//!
//! Separate because it is safe code about bytes from outside, and reads LMDB's format without LMDB. LMDB
//! follows every number in a file it maps: a file shorter than it says, or a page number that leads outside
//! it, ends the process by a signal. What passes here leads nowhere but to pages of the file, each of its
//! kind, each once, with nothing in it that reaches beyond it.

mod meta;
mod page;
mod walk;

use std::fs::File;
use std::io;

use thiserror::Error;

use self::meta::Meta;
use self::walk::Walk;
use super::super::persistent::read_ahead;

/// What is wrong with a file.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(super) enum Damage {
    #[error("it does not begin as a file of LMDB does")]
    NotLmdb,
    #[error("its header says what cannot be")]
    Header,
    #[error("it is shorter than its header says")]
    Short,
    #[error("page {page} is not what leads there says")]
    Page { page: u64 },
    #[error("page {page} is in use twice")]
    Twice { page: u64 },
    #[error("a table has other counts than its header says")]
    Counts,
    #[error("its list of free pages cannot be right")]
    Free,
}

/// Why a file was not found sound.
#[derive(Debug)]
pub(super) enum Unsound {
    Damaged(Damage),
    /// Another byte order.
    OtherMachine,
    /// A newer format.
    Newer {
        found: u32,
    },
    Io(io::Error),
}

impl From<Damage> for Unsound {
    fn from(damage: Damage) -> Self {
        Self::Damaged(damage)
    }
}

impl From<io::Error> for Unsound {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Damaged(Damage::Short),
            _ => Self::Io(error),
        }
    }
}

/// How much of a file was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Its header and length, or pages that changed meanwhile.
    InPart,
    Whole,
}

/// Looks at a file's header and length, and if `whole` at each of its pages.
///
/// Costs about a microsecond a page in the system's memory, into which the file is read meanwhile.
pub(super) fn look(file: &File, whole: bool) -> Result<Seen, Unsound> {
    let length = file.metadata()?.len();
    if length == 0 {
        // Somebody was killed between making the file and writing to it: LMDB begins anew.
        return Ok(Seen::Whole);
    }
    let meta = Meta::read(file)?;
    let is_complete = meta.pages().checked_mul(meta.page_size).is_some_and(|end| end <= length);
    if !whole && is_complete {
        return Ok(Seen::InPart);
    }
    let walk = Walk::new(file, &meta, length)?;
    match read_ahead(file, || walk.all()) {
        // A program that does not know our lock is writing: LMDB's own locks say what may be done.
        Err(Unsound::Damaged(_)) if Meta::read(file)?.transaction != meta.transaction => {
            Ok(Seen::InPart)
        }
        result => result.map(|()| Seen::Whole),
    }
}

/// What stands in both headers: no commit leaves it as it is.
pub(super) fn head(file: &File) -> Result<Vec<u8>, Unsound> {
    Meta::raw(file)
}

#[cfg(test)]
mod tests;
