//! The public key: 32 bytes that were checked to name somebody.
//! How people write it is in `text`; what it signs is decided by the crates above.

use std::{fmt, str::FromStr};

use ed25519_dalek::{SigningKey, Verifier as _, VerifyingKey};
use thiserror::Error;

use crate::{Signature, SignatureError, z32::Z32Error};

/// An Ed25519 public key, which is a name that only the owner of its secret controls.
///
/// A value is 32 bytes and always a canonical, not small-order point of the curve: checking costs once, at the door,
/// about as much as a tenth of verifying a signature. Equality, order and hash are those of the bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; Self::LENGTH]);

impl PublicKey {
    /// How many bytes a public key has.
    pub const LENGTH: usize = 32;

    /// Checks that 32 bytes are a key that can name somebody.
    ///
    /// # Errors
    ///
    /// [`PublicKeyError::NotAPoint`], [`PublicKeyError::SmallOrder`] or [`PublicKeyError::NonCanonicalPoint`].
    pub fn from_bytes(bytes: &[u8; Self::LENGTH]) -> Result<Self, PublicKeyError> {
        Self::point(bytes).map(|(key, _)| key)
    }

    /// The key of a secret, which needs no check: clamped multiples of the base point are never of small order.
    pub(crate) fn of_secret(secret: &SigningKey) -> Self {
        Self(secret.verifying_key().to_bytes())
    }

    /// The bytes, as they travel.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// The bytes, as they travel, by value.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; Self::LENGTH] {
        self.0
    }

    /// Checks that the owner of this key signed this message.
    ///
    /// The rules are strict: S below the group's order, R in its canonical encoding and not of small order, and the
    /// equation without cofactor. Other implementations may accept more (a signature that fits every message under a
    /// key of small order, for one), so what they carry can be refused here; what is accepted here, all accept.
    ///
    /// # Errors
    ///
    /// [`SignatureError`] if it does not fit.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), SignatureError> {
        let point = VerifyingKey::from_bytes(&self.0).map_err(|_| SignatureError)?;
        verify_strictly(&point, message, signature)
    }

    /// Makes a key of bytes that came with a message and a signature, and checks both at once.
    ///
    /// The same as [`from_bytes`](Self::from_bytes) and [`verify`](Self::verify), for a tenth less: the point is
    /// computed from its bytes once and not twice.
    ///
    /// # Errors
    ///
    /// [`SignerError`], which tells whose fault it is.
    pub fn of_signer(
        bytes: &[u8; Self::LENGTH],
        message: &[u8],
        signature: &Signature,
    ) -> Result<Self, SignerError> {
        let (key, point) = Self::point(bytes)?;
        verify_strictly(&point, message, signature)?;
        Ok(key)
    }

    fn point(bytes: &[u8; Self::LENGTH]) -> Result<(Self, VerifyingKey), PublicKeyError> {
        let point = VerifyingKey::from_bytes(bytes).map_err(|_| PublicKeyError::NotAPoint)?;
        if point.is_weak() {
            return Err(PublicKeyError::SmallOrder);
        }
        if !is_reduced(bytes) {
            return Err(PublicKeyError::NonCanonicalPoint);
        }
        Ok((Self(*bytes), point))
    }
}

/// Strict verification at the price of the lenient one.
///
/// The lenient one computes the only R that fits, encodes it, and compares bytes. So an R that passes is canonical, and
/// whether it is of small order shows in its bytes; it need not be decompressed for it, as a strict verification that
/// does not know the key's order would. That the key is not of small order was found out when it was made.
fn verify_strictly(
    point: &VerifyingKey,
    message: &[u8],
    signature: &Signature,
) -> Result<(), SignatureError> {
    let [r, _] = signature.as_bytes().as_chunks::<32>().0 else { return Err(SignatureError) };
    if is_small_order(r) {
        return Err(SignatureError);
    }
    let signature = ed25519_dalek::Signature::from_bytes(signature.as_bytes());
    point.verify(message, &signature).map_err(|_| SignatureError)
}

/// Whether these bytes are the canonical encoding of a point of small order, with whatever sign.
fn is_small_order(encoding: &[u8; 32]) -> bool {
    /// The y of the points of order 1, 2, 4 and, twice, 8; each x belongs to one sign.
    const SMALL: [[u8; 32]; 5] = [
        {
            let mut one = [0; 32];
            one[0] = 1;
            one
        },
        {
            let mut minus_one = [0xff; 32];
            (minus_one[0], minus_one[31]) = (0xec, 0x7f);
            minus_one
        },
        [0; 32],
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef,
            0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88,
            0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10,
            0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77,
            0x92, 0xac, 0x03, 0x7a,
        ],
    ];
    let mut y = *encoding;
    y[31] &= 0x7f;
    SMALL.contains(&y)
}

