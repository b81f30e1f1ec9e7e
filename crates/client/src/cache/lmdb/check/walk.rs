//! The walk over all pages that a header leads to.
//!
//! Separate because it is the part that takes time, and that `CacheOptions::check` can leave out.

use std::collections::BTreeSet;
use std::fs::File;

use super::meta::{Meta, NOWHERE, Table};
use super::page::{Bytes, Page, Value, overflow_pages, pages_for, read_at};
use super::{Damage, Unsound};

/// How many free pages may lie behind the end of the file: no transaction allocates more.
const MOST_BEYOND: u64 = 1 << 17;

/// How many bytes of free pages one list may name.
const LONGEST_LIST: u64 = 64 << 20;

/// How many tables a file of ours may have; LMDB is told of fewer.
const MOST_TABLES: usize = 64;

/// A walk, and the pages it has come to.
pub(super) struct Walk<'a> {
    file: &'a File,
    meta: &'a Meta,
    /// How many whole pages the file has.
    present: u64,
    seen: Vec<u64>,
    beyond: BTreeSet<u64>,
    tables: Vec<Table>,
    lists: Vec<(u64, Vec<u8>)>,
}

/// Which table a page belongs to, and what is known of it.
struct Course {
    table: Table,
    kind: Kind,
    counted: Counted,
    /// The key before, in the order of the walk.
    previous: Option<Vec<u8>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Lists of free pages by transaction.
    Free,
    /// Tables by name.
    Main,
    /// Values by key.
    Plain,
}

#[derive(Default, PartialEq, Eq)]
struct Counted {
    branches: u64,
    leaves: u64,
    overflows: u64,
    entries: u64,
}

impl<'a> Walk<'a> {
    pub(super) fn new(file: &'a File, meta: &'a Meta, length: u64) -> Result<Self, Unsound> {
        let present = length / meta.page_size;
        if meta.pages() > present.saturating_add(MOST_BEYOND) {
            return Err(Damage::Short.into());
        }
        let words = usize::try_from(present.div_ceil(64)).map_err(|_| Damage::Short)?;
        let mut walk = Self {
            file,
            meta,
            present,
            seen: vec![0; words],
            beyond: BTreeSet::new(),
            tables: Vec::new(),
            lists: Vec::new(),
        };
        walk.mark(0)?;
        walk.mark(1)?;
        Ok(walk)
    }

    /// Walks over everything.
    pub(super) fn all(mut self) -> Result<(), Unsound> {
        self.table(self.meta.free, Kind::Free)?;
        self.table(self.meta.main, Kind::Main)?;
        while let Some(table) = self.tables.pop() {
            self.table(table, Kind::Plain)?;
        }
        // Last, when it is known which pages are in use.
        while let Some((transaction, list)) = self.lists.pop() {
            self.free_list(transaction, &list).ok_or(Damage::Free)?;
        }
        Ok(())
    }

    fn table(&mut self, table: Table, kind: Kind) -> Result<(), Unsound> {
        if table.root == NOWHERE {
            return Ok(());
        }
        let mut course = Course { table, kind, counted: Counted::default(), previous: None };
        self.tree(&mut course, table.root, table.depth)?;
        let (told, counted) = (course.table, course.counted);
        let told = Counted {
            branches: told.branches,
            leaves: told.leaves,
            overflows: told.overflows,
            entries: told.entries,
        };
        if told == counted { Ok(()) } else { Err(Damage::Counts.into()) }
    }

    /// Walks over a page and all below it; `levels` of them, no more than the header may say.
    fn tree(&mut self, course: &mut Course, number: u64, levels: u16) -> Result<(), Unsound> {
        self.mark(number)?;
        let mut bytes = vec![0; usize::try_from(self.meta.page_size).unwrap_or_default()];
        self.load(number, &mut bytes)?;
        let is_leaf = levels <= 1;
        let page = Page::parse(&bytes, number, is_leaf)?;
        let nodes = page.len();
        let count = if is_leaf { &mut course.counted.leaves } else { &mut course.counted.branches };
        *count += 1;
        let wrong = Damage::Page { page: number };
        for index in 0..nodes {
            let key = page.key(index).ok_or(wrong)?;
            match page.value(index).ok_or(wrong)? {
                Value::Page(below) => {
                    // The first key of a branch is not looked at, and may be empty; the others are lower
                    // bounds of what is below them.
                    if index > 0 && !course.follows(key) {
                        return Err(wrong.into());
                    }
                    self.tree(course, below, levels.saturating_sub(1))?;
                }
                value => {
                    if !course.follows(key) {
                        return Err(wrong.into());
                    }
                    course.previous = Some(key.to_vec());
                    course.counted.entries += 1;
                    self.entry(course, key, value)?.ok_or(wrong)?;
                }
            }
        }
        Ok(())
    }

