//! Bencoded values for BEP 44 items as trees: apart from items, which take a value that is already encoded.
//!
//! bendy writes and reads them. Whether a value is small enough to store is for
//! [`MutableItem::sign`](crate::item::MutableItem::sign) to say.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bendy::decoding::{Decoder, FromBencode};
use bendy::encoding::{Encoder, Error as BendyError, SingleItemEncoder};
use bendy::value::Value as BendyValue;
use thiserror::Error;

use crate::item::{MAX_VALUE_DEPTH, NotCanonical};
use crate::{Id, canonical};

/// A bencoded value as a tree.
///
/// ```
/// use mainstay_krpc::{Id, value::Value};
///
/// let value = Value::info_hash(Id::from_bytes([7; 20]));
/// let encoded = value.encode()?;
/// assert!(encoded.starts_with(b"d2:ih20:"));
/// assert_eq!(Value::decode(&encoded)?.as_info_hash(), Some(Id::from_bytes([7; 20])));
/// # Ok::<(), mainstay_krpc::value::ValueError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A byte string.
    Bytes(Vec<u8>),
    /// An integer.
    Integer(i64),
    /// A list.
    List(Vec<Self>),
    /// A dictionary; its keys are in the order that bencode demands.
    Dictionary(BTreeMap<Vec<u8>, Self>),
}

impl Value {
    /// The value that points to a torrent: `{ih: info_hash}`
    /// ([BEP 46](https://www.bittorrent.org/beps/bep_0046.html)).
    #[must_use]
    pub fn info_hash(info_hash: Id) -> Self {
        let info_hash = Self::Bytes(info_hash.as_bytes().to_vec());
        Self::Dictionary(BTreeMap::from([(b"ih".to_vec(), info_hash)]))
    }

    /// The torrent that this value points to, if it is of the form of [`info_hash`](Self::info_hash); other keys beside
    /// `ih` are allowed.
    #[must_use]
    pub fn as_info_hash(&self) -> Option<Id> {
        let Self::Dictionary(entries) = self else { return None };
        let Self::Bytes(info_hash) = entries.get(&b"ih"[..])? else { return None };
        Id::try_from(&info_hash[..]).ok()
    }

    /// This value as it is signed, hashed and stored.
    ///
    /// # Errors
    /// [`ValueError::NotCanonical`] if it is nested too deeply or has too many parts for nodes to read.
    pub fn encode(&self) -> Result<Vec<u8>, ValueError> {
        let mut encoder = Encoder::new().with_max_depth(MAX_VALUE_DEPTH);
        encoder.emit_with(|item| self.emit(item)).map_err(|_| NotCanonical::TooDeep)?;
        let encoded = encoder.get_output().map_err(|_| NotCanonical::Malformed)?;
        canonical::check(&encoded)?;
        Ok(encoded)
    }

    fn emit(&self, item: SingleItemEncoder<'_>) -> Result<(), BendyError> {
        match self {
            Self::Bytes(bytes) => item.emit_bytes(bytes),
            Self::Integer(integer) => item.emit_int(*integer),
            Self::List(values) => item.emit_list(|list| {
                values.iter().try_for_each(|value| list.emit_with(|item| value.emit(item)))
            }),
            Self::Dictionary(entries) => item.emit_dict(|mut dictionary| {
                entries.iter().try_for_each(|(key, value)| {
                    dictionary.emit_pair_with(key, |item| value.emit(item))
                })
            }),
        }
    }

    /// Reads a value, such as [`MutableItem::value`](crate::item::MutableItem::value). Allocates what the tree needs.
    ///
    /// # Errors
    /// [`ValueError`] for what is not canonical, and for an integer that no `i64` holds.
    pub fn decode(value: &[u8]) -> Result<Self, ValueError> {
        // This bounds the depth, so that walking the tree may recurse.
        canonical::check(value)?;
        let mut decoder = Decoder::new(value).with_max_depth(MAX_VALUE_DEPTH);
        let Ok(Some(object)) = decoder.next_object() else {
            return Err(NotCanonical::Malformed.into());
        };
        BendyValue::decode_bencode_object(object)
            .map(owned)
            .map_err(|_| ValueError::IntegerTooLarge)
    }
}

