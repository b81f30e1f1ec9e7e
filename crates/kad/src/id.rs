//! Identifiers and the XOR metric between them.
//! Separate because everything else in the crate is written in these two types.

use core::cmp::Ordering;
use core::fmt;
use core::str::FromStr;

/// A point of the key space, `N` bytes wide, most significant byte first.
///
/// Mainline uses `Id<20>`; a private overlay may use any width from one byte up.
/// Nodes and targets live in the same space, so both are an `Id`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id<const N: usize>([u8; N]);

impl<const N: usize> Id<N> {
    /// Width in bytes.
    pub const LENGTH: usize = N;
    /// Width in bits: the largest possible [`shared_prefix`](Self::shared_prefix).
    pub const BITS: usize = N * 8;
    /// The lowest id.
    pub const ZERO: Self = Self([0; N]);

    /// The id with these bytes, most significant first.
    pub const fn from_bytes(bytes: [u8; N]) -> Self {
        Self(bytes)
    }

    /// The bytes, most significant first.
    pub const fn as_bytes(&self) -> &[u8; N] {
        &self.0
    }

    /// The bytes, most significant first, by value.
    pub const fn to_bytes(self) -> [u8; N] {
        self.0
    }

    /// A uniformly random id from the caller's source of randomness.
    ///
    /// `fill` must overwrite the whole buffer it is given.
    pub fn random(mut fill: impl FnMut(&mut [u8])) -> Self {
        let mut bytes = [0; N];
        fill(&mut bytes);
        Self(bytes)
    }

    /// A random id that shares exactly the first `bits` bits with this one.
    ///
    /// The bit after the shared ones is the opposite of ours, so the id falls into bucket
    /// `bits` of a table whose own id is `self`: the target of a bucket refresh. With
    /// `bits >= BITS` there is nothing left to differ in, and the answer is `self`.
    pub fn random_at_prefix(&self, bits: usize, fill: impl FnMut(&mut [u8])) -> Self {
        if bits >= Self::BITS {
            return *self;
        }
        let random = self.random_with_prefix(bits, fill);
        random.with_bit(bits, !self.bit(bits))
    }

    /// A random id whose first `bits` bits are those of this one (more may agree by chance).
    pub fn random_with_prefix(&self, bits: usize, fill: impl FnMut(&mut [u8])) -> Self {
        let mut id = Self::random(fill);
        let whole = bits.min(Self::BITS) / 8;
        id.0[..whole].copy_from_slice(&self.0[..whole]);
        let rest = bits.min(Self::BITS) % 8;
        if rest > 0 {
            let mask = 0xff_u8 << (8 - rest);
            id.0[whole] = (self.0[whole] & mask) | (id.0[whole] & !mask);
        }
        id
    }

    /// How far `other` is: the two ids XORed, read as a big-endian number.
    pub fn distance(&self, other: &Self) -> Distance<N> {
        let mut bytes = self.0;
        for (byte, theirs) in bytes.iter_mut().zip(&other.0) {
            *byte ^= theirs;
        }
        Distance(bytes)
    }

    /// How many leading bits the two ids have in common; `BITS` when they are equal.
    pub fn shared_prefix(&self, other: &Self) -> usize {
        self.distance(other).leading_zeros()
    }

    /// Bit `index`, counted from the most significant; false beyond the width.
    pub fn bit(&self, index: usize) -> bool {
        self.0.get(index / 8).is_some_and(|byte| byte & (0x80 >> (index % 8)) != 0)
    }

    /// This id with bit `index` set to `value`; unchanged if `index` is beyond the width.
    #[must_use]
    pub fn with_bit(mut self, index: usize, value: bool) -> Self {
        if let Some(byte) = self.0.get_mut(index / 8) {
            let mask = 0x80 >> (index % 8);
            if value {
                *byte |= mask;
            } else {
                *byte &= !mask;
            }
        }
        self
    }

