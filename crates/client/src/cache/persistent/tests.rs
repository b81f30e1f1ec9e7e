//! What both engines promise, whichever of them stores.
//!
//! Separate because each test runs once for each engine that is built.

use std::path::Path;

use futures_util::FutureExt as _;
use mainstay_keys::Keypair;
use tempfile::TempDir;

use super::{CacheOptions, CacheStatus, Durability, OpenCacheError, SetAside};
use crate::cache::{Cache, Cached, Peek, Put};
use crate::runtime::block_on;
use crate::scripted::packet;
use crate::{Timestamp, cache};

/// A cache on disk of either kind.
trait OnDisk: Cache + Sized {
    fn open(folder: &Path, options: &CacheOptions) -> Result<Self, OpenCacheError>;
    fn status_of(&self) -> CacheStatus;
    fn aside(&self) -> Option<&SetAside>;
}

#[cfg(feature = "disk-cache")]
impl OnDisk for cache::DiskCache {
    fn open(folder: &Path, options: &CacheOptions) -> Result<Self, OpenCacheError> {
        Self::open_with(folder.join("packets"), options)
    }

    fn status_of(&self) -> CacheStatus {
        self.status()
    }

    fn aside(&self) -> Option<&SetAside> {
        self.set_aside()
    }
}

#[cfg(feature = "lmdb-cache")]
impl OnDisk for cache::LmdbCache {
    fn open(folder: &Path, options: &CacheOptions) -> Result<Self, OpenCacheError> {
        Self::open_with(folder, options)
    }

    fn status_of(&self) -> CacheStatus {
        self.status()
    }

    fn aside(&self) -> Option<&SetAside> {
        self.set_aside()
    }
}

