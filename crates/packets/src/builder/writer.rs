//! Writes the DNS message of a packet, with the compression of pkarr 8.1.
//!
//! Separate because these bytes are a wire fact: an answer section under a header of id 0 and flags 0x8000, every
//! suffix of every owner name and of the compressible names in data pointed to when it comes again, byte for byte alike
//! ([RFC 1035 4.1.4](https://www.rfc-editor.org/rfc/rfc1035#section-4.1.4)).

use std::ops::Range;

use super::{BuildError, Costliest, draft::Draft};
use crate::{
    SignedPacket, labels,
    layout::{self, Field, Part},
    message::Place,
    owner::{Origin, PlaceError},
};

/// The message, and what is needed to say what it consists of.
pub(crate) struct Writer<'a> {
    message: Vec<u8>,
    records: Vec<Written<'a>>,
    names: Names,
}

/// A record that has been written.
struct Written<'a> {
    draft: &'a Draft,
    /// The first bytes of its data: most records are told apart by them.
    tag: u64,
    /// Where its name stands among the names.
    name: Range<usize>,
    /// How many bytes it took.
    cost: usize,
}

/// The last offset that a pointer can name.
const MAX_POINTER: u16 = 0x3fff;

impl<'a> Writer<'a> {
    pub(crate) fn write(drafts: &'a [Draft], origin: &Origin) -> Result<Self, BuildError> {
        let mut message = Vec::with_capacity(SignedPacket::MAX_DNS_BYTES);
        message.extend_from_slice(&[0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let records = Vec::with_capacity(drafts.len());
        let mut writer = Self { message, records, names: Names::with_room_for(drafts.len()) };
        for draft in drafts {
            let name = writer.names.push(|names| place(draft, origin, names))?;
            let tag = labels::first_bytes(&draft.rdata);
            if writer.is_duplicate(draft, tag, &name) {
                continue;
            }
            let start = writer.message.len();
            writer.record(name.clone(), draft);
            let cost = writer.message.len() - start;
            writer.records.push(Written { draft, tag, name, cost });
        }
        let count = u16::try_from(writer.records.len()).unwrap_or(u16::MAX);
        if let Some(field) = writer.message.get_mut(6..8) {
            field.copy_from_slice(&count.to_be_bytes());
        }
        Ok(writer)
    }

    fn is_duplicate(&self, draft: &Draft, tag: u64, name: &Range<usize>) -> bool {
        self.records.iter().any(|earlier| {
            tag == earlier.tag
                && (draft.rtype, draft.class) == (earlier.draft.rtype, earlier.draft.class)
                && draft.rdata == earlier.draft.rdata
                && self.names.get(name).eq_ignore_ascii_case(self.names.get(&earlier.name))
        })
    }

    pub(crate) fn message(&self) -> &[u8] {
        &self.message
    }

    /// Whether the message fits a packet.
    pub(crate) fn check_size(&self) -> Result<(), BuildError> {
        let size = self.message.len();
        let excess = size.saturating_sub(SignedPacket::MAX_DNS_BYTES);
        // Of records that cost the same, the first.
        let costliest = self.records.iter().rev().max_by_key(|record| record.cost);
        match costliest {
            Some(Written { draft, cost, .. }) if excess > 0 => {
                let owner = draft.owner.clone();
                let costliest = Box::new(Costliest { owner, rtype: draft.typed(), bytes: *cost });
                Err(BuildError::TooLarge { size, excess, costliest })
            }
            Some(_) | None => Ok(()),
        }
    }

    fn record(&mut self, name: Range<usize>, draft: &Draft) {
        self.compressed(name);
        let ([t0, t1], [c0, c1]) = (draft.rtype.to_be_bytes(), draft.class.to_be_bytes());
        let [l0, l1, l2, l3] = draft.ttl.to_be_bytes();
        self.message.extend_from_slice(&[t0, t1, c0, c1, l0, l1, l2, l3, 0, 0]);
        let start = self.message.len();
        self.rdata(draft);
        let length = u16::try_from(self.message.len() - start).unwrap_or(u16::MAX);
        if let Some(field) = self.message.get_mut(start - 2..start) {
            field.copy_from_slice(&length.to_be_bytes());
        }
    }

    fn rdata(&mut self, draft: &Draft) {
        if !layout::fields(draft.typed()).contains(&Field::Name) {
            self.message.extend_from_slice(&draft.rdata);
            return;
        }
        let mut name = Vec::new();
        let whole = Place::of_rdata(draft.rdata.len());
        // The draft has been checked, so every part is there.
        let _ = layout::visit(&draft.rdata, draft.typed(), whole, |part| match part {
            Part::Bytes(bytes) => self.message.extend_from_slice(bytes),
            Part::Label(label) => {
                name.extend(u8::try_from(label.len()));
                name.extend_from_slice(label);
            }
            Part::EndOfName(Field::Name) => {
                let range = self.names.add(&name);
                self.compressed(range);
                name.clear();
            }
            Part::EndOfName(_) => {
                self.message.append(&mut name);
                self.message.push(0);
            }
        });
    }

    /// Writes a name up to a suffix that was written before.
    fn compressed(&mut self, name: Range<usize>) {
        let start = self.message.len();
        let (mut rest, mut known) = (name.clone(), None);
        while let Some(length) = self.names.first_label(&rest) {
            let tag = labels::first_bytes(self.names.get(&rest));
            known = self.names.find(&rest, tag);
            if known.is_some() {
                break;
            }
            self.names.note(rest.clone(), tag, start + (rest.start - name.start));
            rest.start += length + 1;
        }
        self.message.extend_from_slice(self.names.get(&(name.start..rest.start)));
        match known {
            Some(at) => self.message.extend_from_slice(&(0xc000 | at).to_be_bytes()),
            None => self.message.push(0),
        }
    }
}

fn place(draft: &Draft, origin: &Origin, names: &mut Vec<u8>) -> Result<(), BuildError> {
    draft.owner.place(origin, names).map_err(|error| match error {
        PlaceError::OtherKey(key) => BuildError::OtherKey { owner: draft.owner.clone(), key },
        PlaceError::TooLong => BuildError::NameTooLong { owner: draft.owner.clone() },
    })
}

/// The names of a message in wire form, one after another, and which of their suffixes can be pointed to.
struct Names {
    bytes: Vec<u8>,
    suffixes: Vec<Suffix>,
}

/// A name, or its part from one label to its end, that stands in the message.
struct Suffix {
    /// Its first bytes.
    tag: u64,
    name: Range<usize>,
    at: u16,
}

impl Names {
    fn with_room_for(records: usize) -> Self {
        // A name is a key's label and a little more.
        let bytes = Vec::with_capacity(records.saturating_mul(72));
        Self { bytes, suffixes: Vec::with_capacity(records.saturating_add(4)) }
    }

    fn push<E>(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<Range<usize>, E> {
        let start = self.bytes.len();
        write(&mut self.bytes)?;
        Ok(start..self.bytes.len())
    }

    fn add(&mut self, name: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(name);
        start..self.bytes.len()
    }

    fn get(&self, name: &Range<usize>) -> &[u8] {
        self.bytes.get(name.clone()).unwrap_or_default()
    }

    /// How long the first label of a name is, if it has one.
    fn first_label(&self, name: &Range<usize>) -> Option<usize> {
        self.get(name).first().copied().map(usize::from)
    }

    /// Where a suffix stands in the message.
    fn find(&self, name: &Range<usize>, tag: u64) -> Option<u16> {
        let is_it =
            |suffix: &&Suffix| suffix.tag == tag && self.get(&suffix.name) == self.get(name);
        self.suffixes.iter().find(is_it).map(|suffix| suffix.at)
    }

    /// Notes that a suffix is about to stand in the message.
    fn note(&mut self, name: Range<usize>, tag: u64, at: usize) {
        if let Some(at) = u16::try_from(at).ok().filter(|at| *at <= MAX_POINTER) {
            self.suffixes.push(Suffix { tag, name, at });
        }
    }
}