/// The same tree, without bendy's type in our public face.
fn owned(value: BendyValue<'_>) -> Value {
    match value {
        BendyValue::Bytes(bytes) => Value::Bytes(bytes.into_owned()),
        BendyValue::Integer(integer) => Value::Integer(integer),
        BendyValue::List(values) => Value::List(values.into_iter().map(owned).collect()),
        BendyValue::Dict(entries) => Value::Dictionary(
            entries.into_iter().map(|(key, value)| (Cow::into_owned(key), owned(value))).collect(),
        ),
    }
}

/// Why something is no [`Value`], or none that nodes can read; its author is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ValueError {
    /// It is not written as bencode demands, or is too deep or too large.
    #[error(transparent)]
    NotCanonical(#[from] NotCanonical),
    /// It is canonical, but an integer in it is beyond 64 bits; read the encoded bytes instead.
    #[error("an integer in the value is beyond 64 bits; read the encoded bytes instead")]
    IntegerTooLarge,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::ImmutableItem;

    fn nested(depth: usize) -> Value {
        (0..depth).fold(Value::Integer(0), |value, _| Value::List(vec![value]))
    }

    #[test]
    fn a_tree_survives_being_written_and_read() {
        let entries = [
            (b"z".to_vec(), Value::Integer(i64::MIN)),
            (b"a".to_vec(), Value::List(vec![Value::Bytes(vec![0, 255]), Value::Bytes(vec![])])),
            (b"m".to_vec(), Value::Dictionary(BTreeMap::new())),
        ];
        let value = Value::Dictionary(BTreeMap::from(entries));
        let encoded = value.encode().expect("small");
        assert_eq!(encoded, b"d1:al2:\x00\xff0:e1:mde1:zi-9223372036854775808ee");
        assert_eq!(Value::decode(&encoded), Ok(value));
        assert!(ImmutableItem::new(&encoded).is_ok());
    }

    #[test]
    fn what_nodes_cannot_read_is_not_written() {
        assert!(nested(MAX_VALUE_DEPTH).encode().is_ok());
        let too_deep = Err(ValueError::NotCanonical(NotCanonical::TooDeep));
        assert_eq!(nested(MAX_VALUE_DEPTH + 1).encode(), too_deep);
        let many = Value::List(vec![Value::Integer(0); 500]);
        assert_eq!(many.encode(), Err(ValueError::NotCanonical(NotCanonical::TooManyTokens)));
    }

    #[test]
    fn reading_says_why_it_cannot() {
        let malformed = Err(ValueError::NotCanonical(NotCanonical::Malformed));
        assert_eq!(Value::decode(b"i01e"), malformed);
        assert_eq!(Value::decode(b"li9223372036854775808ee"), Err(ValueError::IntegerTooLarge));
        let deepest = [vec![b'l'; MAX_VALUE_DEPTH], vec![b'e'; MAX_VALUE_DEPTH]].concat();
        assert!(Value::decode(&deepest).is_ok());
    }

    #[test]
    fn only_twenty_bytes_under_ih_point_to_a_torrent() {
        let id = Id::from_bytes([9; 20]);
        assert_eq!(Value::info_hash(id).as_info_hash(), Some(id));
        let other = |encoded: &[u8]| Value::decode(encoded).expect("canonical").as_info_hash();
        assert_eq!(other(b"d2:ih20:aaaaaaaaaaaaaaaaaaaa1:xi1ee"), Some(Id::from_bytes([b'a'; 20])));
        assert_eq!(other(b"d2:ih19:aaaaaaaaaaaaaaaaaaae"), None);
        assert_eq!(other(b"d2:ihi1ee"), None);
        assert_eq!(other(b"2:ih"), None);
    }
}
