//! A page of a tree, and what stands in it.
//!
//! Separate because everything in it is about one buffer, and nothing about the file.

use std::fs::File;
use std::io;

use super::Damage;

/// How many bytes come before the places of the nodes.
const HEADER: usize = 16;
/// How many bytes come before a node's key.
const NODE: usize = 8;

const BRANCH: u16 = 0x01;
const LEAF: u16 = 0x02;
const OVERFLOW: u16 = 0x04;

/// The value of the node stands in pages of its own.
const BIG: u16 = 0x01;
/// The value of the node is the header of a table.
const SUB_TABLE: u16 = 0x02;

/// The longest key that LMDB takes.
const LONGEST_KEY: usize = 511;

/// Numbers in bytes, in this machine's order, at any offset.
pub(super) trait Bytes {
    fn u16_at(&self, at: usize) -> Option<u16>;
    fn u32_at(&self, at: usize) -> Option<u32>;
    fn u64_at(&self, at: usize) -> Option<u64>;
}

impl Bytes for [u8] {
    fn u16_at(&self, at: usize) -> Option<u16> {
        Some(u16::from_ne_bytes(*self.get(at..)?.first_chunk()?))
    }

    fn u32_at(&self, at: usize) -> Option<u32> {
        Some(u32::from_ne_bytes(*self.get(at..)?.first_chunk()?))
    }

    fn u64_at(&self, at: usize) -> Option<u64> {
        Some(u64::from_ne_bytes(*self.get(at..)?.first_chunk()?))
    }
}

/// Fills the buffer from the file.
pub(super) fn read_at(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
    #[cfg(unix)]
    {
        std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
    }
    #[cfg(not(unix))]
    {
        use std::io::{Read, Seek, SeekFrom};
        let mut file = file;
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(buffer)
    }
}

/// A page, checked to hold nodes of one kind that lie within it and do not overlap.
pub(super) struct Page<'a> {
    bytes: &'a [u8],
    nodes: usize,
    is_leaf: bool,
}

/// What a node leads to.
pub(super) enum Value<'a> {
    Page(u64),
    Here(&'a [u8]),
    Table(&'a [u8]),
    /// So many bytes, from a page on.
    Elsewhere {
        page: u64,
        bytes: u64,
    },
}

impl<'a> Page<'a> {
    pub(super) fn parse(bytes: &'a [u8], number: u64, is_leaf: bool) -> Result<Self, Damage> {
        Self::try_parse(bytes, number, is_leaf).ok_or(Damage::Page { page: number })
    }

    fn try_parse(bytes: &'a [u8], number: u64, is_leaf: bool) -> Option<Self> {
        let flags = if is_leaf { LEAF } else { BRANCH };
        let lower = usize::from(bytes.u16_at(12)?);
        let upper = usize::from(bytes.u16_at(14)?);
        let nodes = lower.checked_sub(HEADER)? / 2;
        let least = if is_leaf { 1 } else { 2 };
        let is_right = bytes.u64_at(0)? == number
            && bytes.u16_at(10)? == flags
            && lower % 2 == 0
            && lower <= upper
            && upper <= bytes.len()
            && nodes >= least;
        let page = is_right.then_some(Self { bytes, nodes, is_leaf })?;
        let mut space = 0_usize;
        for index in 0..nodes {
            let (start, end) = page.extent(index)?;
            if start < upper || start % 2 != 0 || end > bytes.len() {
                return None;
            }
            let length = end.checked_sub(start)?;
            space = space.checked_add(length.checked_next_multiple_of(2)?)?;
        }
        (space <= bytes.len().checked_sub(upper)?).then_some(page)
    }

    pub(super) fn len(&self) -> usize {
        self.nodes
    }

    fn start(&self, index: usize) -> Option<usize> {
        self.bytes.u16_at(index.checked_mul(2)?.checked_add(HEADER)?).map(usize::from)
    }

    /// Where a node begins and ends.
    fn extent(&self, index: usize) -> Option<(usize, usize)> {
        let start = self.start(index)?;
        let key = usize::from(self.bytes.u16_at(start.checked_add(6)?)?);
        if key > LONGEST_KEY {
            return None;
        }
        let head = start.checked_add(NODE)?.checked_add(key)?;
        if !self.is_leaf {
            return Some((start, head));
        }
        let flags = self.bytes.u16_at(start.checked_add(4)?)?;
        let value = match flags {
            0 | SUB_TABLE => usize::try_from(self.bytes.u32_at(start)?).ok()?,
            BIG => size_of::<u64>(),
            _ => return None,
        };
        Some((start, head.checked_add(value)?))
    }

    pub(super) fn key(&self, index: usize) -> Option<&'a [u8]> {
        let start = self.start(index)?;
        let length = usize::from(self.bytes.u16_at(start.checked_add(6)?)?);
        self.bytes.get(start.checked_add(NODE)?..)?.get(..length)
    }

    pub(super) fn value(&self, index: usize) -> Option<Value<'a>> {
        let (start, end) = self.extent(index)?;
        let low = self.bytes.u32_at(start)?;
        let flags = self.bytes.u16_at(start.checked_add(4)?)?;
        if !self.is_leaf {
            return Some(Value::Page(u64::from(low) | u64::from(flags) << 32));
        }
        let key = self.key(index)?.len();
        let value = self.bytes.get(start.checked_add(NODE)?.checked_add(key)?..end)?;
        Some(match flags {
            BIG => Value::Elsewhere { page: value.u64_at(0)?, bytes: low.into() },
            SUB_TABLE => Value::Table(value),
            _ => Value::Here(value),
        })
    }
}

/// How many pages the value takes that begins in this page; `None` if none does.
pub(super) fn overflow_pages(bytes: &[u8], number: u64) -> Option<u64> {
    let is_right = bytes.u64_at(0)? == number && bytes.u16_at(10)? == OVERFLOW;
    is_right.then_some(bytes.u32_at(12)?.into())
}

/// How many pages a value of so many bytes takes.
pub(super) fn pages_for(bytes: u64, page_size: u64) -> Option<u64> {
    bytes.checked_add(HEADER as u64)?.checked_sub(1)?.checked_div(page_size)?.checked_add(1)
}
