//! A domain name as a run of labels in a buffer of fixed size, and its text form.
//!
//! Separate because lookups, the builder and the reader of packets all handle names, and none of them may allocate
//! for one or exceed the limits of [RFC 1035 2.3.4](https://www.rfc-editor.org/rfc/rfc1035#section-2.3.4).

use std::{
    fmt::{self, Write as _},
    slice,
};

use thiserror::Error;

/// The longest label.
pub(crate) const MAX_LABEL: usize = 63;
/// The longest name in wire form without the root label that ends it.
pub(crate) const MAX_LABELS: usize = 254;

/// Labels in wire form (each a length and its bytes), without the root label.
#[derive(Clone)]
pub(crate) struct Labels {
    bytes: [u8; MAX_LABELS],
    length: usize,
}

impl Labels {
    pub(crate) const fn new() -> Self {
        Self { bytes: [0; MAX_LABELS], length: 0 }
    }

    pub(crate) fn push(&mut self, label: &[u8]) -> Result<(), NameError> {
        let Some(length) = u8::try_from(label.len()).ok().filter(|_| label.len() <= MAX_LABEL)
        else {
            return Err(NameError::LabelTooLong { bytes: label.len() });
        };
        let end = self.length.saturating_add(label.len()).saturating_add(1);
        let Some([first, rest @ ..]) = self.bytes.get_mut(self.length..end) else {
            return Err(NameError::TooLong);
        };
        *first = length;
        rest.copy_from_slice(label);
        self.length = end;
        Ok(())
    }

    pub(crate) fn as_wire(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// Reads a name as people write it: labels between dots, `\.` and `\DDD` for other bytes, a trailing dot or none,
    /// empty labels ignored. Says whether it ends in `@`, the key, or is empty, which means the same.
    pub(crate) fn read(&mut self, text: &str) -> Result<bool, NameError> {
        let mut reading = Reading { labels: self, label: 0, escaped: false, ends_in_at: false };
        let mut rest = text.as_bytes();
        while let Some((plain, byte, after)) = split_at_special(rest) {
            reading.extend(plain);
            let mut after = after.iter();
            match byte {
                b'.' => reading.finish()?,
                b'\\' => {
                    reading.escaped = true;
                    reading.extend(&[escaped(&mut after).ok_or(NameError::Escape)?]);
                }
                _ => return Err(NameError::Character { byte }),
            }
            rest = after.as_slice();
        }
        reading.extend(rest);
        reading.finish()?;
        let ends_in_at = reading.ends_in_at;
        if ends_in_at {
            self.pop();
        }
        Ok(ends_in_at || self.length == 0)
    }

    /// Takes off the last label.
    pub(crate) fn pop(&mut self) {
        self.length = split_last(self.as_wire()).map_or(0, |(above, _)| above.len());
    }

    pub(crate) fn last(&self) -> Option<&[u8]> {
        split_last(self.as_wire()).map(|(_, last)| last)
    }
}

/// The labels before the last one, and that.
pub(crate) fn split_last(wire: &[u8]) -> Option<(&[u8], &[u8])> {
    let last = iter(wire).last()?;
    let above = wire.len().checked_sub(last.len() + 1)?;
    Some((wire.get(..above)?, last))
}

/// The first bytes as a number that sorts as they do; what is missing counts as zero.
pub(crate) fn first_bytes(bytes: &[u8]) -> u64 {
    if let Some(first) = bytes.first_chunk() {
        return u64::from_be_bytes(*first);
    }
    let mut first = [0; 8];
    first.iter_mut().zip(bytes).for_each(|(slot, byte)| *slot = *byte);
    u64::from_be_bytes(first)
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_text(self.as_wire(), f)
    }
}

/// The labels of a run in wire form.
pub(crate) fn iter(wire: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = wire;
    std::iter::from_fn(move || {
        let (length, tail) = rest.split_first()?;
        let (label, tail) = tail.split_at_checked(usize::from(*length))?;
        rest = tail;
        Some(label)
    })
}

