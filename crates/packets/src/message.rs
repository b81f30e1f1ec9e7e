//! The bounded walk over a DNS message that came from outside.
//!
//! Separate because it is the only code that follows lengths, counts and pointers that a stranger chose: it allocates
//! only what the bytes that are there pay for, and its work is bounded by their number.
//! [RFC 1035 4](https://www.rfc-editor.org/rfc/rfc1035#section-4)

use thiserror::Error;

use crate::{dns::TYPE, layout, rtype::type_name};

/// Bytes of the header that every message begins with.
pub(crate) const HEADER: usize = 12;
/// The fewest bytes of a question (the root name, type, class) and of a record (the same, TTL and length).
const MIN_QUESTION: usize = 5;
const MIN_RECORD: usize = 11;
/// The most pointers that one name may go through, one after each label that a name has room for.
const MAX_POINTERS: usize = 128;
/// The longest name in wire form.
const MAX_NAME: usize = 255;

/// Where a record of the answer section stands in the message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Where its name begins.
    pub(crate) name: usize,
    /// Where its data begins. Type, class, TTL and length stand before it at fixed distances.
    pub(crate) data: usize,
    /// How many bytes its data has.
    pub(crate) length: usize,
}

impl Place {
    /// Data that stands alone, without a record around it.
    pub(crate) const fn of_rdata(length: usize) -> Self {
        Self { name: 0, data: 0, length }
    }

    /// Where the record's data ends.
    pub(crate) const fn end(self) -> usize {
        self.data.saturating_add(self.length)
    }

    /// Where the record's type begins.
    pub(crate) const fn body(self) -> usize {
        self.data.saturating_sub(10)
    }
}

/// How many records the answer section has, if the bytes that follow can hold that many.
pub(crate) fn answers(message: &[u8]) -> Result<usize, DnsError> {
    counts(message).map(|[_, answers, _, _]| answers)
}

/// Checks a whole message and gives each record of its answer section to `each`, with the labels of its name.
///
/// What real packets contain is accepted: any id and flags but the reserved bit, questions, further sections, types
/// that nobody knows, bytes after the last record.
pub(crate) fn walk(
    message: &[u8],
    mut each: impl FnMut(Place, &LabelStarts),
) -> Result<(), DnsError> {
    let flags = u16_at(message, 2).ok_or(DnsError::Truncated)?;
    if flags & 0x0040 != 0 {
        return Err(DnsError::ReservedBit);
    }
    let [questions, answers, authority, additional] = counts(message)?;
    let mut at = HEADER;
    for _ in 0..questions {
        at = skip_name(message, at, message.len())?.saturating_add(4);
        if at > message.len() {
            return Err(DnsError::Truncated);
        }
    }
    let mut labels = LabelStarts::new();
    for _ in 0..answers {
        let place = record(message, at, &mut labels)?;
        at = place.end();
        each(place, &labels);
    }
    for _ in 0..authority.saturating_add(additional) {
        at = record(message, at, &mut labels)?.end();
    }
    Ok(())
}

/// Where the labels of a name begin.
pub(crate) struct LabelStarts {
    starts: [u16; MAX_NAME / 2],
    count: usize,
}

impl LabelStarts {
    const fn new() -> Self {
        Self { starts: [0; MAX_NAME / 2], count: 0 }
    }

    fn push(&mut self, at: usize) {
        // Names are bounded, and messages shorter than 64 KiB.
        if let (Some(slot), Ok(at)) = (self.starts.get_mut(self.count), u16::try_from(at)) {
            *slot = at;
            self.count += 1;
        }
    }

    pub(crate) fn as_slice(&self) -> &[u16] {
        self.starts.get(..self.count).unwrap_or_default()
    }
}

/// The label at a place where one begins.
pub(crate) fn label_at(message: &[u8], at: usize) -> &[u8] {
    let rest = message.get(at..).unwrap_or_default();
    let Some((length, rest)) = rest.split_first() else { return &[] };
    rest.get(..usize::from(*length)).unwrap_or_default()
}

/// The four counts of the header, if the bytes that follow can hold that much.
fn counts(message: &[u8]) -> Result<[usize; 4], DnsError> {
    let mut counts = [0; 4];
    let mut needed = HEADER;
    for (section, count) in counts.iter_mut().enumerate() {
        let claimed = u16_at(message, 4 + 2 * section).ok_or(DnsError::Truncated)?;
        *count = usize::from(claimed);
        let least = if section == 0 { MIN_QUESTION } else { MIN_RECORD };
        needed = needed.saturating_add(count.saturating_mul(least));
    }
    if needed > message.len() { Err(DnsError::Counts) } else { Ok(counts) }
}

