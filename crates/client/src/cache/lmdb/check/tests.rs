//! What the look at a file notices: each number that LMDB would follow, made wrong once.
//!
//! Separate because the files are LMDB's own, written by the cache.

use std::fs;
use std::path::PathBuf;

use mainstay_keys::Keypair;
use tempfile::TempDir;

use super::{Damage, Unsound, look};
use crate::Timestamp;
use crate::cache::{Cache, Cached, LmdbCache};
use crate::runtime::block_on;
use crate::scripted::packet;

/// A file with 300 packets in several commits, so that it has branches and free pages.
fn file() -> (TempDir, PathBuf, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let cache = LmdbCache::open(folder.path()).unwrap();
    for _ in 0..3 {
        let puts = (0..100).map(|_| {
            let packet = packet(&Keypair::random(), Timestamp::from(5), 300);
            cache.put(Cached::seen_now(packet))
        });
        block_on(futures_util::future::join_all(puts));
    }
    drop(cache);
    let path = folder.path().join("data.mdb");
    let content = fs::read(&path).unwrap();
    (folder, path, content)
}

/// Where the header that counts begins.
fn header(content: &[u8]) -> usize {
    let transaction = |page: usize| {
        let at = page * 4096 + 16 + 128;
        u64::from_ne_bytes(content[at..at + 8].try_into().unwrap())
    };
    if transaction(1) > transaction(0) { 4096 + 16 } else { 16 }
}

#[test]
fn a_file_as_it_was_written_is_sound() {
    let (_folder, path, _) = file();
    assert!(look(&fs::File::open(&path).unwrap(), true).is_ok());
}

#[test]
fn a_file_that_lost_a_page_in_use_is_damaged() {
    let (_folder, path, content) = file();
    let mut kept = 0;
    for length in (1..content.len()).step_by(1531) {
        fs::write(&path, &content[..length]).unwrap();
        match look(&fs::File::open(&path).unwrap(), false) {
            Err(Unsound::Damaged(_)) => assert_eq!(kept, 0, "{length}: less was enough"),
            // The last pages may be free ones, which LMDB itself leaves out of a file.
            Ok(_) => kept += 1,
            other => panic!("{length}: {other:?}"),
        }
    }
    assert!(kept * 1531 < content.len() / 10, "{kept} cuts were not noticed");
}

#[test]
fn each_wrong_number_of_the_header_is_noticed() {
    let (_folder, path, content) = file();
    let header = header(&content);
    // Of both tables: depth, counts, root. Then the last page, and the transaction.
    let tables = [24, 72].into_iter().flat_map(|table| [6, 8, 16, 24, 32, 40].map(|at| table + at));
    for at in tables.chain([0, 24, 134]) {
        let mut wrong = content.clone();
        wrong[header + at] ^= 5;
        fs::write(&path, &wrong).unwrap();
        assert!(
            matches!(look(&fs::File::open(&path).unwrap(), true), Err(Unsound::Damaged(_))),
            "byte {at} of the header"
        );
    }
    for last_page in [3, 1 << 40] {
        let mut wrong = content.clone();
        wrong[header + 120..header + 128].copy_from_slice(&u64::to_ne_bytes(last_page));
        fs::write(&path, &wrong).unwrap();
        assert!(
            matches!(look(&fs::File::open(&path).unwrap(), true), Err(Unsound::Damaged(_))),
            "last page {last_page}"
        );
    }
}

#[test]
fn other_machines_and_newer_formats_are_told_from_damage() {
    let (_folder, path, content) = file();
    let mut newer = content.clone();
    newer[20] = 2;
    fs::write(&path, &newer).unwrap();
    let of_one = look(&fs::File::open(&path).unwrap(), true);
    assert!(matches!(of_one, Err(Unsound::Damaged(Damage::Header))), "one header is damage");
    newer[4096 + 20] = 2;
    fs::write(&path, &newer).unwrap();
    assert!(matches!(
        look(&fs::File::open(&path).unwrap(), true),
        Err(Unsound::Newer { found: 2 })
    ));
    // As LMDB 1.0 has it: its pages have longer heads.
    for (page, version) in [(4096, 3_u32), (16_384, 3), (65_536, 999)] {
        let mut newer = vec![0; 3 * page];
        for at in [24, page + 24] {
            newer[at..at + 4].copy_from_slice(&0xBEEF_C0DE_u32.to_ne_bytes());
            newer[at + 4..at + 8].copy_from_slice(&version.to_ne_bytes());
        }
        fs::write(&path, &newer).unwrap();
        let told = look(&fs::File::open(&path).unwrap(), true);
        assert!(matches!(told, Err(Unsound::Newer { found }) if found == version), "{told:?}");
    }
    let mut other = content.clone();
    other[16..20].reverse();
    fs::write(&path, &other).unwrap();
    assert!(matches!(look(&fs::File::open(&path).unwrap(), true), Err(Unsound::OtherMachine)));
    fs::write(&path, vec![b'x'; 9000]).unwrap();
    assert!(matches!(
        look(&fs::File::open(&path).unwrap(), true),
        Err(Unsound::Damaged(Damage::NotLmdb))
    ));
}

#[test]
fn every_page_of_a_tree_is_looked_at() {
    let (_folder, path, content) = file();
    let mut noticed = 0;
    let pages = content.len() / 4096;
    for page in 2..pages {
        let mut wrong = content.clone();
        // The page's own number: free pages are nobody's, whatever stands there.
        wrong[page * 4096] ^= 1;
        fs::write(&path, &wrong).unwrap();
        noticed += usize::from(look(&fs::File::open(&path).unwrap(), true).is_err());
    }
    // 300 packets of some 250 bytes are twenty pages at least, and not all are free.
    assert!((20..pages).contains(&noticed), "{noticed} of {pages}");
}