/// Writes a run of labels as text that [`Labels::read`] reads back: bytes that are not printable, and those that
/// mean something in a name or a zone file, are escaped. A run without labels writes nothing.
pub(crate) fn write_text(wire: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (position, label) in iter(wire).enumerate() {
        if position > 0 {
            f.write_char('.')?;
        }
        for byte in label {
            match byte {
                b'.' | b'\\' | b'"' | b'(' | b')' | b';' | b'@' | b'$' => {
                    write!(f, "\\{}", char::from(*byte))?;
                }
                0x21..=0x7e => f.write_char(char::from(*byte))?,
                _ => write!(f, "\\{byte:03}")?,
            }
        }
    }
    Ok(())
}

/// A run of labels in wire form, shown by [`write_text`].
pub(crate) struct Shown<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_text(self.0, f)
    }
}

/// The bytes before the first one that means something or has no business in a name, that byte, and those after it.
fn split_at_special(text: &[u8]) -> Option<(&[u8], u8, &[u8])> {
    let is_special = |byte: &u8| matches!(byte, b'.' | b'\\' | 0..=b' ' | 0x7f);
    let (plain, rest) = text.split_at_checked(text.iter().position(is_special)?)?;
    let (byte, after) = rest.split_first()?;
    Some((plain, *byte, after))
}

/// What a backslash in text stands for: three digits for a byte, any other character for itself.
pub(crate) fn escaped(rest: &mut slice::Iter<'_, u8>) -> Option<u8> {
    let first = rest.next()?;
    if !first.is_ascii_digit() {
        return Some(*first);
    }
    let digits = [first, rest.next()?, rest.next()?];
    let value = digits.into_iter().try_fold(0_u16, |value, digit| {
        digit.is_ascii_digit().then(|| value * 10 + u16::from(digit - b'0'))
    })?;
    u8::try_from(value).ok()
}

/// A name that is being read from text, label by label into its place.
struct Reading<'a> {
    labels: &'a mut Labels,
    /// How many bytes the label that is being read has; they stand behind the others and may exceed the buffer.
    label: usize,
    escaped: bool,
    ends_in_at: bool,
}

impl Reading<'_> {
    fn extend(&mut self, bytes: &[u8]) {
        let start = self.labels.length.saturating_add(self.label).saturating_add(1);
        self.label = self.label.saturating_add(bytes.len());
        if let Some(slots) = self.labels.bytes.get_mut(start..start.saturating_add(bytes.len())) {
            slots.copy_from_slice(bytes);
        }
    }

    /// Ends the label, if it is not empty.
    fn finish(&mut self) -> Result<(), NameError> {
        let bytes = std::mem::take(&mut self.label);
        let escaped = std::mem::take(&mut self.escaped);
        if bytes == 0 {
            return Ok(());
        }
        let Some(length) = u8::try_from(bytes).ok().filter(|_| bytes <= MAX_LABEL) else {
            return Err(NameError::LabelTooLong { bytes });
        };
        let end = self.labels.length.saturating_add(bytes).saturating_add(1);
        let Some([first, label @ ..]) = self.labels.bytes.get_mut(self.labels.length..end) else {
            return Err(NameError::TooLong);
        };
        *first = length;
        self.ends_in_at = label == b"@" && !escaped;
        self.labels.length = end;
        Ok(())
    }
}

/// Why a text or a name of another library is no domain name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NameError {
    /// One label has more than 63 bytes.
    #[error("a label of the name has {bytes} bytes; 63 is the most")]
    LabelTooLong {
        /// How many bytes the label has.
        bytes: usize,
    },
    /// The name has more than 255 bytes in wire form.
    #[error("the name is longer than 255 bytes")]
    TooLong,
    /// A space or control character that is not escaped.
    #[error("the name contains the character {byte:#04x}; write it as \\{byte:03} if it is meant")]
    Character {
        /// The character.
        byte: u8,
    },
    /// A backslash that neither three digits up to 255 nor another character follow.
    #[error("a backslash in the name is not followed by a character or by three digits up to 255")]
    Escape,
}
