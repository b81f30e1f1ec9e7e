//! What the verbs read: secret keys, zones, packets, from files or from standard input.
//!
//! Separate, because `-` means standard input for all of them, only one may take it, and all bound what they read.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use mainstay::Keypair;
use mainstay::key_file::{ReadError, SecretKeyFile};

use crate::args::Passphrase;
use crate::failure::Failure;

/// More than any zone that fits a packet, comments included.
const LONGEST: u64 = 1 << 20;

/// The bytes of a file, or of standard input for `-`.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        io::stdin().take(LONGEST + 1).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes))
    };
    read.map_err(|source| Failure::File { action: "read", path: path.to_owned(), source })?;
    if bytes.len() as u64 > LONGEST {
        let what = format!("{} is longer than {LONGEST} bytes", name(path));
        return Err(Failure::BadInput { what, source: None });
    }
    Ok(bytes)
}

/// The text of a file, or of standard input for `-`.
pub(crate) fn read_text(path: &Path) -> Result<String, Failure> {
    String::from_utf8(read(path)?)
        .map_err(|error| Failure::input(format!("{} is not UTF-8 text", name(path)), error))
}

/// The first line of a passphrase file, without its end.
pub(crate) fn passphrase(path: &Path) -> Result<String, Failure> {
    let text = read_text(path)?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// How messages call an input.
pub(crate) fn name(path: &Path) -> String {
    if is_stdin(path) { "standard input".to_owned() } else { path.display().to_string() }
}

fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// Refuses that more than one of these comes from standard input, which can be read only once.
pub(crate) fn one_from_stdin<'a>(
    inputs: impl IntoIterator<Item = &'a Path>,
) -> Result<(), Failure> {
    if inputs.into_iter().filter(|path| is_stdin(path)).count() > 1 {
        let what = "only one of key, zone and passphrase can come from standard input".to_owned();
        return Err(Failure::BadInput { what, source: None });
    }
    Ok(())
}

/// The key pair of a secret-key file, encrypted or not; of a plain one also from standard input.
pub(crate) fn keypair(path: &Path, given: &Passphrase) -> Result<Keypair, Failure> {
    // Systems that have no such name say so.
    let file = if is_stdin(path) { Path::new("/dev/stdin") } else { path };
    let file = SecretKeyFile::new(file);
    let secret = match &given.passphrase_file {
        Some(passphrase_file) => file.read_encrypted(&passphrase(passphrase_file)?),
        None => file.read(),
    };
    let secret = secret.map_err(|error| match error {
        ReadError::Io { path, source } => Failure::File { action: "read", path, source },
        ReadError::Encrypted { path } => Failure::BadInput {
            what: format!(
                "{} is encrypted; name the file that its passphrase is in with --passphrase-file",
                path.display()
            ),
            source: None,
        },
        other => Failure::input("the secret key cannot be used", other),
    })?;
    Ok(Keypair::from_secret(&secret))
}
