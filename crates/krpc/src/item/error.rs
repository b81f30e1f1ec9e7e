//! Why a value is not an item: apart from the items, because stores turn these reasons into codes on the wire.

use mainstay_keys::{PublicKeyError, SignatureError};
use thiserror::Error;

use crate::error_code;

/// Why something cannot be stored or signed as an item of BEP 44.
///
/// Whoever made the item is to blame, never the network; asking another node for the same bytes will not help.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ItemError {
    /// The encoded value is larger than [`MAX_VALUE`](super::MAX_VALUE): its author must store less.
    #[error("the encoded value has {size} bytes, and nodes store at most 1000; store less")]
    ValueTooLarge {
        /// How many bytes the encoded value has.
        size: usize,
    },
    /// The salt is longer than [`MAX_SALT`](super::MAX_SALT): its author must choose a shorter one.
    #[error("the salt has {length} bytes, and nodes allow at most 64; choose a shorter one")]
    SaltTooLong {
        /// How many bytes the salt has.
        length: usize,
    },
    /// The sequence number is below zero: its author must count from zero.
    #[error("the sequence number {seq} is negative; count from zero")]
    NegativeSequence {
        /// The number given.
        seq: i64,
    },
    /// The value is not written as bencode demands.
    #[error(transparent)]
    NotCanonical(#[from] NotCanonical),
    /// The bytes that should be the signer's key are none; who handed them over is wrong or lies.
    #[error("the signer is no public key; discard the value")]
    BadKey(#[source] PublicKeyError),
    /// The key did not sign this value with this salt and sequence number; who handed it over is wrong or lies.
    #[error("the key did not sign this value, salt and sequence number; discard it")]
    BadSignature(#[from] SignatureError),
}

impl ItemError {
    /// The [error code](crate::error_code) with which a node refuses such an item.
    #[must_use]
    pub const fn code(&self) -> i64 {
        match self {
            Self::ValueTooLarge { .. } => error_code::VALUE_TOO_LARGE,
            Self::SaltTooLong { .. } => error_code::SALT_TOO_LONG,
            Self::NegativeSequence { .. } | Self::NotCanonical(_) => error_code::PROTOCOL,
            Self::BadKey(_) | Self::BadSignature(_) => error_code::BAD_SIGNATURE,
        }
    }
}

/// Why bytes are not one canonical bencoded value; their author must encode them again and sign them again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NotCanonical {
    /// The bytes are not bencode, or write a number or a length in more digits than it needs.
    #[error("the value is not canonical bencode; its author must encode it again")]
    Malformed,
    /// A dictionary has keys out of order, or one twice.
    #[error("the value has a dictionary with unsorted or repeated keys; its author must sort them")]
    UnsortedKeys,
    /// Something follows the value.
    #[error("there are bytes behind the value; its author must leave them out")]
    Trailing,
    /// More than [`MAX_VALUE_DEPTH`](super::MAX_VALUE_DEPTH) lists and dictionaries in each other.
    #[error("the value is nested too deeply for nodes to read; its author must flatten it")]
    TooDeep,
    /// More than [`MAX_VALUE_TOKENS`](super::MAX_VALUE_TOKENS) tokens.
    #[error("the value has too many parts for nodes to read; its author must use fewer")]
    TooManyTokens,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_bep_44() {
        let [too_large, too_long, malformed, bad_signature] = [205, 207, 203, 206];
        for (error, code) in [
            (ItemError::ValueTooLarge { size: 1001 }, too_large),
            (ItemError::SaltTooLong { length: 65 }, too_long),
            (ItemError::NegativeSequence { seq: -1 }, malformed),
            (ItemError::NotCanonical(NotCanonical::Malformed), malformed),
            (ItemError::BadKey(PublicKeyError::NotAPoint), bad_signature),
            (ItemError::BadSignature(SignatureError), bad_signature),
        ] {
            assert_eq!(error.code(), code, "{error}");
        }
    }
}
