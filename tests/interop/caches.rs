//! Cache folders shared with the real pkarr: what one writes the other reads, in turns and at the same time.
//!
//! Separate because no network takes part: the file is what has to be understood.

use std::path::Path;

use mainstay::{Cache, Cached, Keypair, LmdbCache, Put, SignedPacket, Timestamp};
use mainstay_tests::caches::{put_all, run};
use serde_json::{Value, json};

use crate::hex;
use crate::peer::{Peer, Program};

/// How many packets each of two programs puts while the other does.
const AT_ONCE: usize = 100;

#[test]
fn pkarr_8_and_mainstay_take_turns_with_one_cache_folder() {
    take_turns(Program::Modern);
}

#[test]
fn pkarr_5_and_mainstay_take_turns_with_one_cache_folder() {
    take_turns(Program::Pkarr5);
}

#[test]
fn pkarr_8_and_mainstay_work_with_one_cache_folder_at_the_same_time() {
    work_at_once(Program::Modern);
}

#[test]
fn pkarr_5_and_mainstay_work_with_one_cache_folder_at_the_same_time() {
    work_at_once(Program::Pkarr5);
}

fn take_turns(program: Program) {
    let Some(mut pkarr) = Peer::spawn(program) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let (theirs, ours) = (keypair(1), keypair(2));

    pkarr.must(&open(folder.path()));
    let written = pkarr.must(&put(&theirs, 5));
    pkarr.must(&json!({ "op": "cache_close" }));

    let cache = LmdbCache::open(folder.path()).expect("it opens");
    assert!(cache.set_aside().is_none());
    let found = run(cache.get(&theirs.public_key())).expect("it reads").expect("pkarr has put it");
    is_same(&written, &found);
    // Ours, and a newer one of a key that pkarr has put.
    let newer = Cached { packet: packet(&theirs, 6), last_seen: Timestamp::from(7_000_000) };
    let own = Cached::seen_now(packet(&ours, 3));
    let older = Cached::seen_now(packet(&theirs, 4));
    assert!(matches!(run(cache.put(older)), Ok(Put::Superseded(stands)) if stands == found));
    assert_eq!(put_all(&cache, &[newer.clone(), own.clone()]), (2, None));
    drop(cache);

    pkarr.must(&open(folder.path()));
    for cached in [&newer, &own] {
        is_same(&pkarr.must(&get(cached)), cached);
    }
    // It puts again, over a name that we have placed in the order, and we read it again.
    let rewritten = pkarr.must(&put(&ours, 9));
    pkarr.must(&json!({ "op": "cache_close" }));
    let cache = LmdbCache::open(folder.path()).expect("it opens");
    assert!(cache.set_aside().is_none());
    assert_eq!(cache.len(), 2);
    let found = run(cache.get(&ours.public_key())).expect("it reads").expect("pkarr has put it");
    is_same(&rewritten, &found);
}

fn work_at_once(program: Program) {
    let Some(mut pkarr) = Peer::spawn(program) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let cache = LmdbCache::open(folder.path()).expect("it opens");
    pkarr.must(&open(folder.path()));
    let own: Vec<_> =
        (0..AT_ONCE).map(|_| Cached::seen_now(packet(&Keypair::random(), 5))).collect();
    let written: Vec<_> = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let put = |pair: &[Cached]| put_all(&cache, pair);
            own.chunks(2).map(put).all(|done| done == (2, None))
        });
        let written = (0..AT_ONCE).map(|_| pkarr.must(&put(&Keypair::random(), 5))).collect();
        assert!(writer.join().expect("no put panics"));
        written
    });
    for theirs in &written {
        let key = theirs["public_key"].as_str().expect("a text").try_into().expect("a key");
        is_same(theirs, &run(cache.get(&key)).expect("it reads").expect("pkarr has put it"));
    }
    for ours in &own {
        is_same(&pkarr.must(&get(ours)), ours);
    }
    assert_eq!(cache.len(), 2 * AT_ONCE);
}

fn keypair(number: u8) -> Keypair {
    Keypair::from_secret_key(&[number; 32])
}

fn packet(keypair: &Keypair, timestamp: u64) -> SignedPacket {
    SignedPacket::builder()
        .txt("_text".try_into().expect("a name"), "from mainstay".try_into().expect("short"), 300)
        .timestamp(timestamp.into())
        .sign(keypair)
        .expect("a small zone")
}

fn open(folder: &Path) -> Value {
    json!({ "op": "cache_open", "folder": folder, "capacity": 1000 })
}

fn put(keypair: &Keypair, timestamp: u64) -> Value {
    json!({
        "op": "cache_put", "seed": hex::encode(keypair.secret_key().as_bytes()),
        "timestamp": timestamp,
        "records": [{ "name": "_text", "type": "TXT", "ttl": 300, "data": "from pkarr" }],
    })
}

fn get(cached: &Cached) -> Value {
    json!({ "op": "cache_get", "public_key": cached.packet.public_key().to_z32() })
}

/// The same bytes, seen at the same time.
fn is_same(theirs: &Value, ours: &Cached) {
    assert_eq!(theirs["packet"], json!(hex::encode(ours.packet.as_bytes())));
    assert_eq!(theirs["last_seen"], json!(ours.last_seen.as_u64()));
}
