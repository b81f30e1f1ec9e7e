//! The names of a packet in an order that makes looking one up a binary search.
//!
//! Separate because it is built once, when a packet is verified, and everything that depends on how DNS names compare
//! ([RFC 4343](https://www.rfc-editor.org/rfc/rfc4343), [RFC 4034 6.1](https://www.rfc-editor.org/rfc/rfc4034#section-6.1),
//! wildcards of [RFC 4592](https://www.rfc-editor.org/rfc/rfc4592)) is decided here.

use crate::{
    labels::{self, Labels},
    message::{self, DnsError, Place},
    owner::Origin,
};

/// Ends a label in a sort key; sorts before every byte of a label.
const END: u8 = 0;
/// Stands before a byte of a label that would look like [`END`] or like itself.
const ESCAPE: u8 = 1;

/// The records of a packet, in the message's order and in the order of their names.
#[derive(Debug)]
pub(crate) struct Index {
    records: Box<[Indexed]>,
    /// The records below the key, by sort key and then in the message's order.
    sorted: Box<[u16]>,
    /// The sort keys, one after another.
    keys: Box<[u8]>,
}

/// A record of the answer section.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Indexed {
    pub(crate) place: Place,
    /// The sort key of a name below the key; nothing for any other name.
    key: Option<(u32, u32)>,
}

impl Index {
    /// Walks a message and sorts what it contains.
    pub(crate) fn new(message: &[u8], origin: &Origin) -> Result<Self, DnsError> {
        let places = message::walk(message)?;
        let mut records: Vec<Indexed> = Vec::with_capacity(places.len());
        let mut keys = Vec::with_capacity(places.len().saturating_mul(16));
        for place in places {
            let same = records.last().filter(|last| same_name(message, last.place, place));
            let key = match same {
                Some(last) => last.key,
                None => key_of(message, place, origin, &mut keys)?,
            };
            records.push(Indexed { place, key });
        }
        let mut sorted: Vec<u16> = (0..u16::MAX)
            .zip(&records)
            .filter_map(|(number, record)| record.key.map(|_| number))
            .collect();
        sorted.sort_by_key(|number| (key_bytes(&keys, &records, *number), *number));
        Ok(Self { records: records.into(), sorted: sorted.into(), keys: keys.into() })
    }

    /// All records, in the message's order.
    pub(crate) fn records(&self) -> &[Indexed] {
        &self.records
    }

    pub(crate) fn record(&self, number: u16) -> Option<&Indexed> {
        self.records.get(usize::from(number))
    }

    /// The records that answer for a name below the key: its own, or those of the wildcard that covers it.
    pub(crate) fn find(&self, name: &SortKey) -> &[u16] {
        let exact = self.exact(name.as_bytes());
        if !exact.is_empty() || self.exists(name.as_bytes()) {
            return exact;
        }
        let mut closest = *name;
        while closest.pop() && !self.exists(closest.as_bytes()) {}
        closest.push(b"*");
        self.exact(closest.as_bytes())
    }

    /// The records of all names that have exactly one label more than `parent`, in the order of their names.
    pub(crate) fn children(&self, parent: &SortKey) -> (&[u16], usize) {
        let parent = parent.as_bytes();
        let first = self.sorted.partition_point(|number| self.key(*number) < parent);
        let rest = self.sorted.get(first..).unwrap_or_default();
        let count = rest.partition_point(|number| self.key(*number).starts_with(parent));
        (rest.get(..count).unwrap_or_default(), parent.len())
    }

    /// Whether the record's name has exactly one label more than the name whose sort key is that long.
    pub(crate) fn is_child(&self, number: u16, parent: usize) -> bool {
        let below = self.key(number).get(parent..).unwrap_or_default();
        below.iter().position(|byte| *byte == END).is_some_and(|end| end + 1 == below.len())
    }

    fn exact(&self, key: &[u8]) -> &[u16] {
        let first = self.sorted.partition_point(|number| self.key(*number) < key);
        let rest = self.sorted.get(first..).unwrap_or_default();
        let count = rest.iter().take_while(|number| self.key(**number) == key).count();
        rest.get(..count).unwrap_or_default()
    }