    /// Checks one entry of a leaf; `None` if it is not of the table's kind.
    fn entry(
        &mut self,
        course: &mut Course,
        key: &[u8],
        value: Value<'_>,
    ) -> Result<Option<()>, Unsound> {
        let value = match (course.kind, value) {
            (Kind::Main, Value::Table(header)) => {
                let table = Table::parse(header).filter(Table::is_plain);
                let fits = header.len() == Table::LENGTH && self.tables.len() < MOST_TABLES;
                self.tables.extend(table.filter(|_| fits));
                return Ok(table.filter(|_| fits).map(|_| ()));
            }
            (Kind::Main, _) | (_, Value::Table(_) | Value::Page(_)) => return Ok(None),
            (_, Value::Here(value)) => Some(value.to_vec()),
            (kind, Value::Elsewhere { page, bytes }) => {
                self.overflow(course, page, bytes, kind == Kind::Free)?
            }
        };
        if course.kind == Kind::Free {
            let transaction = key.u64_at(0).filter(|_| key.len() == size_of::<u64>());
            let Some((transaction, list)) = transaction.zip(value) else { return Ok(None) };
            self.lists.push((transaction, list));
        }
        Ok(Some(()))
    }

    /// Checks the pages of a long value, and reads it if somebody wants it.
    fn overflow(
        &mut self,
        course: &mut Course,
        first: u64,
        bytes: u64,
        wanted: bool,
    ) -> Result<Option<Vec<u8>>, Unsound> {
        let wrong = Damage::Page { page: first };
        let pages = pages_for(bytes, self.meta.page_size).ok_or(wrong)?;
        let end = first.checked_add(pages).ok_or(wrong)?;
        if end > self.present {
            return Err(wrong.into());
        }
        for page in first..end {
            self.mark(page)?;
        }
        course.counted.overflows += pages;
        let mut head = [0; 16];
        self.load(first, &mut head)?;
        if overflow_pages(&head, first) != Some(pages) {
            return Err(wrong.into());
        }
        if !wanted {
            return Ok(None);
        }
        let length = usize::try_from(bytes.min(LONGEST_LIST)).unwrap_or_default();
        let mut value = vec![0; length];
        let start = first.checked_mul(self.meta.page_size).and_then(|at| at.checked_add(16));
        read_at(self.file, start.ok_or(wrong)?, &mut value)?;
        Ok(Some(value))
    }

    /// Checks that a list of free pages is one: its length, then pages in falling order, none in use.
    fn free_list(&mut self, transaction: u64, list: &[u8]) -> Option<()> {
        let (numbers, rest) = list.as_chunks::<8>();
        let (count, pages) = numbers.split_first()?;
        let count = u64::from_ne_bytes(*count);
        let is_right = rest.is_empty() && count == pages.len() as u64 && transaction > 0;
        if !is_right || transaction > self.meta.transaction {
            return None;
        }
        let mut previous = u64::MAX;
        for page in pages.iter().map(|page| u64::from_ne_bytes(*page)) {
            if page >= previous || page > self.meta.last_page {
                return None;
            }
            self.mark_free(page)?;
            previous = page;
        }
        Some(())
    }

    /// A free page may lie behind the end of the file, where nobody has written yet.
    fn mark_free(&mut self, page: u64) -> Option<()> {
        if page < self.present {
            return self.mark(page).ok();
        }
        self.beyond.insert(page).then_some(())
    }

    /// Notes that a page is in use.
    fn mark(&mut self, page: u64) -> Result<(), Damage> {
        let is_within = page < self.present && page <= self.meta.last_page;
        let word = usize::try_from(page / 64).ok().filter(|_| is_within);
        let word = word.and_then(|word| self.seen.get_mut(word)).ok_or(Damage::Page { page })?;
        let bit = 1 << (page % 64);
        if *word & bit != 0 {
            return Err(Damage::Twice { page });
        }
        *word |= bit;
        Ok(())
    }

    fn load(&self, page: u64, buffer: &mut [u8]) -> Result<(), Unsound> {
        let offset = page.checked_mul(self.meta.page_size).ok_or(Damage::Page { page })?;
        Ok(read_at(self.file, offset, buffer)?)
    }
}

impl Course {
    /// Whether a key comes after all before it.
    fn follows(&self, key: &[u8]) -> bool {
        let Some(previous) = &self.previous else { return true };
        match self.kind {
            Kind::Free => previous.u64_at(0) < key.u64_at(0),
            Kind::Main | Kind::Plain => previous.as_slice() < key,
        }
    }
}