fn record(message: &[u8], at: usize, labels: &mut LabelStarts) -> Result<Place, DnsError> {
    labels.count = 0;
    let body = walk_name(message, at, message.len(), |start, _| labels.push(start))?;
    let rtype = u16_at(message, body).ok_or(DnsError::Truncated)?;
    let class = u16_at(message, body.saturating_add(2)).ok_or(DnsError::Truncated)?;
    let length = u16_at(message, body.saturating_add(8)).ok_or(DnsError::Truncated)?;
    let place = Place { name: at, data: body.saturating_add(10), length: usize::from(length) };
    if place.end() > message.len() {
        return Err(DnsError::Truncated);
    }
    let rtype = TYPE::from(rtype);
    // The top bit is multicast DNS's cache-flush mark.
    if rtype != TYPE::OPT && !is_class(class & 0x7fff) {
        return Err(DnsError::Class { class });
    }
    layout::check(message, rtype, place)?;
    Ok(place)
}

/// Whether the class is one that has a meaning.
pub(crate) fn is_class(class: u16) -> bool {
    matches!(class, 1..=4 | 254)
}

/// Checks the name at `at` and says where what follows it begins.
pub(crate) fn skip_name(message: &[u8], at: usize, limit: usize) -> Result<usize, DnsError> {
    walk_name(message, at, limit, |_, _| {})
}

/// Gives each label of the name at `at` to `each` with its place, and says where what follows the name begins.
///
/// Pointers lead backwards, and both they and the labels are bounded, so every name comes to its end.
pub(crate) fn walk_name<'a>(
    message: &'a [u8],
    at: usize,
    limit: usize,
    mut each: impl FnMut(usize, &'a [u8]),
) -> Result<usize, DnsError> {
    let message = message.get(..limit).ok_or(DnsError::Truncated)?;
    let (mut cursor, mut end) = (at, None);
    let (mut length, mut pointers) = (1, 0);
    loop {
        let byte = usize::from(*message.get(cursor).ok_or(DnsError::Truncated)?);
        let next = cursor.saturating_add(1);
        match byte {
            0 => return Ok(end.unwrap_or(next)),
            1..=63 => {
                length += byte + 1;
                if length > MAX_NAME {
                    return Err(DnsError::NameTooLong);
                }
                let after = next.saturating_add(byte);
                each(cursor, message.get(next..after).ok_or(DnsError::Truncated)?);
                cursor = after;
            }
            0xc0..=0xff => {
                let low = usize::from(*message.get(next).ok_or(DnsError::Truncated)?);
                let target = ((byte & 0x3f) << 8) | low;
                pointers += 1;
                if target >= cursor || pointers > MAX_POINTERS {
                    return Err(DnsError::Pointer { at: cursor });
                }
                end.get_or_insert(next.saturating_add(1));
                cursor = target;
            }
            _ => return Err(DnsError::Label { at: cursor }),
        }
    }
}

pub(crate) fn u16_at(message: &[u8], at: usize) -> Option<u16> {
    message.get(at..)?.first_chunk().copied().map(u16::from_be_bytes)
}

pub(crate) fn u32_at(message: &[u8], at: usize) -> Option<u32> {
    message.get(at..)?.first_chunk().copied().map(u32::from_be_bytes)
}

/// Why the signed bytes are not a DNS message that can be read. The signature has been checked by then, so it is the
/// key's owner who published something else, or whose software is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DnsError {
    /// The message ends within its header, a name or a record.
    #[error("the DNS message ends too early")]
    Truncated,
    /// The reserved bit of the header is set; RFC 1035 wants it zero, and other implementations refuse it too.
    #[error("the reserved bit of the DNS header is set")]
    ReservedBit,
    /// The header claims more questions and records than the bytes after it can hold.
    #[error("the DNS header claims more records than there are bytes for")]
    Counts,
    /// A name has more than 255 bytes.
    #[error("a name in the DNS message is longer than 255 bytes")]
    NameTooLong,
    /// A label begins with bits that mean neither a label nor a pointer.
    #[error("the label at byte {at} of the DNS message is of no known kind")]
    Label {
        /// Where it stands.
        at: usize,
    },
    /// A compression pointer that does not lead backwards, or one too many.
    #[error(
        "the compression pointer at byte {at} of the DNS message does not lead backwards to a name"
    )]
    Pointer {
        /// Where it stands.
        at: usize,
    },
    /// A record's class that nobody has given a meaning.
    #[error("a record of the DNS message has the unknown class {class}")]
    Class {
        /// The class.
        class: u16,
    },
    /// A record's data does not have the form of its type.
    #[error("the data of a {} record in the DNS message is malformed", type_name(*rtype))]
    Data {
        /// The type of the record.
        rtype: TYPE,
    },
}