    /// Which of two ids is closer to `self`; `Equal` only if they are the same id.
    pub fn closer(&self, left: &Self, right: &Self) -> Ordering {
        self.distance(left).cmp(&self.distance(right))
    }

    /// The first eight bytes as a number: two heads XORed order almost every pair of distances.
    ///
    /// Narrower ids are padded with zeros on the right, so the order is the same.
    pub(crate) fn head(&self) -> u64 {
        let mut head = [0; 8];
        for (byte, ours) in head.iter_mut().zip(&self.0) {
            *byte = *ours;
        }
        u64::from_be_bytes(head)
    }
}

impl<const N: usize> From<[u8; N]> for Id<N> {
    fn from(bytes: [u8; N]) -> Self {
        Self(bytes)
    }
}

impl<const N: usize> From<Id<N>> for [u8; N] {
    fn from(id: Id<N>) -> Self {
        id.0
    }
}

impl<const N: usize> AsRef<[u8]> for Id<N> {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl<const N: usize> fmt::Display for Id<N> {
    /// Lower-case hexadecimal, two characters a byte.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl<const N: usize> fmt::Debug for Id<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({self})")
    }
}

impl<const N: usize> FromStr for Id<N> {
    type Err = ParseIdError;

    /// Reads exactly `2 * N` hexadecimal digits of either case.
    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let digits = text.as_bytes();
        if digits.len() != 2 * N {
            return Err(ParseIdError::Length { found: digits.len(), expected: 2 * N });
        }
        let mut bytes = [0; N];
        for (index, (byte, pair)) in bytes.iter_mut().zip(digits.chunks_exact(2)).enumerate() {
            let high = hex_value(pair[0]).ok_or(ParseIdError::Digit { at: 2 * index })?;
            let low = hex_value(pair[1]).ok_or(ParseIdError::Digit { at: 2 * index + 1 })?;
            *byte = high << 4 | low;
        }
        Ok(Self(bytes))
    }
}

/// The text given is not an id of this width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseIdError {
    /// The text has another number of characters than an id of this width.
    Length {
        /// Bytes of text that were given.
        found: usize,
        /// Hexadecimal digits that an id of this width has.
        expected: usize,
    },
    /// A character is not a hexadecimal digit.
    Digit {
        /// Byte offset of the character in the text.
        at: usize,
    },
}

impl fmt::Display for ParseIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { found, expected } => {
                write!(f, "an id has {expected} hexadecimal digits, the text has {found} bytes")
            }
            Self::Digit { at } => write!(f, "byte {at} of the text is not a hexadecimal digit"),
        }
    }
}

impl core::error::Error for ParseIdError {}

fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// The XOR of two ids, ordered as the unsigned big-endian number that it is.
///
/// Symmetric, zero only between equal ids, and for a given target no two ids are equally far.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Distance<const N: usize>([u8; N]);

impl<const N: usize> Distance<N> {
    /// The distance of an id to itself.
    pub const ZERO: Self = Self([0; N]);
    /// The largest distance there is.
    pub const MAX: Self = Self([0xff; N]);

    /// The bytes of the number, most significant first.
    pub const fn as_bytes(&self) -> &[u8; N] {
        &self.0
    }

    /// How many leading bits are zero: the number of leading bits that the two ids share.
    pub fn leading_zeros(&self) -> usize {
        let mut zeros = 0;
        for byte in &self.0 {
            zeros += byte.leading_zeros() as usize;
            if *byte != 0 {
                break;
            }
        }
        zeros
    }

    /// The distance as a share of the whole space, in `0.0..=1.0` (it rounds at 53 bits).
    pub fn fraction(&self) -> f64 {
        let mut scale = 1.0;
        let mut sum = 0.0;
        for byte in self.0.iter().take(16) {
            scale /= 256.0;
            sum += f64::from(*byte) * scale;
        }
        sum
    }
}

impl<const N: usize> fmt::Display for Distance<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl<const N: usize> fmt::Debug for Distance<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Distance({self})")
    }
}

#[cfg(test)]
mod tests;
