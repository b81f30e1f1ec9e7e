//! Records in LMDB, in the three tables of pkarr's cache files and one of our own.
//!
//! Separate from the cache because only this folder knows LMDB.

use std::ops::Bound;
use std::path::Path;

use heed::types::{Bytes, DecodeIgnore, Str, U32, U64};
use heed::{Database, Env, MdbError, RoTxn, RwTxn, WithTls, byteorder::BigEndian};
use mainstay_keys::PublicKey;
use sha1::{Digest, Sha1};

use super::super::persistent::{
    Batch, CacheOptions, Engine, Epoch, Failure, OpenCacheError, SetAside, Unwritten, Usage,
};
use super::home::Checked;
use super::map::{Map, Still};
use super::run::Run;

/// How pkarr names a key: the SHA-1 of it.
type Id = [u8; 20];

/// By name: when the packet was last seen, then the packet.
const PACKETS: &str = "pkarrcache:signed_packet";
/// By name: its place in the order.
const PLACES: &str = "pkarrcache:key_to_time";
/// The order: a time in microseconds, and a name. For pkarr it is the time of the last use, for us that of
/// expiry: whoever opens the file lets those leave first that come first.
const ORDER: &str = "pkarrcache:time_to_key";
/// What pkarr does not know of.
const FACTS: &str = "mainstaycache:facts";

/// The fact that says which version of these tables the file has.
const FORMAT: &str = "format";

/// The version of the tables above.
const KNOWN: u32 = 1;

/// Room in the map beyond the limit of the cache, for pages that old readers hold and commits need.
const SPARE: u64 = 64 << 20;

/// How large the map is at first, at most: it grows as needed, and the system refuses what it cannot address.
const LARGEST_START: u64 = 64 << 30;

/// An open folder.
#[derive(Debug)]
pub(super) struct Lmdb {
    map: Map,
    tables: Tables,
    run: Run,
    // Dropped after the map: as long as it is held no other process sets the file aside, and then it is marked.
    checked: Checked,
}

#[derive(Clone, Copy, Debug)]
struct Tables {
    packets: Database<Bytes, Bytes>,
    places: Database<Bytes, U64<BigEndian>>,
    order: Database<U64<BigEndian>, Bytes>,
}

impl Lmdb {
    pub(super) fn open(
        folder: &Path,
        options: &CacheOptions,
    ) -> Result<(Self, Option<SetAside>), OpenCacheError> {
        let bytes = options.bytes.saturating_add(options.bytes / 4).saturating_add(SPARE);
        Self::open_with_map(folder, options, bytes.min(LARGEST_START))
    }

    /// Opens it with a map of this size at first.
    pub(super) fn open_with_map(
        folder: &Path,
        options: &CacheOptions,
        bytes: u64,
    ) -> Result<(Self, Option<SetAside>), OpenCacheError> {
        let (mut checked, set_aside) = Checked::look(folder, options.check)?;
        let failed = |error: heed::Error| refusal(folder, error);
        let map = Map::open(&checked, bytes).map_err(failed)?;
        let tables = Tables::open(&map, folder)?;
        checked.share().map_err(|source| OpenCacheError::Io { path: folder.to_owned(), source })?;
        Ok((Self { map, tables, run: Run::default(), checked }, set_aside))
    }

    #[cfg(test)]
    pub(super) fn map_size(&self) -> u64 {
        self.map.size()
    }

    /// The epoch in which the file would be after this commit.
    #[cfg(test)]
    pub(super) fn epoch_after(&self, commit: u64) -> Epoch {
        self.run.epoch_of(commit)
    }

    #[cfg(test)]
    pub(super) fn last_commit(&self) -> u64 {
        self.map.last_commit()
    }

