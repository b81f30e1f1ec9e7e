//! Secret-key files: 64 hexadecimal digits that only their owner can read, or the same encrypted with a passphrase.
//! Apart from the keys because it is the only part of this crate that touches the outside world.
//!
//! A file made by [`SecretKeyFile::write`] holds exactly 64 lower-case digits and no newline, which is what other
//! programs of this family write and read. It belongs to its owner alone (mode 0600) before the first byte is in it, is
//! complete before it gets its name, and never replaces another file unless told to, not even in a race.
//! With the feature `encrypted`, the digits are instead the content of an armored [age](https://age-encryption.org/v1)
//! file, so that `age -d` opens it too.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use thiserror::Error;
use zeroize::Zeroizing;

use crate::{Keypair, SecretKey, SecretKeyError};

#[cfg(feature = "encrypted")]
mod encrypted;
mod place;

/// No file of ours is longer; reading stops here.
const MAX_LENGTH: usize = 16 * 1024;

/// How every age file begins, plain or armored.
const AGE: [&[u8]; 2] = [b"age-encryption.org/", b"-----BEGIN AGE ENCRYPTED FILE-----"];

/// What becomes of a file that already has the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Overwrite {
    /// It stays, and writing fails with [`WriteError::Exists`].
    #[default]
    No,
    /// It is replaced in one step: at every moment there is the whole old file or the whole new one.
    Yes,
    /// As [`Yes`](Self::Yes), and the old content stays beside it under the name with `.bak` behind it.
    ///
    /// A former `.bak` is lost. Mind that the copy of a plain file is plain.
    Backup,
}

/// A place on disk for one secret key.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("key");
/// use mainstay_keys::{Keypair, file::{Overwrite, SecretKeyFile}};
///
/// let keypair = Keypair::random();
/// let file = SecretKeyFile::new(&path);
/// file.write(&keypair.secret_key(), Overwrite::No)?;
/// assert_eq!(Keypair::from_secret(&file.read()?), keypair);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretKeyFile {
    path: PathBuf,
    shared: bool,
}

impl SecretKeyFile {
    /// Names the place; nothing is opened yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), shared: false }
    }

    /// Lets [`read`](Self::read) accept a plain file that others on this machine can read too.
    ///
    /// For secrets that a container platform mounts with its own idea of permissions. By default such a file is refused.
    #[must_use]
    pub fn permit_shared(mut self) -> Self {
        self.shared = true;
        self
    }

    /// Where the key is kept.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads a plain file: 64 digits of either case, with white space around them or not.
    ///
    /// Symbolic links are followed and pipes are read. On Unix, a regular file that its group or others may read or
    /// write is refused, because its secret has to be taken for known.
    ///
    /// # Errors
    ///
    /// [`ReadError::Encrypted`] if it needs a passphrase; the other [`ReadError`]s name the file and what to do.
    pub fn read(&self) -> Result<SecretKey, ReadError> {
        let content = self.content()?;
        if is_encrypted(&content.bytes) {
            return Err(ReadError::Encrypted { path: self.path.clone() });
        }
        if let Some(mode) = content.shared_mode.filter(|_| !self.shared) {
            return Err(ReadError::Shared { path: self.path.clone(), mode });
        }
        self.secret(&content.bytes)
    }

    /// Whether the file needs a passphrase.
    ///
    /// # Errors
    ///
    /// [`ReadError::Io`] or [`ReadError::TooLong`] if it cannot be read.
    pub fn is_encrypted(&self) -> Result<bool, ReadError> {
        Ok(is_encrypted(&self.content()?.bytes))
    }

    /// Writes a plain file of 64 digits.
    ///
    /// A crash or power loss at any moment leaves either the former state or the whole file, and perhaps a draft beside
    /// it (`.NAME.….new`, closed to others) that can be deleted. With [`Overwrite::Yes`] or [`Overwrite::Backup`],
    /// something that is no regular file (a symbolic link, a folder) is left alone and refused.
    ///
    /// # Errors
    ///
    /// [`WriteError::Exists`] if the name is taken and [`Overwrite::No`] was asked for; otherwise what hindered.
    pub fn write(&self, secret: &SecretKey, overwrite: Overwrite) -> Result<(), WriteError> {
        place::place(&self.path, &*secret.to_hex(), overwrite)
    }

    fn secret(&self, digits: &[u8]) -> Result<SecretKey, ReadError> {
        std::str::from_utf8(digits)
            .map_err(|_| SecretKeyError::NotHex)
            .and_then(SecretKey::from_hex)
            .map_err(|source| ReadError::Secret { path: self.path.clone(), source })
    }

    fn content(&self) -> Result<Content, ReadError> {
        let io = |source| ReadError::Io { path: self.path.clone(), source };
        let file = File::open(&self.path).map_err(io)?;
        let shared_mode = shared_mode(&file).map_err(io)?;
        // Room for all that is ever read, so that no half of a secret stays behind when the buffer grows.
        let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_LENGTH + 1));
        file.take(MAX_LENGTH as u64 + 1).read_to_end(&mut bytes).map_err(io)?;
        if bytes.len() > MAX_LENGTH {
            return Err(ReadError::TooLong { path: self.path.clone() });
        }
        Ok(Content { bytes, shared_mode })
    }
}