/// Whether the coordinate in these bytes is below 2²⁵⁵ − 19, as RFC 8032, section 5.1.3 wants it.
///
/// The only other second encoding, a sign on a coordinate of zero, is one of a point of small order.
fn is_reduced([lowest, middle @ .., highest]: &[u8; PublicKey::LENGTH]) -> bool {
    *lowest < 0xed || highest | 0x80 != 0xff || middle.iter().any(|byte| *byte != 0xff)
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl AsRef<PublicKey> for PublicKey {
    fn as_ref(&self) -> &PublicKey {
        self
    }
}

impl From<PublicKey> for [u8; PublicKey::LENGTH] {
    fn from(key: PublicKey) -> Self {
        key.0
    }
}

impl From<&PublicKey> for PublicKey {
    fn from(key: &PublicKey) -> Self {
        *key
    }
}

impl TryFrom<[u8; PublicKey::LENGTH]> for PublicKey {
    type Error = PublicKeyError;

    fn try_from(bytes: [u8; PublicKey::LENGTH]) -> Result<Self, Self::Error> {
        Self::from_bytes(&bytes)
    }
}

impl TryFrom<&[u8; PublicKey::LENGTH]> for PublicKey {
    type Error = PublicKeyError;

    fn try_from(bytes: &[u8; PublicKey::LENGTH]) -> Result<Self, Self::Error> {
        Self::from_bytes(bytes)
    }
}

impl TryFrom<&[u8]> for PublicKey {
    type Error = PublicKeyError;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        let bytes = bytes.try_into().map_err(|_| PublicKeyError::Length { bytes: bytes.len() })?;
        Self::from_bytes(bytes)
    }
}

impl FromStr for PublicKey {
    type Err = PublicKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<&str> for PublicKey {
    type Error = PublicKeyError;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        Self::parse(text)
    }
}