    /// A transaction that reads. There may be one in a thread at a time.
    fn reading<T>(
        &self,
        work: impl FnOnce(&RoTxn<'_, WithTls>) -> heed::Result<T>,
    ) -> Result<T, Failure> {
        let moved = {
            let (env, _still) = self.map.hold();
            match env.read_txn() {
                Ok(transaction) => return self.judged(work(&transaction).map_err(Failure::from)),
                Err(error @ heed::Error::Mdb(MdbError::MapResized | MdbError::ReadersFull)) => {
                    error
                }
                Err(error) => return self.judged(Err(error.into())),
            }
        };
        self.mend(&moved.into());
        let (env, _still): (&Env<WithTls>, Still<'_>) = self.map.hold();
        let read = env.read_txn().and_then(|transaction| work(&transaction));
        self.judged(read.map_err(Failure::from))
    }

    /// Passes on what was done, and notes a failure.
    fn judged<T>(&self, done: Result<T, Failure>) -> Result<T, Failure> {
        done.inspect_err(|failure| self.judge(failure))
    }

    /// Whether a failure casts doubt on the file.
    fn judge(&self, failure: &Failure) {
        match failure {
            Failure::NeedsRoom(_) => {}
            Failure::Io(_) | Failure::Damaged(_) | Failure::Engine(_) => self.checked.doubt(),
        }
    }
}

impl Tables {
    fn open(map: &Map, folder: &Path) -> Result<Self, OpenCacheError> {
        let failed = |error: heed::Error| refusal(folder, error);
        let (env, _still) = map.hold();
        // What processes that were killed while reading have left behind.
        env.clear_stale_readers().map_err(failed)?;
        let mut transaction = env.write_txn().map_err(failed)?;
        if is_foreign(env, &transaction).map_err(failed)? {
            return Err(OpenCacheError::Foreign { path: folder.to_owned() });
        }
        let facts = env.create_database::<Str, U32<BigEndian>>(&mut transaction, Some(FACTS));
        let facts = facts.map_err(failed)?;
        match facts.get(&transaction, FORMAT).map_err(failed)? {
            Some(KNOWN) => {}
            Some(found) => {
                let path = folder.to_owned();
                return Err(OpenCacheError::NewerFormat { path, found, known: KNOWN });
            }
            None => facts.put(&mut transaction, FORMAT, &KNOWN).map_err(failed)?,
        }
        let tables = Self {
            packets: env.create_database(&mut transaction, Some(PACKETS)).map_err(failed)?,
            places: env.create_database(&mut transaction, Some(PLACES)).map_err(failed)?,
            order: env.create_database(&mut transaction, Some(ORDER)).map_err(failed)?,
        };
        transaction.commit().map_err(failed)?;
        Ok(tables)
    }

    fn usage(&self, transaction: &RoTxn<'_>) -> heed::Result<Usage> {
        let packets = self.packets.stat(transaction)?;
        let stats = [&packets, &self.places.stat(transaction)?, &self.order.stat(transaction)?];
        let bytes = stats.map(|stat| {
            let pages = [stat.branch_pages, stat.leaf_pages, stat.overflow_pages];
            let pages = pages.into_iter().fold(0, usize::saturating_add) as u64;
            pages.saturating_mul(stat.page_size.into())
        });
        let bytes = bytes.into_iter().fold(0, u64::saturating_add);
        Ok(Usage { packets: packets.entries, bytes })
    }
}

impl Engine for Lmdb {
    type Batch<'t> = Writing<'t>;

    const IS_MAPPED: bool = true;

    fn epoch(&self) -> Epoch {
        self.run.epoch_of(self.map.last_commit())
    }

    fn read<T>(
        &self,
        key: &PublicKey,
        look: impl FnOnce(&[u8]) -> T,
    ) -> Result<(Option<T>, Epoch), Failure> {
        let id = id(key);
        self.reading(|transaction| {
            let found = self.tables.packets.get(transaction, &id)?.map(look);
            Ok((found, self.run.epoch_of(transaction.id() as u64)))
        })
    }

    fn write<T>(
        &self,
        work: impl FnOnce(&mut Writing<'_>) -> Result<T, Failure>,
    ) -> Result<(T, Epoch), Unwritten> {
        let (env, _still) = self.map.hold();
        let transaction = self.judged(env.write_txn().map_err(Failure::from))?;
        let mut writing = Writing { tables: self.tables, transaction, has_changed: false };
        let done = self.judged(work(&mut writing))?;
        let (commit, has_changed) = (writing.transaction.id() as u64, writing.has_changed);
        if let Err(error) = writing.transaction.commit() {
            // The header could not be written: LMDB takes nothing more.
            let is_fatal = matches!(error, heed::Error::Mdb(MdbError::Panic));
            let failure = Failure::from(error);
            self.judge(&failure);
            // Else pages that a failed commit wrote are in no tree, and the next one writes its own: whatever
            // the disk has lost of them, nothing acknowledged depends on it.
            return Err(if is_fatal {
                Unwritten::Commit(failure)
            } else {
                Unwritten::Before(failure)
            });
        }
        if !has_changed {
            // LMDB makes no commit of nothing: the next one has this number, whoever makes it.
            return Ok((done, self.run.epoch_of(commit.saturating_sub(1))));
        }
        Ok((done, self.run.extend(commit)))
    }

    fn doubt(&self) {
        self.checked.doubt();
    }

    fn usage(&self) -> Result<Usage, Failure> {
        self.reading(|transaction| self.tables.usage(transaction))
    }

    fn mend(&self, failure: &Failure) -> bool {
        let Failure::NeedsRoom(cause) = failure else { return false };
        let size = self.map.size();
        let bytes = match cause.downcast_ref::<MdbError>() {
            Some(MdbError::MapFull) => size.saturating_add(size / 2),
            // Another process made it larger: by how much LMDB knows.
            Some(MdbError::MapResized) => 0,
            _ => {
                let (env, _still) = self.map.hold();
                return env.clear_stale_readers().is_ok();
            }
        };
        self.map.grow(bytes).is_ok()
    }
}

/// A transaction that writes.
pub(super) struct Writing<'t> {
    tables: Tables,
    transaction: RwTxn<'t>,
    /// Whether anything is to be committed.
    has_changed: bool,
}

impl Writing<'_> {
    /// Takes a name out of the order.
    fn displace(&mut self, id: &Id) -> heed::Result<()> {
        let Some(place) = self.tables.places.get(&self.transaction, id)? else { return Ok(()) };
        self.has_changed = true;
        self.tables.places.delete(&mut self.transaction, id)?;
        // pkarr gives two names one place if they come in one microsecond: the later has it.
        if self.tables.order.get(&self.transaction, &place)?.is_some_and(|held| held == id) {
            self.tables.order.delete(&mut self.transaction, &place)?;
        }
        Ok(())
    }

    /// The first name from here on, else the first of all.
    fn first_from(&self, start: Bound<&[u8]>) -> Result<Option<Id>, Failure> {
        let range = (start, Bound::Unbounded);
        let next = self.tables.packets.range(&self.transaction, &range)?.next().transpose()?;
        let found = match next {
            Some(found) => Some(found),
            None => self.tables.packets.first(&self.transaction)?,
        };
        Ok(found.and_then(|(id, _)| Id::try_from(id).ok()))
    }

    /// Puts a name into the order, at the first free place from its own on.
    fn place(&mut self, id: &Id, due: u64) -> heed::Result<()> {
        let mut place = place_of(id, due);
        while self.tables.order.get(&self.transaction, &place)?.is_some() {
            place = place.wrapping_add(1);
        }
        self.has_changed = true;
        self.tables.order.put(&mut self.transaction, &place, id)?;
        self.tables.places.put(&mut self.transaction, id, &place)
    }
}

impl Batch for Writing<'_> {
    type Id = Id;

