//! The map of an LMDB cache: it grows under load, and what is put meanwhile is stored.
//!
//! Separate because no option makes the map as small as here.

use std::sync::atomic::{AtomicBool, Ordering};

use mainstay_keys::{Keypair, PublicKey};

use super::engine::Lmdb;
use crate::Timestamp;
use crate::cache::persistent::{Batch, CacheOptions, Engine, Epoch, OpenCacheError, Persistent};
use crate::cache::{Cached, LmdbCache, Peek, Put};
use crate::runtime::block_on;
use crate::scripted::packet;

#[test]
fn a_map_that_is_too_small_grows_while_others_read_and_every_put_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let options = CacheOptions::default().memory(0);
    let (engine, _) = Lmdb::open_with_map(folder.path(), &options, 1).unwrap();
    let before = engine.map_size();
    let cache = Persistent::start(engine, &options, None).unwrap();
    let all: Vec<_> = (0..3000)
        .map(|_| Cached::seen_now(packet(&Keypair::random(), Timestamp::from(5), 300)))
        .collect();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let key = all[0].packet.public_key();
            while !is_over.load(Ordering::Relaxed) {
                assert!(block_on(cache.get(&key)).is_ok());
            }
        });
        let put = |some: &[Cached]| {
            let puts = some.iter().map(|cached| cache.put(cached.clone()));
            let puts = block_on(futures_util::future::join_all(puts));
            puts.iter().all(|put| matches!(put, Ok(Put::Stored)))
        };
        let stored: Vec<_> = all.chunks(250).map(put).collect();
        is_over.store(true, Ordering::Relaxed);
        reader.join().unwrap();
        assert!(stored.iter().all(|stored| *stored), "{stored:?}");
    });
    assert_eq!((cache.len(), cache.status().evicted), (all.len(), 0));
    drop(cache);
    let size = std::fs::metadata(folder.path().join("data.mdb")).unwrap().len();
    assert!(size > before, "{size} bytes fit into the first map of {before}");
    // All of it is there, whatever the map of the next opener.
    let (engine, set_aside) = Lmdb::open_with_map(folder.path(), &options, 1).unwrap();
    assert!(set_aside.is_none());
    let cache = Persistent::start(engine, &options, None).unwrap();
    for cached in &all {
        let found = block_on(cache.get(&cached.packet.public_key())).unwrap();
        assert_eq!(found.as_ref(), Some(cached));
    }
}

#[test]
fn a_commit_of_nothing_is_none_and_the_next_number_is_anybodys() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, _) = Lmdb::open(folder.path(), &CacheOptions::default()).unwrap();
    let put = |batch: &mut <Lmdb as Engine>::Batch<'_>| batch.put([7; 20], b"a record", 5);
    let before = engine.last_commit();
    let (_, epoch) = engine.write(put).unwrap();
    assert_eq!((engine.last_commit(), engine.epoch()), (before + 1, epoch));
    // Removing what is not there changes nothing, either.
    let (_, again) = engine.write(|batch| batch.remove([8; 20])).unwrap();
    assert_eq!((engine.last_commit(), engine.epoch(), again), (before + 1, epoch, epoch));
    let next = before + 2;
    assert_eq!(engine.epoch_after(next), Epoch::since(next), "it may be another process's");
    let (_, mine) = engine.write(put).unwrap();
    assert_eq!((engine.last_commit(), engine.epoch(), mine), (next, epoch, epoch));
}

#[test]
fn a_record_longer_than_any_packet_is_dropped_and_not_served() {
    let folder = tempfile::tempdir().unwrap();
    let options = CacheOptions::default();
    let (engine, _) = Lmdb::open(folder.path(), &options).unwrap();
    let cached = Cached::seen_now(packet(&Keypair::random(), Timestamp::from(5), 300));
    let key = cached.packet.public_key();
    // A whole packet, and a mebibyte behind it.
    let mut record = cached.last_seen.as_u64().to_be_bytes().to_vec();
    record.extend_from_slice(cached.packet.as_bytes());
    record.resize(1 << 20, 7);
    let id = <<Lmdb as Engine>::Batch<'_> as Batch>::id(&key);
    engine.write(|batch| batch.put(id, &record, 5)).unwrap();
    let cache = Persistent::start(engine, &options, None).unwrap();
    assert_eq!(block_on(cache.get(&key)).unwrap(), None);
    // The record is taken out by the writer, in its turn.
    let other = Cached::seen_now(packet(&Keypair::random(), Timestamp::from(5), 300));
    block_on(cache.put(other)).unwrap();
    assert_eq!((cache.len(), cache.status().damaged), (1, 1));
    assert_eq!(block_on(cache.put(cached.clone())).unwrap(), Put::Stored);
    assert_eq!(block_on(cache.get(&key)).unwrap(), Some(cached));
}

/// Writes bytes where the record of a key is, as a failing disk or another program might.
fn overwrite(cache: &Persistent<Lmdb>, key: &PublicKey, packet: &[u8]) {
    let mut record = Timestamp::clock().as_u64().to_be_bytes().to_vec();
    record.extend_from_slice(packet);
    let id = <<Lmdb as Engine>::Batch<'_> as Batch>::id(key);
    cache.engine().write(|batch| batch.put(id, &record, 5)).unwrap();
}

