//! Which folders count as closed well, and what one that does so wrongly can do.
//!
//! Separate because marks are forged here.
#![cfg(unix)]

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use futures_util::future::join_all;
use mainstay_keys::Keypair;

use super::{DATA, DOUBTED, LOCK, SOUND, check, note};
use crate::Timestamp;
use crate::cache::persistent::{CacheOptions, Mark};
use crate::cache::{Cache, Cached, LmdbCache};
use crate::runtime::block_on;
use crate::scripted::packet;

const PACKETS: usize = 64;

/// A closed cache of many packets, and the packets.
fn written(folder: &Path) -> Vec<Cached> {
    let cache = LmdbCache::open(folder).unwrap();
    let all = (0..PACKETS).map(|_| packet(&Keypair::random(), Timestamp::from(5), 300));
    let all: Vec<_> = all.map(Cached::seen_now).collect();
    let puts = all.iter().map(|cached| cache.put(cached.clone()));
    block_on(join_all(puts)).into_iter().for_each(|put| drop(put.unwrap()));
    all
}

fn found(cache: &LmdbCache, all: &[Cached]) -> usize {
    let is_there = |cached: &&Cached| match block_on(cache.get(&cached.packet.public_key())) {
        Ok(Some(found)) => {
            assert_eq!(found.packet, cached.packet, "what nobody signed was served");
            true
        }
        Ok(None) | Err(_) => false,
    };
    all.iter().filter(is_there).count()
}

fn mark(folder: &Path) -> PathBuf {
    Mark::of(&folder.join(DATA)).place()
}

/// Whether the file counts as closed well. Takes the mark.
fn is_marked(folder: &Path) -> bool {
    let data = folder.join(DATA);
    let file = File::open(&data).unwrap();
    Mark::of(&data).take(&file, Some(&check::head(&file).unwrap())).unwrap()
}

/// Marks the file as it is now, as only its last closing may.
fn forge(folder: &Path) {
    let _ = fs::remove_file(mark(folder));
    let data = folder.join(DATA);
    let file = File::open(&data).unwrap();
    Mark::of(&data).put(&file, &check::head(&file).unwrap()).unwrap();
}

/// Changes bytes of the file wherever others stand before them, and says how often.
fn change(folder: &Path, before: &[u8], change: impl Fn(&mut [u8])) -> usize {
    let data = folder.join(DATA);
    let mut content = fs::read(&data).unwrap();
    let places: Vec<_> = (0..content.len() - before.len())
        .filter(|at| content[*at..].starts_with(before))
        .map(|at| at + before.len())
        .collect();
    places.iter().for_each(|at| change(&mut content[*at..]));
    fs::write(&data, &content).unwrap();
    places.len()
}

/// Makes the counts of a table wrong: LMDB does not mind, the look at all pages does.
fn miscount(folder: &Path) {
    let hits = change(folder, b"pkarrcache:signed_packet", |table| table[32] ^= 1);
    assert!(hits > 0);
}

#[test]
fn a_closed_folder_is_marked_until_it_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let all = written(folder.path());
    assert!(mark(folder.path()).exists());
    let cache = LmdbCache::open(folder.path()).unwrap();
    assert!(!mark(folder.path()).exists());
    assert_eq!(found(&cache, &all), PACKETS);
    drop(cache);
    assert!(is_marked(folder.path()));
    assert!(!is_marked(folder.path()), "it is good for one opening");
}

#[test]
fn a_marked_file_is_not_walked_over_and_any_other_is() {
    let folder = tempfile::tempdir().unwrap();
    let all = written(folder.path());
    miscount(folder.path());
    forge(folder.path());
    let cache = LmdbCache::open(folder.path()).unwrap();
    assert!(cache.set_aside().is_none(), "it was looked at, although it was marked");
    assert_eq!(found(&cache, &all), PACKETS);
    drop(cache);
    fs::remove_file(mark(folder.path())).unwrap();
    let cache = LmdbCache::open(folder.path()).unwrap();
    assert!(cache.set_aside().is_some(), "it was not looked at, although it was not marked");
}

