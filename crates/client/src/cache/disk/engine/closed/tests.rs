//! Which files count as closed well, and what one that does so wrongly can do.
//!
//! Separate because marks are forged here.

use std::fs;
use std::path::{Path, PathBuf};

use futures_util::future::join_all;
use mainstay_keys::Keypair;

use super::{alone, head};
use crate::Timestamp;
use crate::cache::persistent::Mark;
use crate::cache::{Cache, Cached, DiskCache};
use crate::runtime::block_on;
use crate::scripted::packet;

const PACKETS: usize = 64;

/// A closed cache of many packets, and the packets.
fn written(path: &Path) -> Vec<Cached> {
    let cache = DiskCache::open(path).unwrap();
    let all = (0..PACKETS).map(|_| packet(&Keypair::random(), Timestamp::from(5), 300));
    let all: Vec<_> = all.map(Cached::seen_now).collect();
    put_all(&cache, &all);
    all
}

fn put_all(cache: &DiskCache, all: &[Cached]) {
    let puts = all.iter().map(|cached| cache.put(cached.clone()));
    block_on(join_all(puts)).into_iter().for_each(|put| drop(put.unwrap()));
}

/// Whether the file counts as closed well. Takes the mark.
fn is_marked(path: &Path) -> bool {
    let file = fs::File::open(path).unwrap();
    super::lock_and_take(&file, path).unwrap()
}

/// Marks the file as it is now, as only its last closing may.
fn forge(path: &Path) {
    let file = alone(path).unwrap().unwrap();
    let _ = fs::remove_file(place(path));
    Mark::of(path).put(&file, &head(&file).unwrap().unwrap()).unwrap();
}

fn place(path: &Path) -> PathBuf {
    Mark::of(path).place()
}

fn found(cache: &DiskCache, all: &[Cached]) -> usize {
    let is_there = |cached: &&Cached| match block_on(cache.get(&cached.packet.public_key())) {
        Ok(Some(found)) => {
            assert_eq!(found.packet, cached.packet, "what nobody signed was served");
            true
        }
        Ok(None) | Err(_) => false,
    };
    all.iter().filter(is_there).count()
}

#[test]
fn a_closed_file_is_marked_until_it_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("packets");
    let all = written(&path);
    assert!(place(&path).exists());
    let cache = DiskCache::open(&path).unwrap();
    assert!(!place(&path).exists());
    assert_eq!(found(&cache, &all), PACKETS);
    drop(cache);
    assert!(is_marked(&path));
    assert!(!is_marked(&path), "it is good for one opening");
}

#[test]
fn a_file_that_was_left_open_is_not_marked_and_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("packets");
    let all = written(&path);
    let cache = DiskCache::open(&path).unwrap();
    // As a killed process leaves it: everything on disk, nothing closed.
    let left = folder.path().join("left");
    fs::copy(&path, &left).unwrap();
    assert!(head(&fs::File::open(&left).unwrap()).unwrap().is_none());
    super::mark(&left);
    assert!(!place(&left).exists(), "an open file was marked");
    drop(cache);
    assert!(!is_marked(&left));
    assert_eq!(found(&DiskCache::open(&left).unwrap(), &all), PACKETS);
}

#[test]
fn a_mark_is_of_one_file_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("packets");
    written(&path);
    // The same bytes, put back from a copy.
    let copy = folder.path().join("copy");
    fs::copy(&path, &copy).unwrap();
    fs::rename(&copy, &path).unwrap();
    assert!(!is_marked(&path));
    // A mark that ends too soon, at each of its bytes.
    forge(&path);
    let whole = fs::read(place(&path)).unwrap();
    for length in 0..whole.len() {
        fs::write(place(&path), &whole[..length]).unwrap();
        assert!(!is_marked(&path), "{length} bytes of a mark are one");
    }
    fs::write(place(&path), &whole).unwrap();
    assert!(is_marked(&path));
}

#[test]
fn a_damaged_file_that_is_marked_serves_nothing_unsigned() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("packets");
    let all = written(&path);
    let mut content = fs::read(&path).unwrap();
    let hit = &all[7].packet;
    let bytes = hit.as_bytes();
    let mut hits = 0;
    for at in 0..content.len() - bytes.len() {
        if content[at..].starts_with(bytes) {
            content[at + bytes.len() - 1] ^= 1;
            hits += 1;
        }
    }
    assert!(hits > 0);
    fs::write(&path, &content).unwrap();
    forge(&path);
    let cache = DiskCache::open(&path).unwrap();
    assert!(cache.set_aside().is_none(), "it was checked, although it was marked");
    assert_eq!(found(&cache, &all), PACKETS - 1);
    assert!(block_on(cache.put(all[7].clone())).is_ok());
    assert_eq!(found(&cache, &all), PACKETS);
}

#[test]
fn a_marked_file_whose_pages_make_no_sense_is_checked_once_that_shows() {
    let folder = tempfile::tempdir().unwrap();
    let mut set_aside = 0;
    for page in 1..40 {
        let path = folder.path().join(page.to_string()).join("packets");
        let all = written(&path);
        let mut content = fs::read(&path).unwrap();
        let Some(hit) = content.get_mut(page * 4096..(page + 1) * 4096) else { break };
        hit.fill(0xee);
        fs::write(&path, &content).unwrap();
        forge(&path);
        let cache = DiskCache::open(&path).unwrap();
        found(&cache, &all);
        put_all(&cache, &all);
        assert_eq!(found(&cache, &all), PACKETS, "page {page}");
        drop(cache);
        let aside = path.with_file_name("packets.damaged-1");
        set_aside += usize::from(aside.exists());
        // Whatever was in doubt is checked now, and what was acknowledged is there.
        let cache = DiskCache::open(&path).unwrap();
        assert_eq!(found(&cache, &all), PACKETS, "page {page}, opened again");
    }
    assert!(set_aside > 0, "no damage was noticed");
}
