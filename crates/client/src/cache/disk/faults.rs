//! A disk that fails at one operation: at each of a script of puts in turn, once or from then on for a while.
//!
//! Separate because it stands below the engine, where no file of the system can be made to fail on demand.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mainstay_keys::Keypair;
use redb::backends::FileBackend;
use redb::{DatabaseError, StorageBackend};

use super::engine::{Disk, Redb};
use crate::cache::persistent::{CacheOptions, Persistent, Writing};
use crate::cache::{Cached, DiskCache};
use crate::runtime::block_on;
use crate::scripted::packet;
use crate::{Cache as _, Timestamp};

/// How many puts a script has; `MAINSTAY_FAULT_PUTS` says otherwise.
const PUTS: usize = 6;

/// How many keys they are of: later puts replace earlier ones.
const KEYS: usize = 4;

/// Which operations fail, and with what.
#[derive(Clone, Debug)]
struct Plan {
    done: Arc<AtomicU64>,
    first: u64,
    count: u64,
    kind: io::ErrorKind,
}

impl Plan {
    fn new(first: u64, count: u64, kind: io::ErrorKind) -> Self {
        Self { done: Arc::default(), first, count, kind }
    }

    fn next(&self) -> io::Result<()> {
        let number = self.done.fetch_add(1, Ordering::SeqCst);
        let fails = number >= self.first && number - self.first < self.count;
        if fails { Err(self.kind.into()) } else { Ok(()) }
    }
}

impl Disk for Plan {
    type Backend = Faulty;

    fn open(&self, file: File) -> Result<Faulty, DatabaseError> {
        Ok(Faulty { file: FileBackend::new(file)?, plan: self.clone() })
    }
}

#[derive(Debug)]
struct Faulty {
    file: FileBackend,
    plan: Plan,
}

impl StorageBackend for Faulty {
    fn len(&self) -> io::Result<u64> {
        self.plan.next()?;
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.plan.next()?;
        self.file.read(offset, out)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.plan.next()?;
        self.file.set_len(length)
    }

    /// Waits for no real disk: none is cut off here.
    fn sync_data(&self) -> io::Result<()> {
        self.plan.next()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.plan.next()?;
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
}

/// The packets of the script, in its order.
fn script() -> Vec<Cached> {
    let puts = std::env::var("MAINSTAY_FAULT_PUTS").ok().and_then(|text| text.parse().ok());
    let keys: Vec<_> = (0..KEYS).map(|_| Keypair::random()).collect();
    (1_u64..)
        .zip(keys.iter().cycle())
        .take(puts.unwrap_or(PUTS))
        .map(|(time, keypair)| Cached::seen_now(packet(keypair, Timestamp::from(time), 300)))
        .collect()
}

/// Puts the script, and returns what was acknowledged. Each packet put or acknowledged is found as long as it is open.
fn play(plan: &Plan, path: &Path, script: &[Cached]) -> Vec<Cached> {
    let options = CacheOptions::default();
    let Ok((engine, set_aside)) = Redb::open(plan.clone(), path, &options) else {
        return Vec::new();
    };
    assert!(set_aside.is_none(), "{plan:?}: a failing disk was taken for a damaged file");
    let cache = Persistent::start(engine, &options, None).expect("threads");
    let mut acknowledged: Vec<Cached> = Vec::new();
    for cached in script {
        if block_on(cache.put(cached.clone())).is_ok() {
            acknowledged.push(cached.clone());
        }
        for cached in &acknowledged {
            let found = block_on(cache.get(&cached.packet.public_key())).expect("it is in memory");
            let found = found.unwrap_or_else(|| panic!("{plan:?}: gone while open"));
            assert!(found.packet.timestamp() >= cached.packet.timestamp(), "{plan:?}");
        }
    }
    let is_well = cache.status().writing == Writing::Works;
    assert!(is_well || acknowledged.len() < script.len(), "{plan:?}");
    acknowledged
}

/// Everything acknowledged is there when the disk is sound again, and the cache takes what it did not.
fn recover(plan: &Plan, path: &Path, script: &[Cached], acknowledged: &[Cached]) {
    let cache = DiskCache::open(path).unwrap_or_else(|error| panic!("{plan:?}: {error:?}"));
    // A file whose making failed is none yet; nothing was in it.
    let is_kept = cache.set_aside().is_none() || acknowledged.is_empty();
    assert!(is_kept, "{plan:?}: {:?}", cache.set_aside());
    for cached in acknowledged {
        let found = block_on(cache.get(&cached.packet.public_key())).expect("it reads");
        let found = found.unwrap_or_else(|| panic!("{plan:?}: {cached:?} is lost"));
        assert!(found.packet.timestamp() >= cached.packet.timestamp(), "{plan:?}");
    }
    let last = script.last().expect("a script");
    block_on(cache.put(last.clone())).unwrap_or_else(|error| panic!("{plan:?}: {error:?}"));
}

#[test]
fn whichever_operation_of_the_disk_fails_nothing_acknowledged_is_lost() {
    let script = script();
    let whole = Plan::new(u64::MAX, 0, io::ErrorKind::Other);
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(play(&whole, &folder.path().join("whole"), &script).len(), script.len());
    let operations = whole.done.load(Ordering::SeqCst);
    assert!(operations > 5 * script.len() as u64, "{operations} operations");
    let (mut refused, mut resumed) = (0, 0);
    for first in 0..operations {
        let kinds = [(1, io::ErrorKind::Other), (3, io::ErrorKind::StorageFull)];
        let (count, kind) = kinds[usize::from(first % 2 == 1)];
        let plan = Plan::new(first, count, kind);
        let path = folder.path().join(first.to_string());
        let acknowledged = play(&plan, &path, &script);
        refused += u64::from(acknowledged.len() < script.len());
        let took_last = acknowledged.last() == script.last();
        resumed += u64::from(acknowledged.len() < script.len() && took_last);
        recover(&plan, &path, &script, &acknowledged);
        std::fs::remove_file(&path).unwrap();
    }
    eprintln!(
        "{operations} operations, each failed once: {refused} runs refused puts, {resumed} resumed"
    );
    assert!(refused > operations / 4, "{refused} of {operations} runs refused a put");
    assert!(resumed > 0, "no run took puts again");
}
