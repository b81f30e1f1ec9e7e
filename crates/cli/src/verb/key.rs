//! `mainstay key`: make a key, show a key.
//!
//! Separate as every verb is.

use std::path::Path;

use mainstay::key_file::{Overwrite, SecretKeyFile, WriteError};
use mainstay::{Keypair, PublicKey};
use serde::Serialize;

use crate::args::{Key, KeyNew, KeyShow, Options};
use crate::failure::Failure;
use crate::{input, output};

/// What `key new` and `key show` print with `--json`.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    public_key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a Path>,
}

pub(crate) fn run(common: &Options, key: Key) -> Result<(), Failure> {
    match key {
        Key::New(new) => make(common, &new),
        Key::Show(show) => show_key(common, &show),
    }
}

fn make(common: &Options, new: &KeyNew) -> Result<(), Failure> {
    if new.file == Path::new("-") {
        let what = "a secret key is never written to standard output; name a file (./- for one of that name)";
        return Err(Failure::BadInput { what: what.to_owned(), source: None });
    }
    let keypair = Keypair::random();
    let file = SecretKeyFile::new(&new.file);
    let overwrite = if new.force { Overwrite::Yes } else { Overwrite::No };
    let written = match &new.passphrase_file {
        Some(path) => {
            file.write_encrypted(&keypair.secret_key(), &input::passphrase(path)?, overwrite)
        }
        None => file.write(&keypair.secret_key(), overwrite),
    };
    written.map_err(|error| match error {
        WriteError::Io { path, source } => Failure::File { action: "write", path, source },
        WriteError::Exists { path } => Failure::BadInput {
            what: format!(
                "{} exists already and is kept; choose another name, or --force to lose the key in it",
                path.display()
            ),
            source: None,
        },
        refused => Failure::input("the key is not written", refused),
    })?;
    print(common, keypair.public_key(), Some(&new.file))
}

fn show_key(common: &Options, show: &KeyShow) -> Result<(), Failure> {
    let path = Path::new(&show.key);
    // A file of that name is meant before a key: nobody names a file like a key by accident.
    if path.exists() || path == Path::new("-") {
        let passphrase = show.passphrase.passphrase_file.as_deref();
        input::one_from_stdin([path].into_iter().chain(passphrase))?;
        let keypair = input::keypair(path, &show.passphrase)?;
        return print(common, keypair.public_key(), Some(path));
    }
    let key = PublicKey::parse(&show.key).map_err(|error| {
        Failure::input(format!("{:?} is no file, and no public key either", show.key), error)
    })?;
    print(common, key, None)
}

fn print(common: &Options, key: PublicKey, file: Option<&Path>) -> Result<(), Failure> {
    if common.json {
        output::json(&Shown { public_key: key.to_z32(), file })
    } else {
        output::text(&key.to_z32())
    }
}