struct Content {
    bytes: Zeroizing<Vec<u8>>,
    /// The permissions of a regular file that not only its owner may open.
    shared_mode: Option<u32>,
}

fn is_encrypted(content: &[u8]) -> bool {
    AGE.iter().any(|start| content.trim_ascii_start().starts_with(start))
}

#[cfg(unix)]
fn shared_mode(file: &File) -> io::Result<Option<u32>> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = file.metadata()?;
    let mode = metadata.permissions().mode() & 0o777;
    Ok(Some(mode).filter(|mode| metadata.is_file() && mode & 0o077 != 0))
}

#[cfg(not(unix))]
fn shared_mode(_file: &File) -> io::Result<Option<u32>> {
    Ok(None)
}

/// The short ways in and out.
impl Keypair {
    /// Reads a plain secret-key file, as [`SecretKeyFile::read`] does.
    ///
    /// # Errors
    ///
    /// [`ReadError`] names the file and what to do.
    pub fn from_secret_key_file(path: impl AsRef<Path>) -> Result<Self, ReadError> {
        SecretKeyFile::new(path.as_ref()).read().map(|secret| Self::from_secret(&secret))
    }

    /// Writes a plain secret-key file, as [`SecretKeyFile::write`] does with [`Overwrite::No`].
    ///
    /// # Errors
    ///
    /// [`WriteError::Exists`] if there is such a file; otherwise what hindered.
    pub fn write_secret_key_file(&self, path: impl AsRef<Path>) -> Result<(), WriteError> {
        SecretKeyFile::new(path.as_ref()).write(&self.secret_key(), Overwrite::No)
    }
}

/// Why no secret key came out of a file. The content is never repeated.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The operating system did not let us read.
    #[error("cannot read the secret key file {path}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others on this machine may read it, or write it.
    #[error(
        "others may open the secret key file {path} (mode {mode:03o}); chmod 600 it, and replace a key that leaked"
    )]
    Shared {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is far too long to be a secret key.
    #[error("{path} is too long to be a secret key file")]
    TooLong {
        /// Which file.
        path: PathBuf,
    },
    /// What it holds is no secret key.
    #[error("{path} is no secret key file")]
    Secret {
        /// Which file.
        path: PathBuf,
        /// What is wrong with its text.
        source: SecretKeyError,
    },
    /// It is encrypted, and no passphrase was given.
    #[error("the secret key file {path} is encrypted; give its passphrase")]
    Encrypted {
        /// Which file.
        path: PathBuf,
    },
    /// A passphrase was given, but the file is plain.
    #[error("the secret key file {path} is not encrypted; read it without a passphrase")]
    NotEncrypted {
        /// Which file.
        path: PathBuf,
    },
    /// It is encrypted with another passphrase.
    #[error("this is not the passphrase of the secret key file {path}")]
    WrongPassphrase {
        /// Which file.
        path: PathBuf,
    },
    /// It claims to be encrypted, but was altered or cut, or is encrypted to something else than a passphrase.
    #[error("the encrypted file {path} is damaged or not meant for a passphrase")]
    Damaged {
        /// Which file.
        path: PathBuf,
    },
    /// Opening it would cost this machine far more time and memory than an honest file does.
    #[error(
        "opening {path} would take this machine more than a minute; the file asks for too much work"
    )]
    TooMuchWork {
        /// Which file.
        path: PathBuf,
    },
}

/// Why a secret-key file was not written. Nothing that was there before is changed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The name is taken, and nothing allowed replacing it.
    #[error("{path} exists already and is kept; choose another name or allow overwriting")]
    Exists {
        /// Which file.
        path: PathBuf,
    },
    /// The name belongs to a symbolic link, a folder or a device, none of which is replaced.
    #[error("{path} is no regular file and is left alone; name the file itself")]
    NotAFile {
        /// Which name.
        path: PathBuf,
    },
    /// The operating system did not let us write.
    #[error("cannot write the secret key file {path}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// An empty passphrase protects nothing.
    #[error("the passphrase is empty; give one, or write a plain file")]
    EmptyPassphrase,
}

#[cfg(test)]
mod tests;
