//! The 32 secret bytes that a key pair grows from.
//! Apart from the key pair so that what must be wiped and never shown is one small type.

use std::{fmt, str::FromStr};

use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::hex;

/// An Ed25519 seed: whoever knows these 32 bytes owns the name.
///
/// It is wiped from memory when it is dropped and has no form that prints it. Write it to a file with
/// [`SecretKeyFile`](crate::file::SecretKeyFile).
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SecretKey([u8; Self::LENGTH]);

impl SecretKey {
    /// How many bytes a secret key has.
    pub const LENGTH: usize = 32;

    /// Copies the bytes; wiping the original stays with the caller.
    #[must_use]
    pub const fn from_bytes(bytes: &[u8; Self::LENGTH]) -> Self {
        Self(*bytes)
    }

    /// Reads 64 hexadecimal digits of either case, as secret-key files hold them.
    ///
    /// White space around them is left away. [`str::parse`] does the same.
    ///
    /// # Errors
    ///
    /// [`SecretKeyError`] says what is wrong with the text without repeating any of it.
    pub fn from_hex(text: &str) -> Result<Self, SecretKeyError> {
        let digits = text.trim();
        hex::decode(digits.as_bytes()).map(|bytes| Self(*bytes)).map_err(|wrong| match wrong {
            Some(_) => SecretKeyError::NotHex,
            None => SecretKeyError::Length { digits: digits.len() },
        })
    }

    /// The secret bytes. Keep no copy that nobody wipes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// The 64 digits of a secret-key file.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn to_hex(&self) -> zeroize::Zeroizing<[u8; 64]> {
        hex::encode(&self.0)
    }
}

impl FromStr for SecretKey {
    type Err = SecretKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::from_hex(text)
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

/// Why a text is no secret key. Nothing of the text is repeated: it may still be most of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SecretKeyError {
    /// There are only digits, but not 64.
    #[error("a secret key has 64 hexadecimal digits; there are {digits}")]
    Length {
        /// How many there are.
        digits: usize,
    },
    /// Something in it is no hexadecimal digit.
    #[error("a secret key has only hexadecimal digits; there is something else among these")]
    NotHex,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn wiping_leaves_no_byte() {
        let mut secret = SecretKey::from_bytes(&[0xab; 32]);
        secret.zeroize();
        assert_eq!(secret.as_bytes(), &[0; 32]);
    }

    #[test]
    fn the_secret_is_wiped_when_it_is_dropped() {
        fn wiped_on_drop<T: ZeroizeOnDrop>() {}
        wiped_on_drop::<SecretKey>();
        wiped_on_drop::<ed25519_dalek::SigningKey>();
    }

    proptest! {
        #[test]
        fn the_digits_read_back(bytes: [u8; 32]) {
            let digits = SecretKey::from_bytes(&bytes).to_hex();
            let text = std::str::from_utf8(&*digits).unwrap();
            prop_assert!(SecretKey::from_hex(text).unwrap().as_bytes() == &bytes);
            prop_assert!(text.to_uppercase().parse::<SecretKey>().unwrap().as_bytes() == &bytes);
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC{0,70}|[0-9a-fA-F+x\u{e9} ]{60,68}") {
            let trimmed = text.trim();
            let valid = trimmed.len() == 64 && trimmed.bytes().all(|byte| byte.is_ascii_hexdigit());
            prop_assert_eq!(SecretKey::from_hex(&text).is_ok(), valid);
        }
    }
}
