//! Secret-key files behind a passphrase, in the age format.
//! Apart from the plain ones because it exists only with the feature `encrypted`, and only it sees the age crate.

use std::io;

use age::{DecryptError, scrypt, secrecy::SecretString};
use zeroize::Zeroizing;

use super::{Overwrite, ReadError, SecretKeyFile, WriteError, is_encrypted, place};
use crate::SecretKey;

impl SecretKeyFile {
    /// Reads a file that a passphrase protects, armored or not, written by us or by `age -p`.
    ///
    /// Takes about a second, by intent: that is what each guess costs somebody who stole the file. The permissions of
    /// the file are not looked at.
    ///
    /// # Errors
    ///
    /// [`ReadError::WrongPassphrase`] tells that case from damage; [`ReadError::NotEncrypted`] asks for
    /// [`read`](Self::read) instead.
    pub fn read_encrypted(&self, passphrase: &str) -> Result<SecretKey, ReadError> {
        let path = || self.path.clone();
        let content = self.content()?;
        if !is_encrypted(&content.bytes) {
            return Err(ReadError::NotEncrypted { path: path() });
        }
        let identity = scrypt::Identity::new(SecretString::from(passphrase));
        let digits = age::decrypt(&identity, content.bytes.trim_ascii_start())
            .map(Zeroizing::new)
            .map_err(|error| match error {
                DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed => {
                    ReadError::WrongPassphrase { path: path() }
                }
                DecryptError::ExcessiveWork { .. } => ReadError::TooMuchWork { path: path() },
                _ => ReadError::Damaged { path: path() },
            })?;
        self.secret(&digits)
    }

    /// Writes a file that a passphrase protects; apart from that as [`write`](Self::write).
    ///
    /// Takes about a second, by intent.
    ///
    /// # Errors
    ///
    /// [`WriteError::EmptyPassphrase`], and those of [`write`](Self::write).
    pub fn write_encrypted(
        &self,
        secret: &SecretKey,
        passphrase: &str,
        overwrite: Overwrite,
    ) -> Result<(), WriteError> {
        self.write_encrypted_to(secret, scrypt_recipient(passphrase)?, overwrite)
    }

    fn write_encrypted_to(
        &self,
        secret: &SecretKey,
        recipient: scrypt::Recipient,
        overwrite: Overwrite,
    ) -> Result<(), WriteError> {
        let armored = age::encrypt_and_armor(&recipient, &*secret.to_hex()).map_err(|error| {
            WriteError::Io { path: self.path.clone(), source: io::Error::other(error) }
        })?;
        place::place(&self.path, armored.as_bytes(), overwrite)
    }
}

fn scrypt_recipient(passphrase: &str) -> Result<scrypt::Recipient, WriteError> {
    if passphrase.is_empty() {
        return Err(WriteError::EmptyPassphrase);
    }
    Ok(scrypt::Recipient::new(SecretString::from(passphrase)))
}

#[cfg(test)]
mod tests;
