//! Lists of info hashes: apart from nodes, because they have no address.

use std::slice;

use crate::Id;

/// `samples`: info hashes one after the other ([BEP 51](https://www.bittorrent.org/beps/bep_0051.html)).
///
/// Two lists are equal if they hold the same hashes in the same order.
#[derive(Clone, Copy, Debug, Default)]
pub enum Samples<'a> {
    /// No list at all, so not an answer to `sample_infohashes`: there it is present even when empty.
    #[default]
    Absent,
    /// 20 bytes a hash; a broken tail is ignored.
    Raw(&'a [u8]),
    /// The caller's hashes.
    List(&'a [Id]),
}

impl<'a> Samples<'a> {
    /// Whether there is no list at all.
    #[must_use]
    pub const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// The hashes.
    #[must_use]
    pub fn iter(&self) -> SampleIter<'a> {
        match *self {
            Self::Absent => SampleIter { raw: [].iter(), list: [].iter() },
            Self::Raw(bytes) => SampleIter { raw: bytes.as_chunks().0.iter(), list: [].iter() },
            Self::List(ids) => SampleIter { raw: [].iter(), list: ids.iter() },
        }
    }
}

impl PartialEq for Samples<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.is_absent() == other.is_absent() && self.iter().eq(other.iter())
    }
}

impl<'a> IntoIterator for Samples<'a> {
    type Item = Id;
    type IntoIter = SampleIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a> IntoIterator for &Samples<'a> {
    type Item = Id;
    type IntoIter = SampleIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The hashes of a [`Samples`].
#[derive(Clone, Debug)]
pub struct SampleIter<'a> {
    raw: slice::Iter<'a, [u8; 20]>,
    list: slice::Iter<'a, Id>,
}

impl Iterator for SampleIter<'_> {
    type Item = Id;

    fn next(&mut self) -> Option<Id> {
        self.raw.next().map(|bytes| Id::from_bytes(*bytes)).or_else(|| self.list.next().copied())
    }
}