#[test]
fn a_mark_is_of_one_file_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    written(folder.path());
    let data = folder.path().join(DATA);
    // The same bytes, put back from a copy.
    let copy = folder.path().join("copy");
    fs::copy(&data, &copy).unwrap();
    fs::rename(&copy, &data).unwrap();
    assert!(!is_marked(folder.path()));
    // The same file, written to.
    forge(folder.path());
    let content = fs::read(&data).unwrap();
    let time = fs::metadata(&data).unwrap().modified().unwrap();
    fs::write(&data, &content).unwrap();
    File::options().write(true).open(&data).unwrap().set_modified(time).unwrap();
    assert!(!is_marked(folder.path()));
    // A mark that ends too soon, at each of its bytes.
    forge(folder.path());
    let whole = fs::read(mark(folder.path())).unwrap();
    for length in 0..whole.len() {
        fs::write(mark(folder.path()), &whole[..length]).unwrap();
        assert!(!is_marked(folder.path()), "{length} bytes of a mark are one");
    }
    fs::write(mark(folder.path()), &whole).unwrap();
    assert!(is_marked(folder.path()));
}

#[test]
fn a_folder_that_others_have_open_is_marked_by_the_last_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let cache = LmdbCache::open(folder.path()).unwrap();
    // As another process holds it.
    let other = File::options().read(true).write(true).open(folder.path().join(LOCK)).unwrap();
    other.lock_shared().unwrap();
    drop(cache);
    assert!(!mark(folder.path()).exists());
    let cache = LmdbCache::open(folder.path()).unwrap();
    drop(other);
    drop(cache);
    assert!(is_marked(folder.path()));
}

#[test]
fn what_one_process_doubts_none_marks_and_the_next_opening_looks_at() {
    let folder = tempfile::tempdir().unwrap();
    written(folder.path());
    let cache = LmdbCache::open(folder.path()).unwrap();
    let other = File::options().read(true).write(true).open(folder.path().join(LOCK)).unwrap();
    note(&other, DOUBTED).unwrap();
    drop(cache);
    assert!(!mark(folder.path()).exists());
    let cache = LmdbCache::open(folder.path()).unwrap();
    assert_eq!(super::noted(&other).unwrap(), Some(SOUND));
    drop(cache);
    assert!(is_marked(folder.path()));
}

#[test]
fn a_file_that_was_never_looked_at_is_not_marked() {
    let folder = tempfile::tempdir().unwrap();
    written(folder.path());
    fs::remove_file(mark(folder.path())).unwrap();
    let unchecked = CacheOptions::default().check(false);
    drop(LmdbCache::open_with(folder.path(), &unchecked).unwrap());
    assert!(!mark(folder.path()).exists());
    // What was marked before is as good as ever.
    forge(folder.path());
    drop(LmdbCache::open_with(folder.path(), &unchecked).unwrap());
    assert!(is_marked(folder.path()));
}

#[test]
fn a_marked_file_with_a_record_that_nobody_signed_does_not_serve_it_and_is_looked_at_next() {
    let folder = tempfile::tempdir().unwrap();
    let all = written(folder.path());
    let bytes = all[7].packet.as_bytes();
    let (end, before) = bytes.split_last().unwrap();
    let hits = change(folder.path(), before, |rest| rest[0] = end ^ 1);
    assert!(hits > 0);
    forge(folder.path());
    let cache = LmdbCache::open(folder.path()).unwrap();
    assert!(cache.set_aside().is_none());
    assert_eq!(found(&cache, &all), PACKETS - 1);
    assert!(block_on(cache.put(all[7].clone())).is_ok());
    assert_eq!(found(&cache, &all), PACKETS);
    drop(cache);
    assert!(!mark(folder.path()).exists(), "one bad record casts no doubt on the others");
    assert_eq!(found(&LmdbCache::open(folder.path()).unwrap(), &all), PACKETS);
}
