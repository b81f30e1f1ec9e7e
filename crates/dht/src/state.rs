//! The file in which a node's snapshot outlives it: read at the start, replaced whole, set aside when it is broken.
//! Apart from the driver, because files have faults of their own and none of the protocol's.

mod keeper;
mod place;

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mainstay_dht_proto::{Snapshot, SnapshotError};

pub(crate) use self::keeper::{Keeper, Saved};

/// The state file of a node could not be used.
///
/// It never keeps a node from starting: see [`NodeEvent::StateSetAside`](crate::NodeEvent::StateSetAside).
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// What is in the file is no state of a node that this version can read.
    #[error("{} cannot be used", path.display())]
    Content {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: SnapshotError,
    },
    /// The file is longer than any state: another program's.
    #[error("{} has {length} bytes, more than the state of a node", path.display())]
    TooLong {
        /// Which file.
        path: PathBuf,
        /// Its length in bytes.
        length: u64,
    },
    /// There is something else than a file: a folder, a pipe, a device.
    #[error("{} is not a file", path.display())]
    NotAFile {
        /// What was named.
        path: PathBuf,
    },
    /// The system did not let us read or write it: check permissions and free space.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// `read`, `write` or `set aside`.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
}

impl StateError {
    fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_path_buf(), source: Arc::new(source) }
    }
}

/// Reads the state that a node left in `path`; `None` if there is no file.
///
/// [`DhtBuilder::state_file`](crate::DhtBuilder::state_file) does so for a node; this is for those who want to look.
/// Blocks for a read of 1.3 MB at most, and verifies each published item.
///
/// # Errors
///
/// [`StateError`], if the file cannot be read or is none of ours. It is left where it is.
pub fn read_state(path: &Path) -> Result<Option<Snapshot>, StateError> {
    let failed = |source| StateError::io("read", path, source);
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    if !metadata.is_file() {
        return Err(StateError::NotAFile { path: path.to_path_buf() });
    }
    let most = u64::try_from(Snapshot::MOST_BYTES).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    // One byte more than allowed tells a file that grows while it is read.
    File::open(path).map_err(failed)?.take(most + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > Snapshot::MOST_BYTES {
        let length = metadata.len().max(most + 1);
        return Err(StateError::TooLong { path: path.to_path_buf(), length });
    }
    let content = |source| StateError::Content { path: path.to_path_buf(), source };
    Snapshot::decode(&bytes).map(Some).map_err(content)
}

/// Writes a state to `path`, in place of the one that is there.
///
/// Whatever happens meanwhile, a crash or a loss of power included, the file then holds the old state or the new one:
/// the new one is written beside it, made durable, and only then given the name. Where `path` is a link, it stays one, and the file
/// behind it is replaced. Blocks for that; readable by its owner only.
///
/// # Errors
///
/// [`StateError::Io`]; the old state is then still there.
pub fn write_state(path: &Path, snapshot: &Snapshot) -> Result<(), StateError> {
    place::of(path)
        .and_then(|place| place::replace(&place, &snapshot.encode()))
        .map_err(|source| StateError::io("write", path, source))
}

/// Moves a file that cannot be used out of the way, so that the next state has its place; gives its new path.
///
/// There is one such file at most: an older one goes. A state of a newer version has a name of its own, since it is
/// worth keeping.
fn set_aside(path: &Path, error: &StateError) -> Result<PathBuf, StateError> {
    let newer = matches!(error, StateError::Content { source: SnapshotError::Newer { .. }, .. });
    let aside = place::beside(path, if newer { ".newer" } else { ".broken" });
    fs::rename(path, &aside).map_err(|source| StateError::io("set aside", path, source))?;
    Ok(aside)
}

#[cfg(test)]
mod tests;
