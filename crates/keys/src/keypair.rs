//! A key pair: the secret that signs and the public key that names its owner.
//! Apart from the public key because most code only ever needs that one.

use std::fmt;

use ed25519_dalek::{Signer, SigningKey};
use rand::{TryRng, rngs::SysRng};
use zeroize::Zeroizing;

use crate::{PublicKey, SecretKey, Signature, SignatureError};

/// An Ed25519 key pair, able to sign.
///
/// The public half is always derived from the secret one, never taken from outside, so no caller can be tricked into
/// signing under a key that does not belong to the secret
/// ([RUSTSEC-2022-0093](https://rustsec.org/advisories/RUSTSEC-2022-0093.html)). The secret is wiped when the pair is
/// dropped; no form of printing shows it.
///
/// There is no way to hand in a public key:
///
/// ```compile_fail
/// let other = mainstay_keys::Keypair::random().public_key();
/// let pair = mainstay_keys::Keypair::from_parts(&[7; 32], other);
/// ```
///
/// and none to print the secret:
///
/// ```compile_fail
/// println!("{}", mainstay_keys::Keypair::random().secret_key());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Keypair(SigningKey);

impl Keypair {
    /// Makes a new pair from the operating system's randomness.
    ///
    /// # Panics
    ///
    /// If the operating system gives no randomness: a key made without it would be everybody's.
    #[must_use]
    pub fn random() -> Self {
        let mut seed = Zeroizing::new([0; SecretKey::LENGTH]);
        SysRng.try_fill_bytes(&mut *seed).expect("the operating system has randomness to give");
        Self::from_secret_key(&seed)
    }

    /// Grows the pair from its 32 secret bytes; every 32 bytes make one.
    #[must_use]
    pub fn from_secret_key(secret: &[u8; SecretKey::LENGTH]) -> Self {
        Self(SigningKey::from_bytes(secret))
    }

    /// Grows the pair from its secret.
    #[must_use]
    pub fn from_secret(secret: &SecretKey) -> Self {
        Self::from_secret_key(secret.as_bytes())
    }

    /// The secret that the pair grew from.
    #[must_use]
    pub fn secret_key(&self) -> SecretKey {
        SecretKey::from_bytes(self.0.as_bytes())
    }

    /// The name that this pair owns.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        PublicKey::of_secret(&self.0)
    }

    /// Signs a message. The same message always gets the same signature.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature::from_bytes(&self.0.sign(message).to_bytes())
    }

    /// Checks a signature that this pair should have made.
    ///
    /// # Errors
    ///
    /// [`SignatureError`] as [`PublicKey::verify`] gives it.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), SignatureError> {
        self.public_key().verify(message, signature)
    }

    /// The public key's 52 characters.
    #[must_use]
    pub fn to_z32(&self) -> String {
        self.public_key().to_z32()
    }

    /// The public key as `pk:` and its 52 characters.
    #[must_use]
    pub fn to_uri_string(&self) -> String {
        self.public_key().to_uri_string()
    }
}

/// Shows the public key only.
impl fmt::Debug for Keypair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keypair({})", self.public_key())
    }
}

/// Shows the public key only.
impl fmt::Display for Keypair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.public_key().fmt(f)
    }
}

impl From<&Keypair> for PublicKey {
    fn from(keypair: &Keypair) -> Self {
        keypair.public_key()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_prints_shows_the_secret() {
        let keypair = Keypair::from_secret_key(&[0xab; 32]);
        let secret = keypair.secret_key();
        let shown = format!("{keypair} {keypair:?} {secret:?} {:#?}", (&keypair, &secret));
        for form in ["abab", "ABAB", "171, 171", &crate::z32::encode(&[0xab; 32])] {
            assert!(!shown.contains(form), "{shown}");
        }
        assert_eq!(keypair.to_string(), keypair.to_z32());
        assert_eq!(format!("{keypair:?}"), format!("Keypair({})", keypair.public_key()));
        assert_eq!(keypair.to_uri_string(), format!("pk:{}", keypair.public_key()));
    }

    #[test]
    fn random_pairs_differ_and_grow_again_from_their_secret() {
        let (one, other) = (Keypair::random(), Keypair::random());
        assert_ne!(one, other);
        assert_eq!(Keypair::from_secret(&one.secret_key()), one);
        assert_eq!(PublicKey::from(&one), one.public_key());
    }

    #[test]
    fn a_derived_public_key_passes_the_door() {
        for n in 0..=255 {
            let key = Keypair::from_secret_key(&[n; 32]).public_key();
            assert_eq!(PublicKey::from_bytes(key.as_bytes()), Ok(key));
        }
    }
}
