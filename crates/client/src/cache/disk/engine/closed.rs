//! The mark beside a file that was closed as it should be: the next opening need not read the whole file.
//!
//! Separate because redb does not know it. The mark says which file was closed: its number, length, times of change
//! and head. It is written once redb has closed the file, and removed, for good, before redb opens it again, both while
//! the file is locked; so a killed process leaves none, and a file that was changed, copied or put back from a copy has
//! another. A mark of which a part was lost is no mark. Bits that rot on the disk it cannot tell: so each record is
//! verified when it is read, and the first page that makes no sense makes the cache check the whole file.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use super::opening::alone;
use crate::cache::persistent::Home;

/// What the name of the mark ends with.
const SUFFIX: &str = ".closed";
/// As much of a file's head as both commits and all flags of redb's take.
const HEAD: usize = 320;
/// Where redb's flags are.
const FLAGS: usize = 9;
/// The flag that redb sets while a file is open.
const IS_OPEN: u8 = 2;
/// More than any mark has.
const LONGEST: u64 = 4096;

/// Locks an open file as redb will, and says whether it was closed as it should be; the mark is gone then.
///
/// On systems other than Linux, where redb locks in other ways, nothing is locked and no file counts as closed well.
pub(super) fn lock_and_take(file: &File, path: &Path) -> Result<bool, TryLockError> {
    if !cfg!(target_os = "linux") {
        return Ok(false);
    }
    file.try_lock()?;
    Ok(take(file, path).unwrap_or(false))
}

/// Whether the mark was there, and is of this file.
fn take(file: &File, path: &Path) -> io::Result<bool> {
    let place = place(path);
    let mut found = String::new();
    match File::open(&place) {
        Ok(mark) => mark.take(LONGEST).read_to_string(&mut found),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => Err(error),
    }
    .unwrap_or_default();
    // What cannot be removed, for good, would still be there after a kill.
    fs::remove_file(&place)?;
    Home::sync_folder(path)?;
    let is_same = Home::is_at(file, path)?;
    Ok(is_same && description(file)?.is_some_and(|expected| expected == found))
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
    let Some(description) = description(&file)? else { return Ok(()) };
    let place = place(path);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(place)?.write_all(description.as_bytes())
}

/// What tells this file, as it is, from any other; `None` if redb does not call it closed.
fn description(mut file: &File) -> io::Result<Option<String>> {
    let mut head = [0; HEAD];
    file.rewind()?;
    file.read_exact(&mut head)?;
    if head.get(FLAGS).is_none_or(|flags| flags & IS_OPEN != 0) {
        return Ok(None);
    }
    let about = file.metadata()?;
    #[cfg(unix)]
    let number = {
        use std::os::unix::fs::MetadataExt as _;
        (about.dev(), about.ino(), about.ctime(), about.ctime_nsec())
    };
    #[cfg(not(unix))]
    let number = ();
    let told = format!("closed 1\n{:?} {number:?} {:?}\n", about.len(), about.modified()?);
    Ok(Some(format!("{told}{head:02x?}\nend\n")))
}

fn place(path: &Path) -> PathBuf {
    let mut name: OsString = path.into();
    name.push(SUFFIX);
    name.into()
}

#[cfg(test)]
mod tests;