/// Makes a test of each function below for each engine.
macro_rules! for_each_engine {
    ($($name:ident)*) => {
        #[cfg(feature = "disk-cache")]
        mod disk {
            $(#[test] fn $name() { super::$name::<crate::cache::DiskCache>(); })*
        }
        #[cfg(feature = "lmdb-cache")]
        mod lmdb {
            $(#[test] fn $name() { super::$name::<crate::cache::LmdbCache>(); })*
        }
    };
}

for_each_engine! {
    what_was_put_is_there_after_opening_again
    an_older_packet_never_replaces_a_newer_one
    the_same_packet_seen_again_keeps_the_later_time
    a_packet_that_was_just_put_is_at_hand
    puts_that_wait_together_share_a_commit
    a_full_cache_lets_the_expired_leave_first
    a_full_cache_spares_what_is_in_use_though_it_has_expired
    a_full_cache_with_nothing_expired_keeps_the_newcomer
    reading_changes_nothing_on_disk_and_the_next_put_is_one_commit
    a_put_whose_caller_has_gone_is_stored
    after_a_read_whose_caller_has_gone_the_cache_can_be_opened_again
    of_racing_puts_the_newest_stands
    a_packet_seen_in_the_future_counts_as_never_seen
    a_folder_that_is_deleted_while_it_is_open_costs_no_more_than_its_packets
    a_cache_of_one_packet_holds_the_last
    a_cache_of_none_is_off
    bytes_are_bounded_too
    a_put_that_need_not_wait_for_the_disk_reaches_it
    a_cache_is_open_once_in_a_process
    a_garbled_file_is_set_aside_and_a_new_one_begun
    a_link_is_not_followed
    a_folder_that_anybody_may_write_to_is_refused
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn open<C: OnDisk>(folder: &TempDir) -> C {
    C::open(folder.path(), &CacheOptions::default()).unwrap()
}

fn cached(keypair: &Keypair, timestamp: u64) -> Cached {
    Cached::seen_now(packet(keypair, Timestamp::from(timestamp), 300))
}

/// Seen so many hours ago.
fn seen(hours: u64) -> Cached {
    let ago = Timestamp::clock().as_u64() - hours * 3_600_000_000;
    Cached { last_seen: Timestamp::from(ago), ..cached(&Keypair::random(), 5) }
}

fn put(cache: &impl Cache, cached: &Cached) -> Put {
    block_on(cache.put(cached.clone())).unwrap()
}

fn get(cache: &impl Cache, cached: &Cached) -> Option<Cached> {
    block_on(cache.get(&cached.packet.public_key())).unwrap()
}

fn what_was_put_is_there_after_opening_again<C: OnDisk>() {
    let folder = folder();
    let all: Vec<_> = (0..20).map(|_| cached(&Keypair::random(), 5)).collect();
    let cache: C = open(&folder);
    all.iter().for_each(|cached| assert_eq!(put(&cache, cached), Put::Stored));
    drop(cache);
    let cache: C = open(&folder);
    assert_eq!(cache.len(), 20);
    assert!(all.iter().all(|cached| get(&cache, cached).as_ref() == Some(cached)));
    assert_eq!(get(&cache, &seen(0)), None);
}

fn an_older_packet_never_replaces_a_newer_one<C: OnDisk>() {
    let folder = folder();
    let keypair = Keypair::random();
    let (old, new) = (cached(&keypair, 5), cached(&keypair, 6));
    let cache: C = open(&folder);
    assert_eq!(put(&cache, &new), Put::Stored);
    assert_eq!(put(&cache, &old), Put::Superseded(new.clone()));
    drop(cache);
    // The same when this process has not verified the newer one before.
    let cache: C = open(&folder);
    assert_eq!(put(&cache, &old), Put::Superseded(new.clone()));
    assert_eq!(get(&cache, &old), Some(new));
    assert_eq!(cache.len(), 1);
}

fn the_same_packet_seen_again_keeps_the_later_time<C: OnDisk>() {
    let folder = folder();
    let later = seen(0);
    let first = Cached { last_seen: Timestamp::from(7), ..later.clone() };
    let cache: C = open(&folder);
    assert_eq!(put(&cache, &first), Put::Stored);
    assert_eq!(put(&cache, &later), Put::Refreshed);
    assert_eq!(put(&cache, &first), Put::Refreshed);
    drop(cache);
    assert_eq!(get(&open::<C>(&folder), &first), Some(later));
}

fn a_packet_that_was_just_put_is_at_hand<C: OnDisk>() {
    let folder = folder();
    let cache: C = open(&folder);
    let cached = seen(0);
    assert!(matches!(cache.peek(&cached.packet.public_key()), Peek::Ask));
    put(&cache, &cached);
    let Peek::Hit(hit) = cache.peek(&cached.packet.public_key()) else {
        panic!("it was verified before it was put");
    };
    assert_eq!(hit, cached);
}

fn puts_that_wait_together_share_a_commit<C: OnDisk>() {
    let folder = folder();
    let cache: C = open(&folder);
    let all: Vec<_> = (0..100).map(|_| seen(0)).collect();
    let puts = all.iter().map(|cached| cache.put(cached.clone()));
    let puts = block_on(futures_util::future::join_all(puts));
    assert!(puts.iter().all(|put| matches!(put, Ok(Put::Stored))));
    let commits = cache.status_of().commits;
    assert!((1..=50).contains(&commits), "{commits} commits for 100 puts");
}

fn a_full_cache_lets_the_expired_leave_first<C: OnDisk>() {
    let folder = folder();
    let options = CacheOptions::default().packets(10).memory(0);
    let cache = C::open(folder.path(), &options).unwrap();
    let expired: Vec<_> = (2..7).map(seen).collect();
    let fresh: Vec<_> = (0..10).map(|_| seen(0)).collect();
    expired.iter().chain(&fresh[..5]).for_each(|cached| drop(put(&cache, cached)));
    assert_eq!((cache.len(), cache.capacity()), (10, 10));
    // One at a time, the longest expired first.
    for left in (0..5).rev() {
        put(&cache, &fresh[9 - left]);
        let stays: Vec<_> = expired.iter().map(|c| get(&cache, c).is_some()).collect();
        assert_eq!(stays, (0..5).map(|n| n < left).collect::<Vec<_>>());
    }
    assert!(fresh.iter().all(|cached| get(&cache, cached).is_some()));
    assert_eq!(cache.status_of().evicted, 5);
}

fn a_full_cache_spares_what_is_in_use_though_it_has_expired<C: OnDisk>() {
    let folder = folder();
    let options = CacheOptions::default().packets(5);
    let expired: Vec<_> = (2..7).map(seen).collect();
    let cache = C::open(folder.path(), &options).unwrap();
    expired.iter().for_each(|cached| drop(put(&cache, cached)));
    drop(cache);
    let cache = C::open(folder.path(), &options).unwrap();
    assert!(get(&cache, &expired[4]).is_some(), "the longest expired is asked for");
    put(&cache, &seen(0));
    assert_eq!(cache.len(), 5);
    let stays: Vec<_> = expired.iter().map(|c| get(&cache, c).is_some()).collect();
    assert_eq!(stays, [true, true, true, false, true]);
}

fn a_full_cache_with_nothing_expired_keeps_the_newcomer<C: OnDisk>() {
    let folder = folder();
    let options = CacheOptions::default().packets(5).memory(0);
    let cache = C::open(folder.path(), &options).unwrap();
    for _ in 0..20 {
        let newcomer = seen(0);
        put(&cache, &newcomer);
        assert_eq!(get(&cache, &newcomer), Some(newcomer));
    }
    assert_eq!(cache.len(), 5);
}

fn reading_changes_nothing_on_disk_and_the_next_put_is_one_commit<C: OnDisk>() {
    let folder = folder();
    let cache: C = open(&folder);
    let all: Vec<_> = (0..30).map(|_| seen(0)).collect();
    let puts = all.iter().map(|cached| cache.put(cached.clone()));
    block_on(futures_util::future::join_all(puts));
    let (content, commits) = (std::fs::read(data(&folder)).unwrap(), cache.status_of().commits);
    for cached in all.iter().cycle().take(3000) {
        assert!(get(&cache, cached).is_some());
        assert!(matches!(cache.peek(&cached.packet.public_key()), Peek::Hit(_)));
    }
    assert!(std::fs::read(data(&folder)).unwrap() == content, "a read wrote something");
    assert_eq!(put(&cache, &seen(0)), Put::Stored);
    assert_eq!(cache.status_of().commits, commits + 1);
}

fn a_put_whose_caller_has_gone_is_stored<C: OnDisk>() {
    let folder = folder();
    let cache: C = open(&folder);
    let all: Vec<_> = (0..20).map(|_| seen(0)).collect();
    for cached in &all {
        assert!(cache.put(cached.clone()).now_or_never().is_none(), "the disk was waited for");
    }
    drop(cache);
    let cache: C = open(&folder);
    assert!(all.iter().all(|cached| get(&cache, cached).as_ref() == Some(cached)));
}

fn after_a_read_whose_caller_has_gone_the_cache_can_be_opened_again<C: OnDisk>() {
    let folder = folder();
    let kept = seen(0);
    put(&open::<C>(&folder), &kept);
    for _ in 0..50 {
        let cache: C = open(&folder);
        for _ in 0..10 {
            // It is read from disk on another thread, which goes on.
            let read = cache.get(&kept.packet.public_key()).now_or_never();
            assert!(read.is_none_or(|read| read.unwrap().as_ref() == Some(&kept)));
        }
    }
    assert_eq!(get(&open::<C>(&folder), &kept), Some(kept));
}

fn of_racing_puts_the_newest_stands<C: OnDisk>() {
    const THREADS: u64 = 4;
    let folder = folder();
    let cache: C = open(&folder);
    let keypair = Keypair::random();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (cache, keypair) = (&cache, &keypair);
            scope.spawn(move || {
                let mut last = 0;
                for number in 0..15 {
                    // Up and down, so that each thread is overtaken now and then.
                    let timestamp = 1 + (number * 7 + thread * 5) % 60;
                    let incoming = cached(keypair, timestamp);
                    let stands = match put(cache, &incoming) {
                        Put::Stored | Put::Refreshed => timestamp,
                        Put::Superseded(by) => by.packet.timestamp().as_u64(),
                    };
                    assert!(stands >= timestamp && stands >= last, "{stands} after {last}");
                    last = get(cache, &incoming).unwrap().packet.timestamp().as_u64();
                    assert!(last >= stands, "{last} after {stands}");
                }
            });
        }
    });
    let newest =
        (0..15).flat_map(|number| (0..THREADS).map(move |t| 1 + (number * 7 + t * 5) % 60));
    let newest = newest.max().unwrap();
    drop(cache);
    let stands = get(&open::<C>(&folder), &cached(&keypair, 1)).unwrap();
    assert_eq!(stands.packet.timestamp().as_u64(), newest);
}

