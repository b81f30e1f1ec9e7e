//! The folder of an LMDB cache: locked against other openers, its file looked at before it is mapped.
//!
//! Separate because everything here happens before LMDB sees the folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::super::persistent::{Home, OpenCacheError, SetAside};
use super::check::{self, Unsound};

/// The file that LMDB keeps its pages in.
const DATA: &str = "data.mdb";
/// The file that LMDB keeps its readers in.
const READERS: &str = "lock.mdb";
/// The file whose lock says who has the folder open: LMDB does not know of it.
const LOCK: &str = "mainstay.lock";

/// A folder whose file was looked at, locked: shared while it is open, exclusively while it is being opened.
#[derive(Debug)]
pub(super) struct Checked {
    folder: PathBuf,
    lock: File,
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
        let checked = Self { folder: folder.to_owned(), lock };
        let mut set_aside = None;
        let path = || folder.to_owned();
        // Whoever has it open already has looked at it, and changes it while we would look.
        if exists && is_alone {
            match check::look(&data, whole) {
                Ok(()) => {}
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
            note(&checked.lock, LOOKED_AT).map_err(failed)?;
        }
        Ok((checked, set_aside))
    }

    /// Lets others open the folder, too.
    pub(super) fn share(&mut self) -> io::Result<()> {
        self.lock.lock_shared()
    }
}

/// What the lock file says once the file has been looked at by one of those who hold its lock.
const LOOKED_AT: u8 = b'+';
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
        if noted(&file)? == Some(LOOKED_AT) {
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
