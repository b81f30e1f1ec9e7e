//! Files that are not this version's own: newer, older, another program's, or opened by two at once.
//!
//! Separate because they are made with redb itself, whose tables the cache hides.

use std::fs;
use std::path::Path;
use std::sync::Barrier;

use mainstay_keys::Keypair;
use redb::{Database, ReadableDatabase, TableDefinition};

use super::{FACTS, FORMAT, PACKETS, VERSIONS};
use crate::Timestamp;
use crate::cache::persistent::OpenCacheError;
use crate::cache::{Cache, Cached, DiskCache, Put};
use crate::runtime::block_on;
use crate::scripted::packet;

fn cached() -> Cached {
    Cached::seen_now(packet(&Keypair::random(), Timestamp::from(5), 300))
}

/// A file with one packet, and the packet.
fn written(path: &Path) -> Cached {
    let cached = cached();
    let cache = DiskCache::open(path).unwrap();
    assert_eq!(block_on(cache.put(cached.clone())).unwrap(), Put::Stored);
    cached
}

fn set_format(path: &Path, format: u64) {
    let database = Database::create(path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(FACTS).unwrap().insert(FORMAT, format).unwrap();
    transaction.commit().unwrap();
}

#[test]
fn a_newer_format_of_ours_is_refused_and_left_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("packets");
    let cached = written(&path);
    set_format(&path, 2);
    for _ in 0..2 {
        let told = DiskCache::open(&path).unwrap_err();
        let is_clear = matches!(told, OpenCacheError::NewerFormat { found: 2, known: 1, .. });
        assert!(is_clear, "{told:?}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing was set aside");
    set_format(&path, 1);
    let cache = DiskCache::open(&path).unwrap();
    let found = block_on(cache.get(&cached.packet.public_key())).unwrap();
    assert_eq!(found, Some(cached));
}

#[test]
fn a_newer_format_whose_tables_are_others_is_no_damage() {
    const OTHERS: TableDefinition<'static, u64, u64> = TableDefinition::new("packets");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("packets");
    drop(written(&path));
    set_format(&path, 7);
    {
        let database = Database::create(&path).unwrap();
        let transaction = database.begin_write().unwrap();
        assert!(transaction.delete_table(PACKETS).unwrap());
        transaction.open_table(OTHERS).unwrap().insert(1, 2).unwrap();
        transaction.commit().unwrap();
    }
    let told = DiskCache::open(&path).unwrap_err();
    assert!(matches!(told, OpenCacheError::NewerFormat { found: 7, .. }), "{told:?}");
    let database = Database::open(&path).unwrap();
    let others = database.begin_read().unwrap().open_table(OTHERS).unwrap();
    assert_eq!(others.get(1).unwrap().map(|value| value.value()), Some(2));
}

#[test]
fn a_newer_format_of_the_engine_is_refused_and_not_a_byte_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("packets");
    drop(written(&path));
    let mut content = fs::read(&path).unwrap();
    VERSIONS.iter().for_each(|at| content[*at] = 4);
    fs::write(&path, &content).unwrap();
    let told = DiskCache::open(&path).unwrap_err();
    assert!(matches!(told, OpenCacheError::NewerFormat { found: 4, known: 3, .. }), "{told:?}");
    assert!(fs::read(&path).unwrap() == content);
    // Of one commit alone it is damage, and another file is begun.
    content[VERSIONS[0]] = 3;
    fs::write(&path, &content).unwrap();
    let cache = DiskCache::open(&path).unwrap();
    assert!(fs::read(&cache.set_aside().unwrap().path).unwrap() == content);
}

#[test]
fn a_database_of_another_program_is_refused_and_left_alone() {
    const THEIRS: TableDefinition<'static, &str, u64> = TableDefinition::new("theirs");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("packets");
    {
        let database = Database::create(&path).unwrap();
        let transaction = database.begin_write().unwrap();
        transaction.open_table(THEIRS).unwrap().insert("one", 1).unwrap();
        transaction.commit().unwrap();
    }
    let told = DiskCache::open(&path).unwrap_err();
    assert!(matches!(told, OpenCacheError::Foreign { .. }), "{told:?}");
    {
        let database = Database::open(&path).unwrap();
        let transaction = database.begin_read().unwrap();
        assert_eq!(transaction.list_tables().unwrap().count(), 1);
    }
    // An engine of long ago, which no cache of ours was ever kept by.
    let mut content = fs::read(&path).unwrap();
    VERSIONS.iter().for_each(|at| content[*at] = 2);
    fs::write(&path, &content).unwrap();
    let told = DiskCache::open(&path).unwrap_err();
    assert!(matches!(told, OpenCacheError::Foreign { .. }), "{told:?}");
    assert!(fs::read(&path).unwrap() == content);
}

#[test]
fn of_many_that_open_a_damaged_file_one_has_it_and_loses_nothing() {
    const OPENERS: usize = 4;
    let folder = tempfile::tempdir().unwrap();
    for round in 0..20 {
        let path = folder.path().join(round.to_string());
        fs::write(&path, [7; 9000]).unwrap();
        let start = Barrier::new(OPENERS);
        let opened: Vec<_> = std::thread::scope(|scope| {
            let openers = (0..OPENERS).map(|_| {
                scope.spawn(|| {
                    start.wait();
                    DiskCache::open(&path)
                })
            });
            let openers: Vec<_> = openers.collect();
            openers.into_iter().map(|opener| opener.join().unwrap()).collect()
        });
        let mut winners = Vec::new();
        for opened in opened {
            match opened {
                Ok(cache) => winners.push(cache),
                Err(OpenCacheError::InUse { .. }) => {}
                Err(error) => panic!("round {round}: {error:?}"),
            }
        }
        assert!(winners.len() <= 1, "round {round}: {} have it", winners.len());
        // All may have met while it was being set aside; then nobody has it, and the next one does.
        let cache = winners.pop().unwrap_or_else(|| DiskCache::open(&path).unwrap());
        let cached = cached();
        assert_eq!(block_on(cache.put(cached.clone())).unwrap(), Put::Stored);
        drop(cache);
        let cache = DiskCache::open(&path).unwrap();
        let found = block_on(cache.get(&cached.packet.public_key())).unwrap();
        assert_eq!(found, Some(cached), "round {round}");
    }
}