/// As after the clock was set back by an hour.
fn a_packet_seen_in_the_future_counts_as_never_seen<C: OnDisk>() {
    let folder = folder();
    let now = seen(0);
    let later = now.last_seen.as_u64() + 3_600_000_000;
    let future = Cached { last_seen: Timestamp::from(later), ..now.clone() };
    put(&open::<C>(&folder), &future);
    let cache: C = open(&folder);
    assert_eq!(get(&cache, &now).unwrap().last_seen.as_u64(), 0);
    assert_eq!(put(&cache, &now), Put::Refreshed);
    drop(cache);
    assert_eq!(get(&open::<C>(&folder), &now), Some(now));
}

fn a_folder_that_is_deleted_while_it_is_open_costs_no_more_than_its_packets<C: OnDisk>() {
    let folder = folder();
    let cache: C = open(&folder);
    let all: Vec<_> = (0..5).map(|_| seen(0)).collect();
    all.iter().for_each(|cached| drop(put(&cache, cached)));
    std::fs::remove_dir_all(folder.path()).unwrap();
    for cached in &all {
        assert_eq!(get(&cache, cached).as_ref(), Some(cached));
    }
    // Stored in the file that has no name any more, or refused: either way without harm.
    let (after, refused) = (seen(0), seen(0));
    let stored = block_on(cache.put(after.clone())).is_ok();
    assert_eq!(get(&cache, &after).is_some(), stored);
    let _ = block_on(cache.put(refused));
    drop(cache);
    assert_eq!(get(&open::<C>(&folder), &all[0]), None);
}