/// What is found without waiting.
fn at_hand(cache: &Persistent<Lmdb>, key: &PublicKey) -> Option<Cached> {
    match cache.peek(key) {
        Peek::Hit(cached) => Some(cached),
        Peek::Miss | Peek::Ask => None,
    }
}

#[test]
fn a_packet_beyond_memory_is_at_hand_again_and_no_change_of_its_bytes_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let options = CacheOptions::default().memory(0);
    let open = || {
        let (engine, _) = Lmdb::open(folder.path(), &options).unwrap();
        Persistent::start(engine, &options, None).unwrap()
    };
    let cache = open();
    let cached = Cached::seen_now(packet(&Keypair::random(), Timestamp::from(5), 300));
    let key = cached.packet.public_key();
    block_on(cache.put(cached.clone())).unwrap();
    assert_eq!(at_hand(&cache, &key), Some(cached.clone()));
    let bytes = cached.packet.as_bytes();
    for bit in (0..bytes.len() * 8).step_by(37) {
        let mut changed = bytes.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        overwrite(&cache, &key, &changed);
        assert_eq!(at_hand(&cache, &key), None, "bit {bit}");
        assert_eq!(block_on(cache.get(&key)).unwrap(), None, "bit {bit}");
        block_on(cache.put(cached.clone())).unwrap();
        assert_eq!(at_hand(&cache, &key), Some(cached.clone()), "bit {bit}");
    }
    // Of a process that has not verified it, the first read does.
    drop(cache);
    let cache = open();
    assert_eq!(at_hand(&cache, &key), None);
    assert_eq!(block_on(cache.get(&key)).unwrap(), Some(cached.clone()));
    assert_eq!(at_hand(&cache, &key), Some(cached));
}

#[test]
fn an_older_packet_that_somebody_else_wrote_is_verified_before_it_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let options = CacheOptions::default().memory(0);
    let (engine, _) = Lmdb::open(folder.path(), &options).unwrap();
    let cache = Persistent::start(engine, &options, None).unwrap();
    let keypair = Keypair::random();
    let [old, new] = [5, 6].map(|time| Cached::seen_now(packet(&keypair, time.into(), 300)));
    let key = keypair.public_key();
    block_on(cache.put(new)).unwrap();
    overwrite(&cache, &key, old.packet.as_bytes());
    assert_eq!(at_hand(&cache, &key), None);
    let found = block_on(cache.get(&key)).unwrap();
    assert_eq!(found.map(|found| found.packet), Some(old.packet.clone()));
    assert_eq!(at_hand(&cache, &key).map(|found| found.packet), Some(old.packet));
}

#[test]
fn without_fingerprints_what_left_memory_is_verified_again() {
    let folder = tempfile::tempdir().unwrap();
    let options = CacheOptions::default().memory(0).fingerprints(0);
    let (engine, _) = Lmdb::open(folder.path(), &options).unwrap();
    let cache = Persistent::start(engine, &options, None).unwrap();
    let cached = Cached::seen_now(packet(&Keypair::random(), Timestamp::from(5), 300));
    block_on(cache.put(cached.clone())).unwrap();
    let key = cached.packet.public_key();
    assert_eq!(at_hand(&cache, &key), None);
    assert_eq!(block_on(cache.get(&key)).unwrap(), Some(cached));
}

#[test]
fn a_newer_format_is_told_from_damage_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    drop(LmdbCache::open(folder.path()).unwrap());
    let path = folder.path().join("data.mdb");
    let mut content = std::fs::read(&path).unwrap();
    let fact = b"format\0\0\0\x01";
    let places: Vec<_> =
        (0..=content.len() - fact.len()).filter(|at| content[*at..].starts_with(fact)).collect();
    assert!(!places.is_empty());
    for at in places {
        content[at + 9] = 2;
    }
    std::fs::write(&path, &content).unwrap();
    let opened = LmdbCache::open(folder.path());
    let is_told = matches!(opened, Err(OpenCacheError::NewerFormat { found: 2, known: 1, .. }));
    assert!(is_told, "{opened:?}");
    assert_eq!(std::fs::read(&path).unwrap(), content);
}

#[test]
fn a_database_of_another_program_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    drop(LmdbCache::open(folder.path()).unwrap());
    let path = folder.path().join("data.mdb");
    let mut content = std::fs::read(&path).unwrap();
    // Tables of other names: the order of names, in which LMDB keeps them, stays the same.
    let mut renamed = 0;
    for at in 0..content.len() - 12 {
        if content[at..].starts_with(b"pkarrcache:") || content[at..].starts_with(b"mainstaycach") {
            content[at + 1] = b'x';
            renamed += 1;
        }
    }
    assert!(renamed >= 4);
    std::fs::write(&path, &content).unwrap();
    let opened = LmdbCache::open(folder.path());
    assert!(matches!(opened, Err(OpenCacheError::Foreign { .. })), "{opened:?}");
    assert!(std::fs::read(&path).unwrap() == content);
}