    /// Whether a name exists: it has records, or a name below it has ([RFC 4592 2.2.2]).
    ///
    /// [RFC 4592 2.2.2]: https://www.rfc-editor.org/rfc/rfc4592#section-2.2.2
    fn exists(&self, key: &[u8]) -> bool {
        let first = self.sorted.partition_point(|number| self.key(*number) < key);
        key.is_empty()
            || self.sorted.get(first).is_some_and(|number| self.key(*number).starts_with(key))
    }

    fn key(&self, number: u16) -> &[u8] {
        key_bytes(&self.keys, &self.records, number)
    }
}

impl Indexed {
    pub(crate) fn in_zone(&self) -> bool {
        self.key.is_some()
    }
}

/// A name below a key in a form whose bytes sort as names do: its labels from the right, in lower case.
#[derive(Clone, Copy)]
pub(crate) struct SortKey {
    bytes: [u8; 2 * labels::MAX_LABELS],
    length: usize,
}

impl SortKey {
    pub(crate) fn new(relative: &[u8]) -> Self {
        let mut key = Self { bytes: [0; 2 * labels::MAX_LABELS], length: 0 };
        let mut ends = [0_u8; labels::MAX_LABELS / 2 + 1];
        let mut count = 0;
        let mut end = 0_u8;
        for (label, slot) in labels::iter(relative).zip(&mut ends) {
            *slot = end;
            // A run of labels is shorter than 255 bytes.
            end = end.saturating_add(u8::try_from(label.len() + 1).unwrap_or(u8::MAX));
            count += 1;
        }
        for start in ends.get(..count).unwrap_or_default().iter().rev() {
            let label = relative.get(usize::from(*start)..).map(labels::iter);
            key.push(label.and_then(|mut labels| labels.next()).unwrap_or_default());
        }
        key
    }

    fn push(&mut self, label: &[u8]) {
        for byte in label.iter().map(u8::to_ascii_lowercase) {
            if byte <= ESCAPE {
                self.put(ESCAPE);
                self.put(byte + 1);
            } else {
                self.put(byte);
            }
        }
        self.put(END);
    }

    /// Takes off the label that was pushed last; false if there is none.
    fn pop(&mut self) -> bool {
        let Some(before) = self.length.checked_sub(1) else { return false };
        let rest = self.bytes.get(..before).unwrap_or_default();
        self.length = rest.iter().rposition(|byte| *byte == END).map_or(0, |end| end + 1);
        true
    }

    fn put(&mut self, byte: u8) {
        // Two bytes for each of a name's, and names are bounded: there is always room.
        if let Some(slot) = self.bytes.get_mut(self.length) {
            *slot = byte;
            self.length += 1;
        }
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// Whether two records share one written name, or two pointers to one place.
fn same_name(message: &[u8], one: Place, other: Place) -> bool {
    let name = |place: Place| message::u16_at(message, place.name).filter(|first| *first >= 0xc000);
    match (name(one), name(other)) {
        (Some(one), Some(other)) => one == other,
        (None, Some(pointer)) => usize::from(pointer & 0x3fff) == one.name,
        (Some(_) | None, None) => false,
    }
}

/// Appends the sort key of a record's name, if the name lies below the key.
fn key_of(
    message: &[u8],
    place: Place,
    origin: &Origin,
    keys: &mut Vec<u8>,
) -> Result<Option<(u32, u32)>, DnsError> {
    let mut labels = Labels::new();
    let mut fits = Ok(());
    message::walk_name(message, place.name, message.len(), |label| {
        fits = fits.and_then(|()| labels.push(label));
    })?;
    fits.map_err(|_| DnsError::NameTooLong)?;
    if !labels.last().is_some_and(|last| last.eq_ignore_ascii_case(origin.label())) {
        return Ok(None);
    }
    labels.pop();
    let key = SortKey::new(labels.as_wire());
    let start = keys.len();
    keys.extend_from_slice(key.as_bytes());
    Ok(u32::try_from(start).ok().zip(u32::try_from(keys.len()).ok()))
}

fn key_bytes<'a>(keys: &'a [u8], records: &[Indexed], number: u16) -> &'a [u8] {
    records
        .get(usize::from(number))
        .and_then(|record| record.key)
        .and_then(|(start, end)| keys.get(start as usize..end as usize))
        .unwrap_or_default()
}
