//! z-base-32, the text form of keys: thirty-two characters chosen to be read, spoken and typed without mistakes.
//! It stands alone because it is the only owner of that alphabet; nothing here knows what a key is.
//!
//! Bits are taken most significant first, five to a character, and nothing is padded
//! ([the encoding's own description](https://philzimmermann.com/docs/human-oriented-base-32-encoding.txt)).
//! [`decode`] reads exactly what [`encode`] writes: lower case, and zeros in the bits that fill the last character.

use thiserror::Error;

/// The character that stands for each value of five bits.
pub const ALPHABET: &[u8; 32] = b"ybndrfg8ejkmcpqxot1uwisza345h769";

/// Why a text is not the z-base-32 of anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Z32Error {
    /// A character that the alphabet lacks; upper case counts as such.
    #[error(
        "character {position} is not one of the z-base-32 alphabet (lower case, without 0, 2, l and v)"
    )]
    Character {
        /// How many characters stand before it.
        position: usize,
    },
    /// No number of whole bytes has this many characters.
    #[error("{characters} characters of z-base-32 make no whole number of bytes")]
    Length {
        /// How many characters the text has.
        characters: usize,
    },
    /// The bits that only fill up the last character are not zero, so this is a second spelling of the same bytes.
    #[error(
        "the last character carries bits that belong to no byte; the canonical text ends in another one"
    )]
    SpareBits,
}

/// Writes bytes as z-base-32, in `ceil(8 n / 5)` characters.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let mut text = Vec::with_capacity(bytes.len().div_ceil(5).saturating_mul(8));
    for group in bytes.chunks(5) {
        let held = group.iter().fold(0_u64, |held, byte| (held << 8) | u64::from(*byte));
        let characters = (8 * group.len()).div_ceil(5);
        // Zeros fill up the last character.
        let held = held << (5 * characters - 8 * group.len());
        text.extend((0..characters).rev().map(|place| character(held >> (5 * place))));
    }
    String::from_utf8(text).expect("the alphabet is ASCII")
}

/// Reads the text that [`encode`] writes, and no other spelling of it.
///
/// # Errors
///
/// [`Z32Error`] names the first character that does not fit, or the length, or a tail that is not canonical.
pub fn decode(text: &str) -> Result<Vec<u8>, Z32Error> {
    let (bytes, rest) = decode_with_rest(text)?;
    if rest.count >= 5 {
        return Err(Z32Error::Length { characters: text.len() });
    }
    if rest.held != 0 {
        return Err(Z32Error::SpareBits);
    }
    Ok(bytes)
}

/// Reads a text whose spare bits may be anything, as other implementations do.
pub(crate) fn decode_any_spelling(text: &str) -> Result<Vec<u8>, Z32Error> {
    decode_with_rest(text).map(|(bytes, _)| bytes)
}

fn decode_with_rest(text: &str) -> Result<(Vec<u8>, Bits), Z32Error> {
    let mut bytes = Vec::with_capacity(text.len().saturating_mul(5) / 8);
    let mut bits = Bits::default();
    for (position, character) in text.chars().enumerate() {
        bits.push(value(character).ok_or(Z32Error::Character { position })?, 5);
        if let Some(byte) = bits.take(8) {
            bytes.push(byte);
        }
    }
    Ok((bytes, bits))
}

/// The value of each byte in the alphabet, and 255 for those that are not in it.
const VALUES: [u8; 256] = {
    let mut values = [u8::MAX; 256];
    let mut value = 0;
    while value < 32 {
        values[ALPHABET[value as usize] as usize] = value;
        value += 1;
    }
    values
};

/// The character of the lowest five bits.
fn character(bits: u64) -> u8 {
    ALPHABET[(bits & 31) as usize]
}

fn value(character: char) -> Option<u8> {
    let byte = u8::try_from(character).ok()?;
    Some(VALUES[usize::from(byte)]).filter(|value| *value != u8::MAX)
}

/// The bits that wait for the rest of their byte or character: fewer than eight, right-aligned.
#[derive(Default)]
struct Bits {
    held: u16,
    count: u32,
}

impl Bits {
    /// Appends the lowest `count` bits of `bits`.
    fn push(&mut self, bits: u8, count: u32) {
        self.held = (self.held << count) | u16::from(bits);
        self.count += count;
    }

    /// Takes the first `count` bits, if there are that many.
    fn take(&mut self, count: u32) -> Option<u8> {
        self.count = self.count.checked_sub(count)?;
        let taken = self.held >> self.count;
        self.held &= (1 << self.count) - 1;
        u8::try_from(taken).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn short_texts_are_those_of_the_alphabet() {
        let table: [(&[u8], &str); 6] = [
            (b"", ""),
            (&[0], "yy"),
            (&[0xff], "9h"),
            (&[0xf0, 0xbf, 0xc7], "6n9hq"),
            (&[0xd4, 0x7a, 0x04], "4t7ye"),
            (&[0xff; 5], "99999999"),
        ];
        for (bytes, text) in table {
            assert_eq!(encode(bytes), text);
            assert_eq!(decode(text).as_deref(), Ok(bytes));
        }
    }

    #[test]
    fn what_no_bytes_encode_to_is_refused_with_the_reason() {
        assert_eq!(decode("yyl"), Err(Z32Error::Character { position: 2 }));
        assert_eq!(decode("Yy"), Err(Z32Error::Character { position: 0 }));
        assert_eq!(decode("y\u{e9}"), Err(Z32Error::Character { position: 1 }));
        assert_eq!(decode("y"), Err(Z32Error::Length { characters: 1 }));
        assert_eq!(decode("yyy"), Err(Z32Error::Length { characters: 3 }));
        assert_eq!(decode("yyyyyy"), Err(Z32Error::Length { characters: 6 }));
        assert_eq!(decode("yb"), Err(Z32Error::SpareBits));
        assert_eq!(decode_any_spelling("yb"), Ok(vec![0]));
    }

    proptest! {
        #[test]
        fn every_byte_string_comes_back(bytes: Vec<u8>) {
            let text = encode(&bytes);
            prop_assert_eq!(text.len(), (bytes.len() * 8).div_ceil(5));
            prop_assert_eq!(decode(&text), Ok(bytes));
        }

        #[test]
        fn every_text_is_refused_or_is_the_text_of_its_bytes(text in "\\PC{0,60}|[ybndrfg8ejkmcpqxot1uwisza345h769]{0,60}") {
            if let Ok(bytes) = decode(&text) {
                prop_assert_eq!(encode(&bytes), text);
            }
        }
    }
}
