//! Gives a name to bytes so that no crash leaves half of them under it.
//! Apart from what the bytes mean.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// Writes a draft beside `path`, makes it durable, renames it, and makes the name durable.
///
/// The draft has one name for each path, so that crashes leave one draft at most; whoever writes holds the lock.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = beside(path, ".new");
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let written = write(&draft, bytes).and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        // It must not stay; if it does, the next attempt says why.
        let _ = fs::remove_file(&draft);
    }
    written?;
    sync_folder(path)
}

/// Where the file is, whoever asks: absolute, and behind the links that lead to it. So a link stays a link when the
/// file is replaced, and two ways to one file meet in one lock.
pub(super) fn of(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => std::path::absolute(path),
        found => found,
    }
}

/// The path with `suffix` behind its name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// A file that marks `path` as ours while it is open; `None` if another process has it.
pub(super) fn lock(path: &Path) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    private(&mut options);
    let name = beside(path, ".lock");
    loop {
        let file = options.open(&name)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Ok(None),
            // A file system without locks: whoever shares it between processes is on their own.
            Err(fs::TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {}
            Err(fs::TryLockError::Error(error)) => return Err(error),
        }
        // Whoever had it may have removed it after it was opened here, and a third have made another.
        if is_named(&file, &name)? {
            return Ok(Some(file));
        }
    }
}

/// Takes away the mark on `path`, which `lock` holds until it is dropped.
///
/// Only where a file can be told from another of the same name; elsewhere it stays, and does no harm.
pub(super) fn unlock(path: &Path, lock: &File) {
    let name = beside(path, ".lock");
    if cfg!(unix) && is_named(lock, &name).is_ok_and(|named| named) {
        // If it stays, it is locked by nobody.
        let _ = fs::remove_file(name);
    }
}

/// Whether `name` still names this file.
#[cfg(unix)]
fn is_named(file: &File, name: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let ours = file.metadata()?;
    match fs::metadata(name) {
        Ok(named) => Ok((named.dev(), named.ino()) == (ours.dev(), ours.ino())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(not(unix))]
fn is_named(_file: &File, _name: &Path) -> io::Result<bool> {
    Ok(true)
}

fn write(draft: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    private(&mut options);
    let mut file = options.open(draft)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Closed to others from the start: the file tells whom a node talks to.
fn private(options: &mut OpenOptions) {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    #[cfg(not(unix))]
    let _ = options;
}

#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn a_lock_that_comes_and_goes_is_never_held_by_two() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let (holders, held) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        let Some(file) = lock(&path).unwrap() else { continue };
                        assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0, "two hold it");
                        held.fetch_add(1, Ordering::SeqCst);
                        std::thread::yield_now();
                        holders.fetch_sub(1, Ordering::SeqCst);
                        unlock(&path, &file);
                    }
                });
            }
        });
        assert!(held.load(Ordering::SeqCst) > 0);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_that_was_replaced_under_its_name_is_not_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let name = beside(&path, ".lock");
        let mine = lock(&path).unwrap().unwrap();
        assert!(is_named(&mine, &name).unwrap());
        fs::remove_file(&name).unwrap();
        assert!(!is_named(&mine, &name).unwrap());
        let another = lock(&path).unwrap().unwrap();
        assert!(!is_named(&mine, &name).unwrap());
        // What is somebody else's stays.
        unlock(&path, &mine);
        assert!(is_named(&another, &name).unwrap());
    }
}
