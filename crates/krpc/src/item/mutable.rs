//! Values named by the key that signs them: apart from immutable ones, because they change and must be verified.

use std::fmt;
use std::sync::Arc;

use mainstay_keys::{Keypair, PublicKey, Signature, SignatureError, SignerError};

use super::{ItemError, MAX_SALT, byte_string, check_value, mutable_target, signable};
use crate::Id;
use crate::bencode::push_string;

/// A value that its owner signed, stored under the hash of key and salt.
///
/// There is no unverified one: it comes from [`sign`](Self::sign) or has passed [`verify`](Self::verify). Its target is
/// always computed, never taken from a message. Cloning counts a reference.
#[derive(Clone, PartialEq, Eq)]
pub struct MutableItem {
    key: PublicKey,
    signature: Signature,
    seq: i64,
    target: Id,
    salt_length: usize,
    /// The salt, then the encoded value.
    content: Arc<[u8]>,
}

impl MutableItem {
    /// Signs the bencoded `value`. Costs one signature, whatever the size of the value.
    ///
    /// # Errors
    /// [`ItemError`] for a value, salt or sequence number that nodes would refuse.
    pub fn sign(keypair: &Keypair, salt: &[u8], seq: i64, value: &[u8]) -> Result<Self, ItemError> {
        check(salt, seq, value)?;
        let mut signed = Vec::new();
        signable(seq, salt, value, &mut signed);
        let signature = keypair.sign(&signed);
        Ok(Self::assemble(keypair.public_key(), salt, seq, value, signature))
    }

    /// Signs the value that is the byte string `bytes`, which is not yet encoded.
    ///
    /// # Errors
    /// As [`sign`](Self::sign).
    pub fn sign_bytes(
        keypair: &Keypair,
        salt: &[u8],
        seq: i64,
        bytes: &[u8],
    ) -> Result<Self, ItemError> {
        let mut value = Vec::with_capacity(bytes.len() + 5);
        push_string(&mut value, bytes);
        Self::sign(keypair, salt, seq, &value)
    }

    /// Checks what a node says that `key` has signed; `value` is bencoded.
    ///
    /// Whether `key` is the one that was asked for is for the caller to compare before. Sizes, sequence number and form
    /// are checked first, so that what is refused for them costs no signature; what is accepted costs one strict
    /// verification, whatever its size. The time depends on nothing secret: all of this is public.
    ///
    /// # Errors
    /// [`ItemError`]; [`code`](ItemError::code) is what a node answers.
    pub fn verify(
        key: PublicKey,
        salt: &[u8],
        seq: i64,
        value: &[u8],
        signature: Signature,
    ) -> Result<Self, ItemError> {
        check(salt, seq, value)?;
        let mut signed = Vec::new();
        signable(seq, salt, value, &mut signed);
        key.verify(&signed, &signature)?;
        Ok(Self::assemble(key, salt, seq, value, signature))
    }

    /// As [`verify`](Self::verify), for a key that is not known to be one yet: a tenth cheaper than making it first.
    ///
    /// # Errors
    /// As [`verify`](Self::verify), and [`ItemError::BadKey`].
    pub fn verify_signer(
        key: &[u8; 32],
        salt: &[u8],
        seq: i64,
        value: &[u8],
        signature: Signature,
    ) -> Result<Self, ItemError> {
        check(salt, seq, value)?;
        let mut signed = Vec::new();
        signable(seq, salt, value, &mut signed);
        let key = PublicKey::of_signer(key, &signed, &signature).map_err(|error| match error {
            SignerError::Key(error) => ItemError::BadKey(error),
            _ => ItemError::BadSignature(SignatureError),
        })?;
        Ok(Self::assemble(key, salt, seq, value, signature))
    }

    fn assemble(key: PublicKey, salt: &[u8], seq: i64, value: &[u8], signature: Signature) -> Self {
        let target = mutable_target(key.as_bytes(), salt);
        let content = [salt, value].concat().into();
        Self { key, signature, seq, target, salt_length: salt.len(), content }
    }

    /// Whose value it is.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    /// What tells apart several values of one key; empty if there is none.
    #[must_use]
    pub fn salt(&self) -> &[u8] {
        self.content.get(..self.salt_length).unwrap_or_default()
    }

    /// The sequence number, at least 0: the greater one is the newer value.
    #[must_use]
    pub const fn seq(&self) -> i64 {
        self.seq
    }

    /// The value as it is encoded and signed.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        self.content.get(self.salt_length..).unwrap_or_default()
    }

    /// The payload, if the value is a byte string.
    #[must_use]
    pub fn bytes(&self) -> Option<&[u8]> {
        byte_string(self.value())
    }

    /// The signature over [`signable()`].
    #[must_use]
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Where the value is stored.
    #[must_use]
    pub const fn target(&self) -> Id {
        self.target
    }
}

