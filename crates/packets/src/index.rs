//! The names of a packet in an order that makes looking one up a binary search.
//!
//! Separate because it is built once, when a packet is verified, and everything that depends on how DNS names compare
//! ([RFC 4343](https://www.rfc-editor.org/rfc/rfc4343), [RFC 4034 6.1](https://www.rfc-editor.org/rfc/rfc4034#section-6.1),
//! wildcards of [RFC 4592](https://www.rfc-editor.org/rfc/rfc4592)) is decided here.

use crate::{
    labels,
    message::{self, DnsError, LabelStarts, Place},
    owner::Origin,
    record::MAX_TTL,
};

/// Ends a label in a sort key; sorts before every byte of a label.
const END: u8 = 0;

/// What each byte of a label becomes in a sort key: its place among all bytes but the capital letters, counted from 1.
/// Capitals share the place of their small letters, which is what makes room for [`END`].
#[expect(
    clippy::indexing_slicing,
    reason = "computed by the compiler, which would stop at a wrong index"
)]
const PLACES: [u8; 256] = {
    let mut places = [0; 256];
    let (mut byte, mut place) = (0_usize, END);
    while byte < 256 {
        if byte < b'A' as usize || byte > b'Z' as usize {
            place += 1;
            places[byte] = place;
        }
        byte += 1;
    }
    let mut capital = b'A';
    while capital <= b'Z' {
        places[capital as usize] = places[capital.to_ascii_lowercase() as usize];
        capital += 1;
    }
    places
};

/// The records of a packet, in the message's order and in the order of their names.
///
/// A name is compared by its sort key: its labels from the right, in lower case, each with [`END`] behind it. So the
/// names below another begin with its key, and stand together.
#[derive(Debug)]
pub(crate) struct Index {
    records: Vec<Indexed>,
    /// The records below the key, by sort key and then in the message's order.
    sorted: Vec<Sorted>,
    /// The sort keys, one after another.
    keys: Vec<u8>,
}

/// A record of the answer section. Packets are kept by the thousand, and no message in one is longer than 16 bits say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Indexed {
    name: u16,
    data: u16,
    length: u16,
    /// Whether the name lies below the key.
    pub(crate) in_zone: bool,
}

/// A record below the key, by its name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sorted {
    /// The first bytes of the sort key, which settle most comparisons.
    prefix: u64,
    start: u32,
    length: u16,
    /// Which record it is, in the message's order.
    number: u16,
}

impl Index {
    /// Walks a message and sorts what it contains.
    pub(crate) fn new(message: &[u8], origin: &Origin) -> Result<Self, DnsError> {
        let capacity = message::answers(message)?;
        let mut records = Vec::with_capacity(capacity);
        let mut sorted = Vec::with_capacity(capacity);
        let mut keys = Vec::with_capacity(message.len());
        let mut own_label = OwnLabel { origin, at: None };
        message::walk(message, |place, labels| {
            let above = own_label.above(message, labels);
            if let Some(above) = above {
                let number = u16::try_from(records.len()).unwrap_or(u16::MAX);
                sorted.push(Sorted::new(message, above, number, &mut keys));
            }
            records.push(Indexed::new(place, above.is_some()));
        })?;
        sorted.sort_unstable_by(|one: &Sorted, other: &Sorted| {
            let order = one.prefix.cmp(&other.prefix);
            let order = order.then_with(|| one.key(&keys).cmp(other.key(&keys)));
            order.then_with(|| one.number.cmp(&other.number))
        });
        keys.shrink_to_fit();
        Ok(Self { records, sorted, keys })
    }

    /// All records, in the message's order.
    pub(crate) fn records(&self) -> &[Indexed] {
        &self.records
    }

    pub(crate) fn record(&self, sorted: &Sorted) -> Option<&Indexed> {
        self.records.get(usize::from(sorted.number))
    }

    /// The records that answer for a name below the key: its own, or those of the wildcard that covers it.
    pub(crate) fn find(&self, name: &SortKey) -> &[Sorted] {
        let name = name.as_bytes();
        let at = self.first_from(name);
        let next = self.sorted.get(at).map_or(&[][..], |next| next.key(&self.keys));
        if next.starts_with(name) {
            return self.equal_from(at, name);
        }
        // The longest part of the name that exists is shared with a neighbour in this order (RFC 4592 3.3.1).
        let before = at.checked_sub(1).and_then(|before| self.sorted.get(before));
        let before = before.map_or(&[][..], |before| before.key(&self.keys));
        let encloser = shared_labels(name, next).max(shared_labels(name, before));
        let wildcard = SortKey::wildcard(name.get(..encloser).unwrap_or_default());
        let wildcard = wildcard.as_bytes();
        self.equal_from(self.first_from(wildcard), wildcard)
    }

    /// The records of a name and of all names below it, in the order of their names.
    pub(crate) fn below(&self, parent: &SortKey) -> &[Sorted] {
        let parent = parent.as_bytes();
        let rest = self.sorted.get(self.first_from(parent)..).unwrap_or_default();
        let count = rest.partition_point(|sorted| sorted.key(&self.keys).starts_with(parent));
        rest.get(..count).unwrap_or_default()
    }