fn a_cache_of_one_packet_holds_the_last<C: OnDisk>() {
    let folder = folder();
    let options = CacheOptions::default().packets(1).memory(0);
    let cache = C::open(folder.path(), &options).unwrap();
    for _ in 0..20 {
        let newcomer = seen(0);
        put(&cache, &newcomer);
        assert_eq!(cache.len(), 1);
        assert_eq!(get(&cache, &newcomer), Some(newcomer));
    }
}

fn a_cache_of_none_is_off<C: OnDisk>() {
    let folder = folder();
    let kept = seen(0);
    put(&open::<C>(&folder), &kept);
    let off = C::open(folder.path(), &CacheOptions::default().packets(0)).unwrap();
    assert_eq!(off.capacity(), 0);
    assert_eq!(put(&off, &seen(0)), Put::Stored);
    assert_eq!(get(&off, &kept), None);
    assert!(matches!(off.peek(&kept.packet.public_key()), Peek::Miss));
    // What an earlier run has kept is left for the next.
    assert_eq!(off.len(), 1);
    drop(off);
    assert_eq!(get(&open::<C>(&folder), &kept), Some(kept));
}

fn bytes_are_bounded_too<C: OnDisk>() {
    let folder = folder();
    let options = CacheOptions::default().bytes(64 << 10).memory(0);
    let cache = C::open(folder.path(), &options).unwrap();
    let puts: Vec<_> = (0..600).map(|_| cache.put(seen(0))).collect();
    block_on(futures_util::future::join_all(puts));
    let status = cache.status_of();
    assert!(status.bytes <= 64 << 10, "{status:?}");
    assert!(status.packets >= 30, "{status:?}");
}

fn a_put_that_need_not_wait_for_the_disk_reaches_it<C: OnDisk>() {
    let folder = folder();
    let options = CacheOptions::default().durability(Durability::Soon);
    let cache = C::open(folder.path(), &options).unwrap();
    let cached = seen(0);
    assert_eq!(put(&cache, &cached), Put::Stored);
    assert_eq!(get(&cache, &cached), Some(cached.clone()));
    drop(cache);
    assert_eq!(get(&open::<C>(&folder), &cached), Some(cached));
}

fn a_cache_is_open_once_in_a_process<C: OnDisk>() {
    let folder = folder();
    let cache: C = open(&folder);
    let second = C::open(folder.path(), &CacheOptions::default());
    assert!(matches!(second, Err(OpenCacheError::InUse { .. })), "{second:?}");
    assert_eq!(put(&cache, &seen(0)), Put::Stored);
}

fn a_garbled_file_is_set_aside_and_a_new_one_begun<C: OnDisk>() {
    let folder = folder();
    drop(open::<C>(&folder));
    let file = data(&folder);
    for number in 1..=5 {
        std::fs::write(&file, vec![7; 9000]).unwrap();
        let cache: C = open(&folder);
        let aside = cache.aside().unwrap();
        assert!(aside.path.exists() && aside.path != file, "{number}: {aside:?}");
        assert_eq!(put(&cache, &seen(0)), Put::Stored);
    }
    let kept = std::fs::read_dir(folder.path()).unwrap();
    let is_aside = |name: &str| name.contains(".damaged-");
    let kept =
        kept.filter(|entry| is_aside(&entry.as_ref().unwrap().file_name().to_string_lossy()));
    assert_eq!(kept.count(), 3);
}

/// The file that holds the packets, whichever engine made it.
fn data(folder: &TempDir) -> std::path::PathBuf {
    let files = ["packets", "data.mdb"].map(|name| folder.path().join(name));
    files.into_iter().find(|file| file.exists()).unwrap()
}

fn a_link_is_not_followed<C: OnDisk>() {
    let folder = folder();
    drop(open::<C>(&folder));
    let (file, elsewhere) = (data(&folder), folder.path().join("elsewhere"));
    std::fs::rename(&file, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &file).unwrap();
    let opened = C::open(folder.path(), &CacheOptions::default());
    assert!(matches!(opened, Err(OpenCacheError::NotAFile { .. })), "{opened:?}");
}

fn a_folder_that_anybody_may_write_to_is_refused<C: OnDisk>() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder();
    let all = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(folder.path(), all).unwrap();
    let opened = C::open(folder.path(), &CacheOptions::default());
    assert!(matches!(opened, Err(OpenCacheError::OpenToAll { .. })), "{opened:?}");
}