    fn id(key: &PublicKey) -> Id {
        id(key)
    }

    fn record<T>(&mut self, id: Id, look: impl FnOnce(&[u8]) -> T) -> Result<Option<T>, Failure> {
        Ok(self.tables.packets.get(&self.transaction, &id)?.map(look))
    }

    fn put(&mut self, id: Id, record: &[u8], due: u64) -> Result<(), Failure> {
        self.displace(&id)?;
        self.place(&id, due)?;
        Ok(self.tables.packets.put(&mut self.transaction, &id, record)?)
    }

    fn remove(&mut self, id: Id) -> Result<(), Failure> {
        self.displace(&id)?;
        self.has_changed |= self.tables.packets.delete(&mut self.transaction, &id)?;
        Ok(())
    }

    fn first_due(&mut self) -> Result<Option<(u64, Id)>, Failure> {
        // Places that belong to nobody are cleared away on the way.
        while let Some((due, held)) = self.tables.order.first(&self.transaction)? {
            let id = Id::try_from(held).ok();
            let place = match &id {
                Some(id) => self.tables.places.get(&self.transaction, id)?,
                None => None,
            };
            match id {
                Some(id) if place == Some(due) => return Ok(Some((due, id))),
                _ => self.has_changed |= self.tables.order.delete(&mut self.transaction, &due)?,
            }
        }
        Ok(None)
    }

