//! The folder and files of a cache: made for this user alone, looked at before they are opened, moved out
//! of the way when they are damaged.
//!
//! Separate because both engines need the same, and neither does it.

use std::error::Error;
use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use super::error::OpenCacheError;

/// How many damaged files are kept; the oldest makes way.
const KEPT: usize = 3;

/// A damaged file that was moved out of the way, so that a new one could be begun.
///
/// Nothing reads it again: look at it, or delete it. Of more than three the oldest is overwritten.
#[derive(Debug)]
pub struct SetAside {
    /// Where the damaged file is now.
    pub path: PathBuf,
    /// What is wrong with it.
    pub damage: Box<dyn Error + Send + Sync>,
}

/// Where a cache lives.
#[derive(Debug)]
pub(crate) struct Home;

impl Home {
    /// Makes the folder, for this user alone, unless it is there.
    pub(crate) fn folder(path: &Path) -> Result<(), OpenCacheError> {
        let failed = |source| OpenCacheError::Io { path: path.to_owned(), source };
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(path).map_err(failed)?;
        let about = fs::metadata(path).map_err(failed)?;
        if is_open_to_all(&about) {
            return Err(OpenCacheError::OpenToAll { path: path.to_owned() });
        }
        Ok(())
    }

    /// Whether the file is there; an error if something else is.
    pub(crate) fn has(path: &Path) -> Result<bool, OpenCacheError> {
        match fs::symlink_metadata(path) {
            Ok(about) if about.is_file() => Ok(true),
            Ok(_) => Err(OpenCacheError::NotAFile { path: path.to_owned() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(OpenCacheError::Io { path: path.to_owned(), source }),
        }
    }

    /// Whether the file of this name is the one that is open, as far as the system can tell.
    pub(crate) fn is_at(file: &File, path: &Path) -> io::Result<bool> {
        let there = match fs::symlink_metadata(path) {
            Ok(there) => there,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt as _;
            let open = file.metadata()?;
            Ok((open.dev(), open.ino()) == (there.dev(), there.ino()))
        }
        #[cfg(not(unix))]
        {
            let _ = file;
            Ok(there.is_file())
        }
    }

    /// Makes what has happened to names in the folder of this file last.
    pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        // Where folders cannot be opened as files there is nothing to sync.
        if cfg!(unix) { File::open(folder.unwrap_or(Path::new(".")))?.sync_all() } else { Ok(()) }
    }

    /// Moves a damaged file out of the way.
    pub(crate) fn set_aside(
        path: &Path,
        damage: Box<dyn Error + Send + Sync>,
    ) -> Result<SetAside, OpenCacheError> {
        let aside = slot(path);
        let failed = |source| OpenCacheError::Io { path: path.to_owned(), source };
        fs::rename(path, &aside).map_err(failed)?;
        Self::sync_folder(path).map_err(failed)?;
        tracing::warn!(
            path = %path.display(), aside = %aside.display(), error = &*damage as &dyn Error,
            "the cache was damaged: it was set aside and a new one begun"
        );
        Ok(SetAside { path: aside, damage })
    }
}

/// Whether users other than the owner and its group may move or replace what is in the folder.
fn is_open_to_all(about: &Metadata) -> bool {
    #[cfg(unix)]
    {
        const OTHERS_WRITE: u32 = 0o002;
        const STICKY: u32 = 0o1000;
        let mode = std::os::unix::fs::PermissionsExt::mode(&about.permissions());
        mode & OTHERS_WRITE != 0 && mode & STICKY == 0
    }
    #[cfg(not(unix))]
    {
        let _ = about;
        false
    }
}

/// The first free name for a damaged file, else that of the oldest.
fn slot(path: &Path) -> PathBuf {
    let slots = (1..=KEPT).map(|number| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".damaged-{number}"));
        PathBuf::from(name)
    });
    let age = |slot: &PathBuf| fs::symlink_metadata(slot).and_then(|about| about.modified()).ok();
    slots.min_by_key(age).unwrap_or_else(|| path.with_extension("damaged"))
}
