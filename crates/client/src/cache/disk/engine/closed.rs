//! Which files of redb's count as closed as they should be: those with a [`Mark`], which redb itself calls closed.
//!
//! Separate because redb does not know marks. What a mark cannot tell, such as bits that rot on the disk, is made up
//! for: each record is verified when it is read, and the first page that makes no sense makes the cache check the whole
//! file.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Seek as _};
use std::path::Path;

use super::opening::alone;
use crate::cache::persistent::Mark;

/// As much of a file's head as both commits and all flags of redb's take.
const HEAD: usize = 320;
/// Where redb's flags are.
const FLAGS: usize = 9;
/// The flag that redb sets while a file is open.
const IS_OPEN: u8 = 2;

/// Locks an open file as redb will, and says whether it was closed as it should be; the mark is gone then.
///
/// On systems other than Linux, where redb locks in other ways, nothing is locked and no file counts as closed well.
pub(super) fn lock_and_take(file: &File, path: &Path) -> Result<bool, TryLockError> {
    if !cfg!(target_os = "linux") {
        return Ok(false);
    }
    file.try_lock()?;
    let head = head(file).ok().flatten();
    Ok(Mark::of(path).take(file, head.as_ref().map(<[u8; HEAD]>::as_slice)).unwrap_or(false))
}

/// Marks a file that redb has closed. If that fails, the next opening checks the file: no more.
pub(super) fn mark(path: &Path) {
    if let Err(error) = try_mark(path) {
        tracing::debug!(%error, path = %path.display(), "the cache was closed, but not marked as closed");
    }
}

fn try_mark(path: &Path) -> io::Result<()> {
    if !cfg!(target_os = "linux") {
        return Ok(());
    }
    // Somebody else may have opened it by now: then it is theirs to mark.
    let Ok(Some(file)) = alone(path) else { return Ok(()) };
    head(&file)?.map_or(Ok(()), |head| Mark::of(path).put(&file, &head))
}

/// The head of a file; `None` if redb does not call it closed.
fn head(mut file: &File) -> io::Result<Option<[u8; HEAD]>> {
    let mut head = [0; HEAD];
    file.rewind()?;
    file.read_exact(&mut head)?;
    let is_closed = head.get(FLAGS).is_some_and(|flags| flags & IS_OPEN == 0);
    Ok(is_closed.then_some(head))
}

#[cfg(test)]
mod tests;
