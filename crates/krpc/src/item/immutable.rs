//! Values named by their own hash: apart from mutable ones, because nobody signs them.

use std::fmt;
use std::sync::Arc;

use super::{ItemError, byte_string, check_value, immutable_target};
use crate::Id;
use crate::bencode::push_string;

/// A value that is stored under its own SHA-1; a different value has a different [`target`](Self::target).
///
/// Whoever has one has a canonical value of at most [`MAX_VALUE`](super::MAX_VALUE) bytes. Cloning counts a reference.
#[derive(Clone, PartialEq, Eq)]
pub struct ImmutableItem {
    target: Id,
    value: Arc<[u8]>,
}

impl ImmutableItem {
    /// The item whose bencoded value is `value`. Costs one hash and one copy.
    ///
    /// # Errors
    /// [`ItemError::ValueTooLarge`] and [`ItemError::NotCanonical`].
    pub fn new(value: &[u8]) -> Result<Self, ItemError> {
        check_value(value)?;
        Ok(Self { target: immutable_target(value), value: value.into() })
    }

    /// The item whose value is the byte string `bytes`, which is not yet encoded.
    ///
    /// # Errors
    /// [`ItemError::ValueTooLarge`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ItemError> {
        let mut value = Vec::with_capacity(bytes.len() + 5);
        push_string(&mut value, bytes);
        Self::new(&value)
    }

    /// The value as it is encoded and hashed.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// The payload, if the value is a byte string.
    #[must_use]
    pub fn bytes(&self) -> Option<&[u8]> {
        byte_string(&self.value)
    }

    /// Where the value is stored.
    #[must_use]
    pub const fn target(&self) -> Id {
        self.target
    }
}

impl fmt::Debug for ImmutableItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImmutableItem")
            .field("target", &self.target)
            .field("size", &self.value.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::MAX_VALUE;

    #[test]
    fn a_value_is_named_by_its_hash() {
        let item = ImmutableItem::from_bytes(b"Hello World!").expect("canonical");
        assert_eq!(item.value(), b"12:Hello World!");
        assert_eq!(item.bytes(), Some(&b"Hello World!"[..]));
        assert_eq!(item.target().to_string(), "e5f96f6f38320f0f33959cb4d3d656452117aadb");
        let shown = format!("{item:?}");
        assert!(shown.contains("e5f96f6f") && shown.contains("size: 15"), "{shown}");
        assert_eq!(ImmutableItem::new(b"12:Hello World!"), Ok(item));
    }

    #[test]
    fn size_is_counted_as_encoded() {
        assert!(ImmutableItem::from_bytes(&[0; MAX_VALUE - 4]).is_ok());
        let refused = ImmutableItem::from_bytes(&[0; MAX_VALUE - 3]);
        assert_eq!(refused, Err(ItemError::ValueTooLarge { size: MAX_VALUE + 1 }));
    }

    #[test]
    fn only_canonical_values_have_a_name() {
        assert!(ImmutableItem::new(b"d1:ai1ee").is_ok());
        assert!(matches!(ImmutableItem::new(b"i-0e"), Err(ItemError::NotCanonical(_))));
    }
}
