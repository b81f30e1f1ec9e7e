//! The folder of an LMDB cache: locked against other openers, its file looked at before it is mapped.
//!
//! Separate because everything here happens before LMDB sees the folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::super::persistent::{Home, Mark, OpenCacheError, SetAside};
use super::check::{self, Seen, Unsound};

/// The file that LMDB keeps its pages in.
const DATA: &str = "data.mdb";
/// The file that LMDB keeps its readers in.
const READERS: &str = "lock.mdb";
/// The file whose lock says who has the folder open: LMDB does not know of it.
const LOCK: &str = "mainstay.lock";

/// A folder whose file was looked at, locked: shared while it is open, exclusively while it is being opened.
///
/// The last of all processes to let go of it marks the file as closed, if none of them has come to doubt it: then the
/// next opening need not look at each page. Whatever has changed the file since, LMDB in other hands included, has
/// changed its times or headers, and so the mark is none of this file; see [`Mark`].
#[derive(Debug)]
pub(super) struct Checked {
    folder: PathBuf,
    lock: File,
    /// Whether LMDB has opened the file.
    is_open: bool,
}

impl Checked {
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Looks at a folder, and sets a damaged file aside.
    pub(super) fn look(
        folder: &Path,
        whole: bool,
    ) -> Result<(Self, Option<SetAside>), OpenCacheError> {
        Home::folder(folder)?;
        let failed = |source| OpenCacheError::Io { path: folder.to_owned(), source };
        for name in [LOCK, READERS] {
            Home::has(&folder.join(name))?;
        }
        let data = folder.join(DATA);
        let (lock, is_alone) = lock(&folder.join(LOCK)).map_err(failed)?;
        let exists = Home::has(&data)?;
        let checked = Self { folder: folder.to_owned(), lock, is_open: false };
        let mut set_aside = None;
        let mut state = SOUND;
        let path = || folder.to_owned();
        // Whoever has it open already has looked at it, and changes it while we would look.
        if exists && is_alone {
            match look(&data, whole) {
                Ok(Seen::Whole) => {}
                Ok(Seen::InPart) => state = DOUBTED,
                Err(Unsound::Damaged(damage)) => {
                    set_aside = Some(Home::set_aside(&data, damage.into())?);
                }
                Err(Unsound::Io(source)) => return Err(failed(source)),
                Err(Unsound::OtherMachine) => {
                    return Err(OpenCacheError::OtherMachine { path: path() });
                }
                Err(Unsound::Newer { found }) => {
                    return Err(OpenCacheError::NewerFormat { path: path(), found, known: 1 });
                }
            }
        }
        if is_alone {
            note(&checked.lock, state).map_err(failed)?;
        }
        Ok((checked, set_aside))
    }

    /// Lets others open the folder, too, now that LMDB has opened it.
    pub(super) fn share(&mut self) -> io::Result<()> {
        self.is_open = true;
        self.lock.lock_shared()
    }

    /// Something in the file is not what was written: nobody who has it open now is to mark it.
    pub(super) fn doubt(&self) {
        if let Err(error) = note(&self.lock, DOUBTED) {
            tracing::warn!(%error, folder = %self.folder.display(), "nothing says that the cache is in doubt");
        }
    }

    /// Marks the file, if nobody else has it open and it is not in doubt.
    fn mark(&self) -> io::Result<()> {
        // Elsewhere files do not tell when they were changed.
        if !cfg!(unix) || !self.is_open {
            return Ok(());
        }
        self.lock.unlock()?;
        match self.lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        if noted(&self.lock)? != Some(SOUND) {
            return Ok(());
        }
        let data = self.folder.join(DATA);
        let file = File::open(&data)?;
        let Ok(head) = check::head(&file) else { return Ok(()) };
        Mark::of(&data).put(&file, &head)
    }
}

impl Drop for Checked {
    /// Marks the file. If that fails, the next opening looks at all of it: no more.
    fn drop(&mut self) {
        if let Err(error) = self.mark() {
            tracing::debug!(%error, folder = %self.folder.display(), "the cache was closed, but not marked as closed");
        }
    }
}

/// Looks at a file: at its header alone if it is as it was when it was closed. Takes the mark.
fn look(data: &Path, whole: bool) -> Result<Seen, Unsound> {
    let file = File::open(data)?;
    let head = check::head(&file).ok();
    let is_as_closed = cfg!(unix) && Mark::of(data).take(&file, head.as_deref()).unwrap_or(false);
    let seen = check::look(&file, whole && !is_as_closed)?;
    Ok(if is_as_closed { Seen::Whole } else { seen })
}

/// What the lock file says once one of those who hold its lock has found the file sound, and nobody has doubted it
/// since.
const SOUND: u8 = b'+';
/// What it says once one of them has opened it without looking at all of it, or has come upon something wrong.
const DOUBTED: u8 = b'!';
/// What it says before.
const UNSEEN: u8 = b'-';

/// Locks the folder: exclusively if nobody has it open, else shared with those who have looked at the file.
fn lock(path: &Path) -> io::Result<(File, bool)> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    loop {
        match file.try_lock() {
            Ok(()) => {
                note(&file, UNSEEN)?;
                return Ok((file, true));
            }
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // Waits at most for as long as another process takes to open it.
        file.lock_shared()?;
        if matches!(noted(&file)?, Some(SOUND | DOUBTED)) {
            return Ok((file, false));
        }
        // Whoever was about to look has died: one of those who waited does.
        file.unlock()?;
    }
}

fn note(mut file: &File, word: u8) -> io::Result<()> {
    file.rewind()?;
    file.write_all(&[word])
}

fn noted(mut file: &File) -> io::Result<Option<u8>> {
    let mut word = [0];
    file.rewind()?;
    let read = file.read(&mut word)?;
    Ok((read == 1).then_some(word[0]))
}

#[cfg(test)]
mod tests;