impl TryFrom<String> for PublicKey {
    type Error = PublicKeyError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl TryFrom<&String> for PublicKey {
    type Error = PublicKeyError;

    fn try_from(text: &String) -> Result<Self, Self::Error> {
        Self::parse(text)
    }
}

/// Why bytes or a text are no public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PublicKeyError {
    /// The bytes are too many or too few.
    #[error("a public key has 32 bytes; there are {bytes}")]
    Length {
        /// How many there are.
        bytes: usize,
    },
    /// Where the key should stand in the text, there are too many or too few characters.
    #[error("a public key has 52 characters; {characters} stand in its place")]
    TextLength {
        /// How many there are.
        characters: usize,
    },
    /// The text has the right length but is not z-base-32, or, for the strict reader, not its canonical form.
    #[error("the public key is mistyped")]
    Text(#[from] Z32Error),
    /// The bytes are no point of the curve, so no secret belongs to them; most likely they were mistyped or cut.
    #[error("these 32 bytes are no Ed25519 public key; check that they were copied whole")]
    NotAPoint,
    /// The point is on the curve but not written in its only valid way (RFC 8032, section 5.1.3).
    #[error("this public key is a second encoding of another one; nobody can own it")]
    NonCanonicalPoint,
    /// The point has small order: anybody can forge signatures for it.
    #[error("this public key has small order: anybody can sign for it, so it names nobody")]
    SmallOrder,
}

/// Why [`PublicKey::of_signer`] makes no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SignerError {
    /// The bytes are no public key.
    #[error(transparent)]
    Key(#[from] PublicKeyError),
    /// They are one, but its owner did not sign the message.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashSet};

    use proptest::prelude::*;

    use super::*;
    use crate::{Keypair, hex};

    #[test]
    fn keys_sort_and_hash_as_their_bytes_do() {
        let keys: Vec<_> =
            (0..20).map(|n| Keypair::from_secret_key(&[n; 32]).public_key()).collect();
        let sorted: Vec<_> = BTreeSet::from_iter(keys.iter().copied()).into_iter().collect();
        let mut bytes: Vec<_> = keys.iter().map(|key| key.to_bytes()).collect();
        bytes.sort_unstable();
        assert_eq!(sorted.iter().map(|key| key.to_bytes()).collect::<Vec<_>>(), bytes);
        let twice = keys.iter().chain(&keys).collect::<HashSet<_>>();
        assert_eq!(twice.len(), 20);
    }

    #[test]
    fn every_way_in_from_bytes_checks_them() {
        let key = Keypair::from_secret_key(&[7; 32]).public_key();
        let bytes: [u8; 32] = key.into();
        assert_eq!(PublicKey::try_from(bytes), Ok(key));
        assert_eq!(PublicKey::try_from(&bytes), Ok(key));
        assert_eq!(PublicKey::try_from(&bytes[..]), Ok(key));
        let lent: &PublicKey = key.as_ref();
        assert_eq!(PublicKey::from(lent), key);
        assert_eq!(PublicKey::try_from([0; 32]), Err(PublicKeyError::SmallOrder));
        assert_eq!(PublicKey::try_from(&[0; 32]), Err(PublicKeyError::SmallOrder));
        assert_eq!(PublicKey::try_from(&[0; 32][..]), Err(PublicKeyError::SmallOrder));
        for wrong in [0, 31, 33, 64] {
            let refused = PublicKey::try_from(&vec![7; wrong][..]);
            assert_eq!(refused, Err(PublicKeyError::Length { bytes: wrong }));
        }
    }

    #[test]
    fn the_points_of_small_order_are_known_by_their_bytes() {
        let honest = |seed| Keypair::from_secret_key(&[seed; 32]).public_key();
        assert!((0..=255).all(|seed| !is_small_order(honest(seed).as_bytes())));
        let mut points = BTreeSet::new();
        for y in [
            b"0000000000000000000000000000000000000000000000000000000000000000",
            b"0100000000000000000000000000000000000000000000000000000000000000",
            b"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            b"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
            b"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        ] {
            let mut bytes = *hex::decode(y).unwrap();
            for sign in [0, 0x80] {
                bytes[31] = bytes[31] & 0x7f | sign;
                assert!(is_small_order(&bytes));
                let point = VerifyingKey::from_bytes(&bytes).unwrap();
                assert!(point.is_weak());
                // One on the axis has two encodings, of which the canonical one has no sign.
                let on_axis = matches!(bytes[..2], [1, 0] | [0xec, 0xff]);
                points.extend((!on_axis || sign == 0).then_some(bytes));
            }
        }
        assert_eq!(points.len(), 8);
    }

    #[test]
    fn a_coordinate_is_reduced_below_the_prime_and_not_from_there_on() {
        for sign in [0, 0x80] {
            let mut bytes = [0xff; 32];
            bytes[31] = 0x7f | sign;
            for lowest in 0..=255 {
                bytes[0] = lowest;
                assert_eq!(is_reduced(&bytes), lowest < 0xed, "{lowest:#x}");
                assert!(lowest < 0xed || PublicKey::from_bytes(&bytes).is_err());
            }
            for at in 1..32 {
                let mut smaller = bytes;
                smaller[at] ^= 1;
                assert!(is_reduced(&smaller), "byte {at}");
            }
        }
    }

    #[test]
    fn a_signature_fits_one_key_and_one_message() {
        let keypair = Keypair::from_secret_key(&[7; 32]);
        let signature = keypair.sign(b"message");
        let key = keypair.public_key();
        assert_eq!(key.verify(b"message", &signature), Ok(()));
        assert_eq!(keypair.verify(b"message", &signature), Ok(()));
        assert_eq!(key.verify(b"massage", &signature), Err(SignatureError));
        assert_eq!(keypair.verify(b"massage", &signature), Err(SignatureError));
        let other = Keypair::from_secret_key(&[8; 32]).public_key();
        assert_eq!(other.verify(b"message", &signature), Err(SignatureError));
        for bit in 0..512 {
            let mut bytes = signature.to_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let altered = Signature::from_bytes(&bytes);
            assert_eq!(key.verify(b"message", &altered), Err(SignatureError), "bit {bit}");
        }
    }

    proptest! {
        #[test]
        fn any_32_bytes_are_a_key_with_these_bytes_or_an_error(bytes: [u8; 32]) {
            if let Ok(key) = PublicKey::from_bytes(&bytes) {
                prop_assert_eq!(key.to_bytes(), bytes);
                prop_assert_eq!(key.as_bytes(), &bytes);
            }
        }

        #[test]
        fn a_key_with_its_signature_is_judged_as_one_after_the_other(
            seed: [u8; 32],
            message: Vec<u8>,
            at in 0..96_usize,
            flip in 0..=255_u8,
        ) {
            let keypair = Keypair::from_secret_key(&seed);
            let mut bytes = [0; 96];
            bytes[..32].copy_from_slice(keypair.public_key().as_bytes());
            bytes[32..].copy_from_slice(keypair.sign(&message).as_bytes());
            bytes[at] ^= flip;
            let key: [u8; 32] = bytes[..32].try_into().unwrap();
            let signature = Signature::from_bytes(&bytes[32..].try_into().unwrap());
            let apart = PublicKey::from_bytes(&key).map_err(SignerError::from).and_then(|key| {
                key.verify(&message, &signature)?;
                Ok(key)
            });
            prop_assert_eq!(PublicKey::of_signer(&key, &message, &signature), apart);
            prop_assert_eq!(apart.is_ok(), flip == 0);
        }

        #[test]
        fn verifying_is_total(seed: [u8; 32], message: Vec<u8>, r: [u8; 32], s: [u8; 32]) {
            let key = Keypair::from_secret_key(&seed).public_key();
            let mut bytes = [0; 64];
            bytes[..32].copy_from_slice(&r);
            bytes[32..].copy_from_slice(&s);
            prop_assert_eq!(key.verify(&message, &Signature::from(bytes)), Err(SignatureError));
        }
    }
}