    /// Whether the record's name has exactly one label more than the name whose sort key is that long.
    pub(crate) fn is_child(&self, sorted: &Sorted, parent: usize) -> bool {
        let below = sorted.key(&self.keys).get(parent..).unwrap_or_default();
        below.iter().position(|byte| *byte == END).is_some_and(|end| end + 1 == below.len())
    }

    /// Where the first name stands that does not sort before this one.
    fn first_from(&self, key: &[u8]) -> usize {
        let prefix = labels::first_bytes(key);
        self.sorted.partition_point(|sorted| {
            sorted.prefix < prefix || (sorted.prefix == prefix && sorted.key(&self.keys) < key)
        })
    }

    fn equal_from(&self, first: usize, key: &[u8]) -> &[Sorted] {
        let rest = self.sorted.get(first..).unwrap_or_default();
        let count = rest.iter().take_while(|sorted| sorted.key(&self.keys) == key).count();
        rest.get(..count).unwrap_or_default()
    }
}

impl Indexed {
    fn new(place: Place, in_zone: bool) -> Self {
        let short = |at: usize| u16::try_from(at).unwrap_or(u16::MAX);
        let Place { name, data, length } = place;
        Self { name: short(name), data: short(data), length: short(length), in_zone }
    }

    /// The TTL; one above 2^31 - 1 counts as 0.
    pub(crate) fn ttl(&self, message: &[u8]) -> u32 {
        let at = self.place().body().saturating_add(4);
        let ttl = message::u32_at(message, at).unwrap_or_default();
        if ttl > MAX_TTL { 0 } else { ttl }
    }

    pub(crate) fn place(&self) -> Place {
        Place { name: self.name.into(), data: self.data.into(), length: self.length.into() }
    }
}

impl Sorted {
    /// Appends the sort key of the labels that begin at these places.
    fn new(message: &[u8], starts: &[u16], number: u16, keys: &mut Vec<u8>) -> Self {
        let start = keys.len();
        for at in starts.iter().rev() {
            keys.extend(places(message::label_at(message, usize::from(*at))));
            keys.push(END);
        }
        let key = keys.get(start..).unwrap_or_default();
        // No key is longer than a name, and there are fewer names than the message has bytes.
        let length = u16::try_from(key.len()).unwrap_or(u16::MAX);
        let prefix = labels::first_bytes(key);
        Self { prefix, start: u32::try_from(start).unwrap_or(u32::MAX), length, number }
    }

    fn key<'a>(&self, keys: &'a [u8]) -> &'a [u8] {
        let start = self.start as usize;
        keys.get(start..start + usize::from(self.length)).unwrap_or_default()
    }
}

/// Finds the key's own label at the end of names.
struct OwnLabel<'a> {
    origin: &'a Origin,
    /// Where it was found before; most names end there by way of a pointer.
    at: Option<u16>,
}

impl OwnLabel<'_> {
    /// The labels before the key's own, if the name ends in that.
    fn above<'a>(&mut self, message: &[u8], labels: &'a LabelStarts) -> Option<&'a [u16]> {
        let (last, above) = labels.as_slice().split_last()?;
        if self.at != Some(*last) {
            let label = message::label_at(message, usize::from(*last));
            if !self.origin.is_label(label) {
                return None;
            }
            self.at = Some(*last);
        }
        Some(above)
    }
}

/// A sort key in a buffer of its own.
pub(crate) struct SortKey {
    bytes: [u8; SortKey::CAPACITY],
    length: usize,
}

impl SortKey {
    /// As many bytes as a name, and the label of a wildcard.
    const CAPACITY: usize = labels::MAX_LABELS + 2;

    /// The key of labels in wire form, without those of the zone's key.
    pub(crate) fn new(relative: &[u8]) -> Self {
        let mut key = Self { bytes: [0; Self::CAPACITY], length: relative.len() };
        // From the left in the name is from the right in the key.
        let mut end = relative.len();
        for label in labels::iter(relative) {
            let start = end.saturating_sub(label.len() + 1);
            key.write(start, label);
            end = start;
        }
        key
    }

    /// The key of the wildcard below a name that has this key.
    fn wildcard(encloser: &[u8]) -> Self {
        let mut key = Self { bytes: [0; Self::CAPACITY], length: encloser.len() + 2 };
        if let Some(start) = key.bytes.get_mut(..encloser.len()) {
            start.copy_from_slice(encloser);
        }
        key.write(encloser.len(), b"*");
        key
    }

    /// Writes a label; the [`END`] behind it is there already.
    fn write(&mut self, start: usize, label: &[u8]) {
        let slots = self.bytes.get_mut(start..).unwrap_or_default();
        slots.iter_mut().zip(places(label)).for_each(|(slot, place)| *slot = place);
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// What a label becomes in a sort key.
#[expect(clippy::indexing_slicing, reason = "a byte is always within a table of 256")]
fn places(label: &[u8]) -> impl Iterator<Item = u8> {
    label.iter().map(|byte| PLACES[usize::from(*byte)])
}

/// How many bytes of `name` are labels that `other` begins with too.
fn shared_labels(name: &[u8], other: &[u8]) -> usize {
    let shared = name.iter().zip(other).take_while(|(one, two)| one == two).count();
    let shared = name.get(..shared).unwrap_or_default();
    shared.iter().rposition(|byte| *byte == END).map_or(0, |end| end + 1)
}
