//! What the verbs read: secret keys, zones, packets, from files or from standard input.
//!
//! Separate, because `-` means standard input for all of them, and all of them bound what they read.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use mainstay::Keypair;
use mainstay::key_file::SecretKeyFile;

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
        let what = format!("{} is longer than {LONGEST} bytes", path.display());
        return Err(Failure::BadInput { what, source: None });
    }
    Ok(bytes)
}

/// The text of a file, or of standard input for `-`.
pub(crate) fn read_text(path: &Path) -> Result<String, Failure> {
    String::from_utf8(read(path)?)
        .map_err(|error| Failure::input(format!("{} is not UTF-8 text", path.display()), error))
}

/// The first line of a passphrase file, without its end.
pub(crate) fn passphrase(path: &Path) -> Result<String, Failure> {
    let text = read_text(path)?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// The key pair of a secret-key file, encrypted or not.
pub(crate) fn keypair(path: &Path, given: &Passphrase) -> Result<Keypair, Failure> {
    let file = SecretKeyFile::new(path);
    let secret = match &given.passphrase_file {
        Some(passphrase_file) => file.read_encrypted(&passphrase(passphrase_file)?),
        None => file.read(),
    };
    let secret = secret.map_err(|error| Failure::input("the secret key cannot be used", error))?;
    Ok(Keypair::from_secret(&secret))
}
