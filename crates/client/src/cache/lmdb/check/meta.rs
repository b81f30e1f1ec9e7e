//! The header of a file of LMDB: two pages, of which the one written last counts.
//!
//! Separate because it is all that can be checked without reading the file.

use std::fs::File;
use std::io;

use super::page::{Bytes, read_at};
use super::{Damage, Unsound};

const MAGIC: u32 = 0xBEEF_C0DE;
/// The format that LMDB 0.9 writes.
const VERSION: u32 = 1;

/// The flags of a header page.
const HEADER_PAGE: u16 = 0x08;

/// The flags that the table of free pages has: its keys are numbers, and nothing asks for a map at a fixed
/// address.
const FREE_FLAGS: u16 = 0x08;

/// Where the header begins in its page.
const START: usize = 16;
/// Where it begins in files of LMDB 1.0, whose pages say which transaction wrote them.
const NEWER_START: u64 = 24;
/// How many bytes of a header page count.
const LENGTH: usize = START + 136;

/// The root of an empty table.
pub(super) const NOWHERE: u64 = u64::MAX;

/// The deepest tree that LMDB's cursors can follow.
const DEEPEST: u16 = 32;

/// More pages than any file has, and more transactions than any had.
const MOST: u64 = 1 << 48;

/// The header of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meta {
    pub(super) page_size: u64,
    pub(super) free: Table,
    pub(super) main: Table,
    pub(super) last_page: u64,
    pub(super) transaction: u64,
}

/// The header of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Table {
    pad: u32,
    flags: u16,
    pub(super) depth: u16,
    pub(super) branches: u64,
    pub(super) leaves: u64,
    pub(super) overflows: u64,
    pub(super) entries: u64,
    pub(super) root: u64,
}

impl Table {
    /// How many bytes the header of a table takes.
    pub(super) const LENGTH: usize = 48;

    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let table = Self {
            pad: bytes.u32_at(0)?,
            flags: bytes.u16_at(4)?,
            depth: bytes.u16_at(6)?,
            branches: bytes.u64_at(8)?,
            leaves: bytes.u64_at(16)?,
            overflows: bytes.u64_at(24)?,
            entries: bytes.u64_at(32)?,
            root: bytes.u64_at(40)?,
        };
        let is_empty = table.root == NOWHERE;
        let is_nothing = (table.depth, table.entries, table.branches, table.leaves) == (0, 0, 0, 0);
        let is_right = is_empty == is_nothing && is_empty == (table.depth == 0);
        (is_right && table.depth <= DEEPEST).then_some(table)
    }

    /// Whether its keys are bytes with one value each, as those of all tables are that have a name.
    pub(super) fn is_plain(&self) -> bool {
        self.flags == 0 && self.pad == 0
    }
}

impl Meta {
    pub(super) fn read(file: &File) -> Result<Self, Unsound> {
        if let Some(found) = newer_version(file)? {
            return Err(Unsound::Newer { found });
        }
        let first = Self::read_one(file, 0)?;
        let second = Self::read_one(file, first.page_size)?;
        let (meta, odd) =
            if second.transaction > first.transaction { (second, 1) } else { (first, 0) };
        // LMDB finds the header of a transaction by its number's parity.
        if meta.transaction & 1 != odd || second.page_size != first.page_size {
            return Err(Damage::Header.into());
        }
        Ok(meta)
    }

    /// The bytes of both.
    pub(super) fn raw(file: &File) -> Result<Vec<u8>, Unsound> {
        let meta = Self::read(file)?;
        let mut both = vec![0; 2 * LENGTH];
        let (first, second) = both.split_at_mut(LENGTH);
        read_at(file, 0, first)?;
        read_at(file, meta.page_size, second)?;
        Ok(both)
    }

    fn read_one(file: &File, offset: u64) -> Result<Self, Unsound> {
        let mut page = [0; LENGTH];
        read_at(file, offset, &mut page)?;
        let Some(header) = page.get(START..) else { return Err(Damage::Header.into()) };
        match header.u32_at(0) {
            Some(MAGIC) => {}
            Some(other) if other.swap_bytes() == MAGIC => return Err(Unsound::OtherMachine),
            _ => return Err(Damage::NotLmdb.into()),
        }
        if header.u32_at(4) != Some(VERSION) {
            return Err(Damage::Header.into());
        }
        if page.u16_at(10) != Some(HEADER_PAGE) {
            return Err(Damage::Header.into());
        }
        Self::parse(header).ok_or(Unsound::Damaged(Damage::Header))
    }

    fn parse(header: &[u8]) -> Option<Self> {
        let free = Table::parse(header.get(24..)?)?;
        let main = Table::parse(header.get(24 + Table::LENGTH..)?)?;
        let page_size = u64::from(free.pad);
        let is_possible = page_size.is_power_of_two() && (512..=32_768).contains(&page_size);
        let last_page = header.u64_at(120)?;
        let transaction = header.u64_at(128)?;
        let is_small = last_page < MOST && transaction < MOST;
        let is_right = is_possible && is_small && free.flags == FREE_FLAGS && main.is_plain();
        is_right.then_some(Self { page_size, free, main, last_page, transaction })
    }

    /// How many pages the file has, by the header.
    pub(super) fn pages(&self) -> u64 {
        self.last_page.saturating_add(1)
    }
}

/// The version that both headers name, if it is one of the next, or that of LMDB's development. If only one
/// does, that is damage.
fn newer_version(file: &File) -> io::Result<Option<u32>> {
    for start in [START as u64, NEWER_START] {
        let Some(found @ (2..=16 | 999)) = version_at(file, start)? else { continue };
        // The second header begins a page later, however long pages are.
        for page_size in (8..=16).map(|power| 1 << power) {
            if version_at(file, page_size + start)? == Some(found) {
                return Ok(Some(found));
            }
        }
    }
    Ok(None)
}

/// The version after the magic number, if that stands there.
fn version_at(file: &File, offset: u64) -> io::Result<Option<u32>> {
    let mut bytes = [0; 8];
    match read_at(file, offset, &mut bytes) {
        Ok(()) => Ok(bytes.u32_at(4).filter(|_| bytes.u32_at(0) == Some(MAGIC))),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}
