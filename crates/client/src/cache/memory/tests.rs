//! What the cache in memory promises: only newer packets replace, also when threads race.
//!
//! Separate because it needs packets, threads and a runtime.

use std::sync::Arc;
use std::time::Duration;

use mainstay_keys::Keypair;

use super::{Cache, Cached, InMemoryCache, Peek, Put};
use crate::Timestamp;
use crate::runtime::block_on;
use crate::scripted::packet;

fn cached(keypair: &Keypair, timestamp: u64) -> Cached {
    Cached::seen_now(packet(keypair, Timestamp::from(timestamp), 300))
}

fn put(cache: &InMemoryCache, cached: &Cached) -> Put {
    block_on(cache.put(cached.clone())).unwrap()
}

#[test]
fn an_older_packet_never_replaces_a_newer_one() {
    let cache = InMemoryCache::new(10);
    let keypair = Keypair::random();
    let (old, new) = (cached(&keypair, 5), cached(&keypair, 6));
    assert_eq!(put(&cache, &new), Put::Stored);
    assert_eq!(put(&cache, &old), Put::Superseded(new.clone()));
    let stands = block_on(cache.get(&keypair.public_key())).unwrap();
    assert_eq!(stands, Some(new));
}

#[test]
fn a_newer_packet_replaces_an_older_one() {
    let cache = InMemoryCache::new(10);
    let keypair = Keypair::random();
    put(&cache, &cached(&keypair, 5));
    let new = cached(&keypair, 6);
    assert_eq!(put(&cache, &new), Put::Stored);
    assert_eq!(block_on(cache.get(&keypair.public_key())).unwrap(), Some(new));
}

#[test]
fn the_same_packet_seen_again_keeps_the_later_time() {
    let cache = InMemoryCache::new(10);
    let keypair = Keypair::random();
    let first = cached(&keypair, 5);
    let later = first.last_seen.checked_add(Duration::from_secs(9)).unwrap();
    let again = Cached { last_seen: later, ..first.clone() };
    put(&cache, &first);
    assert_eq!(put(&cache, &again), Put::Refreshed);
    assert_eq!(put(&cache, &first), Put::Refreshed);
    let stands = block_on(cache.get(&keypair.public_key())).unwrap();
    assert_eq!(stands.map(|cached| cached.last_seen), Some(later));
}

#[test]
fn of_racing_puts_the_newest_packet_stands_in_the_end() {
    let cache = Arc::new(InMemoryCache::new(10));
    let keypair = Keypair::random();
    let racers: Vec<_> = (0..4)
        .map(|racer| {
            let cache = cache.clone();
            let packets: Vec<_> = (1..50).map(|n| cached(&keypair, n * 4 + racer)).collect();
            std::thread::spawn(move || packets.iter().for_each(|cached| drop(put(&cache, cached))))
        })
        .collect();
    racers.into_iter().for_each(|racer| racer.join().unwrap());
    let Peek::Hit(stands) = cache.peek(&keypair.public_key()) else {
        panic!("the key is cached");
    };
    assert_eq!(stands.packet.timestamp(), Timestamp::from(49 * 4 + 3));
}

#[test]
fn a_flood_of_keys_stays_within_the_capacity() {
    let (by_count, by_bytes) = (InMemoryCache::new(10), InMemoryCache::bounded_in_bytes(16_160));
    for _ in 0..100 {
        let cached = cached(&Keypair::random(), 5);
        put(&by_count, &cached);
        put(&by_bytes, &cached);
    }
    assert_eq!((by_count.len(), by_count.capacity()), (10, 10));
    // A packet with one short record is far smaller than the largest.
    assert_eq!(by_bytes.capacity(), 10);
    assert!((10..=26).contains(&by_bytes.len()), "{}", by_bytes.len());
}

#[test]
fn a_key_that_was_never_put_is_a_miss() {
    let cache = InMemoryCache::new(10);
    assert!(matches!(cache.peek(&Keypair::random().public_key()), Peek::Miss));
}