    fn postpone(&mut self, id: Id, due: u64) -> Result<(), Failure> {
        self.displace(&id)?;
        Ok(self.place(&id, due)?)
    }

    fn near(&mut self, point: u64) -> Result<Option<Id>, Failure> {
        self.first_from(Bound::Included(&point.to_be_bytes()))
    }

    fn next(&mut self, id: Id) -> Result<Option<Id>, Failure> {
        self.first_from(Bound::Excluded(&id))
    }

    fn usage(&mut self) -> Result<Usage, Failure> {
        Ok(self.tables.usage(&self.transaction)?)
    }
}

/// How many times share a place, in microseconds: 17 seconds.
const SHARED_TIMES: u64 = 1 << 24;

/// Where in the order a name is looked for a place: not before `due`, and not where all others of that time are.
///
/// A relay tells when it has seen a packet in whole seconds, so thousands may expire at once.
fn place_of(id: &Id, due: u64) -> u64 {
    let [a, b, c, ..] = *id;
    let own = u64::from(u32::from_be_bytes([0, a, b, c]));
    (due / SHARED_TIMES).saturating_add(1).wrapping_mul(SHARED_TIMES).wrapping_add(own)
}

fn id(key: &PublicKey) -> Id {
    Sha1::digest(key.as_bytes()).into()
}

impl From<heed::Error> for Failure {
    fn from(error: heed::Error) -> Self {
        match error {
            heed::Error::Io(error) => Self::Io(error),
            heed::Error::Mdb(
                error @ (MdbError::MapFull | MdbError::MapResized | MdbError::ReadersFull),
            ) => Self::NeedsRoom(error.into()),
            heed::Error::Mdb(error @ (MdbError::Corrupted | MdbError::PageNotFound)) => {
                Self::Damaged(error.into())
            }
            heed::Error::Decoding(error) => Self::Damaged(error),
            other => Self::Engine(other.into()),
        }
    }
}

/// Whether there are tables, and none of them is a cache's.
fn is_foreign(env: &Env<WithTls>, transaction: &RoTxn<'_>) -> heed::Result<bool> {
    let Some(tables) = env.open_database::<Str, DecodeIgnore>(transaction, None)? else {
        return Ok(false);
    };
    let has = |name| Ok::<_, heed::Error>(tables.get(transaction, name)?.is_some());
    Ok(!tables.is_empty(transaction)? && !has(PACKETS)? && !has(FACTS)?)
}

/// What an engine that could not be opened means for whoever opens it.
fn refusal(folder: &Path, error: heed::Error) -> OpenCacheError {
    let path = folder.to_owned();
    match error {
        heed::Error::Io(source) => OpenCacheError::Io { path, source },
        heed::Error::EnvAlreadyOpened => OpenCacheError::InUse { path },
        heed::Error::Mdb(MdbError::VersionMismatch) => {
            OpenCacheError::NewerFormat { path, found: u32::MAX, known: KNOWN }
        }
        other => OpenCacheError::Engine { path, source: other.into() },
    }
}

#[cfg(test)]
mod tests {
    use super::{SHARED_TIMES, place_of};

    #[test]
    fn names_of_one_time_have_places_of_their_own_soon_after_it() {
        let due = 1_700_000_000_000_000;
        let places: std::collections::BTreeSet<_> = (0..1000_u32)
            .map(|number| {
                let mut id = [0; 20];
                id[..4].copy_from_slice(&number.wrapping_mul(0x9E37_79B9).to_be_bytes());
                place_of(&id, due)
            })
            .collect();
        assert!(places.len() > 990, "{} places", places.len());
        assert!(places.iter().all(|place| (due..due + 2 * SHARED_TIMES).contains(place)));
        // No time is too late to be placed.
        place_of(&[0xff; 20], u64::MAX);
    }
}
