//! Writes the DNS message of a packet, with the compression of pkarr 8.1.
//!
//! Separate because these bytes are a wire fact: an answer section under a header of id 0 and flags 0x8000, every
//! suffix of every owner name and of the compressible names in data pointed to when it comes again, byte for byte alike
//! ([RFC 1035 4.1.4](https://www.rfc-editor.org/rfc/rfc1035#section-4.1.4)).

use super::{BuildError, Costliest, draft::Draft};
use crate::{
    SignedPacket,
    labels::{self, Labels},
    layout::{self, Field, Part},
    message::Place,
    owner::{Origin, PlaceError},
};

/// The message, and what is needed to say what it consists of.
pub(crate) struct Writer<'a> {
    message: Vec<u8>,
    /// How many bytes each record took.
    costs: Vec<(usize, &'a Draft)>,
}

/// The last offset that a pointer can name.
const MAX_POINTER: usize = 0x3fff;

impl<'a> Writer<'a> {
    pub(crate) fn write(drafts: &'a [Draft], origin: &Origin) -> Result<Self, BuildError> {
        let mut message = Vec::with_capacity(SignedPacket::MAX_DNS_BYTES);
        message.extend_from_slice(&[0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let mut writer = Self { message, costs: Vec::with_capacity(drafts.len()) };
        let mut suffixes = Suffixes::default();
        let mut placed: Vec<(Labels, &Draft)> = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let name = place(draft, origin)?;
            if placed.iter().any(|(other, earlier)| is_duplicate(draft, &name, earlier, other)) {
                continue;
            }
            let start = writer.message.len();
            writer.record(&name, draft, &mut suffixes);
            writer.costs.push((writer.message.len() - start, draft));
            placed.push((name, draft));
        }
        let count = u16::try_from(placed.len()).unwrap_or(u16::MAX);
        if let Some(field) = writer.message.get_mut(6..8) {
            field.copy_from_slice(&count.to_be_bytes());
        }
        Ok(writer)
    }

    pub(crate) fn message(&self) -> &[u8] {
        &self.message
    }

    /// Whether the message fits a packet.
    pub(crate) fn check_size(&self) -> Result<(), BuildError> {
        let size = self.message.len();
        let excess = size.saturating_sub(SignedPacket::MAX_DNS_BYTES);
        // Of records that cost the same, the first.
        let costliest = self.costs.iter().rev().max_by_key(|(bytes, _)| *bytes);
        match costliest {
            Some((bytes, draft)) if excess > 0 => {
                let owner = draft.owner.clone();
                let costliest = Box::new(Costliest { owner, rtype: draft.typed(), bytes: *bytes });
                Err(BuildError::TooLarge { size, excess, costliest })
            }
            Some(_) | None => Ok(()),
        }
    }

    fn record(&mut self, name: &Labels, draft: &Draft, suffixes: &mut Suffixes) {
        self.compressed(name.as_wire(), suffixes);
        self.message.extend_from_slice(&draft.rtype.to_be_bytes());
        self.message.extend_from_slice(&draft.class.to_be_bytes());
        self.message.extend_from_slice(&draft.ttl.to_be_bytes());
        let length_at = self.message.len();
        self.message.extend_from_slice(&[0, 0]);
        let start = self.message.len();
        self.rdata(draft, suffixes);
        let length = u16::try_from(self.message.len() - start).unwrap_or(u16::MAX);
        if let Some(field) = self.message.get_mut(length_at..start) {
            field.copy_from_slice(&length.to_be_bytes());
        }
    }

    fn rdata(&mut self, draft: &Draft, suffixes: &mut Suffixes) {
        let compressible = layout::fields(draft.typed()).contains(&Field::Name);
        if !compressible {
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
                self.compressed(&name, suffixes);
                name.clear();
            }
            Part::EndOfName(_) => {
                self.message.append(&mut name);
                self.message.push(0);
            }
        });
    }

    /// Writes a name up to a suffix that was written before.
    fn compressed(&mut self, wire: &[u8], suffixes: &mut Suffixes) {
        let mut rest = wire;
        for label in labels::iter(wire) {
            if let Some(at) = suffixes.find(rest) {
                self.message.extend_from_slice(&(0xc000 | at).to_be_bytes());
                return;
            }
            suffixes.insert(rest, self.message.len());
            let (written, after) = rest.split_at_checked(label.len() + 1).unwrap_or((rest, &[]));
            self.message.extend_from_slice(written);
            rest = after;
        }
        self.message.push(0);
    }
}

fn place(draft: &Draft, origin: &Origin) -> Result<Labels, BuildError> {
    draft.owner.place(origin).map_err(|error| match error {
        PlaceError::OtherKey(key) => BuildError::OtherKey { owner: draft.owner.clone(), key },
        PlaceError::TooLong => BuildError::NameTooLong { owner: draft.owner.clone() },
    })
}

fn is_duplicate(draft: &Draft, name: &Labels, earlier: &Draft, other: &Labels) -> bool {
    (draft.rtype, draft.class) == (earlier.rtype, earlier.class)
        && draft.rdata == earlier.rdata
        && name.as_wire().eq_ignore_ascii_case(other.as_wire())
}

/// The suffixes of names that have been written, and where.
#[derive(Default)]
struct Suffixes {
    written: std::collections::BTreeMap<Vec<u8>, u16>,
}

impl Suffixes {
    fn find(&self, suffix: &[u8]) -> Option<u16> {
        self.written.get(suffix).copied()
    }

    fn insert(&mut self, suffix: &[u8], at: usize) {
        if let Some(at) = u16::try_from(at).ok().filter(|at| usize::from(*at) <= MAX_POINTER) {
            self.written.insert(suffix.to_vec(), at);
        }
    }
}
