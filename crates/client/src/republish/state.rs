//! What outlives the process: each key's packet and its next turn, one small file a key.
//!
//! Separate because nothing else of this crate writes files. One file a key, so that keeping a million keys
//! costs a put no more than keeping one.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mainstay_keys::PublicKey;
use mainstay_packets::{SignedPacket, Timestamp, VerifyError};
use thiserror::Error;

/// How every file begins; the number is the version of the form.
const MAGIC: &str = "mainstay-republish 1";
const EXTENSION: &str = "kept";
/// What is being written and has not taken its place.
const UNFINISHED: &str = "unfinished";
/// More than any file of ours has.
const LONGEST: u64 = 4096;

/// A folder with a file a key: a line with version, plan and checksum, then the packet.
///
/// A file takes its place by being renamed after it has reached the disk, so that a crash leaves the old one or
/// the new one. One process at a time.
#[derive(Clone, Debug)]
pub(crate) struct StateFolder(Arc<Path>);

/// A packet that was kept before, and when its next turn was to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Planned {
    pub(crate) packet: SignedPacket,
    pub(crate) next: Timestamp,
}

/// The state could not be read or written.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum StateError {
    /// The system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// `read`, `write` or `make`.
        action: &'static str,
        /// Which file or folder.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// The file was written by a newer version, or is none of ours; it is left alone.
    #[error("{} is not a file of this version of the republisher; use its newer version, or move the file away", path.display())]
    Version {
        /// Which file.
        path: PathBuf,
    },
    /// The plan or the packet is damaged. The file is left alone until its key is kept again.
    #[error("{} is damaged; its key is not kept unless you add it again", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with the packet, if it is the packet.
        source: Option<VerifyError>,
    },
}

impl StateFolder {
    /// The folder, made if it is not there.
    pub(crate) fn open(path: &Path) -> Result<Self, StateError> {
        fs::create_dir_all(path).map_err(|source| failed("make", path, source))?;
        Ok(Self(path.into()))
    }

    /// All that was kept, and what could not be read of it.
    pub(crate) fn load(&self) -> Result<(Vec<Planned>, Vec<StateError>), StateError> {
        let unreadable = |source| failed("read", &self.0, source);
        let (mut kept, mut problems) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(&self.0).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.extension().is_none_or(|extension| extension != EXTENSION) {
                continue;
            }
            match read(&path) {
                Ok(planned) if self.path(&planned.packet.public_key()) == path => {
                    kept.push(planned);
                }
                Ok(_) => problems.push(StateError::Damaged { path, source: None }),
                Err(problem) => problems.push(problem),
            }
        }
        Ok((kept, problems))
    }

    /// Writes what is kept of a key; returns when it is on the disk.
    pub(crate) fn save(&self, planned: &Planned) -> Result<(), StateError> {
        let path = self.path(&planned.packet.public_key());
        let unfinished = path.with_extension(UNFINISHED);
        let write = || {
            let mut file = self.create(&unfinished)?;
            file.write_all(&encode(planned))?;
            file.sync_all()?;
            fs::rename(&unfinished, &path)?;
            self.sync()
        };
        write().map_err(|source| failed("write", &path, source))
    }

    /// A file; the folder is made again if somebody has taken it away.
    fn create(&self, path: &Path) -> io::Result<File> {
        match File::create(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(&self.0)?;
                File::create(path)
            }
            file => file,
        }
    }

    /// Forgets a key.
    pub(crate) fn remove(&self, key: &PublicKey) -> Result<(), StateError> {
        let path = self.path(key);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(failed("write", &path, error))
            }
            _ => Ok(()),
        }
    }

    fn path(&self, key: &PublicKey) -> PathBuf {
        self.0.join(key.to_z32()).with_extension(EXTENSION)
    }

    /// Makes the renaming itself last, where the system lets a folder be opened.
    fn sync(&self) -> io::Result<()> {
        if cfg!(unix) { File::open(&self.0)?.sync_all() } else { Ok(()) }
    }
}

fn encode(planned: &Planned) -> Vec<u8> {
    let plan = format!("{MAGIC} {}", planned.next.as_u64());
    let packet = planned.packet.as_bytes();
    let sum = checksum(&[plan.as_bytes(), packet]);
    let mut bytes = format!("{plan} {sum:016x}\n").into_bytes();
    bytes.extend_from_slice(packet);
    bytes
}

fn read(path: &Path) -> Result<Planned, StateError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LONGEST).read_to_end(&mut bytes))
        .map_err(|source| failed("read", path, source))?;
    decode(path, &bytes)
}

fn decode(path: &Path, bytes: &[u8]) -> Result<Planned, StateError> {
    let damaged = |source| StateError::Damaged { path: path.to_owned(), source };
    let end = bytes.iter().position(|byte| *byte == b'\n').ok_or_else(|| damaged(None))?;
    let (line, packet) = bytes.split_at_checked(end).ok_or_else(|| damaged(None))?;
    let packet = packet.get(1..).unwrap_or_default();
    let line = std::str::from_utf8(line).map_err(|_| damaged(None))?;
    let Some(plan) = line.strip_prefix(MAGIC).and_then(|rest| rest.strip_prefix(' ')) else {
        return Err(StateError::Version { path: path.to_owned() });
    };
    let (next, sum) = plan.split_once(' ').ok_or_else(|| damaged(None))?;
    let said = format!("{MAGIC} {next}");
    if sum != format!("{:016x}", checksum(&[said.as_bytes(), packet])) {
        return Err(damaged(None));
    }
    let next: u64 = next.parse().map_err(|_| damaged(None))?;
    let packet = SignedPacket::try_from(packet).map_err(|error| damaged(Some(error)))?;
    Ok(Planned { packet, next: Timestamp::from(next) })
}

/// FNV-1a of 64 bits: tells what a disk garbled. Forgers have the packet's signature to beat.
fn checksum(parts: &[&[u8]]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.iter());
    bytes.fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn failed(action: &'static str, path: &Path, source: io::Error) -> StateError {
    StateError::Io { action, path: path.to_owned(), source: Arc::new(source) }
}

#[cfg(test)]
mod tests;