impl fmt::Debug for MutableItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MutableItem")
            .field("key", &self.key)
            .field("salt", &self.salt().escape_ascii().to_string())
            .field("seq", &self.seq)
            .field("target", &self.target)
            .field("size", &self.value().len())
            .finish_non_exhaustive()
    }
}

/// All that must hold beside the signature.
fn check(salt: &[u8], seq: i64, value: &[u8]) -> Result<(), ItemError> {
    if salt.len() > MAX_SALT {
        return Err(ItemError::SaltTooLong { length: salt.len() });
    }
    if seq < 0 {
        return Err(ItemError::NegativeSequence { seq });
    }
    check_value(value)
}

#[cfg(test)]
mod tests {
    use mainstay_keys::PublicKeyError;

    use super::super::MAX_VALUE;
    use super::*;

    /// A byte string whose encoding has so many bytes.
    fn value(size: usize) -> Vec<u8> {
        let mut value = Vec::new();
        push_string(&mut value, &vec![b'x'; size - 4]);
        assert_eq!(value.len(), size);
        value
    }

    #[test]
    fn what_nodes_refuse_is_neither_signed_nor_accepted_and_the_largest_of_all_is() {
        let keypair = Keypair::from_secret_key(&[1; 32]);
        let (salt, small, large) = ([7; MAX_SALT + 1], value(500), value(MAX_VALUE + 1));
        let cases: [(&[u8], i64, &[u8], ItemError); 5] = [
            (&salt, 1, &small, ItemError::SaltTooLong { length: MAX_SALT + 1 }),
            (b"", -1, &small, ItemError::NegativeSequence { seq: -1 }),
            (b"", i64::MIN, &small, ItemError::NegativeSequence { seq: i64::MIN }),
            (b"", 1, &large, ItemError::ValueTooLarge { size: MAX_VALUE + 1 }),
            (&salt, -1, &large, ItemError::SaltTooLong { length: MAX_SALT + 1 }),
        ];
        for (salt, seq, value, refusal) in cases {
            let mut signed = Vec::new();
            signable(seq, salt, value, &mut signed);
            let (key, signature) = (keypair.public_key(), keypair.sign(&signed));
            let refused = Err(refusal);
            assert_eq!(MutableItem::sign(&keypair, salt, seq, value), refused);
            assert_eq!(MutableItem::verify(key, salt, seq, value, signature), refused);
            let signer = key.as_bytes();
            assert_eq!(MutableItem::verify_signer(signer, salt, seq, value, signature), refused);
        }
        let (salt, value) = (&salt[1..], value(MAX_VALUE));
        for seq in [0, i64::MAX] {
            let item = MutableItem::sign(&keypair, salt, seq, &value).unwrap();
            assert_eq!((item.salt(), item.seq(), item.value()), (salt, seq, &value[..]));
            let (key, signature) = (*item.key(), *item.signature());
            assert_eq!(item.bytes(), Some(&vec![b'x'; MAX_VALUE - 4][..]));
            assert_eq!(MutableItem::verify(key, salt, seq, &value, signature), Ok(item));
        }
        assert_eq!(MutableItem::sign(&keypair, b"", 1, b"i1e").unwrap().bytes(), None);
    }

    #[test]
    fn an_item_is_its_signers_alone_and_refusals_tell_a_bad_key_from_a_bad_signature() {
        let item =
            MutableItem::sign_bytes(&Keypair::from_secret_key(&[1; 32]), b"s", 5, b"v").unwrap();
        let verify = |key: &[u8; 32], salt: &[u8], seq, value: &[u8]| {
            MutableItem::verify_signer(key, salt, seq, value, *item.signature())
        };
        let key = item.key().as_bytes();
        assert_eq!(verify(key, b"s", 5, b"1:v"), Ok(item.clone()));
        let forged = Err(ItemError::BadSignature(SignatureError));
        assert_eq!(verify(key, b"", 5, b"1:v"), forged);
        assert_eq!(verify(key, b"s", 6, b"1:v"), forged);
        assert_eq!(verify(key, b"s", 5, b"1:w"), forged);
        let other = Keypair::from_secret_key(&[2; 32]).public_key();
        assert_eq!(verify(other.as_bytes(), b"s", 5, b"1:v"), forged);
        assert_eq!(
            MutableItem::verify(other, b"s", 5, b"1:v", *item.signature()),
            Err(ItemError::BadSignature(SignatureError))
        );
        let weak = Err(ItemError::BadKey(PublicKeyError::SmallOrder));
        assert_eq!(verify(&[0; 32], b"s", 5, b"1:v"), weak);
    }
}
