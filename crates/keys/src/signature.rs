//! A signature as 64 bytes, and the one way in which checking it can fail.
//! Apart from the keys because packets and items carry signatures that they have not checked yet.

use std::fmt;

use thiserror::Error;

/// The 64 bytes of an Ed25519 signature, not yet checked against anything.
///
/// Any 64 bytes make one; [`PublicKey::verify`](crate::PublicKey::verify) tells whether it signs a message.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signature([u8; Self::LENGTH]);

impl Signature {
    /// How many bytes a signature has.
    pub const LENGTH: usize = 64;

    /// Takes the bytes as they travel: R, then S.
    #[must_use]
    pub const fn from_bytes(bytes: &[u8; Self::LENGTH]) -> Self {
        Self(*bytes)
    }

    /// The bytes as they travel.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// The bytes as they travel, by value.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; Self::LENGTH] {
        self.0
    }
}

impl From<[u8; Signature::LENGTH]> for Signature {
    fn from(bytes: [u8; Signature::LENGTH]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// The signature was not made by this key over this message: one of the three was altered, or somebody forged it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the signature was not made by this key over these bytes; discard them")]
pub struct SignatureError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_its_bytes_in_every_form() {
        let bytes = std::array::from_fn(|at| u8::try_from(at * 3).unwrap());
        let signature = Signature::from_bytes(&bytes);
        assert_eq!((signature.as_bytes(), signature.to_bytes()), (&bytes, bytes));
        assert_eq!(Signature::from(bytes), signature);
        let shown = format!("{signature:?}");
        assert!(shown.starts_with("Signature(00030609") && shown.ends_with("b7babd)"), "{shown}");
        assert_eq!(shown.len(), "Signature()".len() + 128);
    }
}
