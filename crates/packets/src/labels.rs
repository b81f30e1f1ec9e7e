//! A domain name as a run of labels in a buffer of fixed size, and its text form.
//!
//! Separate because lookups, the builder and the reader of packets all handle names, and none of them may allocate
//! for one or exceed the limits of [RFC 1035 2.3.4](https://www.rfc-editor.org/rfc/rfc1035#section-2.3.4).

use std::fmt::{self, Write as _};

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

/// A name read from text: its labels, and whether it ended in `@`, the key itself.
pub(crate) struct NameText {
    pub(crate) labels: Labels,
    pub(crate) at_apex: bool,
}

impl Labels {
    pub(crate) const fn new() -> Self {
        Self { bytes: [0; MAX_LABELS], length: 0 }
    }

    /// Labels that some earlier `Labels` gave out.
    pub(crate) fn from_wire(wire: &[u8]) -> Result<Self, NameError> {
        let mut labels = Self::new();
        for label in iter(wire) {
            labels.push(label)?;
        }
        Ok(labels)
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
    /// empty labels ignored, `@` as the last label for the key.
    pub(crate) fn parse(text: &str) -> Result<NameText, NameError> {
        let mut labels = Self::new();
        let mut label = LabelText::new();
        let mut ends_in_at = false;
        let mut rest = text.bytes();
        while let Some(byte) = rest.next() {
            match byte {
                b'.' => ends_in_at = label.finish(&mut labels)?.unwrap_or(ends_in_at),
                b'\\' => label.push_escaped(&mut rest)?,
                0..=b' ' | 0x7f => return Err(NameError::Character { byte }),
                _ => label.push(byte),
            }
        }
        ends_in_at = label.finish(&mut labels)?.unwrap_or(ends_in_at);
        if ends_in_at {
            labels.pop();
        }
        let at_apex = ends_in_at || labels.length == 0;
        Ok(NameText { labels, at_apex })
    }

    /// Takes off the last label.
    pub(crate) fn pop(&mut self) {
        let last = self.last().map_or(0, |label| label.len() + 1);
        self.length = self.length.saturating_sub(last);
    }

    pub(crate) fn last(&self) -> Option<&[u8]> {
        iter(self.as_wire()).last()
    }
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

/// Writes a run of labels as text that [`Labels::parse`] reads back: bytes that are not printable, and those that
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

/// The label that is being read from text.
struct LabelText {
    bytes: [u8; MAX_LABEL],
    /// May exceed the buffer, to tell how long the label would have been.
    length: usize,
    escaped: bool,
}

impl LabelText {
    const fn new() -> Self {
        Self { bytes: [0; MAX_LABEL], length: 0, escaped: false }
    }

    fn push(&mut self, byte: u8) {
        if let Some(slot) = self.bytes.get_mut(self.length) {
            *slot = byte;
        }
        self.length = self.length.saturating_add(1);
    }

    /// Reads what follows a backslash: three digits, or one other character.
    fn push_escaped(&mut self, rest: &mut std::str::Bytes<'_>) -> Result<(), NameError> {
        let first = rest.next().ok_or(NameError::Escape)?;
        let byte = if first.is_ascii_digit() {
            let digits = [Some(first), rest.next(), rest.next()];
            digits
                .into_iter()
                .try_fold(0_u16, |value, digit| {
                    let digit = digit.filter(u8::is_ascii_digit)?;
                    Some(value * 10 + u16::from(digit - b'0'))
                })
                .and_then(|value| u8::try_from(value).ok())
                .ok_or(NameError::Escape)?
        } else {
            first
        };
        self.escaped = true;
        self.push(byte);
        Ok(())
    }

    /// Ends the label: an empty one is ignored, of any other the answer is whether it is a bare `@`.
    fn finish(&mut self, labels: &mut Labels) -> Result<Option<bool>, NameError> {
        let label = std::mem::replace(self, Self::new());
        let Some(bytes) = label.bytes.get(..label.length) else {
            return Err(NameError::LabelTooLong { bytes: label.length });
        };
        if bytes.is_empty() {
            return Ok(None);
        }
        labels.push(bytes)?;
        Ok(Some(bytes == b"@" && !label.escaped))
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
