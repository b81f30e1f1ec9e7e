//! The 160-bit names of nodes, info hashes and targets: one type, because they share one space and one metric.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A 160-bit name in the Mainline DHT: a node id, an info hash or a target.
///
/// Ordered as an unsigned big-endian number; shown and parsed as 40 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Id([u8; 20]);

impl Id {
    /// How many bytes an id has.
    pub const LENGTH: usize = 20;

    /// The id with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }

    /// The bytes of this id, most significant first.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }

    /// The bytes of this id by value.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 20] {
        self.0
    }
}

impl From<[u8; 20]> for Id {
    fn from(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }
}

impl From<Id> for [u8; 20] {
    fn from(id: Id) -> Self {
        id.0
    }
}

impl TryFrom<&[u8]> for Id {
    type Error = IdError;

    fn try_from(bytes: &[u8]) -> Result<Self, IdError> {
        bytes.try_into().map(Self).map_err(|_| IdError::Length { length: bytes.len() })
    }
}

impl AsRef<[u8]> for Id {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({self})")
    }
}

impl FromStr for Id {
    type Err = IdError;

    /// Reads 40 hexadecimal digits of either case.
    fn from_str(text: &str) -> Result<Self, IdError> {
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != Self::LENGTH || !rest.is_empty() {
            return Err(IdError::TextLength { length: text.len() });
        }
        let mut bytes = [0; 20];
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = (digit(*high)? << 4) | digit(*low)?;
        }
        Ok(Self(bytes))
    }
}

fn digit(character: u8) -> Result<u8, IdError> {
    match character {
        b'0'..=b'9' => Ok(character - b'0'),
        b'a'..=b'f' => Ok(character - b'a' + 10),
        b'A'..=b'F' => Ok(character - b'A' + 10),
        _ => Err(IdError::NotHexadecimal),
    }
}

/// Why something is not an [`Id`]; who wrote it must correct it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum IdError {
    /// The bytes given are more or fewer than 20.
    #[error("an id has 20 bytes, not {length}")]
    Length {
        /// How many bytes were given.
        length: usize,
    },
    /// The text given is longer or shorter than 40 characters.
    #[error("an id is written with 40 hexadecimal digits, not {length} bytes of text")]
    TextLength {
        /// How many bytes the text has.
        length: usize,
    },
    /// The text holds something besides hexadecimal digits.
    #[error("an id is written with hexadecimal digits only")]
    NotHexadecimal,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes_are_two_forms_of_one_id() {
        let id = Id::from_bytes(*b"abcdefghij0123456789");
        assert_eq!(id.to_string(), "6162636465666768696a30313233343536373839");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!("6162636465666768696A30313233343536373839".parse(), Ok(id));
        assert_eq!(Id::try_from(&b"abcdefghij0123456789"[..]), Ok(id));
        let bytes: [u8; 20] = id.into();
        assert_eq!((Id::from(bytes), id.to_bytes()), (id, bytes));
        assert_eq!(AsRef::<[u8]>::as_ref(&id), b"abcdefghij0123456789");
        assert_eq!(format!("{id:?}"), "Id(6162636465666768696a30313233343536373839)");
    }

    #[test]
    fn anything_else_is_refused_with_its_reason() {
        assert_eq!("61".parse::<Id>(), Err(IdError::TextLength { length: 2 }));
        assert_eq!("g".repeat(40).parse::<Id>(), Err(IdError::NotHexadecimal));
        assert_eq!("é".repeat(20).parse::<Id>(), Err(IdError::NotHexadecimal));
        assert_eq!(Id::try_from(&[0; 21][..]), Err(IdError::Length { length: 21 }));
    }

    #[test]
    fn ids_are_ordered_as_big_endian_numbers() {
        let mut low = [0; 20];
        low[19] = 255;
        let mut high = [0; 20];
        high[0] = 1;
        assert!(Id::from_bytes(low) < Id::from_bytes(high));
    }
}
