//! Puts a few secret bytes under a name so that no crash, race or other user of the machine gets in between.
//! Apart from the file format because it knows nothing of keys.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use rand::{TryRng, rngs::SysRng};
use zeroize::Zeroizing;

use super::{Overwrite, WriteError};

/// Writes `content` to a nameless-to-others file beside `path`, makes it durable, then gives it the name.
pub(super) fn place(path: &Path, content: &[u8], overwrite: Overwrite) -> Result<(), WriteError> {
    let io = |source| WriteError::Io { path: path.to_path_buf(), source };
    let exists = || WriteError::Exists { path: path.to_path_buf() };
    let present = match fs::symlink_metadata(path) {
        Ok(metadata) => Some(metadata),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(io(error)),
    };
    match (&present, overwrite) {
        (Some(_), Overwrite::No) => return Err(exists()),
        (Some(there), _) if !there.is_file() => {
            return Err(WriteError::NotAFile { path: path.to_path_buf() });
        }
        _ => {}
    }
    let draft = Draft::write(path, content).map_err(io)?;
    match overwrite {
        Overwrite::No => draft.claim(path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => exists(),
            _ => io(error),
        })?,
        Overwrite::Yes => draft.replace(path).map_err(io)?,
        Overwrite::Backup => {
            if present.is_some() {
                keep(path).map_err(io)?;
            }
            draft.replace(path).map_err(io)?;
        }
    }
    sync_folder(path).map_err(io)
}

/// Copies the present content to the name with `.bak` behind it. A copy, so that the name is never without a file.
fn keep(path: &Path) -> io::Result<()> {
    let content = Zeroizing::new(fs::read(path)?);
    let mut name = path.as_os_str().to_owned();
    name.push(".bak");
    let kept = PathBuf::from(name);
    Draft::write(&kept, &content)?.replace(&kept)
}

/// A complete file that does not have its name yet; removed unless it gets it.
struct Draft {
    path: PathBuf,
}

impl Draft {
    fn write(target: &Path, content: &[u8]) -> io::Result<Self> {
        let name = target.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
        let path = folder(target).join(draft_name(name)?);
        let mut file = create(&path)?;
        let draft = Self { path };
        file.write_all(content)?;
        file.sync_all()?;
        Ok(draft)
    }

    /// Takes the name if it is free; the file system decides, so of two that race one loses.
    fn claim(self, target: &Path) -> io::Result<()> {
        match fs::hard_link(&self.path, target) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
            Err(_) => self.claim_without_links(target),
        }
    }

    /// For file systems without hard links: an empty file takes the name, then the draft takes its place.
    fn claim_without_links(self, target: &Path) -> io::Result<()> {
        drop(create(target)?);
        self.replace(target).inspect_err(|_| {
            // Ours and empty. If even this fails, the next attempt says that the name is taken.
            let _ = fs::remove_file(target);
        })
    }

    fn replace(self, target: &Path) -> io::Result<()> {
        fs::rename(&self.path, target)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Gone already after a rename; otherwise a second name or an unfinished file, which must not stay.
        let _ = fs::remove_file(&self.path);
    }
}

/// A new file, never one that is there or that a link points to, closed to others from the start.
pub(super) fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn draft_name(name: &OsStr) -> io::Result<OsString> {
    let mut random = [0; 8];
    SysRng.try_fill_bytes(&mut random).map_err(io::Error::other)?;
    let mut draft = OsString::from(".");
    draft.push(name);
    draft.push(format!(".{:016x}.new", u64::from_ne_bytes(random)));
    Ok(draft)
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// Makes the new name itself survive a power loss.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder(path))?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_without_hard_links_still_never_clobbers() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("key");
        Draft::write(&target, b"first").unwrap().claim_without_links(&target).unwrap();
        let second = Draft::write(&target, b"second").unwrap().claim_without_links(&target);
        assert_eq!(second.unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&target).unwrap(), b"first");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn a_draft_stands_beside_its_file_and_bears_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("key");
        let draft = Draft::write(&target, b"secret").unwrap();
        assert_eq!(draft.path.parent(), Some(folder.path()));
        let name = draft.path.file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with(".key.") && name.ends_with(".new"), "{name}");
        let another = draft_name(OsStr::new("key")).unwrap();
        assert_ne!(OsStr::new(name), another, "no two drafts share a name");
        // A bare name is one of the present folder, which can be opened and made durable.
        assert_eq!(super::folder(Path::new("key")), Path::new("."));
        assert_eq!(super::folder(Path::new("some/key")), Path::new("some"));
    }

    #[test]
    fn the_file_system_decides_a_race_that_the_first_look_missed() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("key");
        let draft = Draft::write(&target, b"late").unwrap();
        fs::write(&target, b"early").unwrap();
        assert_eq!(draft.claim(&target).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&target).unwrap(), b"early");
    }
}
