//! What resolving makes of caches that are slow, broken, confused, or older than this run.
//!
//! Separate because each needs a cache of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use mainstay_keys::{Keypair, PublicKey};

use super::resolve;
use crate::Timestamp;
use crate::cache::{Cache, CacheError, Cached, InMemoryCache, Peek, Put};
use crate::error::ResolveError;
use crate::freshness::{Freshness, Policy};
use crate::report::Source;
use crate::scripted::{Scripted, ago, engine_with, packet};

/// A cache that can only be asked, as one on disk.
#[derive(Debug)]
struct Slow {
    packets: InMemoryCache,
    reads: AtomicUsize,
}

#[async_trait]
impl Cache for Slow {
    fn capacity(&self) -> usize {
        self.packets.capacity()
    }

    fn len(&self) -> usize {
        self.packets.len()
    }

    async fn get(&self, key: &PublicKey) -> Result<Option<Cached>, CacheError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        tokio::task::yield_now().await;
        self.packets.get(key).await
    }

    async fn put(&self, incoming: Cached) -> Result<Put, CacheError> {
        tokio::task::yield_now().await;
        self.packets.put(incoming).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_cache_that_must_be_waited_for_works_like_the_one_in_memory() {
    let keypair = Keypair::random();
    let packet = packet(&keypair, ago(5), 60);
    let relay = Arc::new(Scripted::with(std::slice::from_ref(&packet)));
    let slow = Arc::new(Slow { packets: InMemoryCache::new(10), reads: AtomicUsize::new(0) });
    let engine = engine_with(&[&relay], Some(slow.clone()), Freshness::default());
    for source_is_cache in [false, true] {
        let resolved = resolve(&engine, &keypair, Policy::CacheFirst).await.unwrap();
        assert_eq!(resolved.source == Source::Cache, source_is_cache);
    }
    assert_eq!((relay.asked(), slow.reads.load(Ordering::Relaxed)), (1, 2));
}

/// A cache whose storage is gone.
#[derive(Debug)]
struct Broken;

#[async_trait]
impl Cache for Broken {
    fn capacity(&self) -> usize {
        10
    }

    fn len(&self) -> usize {
        0
    }

    async fn get(&self, _: &PublicKey) -> Result<Option<Cached>, CacheError> {
        Err(CacheError::new(std::io::Error::other("gone")))
    }

    async fn put(&self, _: Cached) -> Result<Put, CacheError> {
        Err(CacheError::new(std::io::Error::other("gone")))
    }
}

#[tokio::test(start_paused = true)]
async fn a_broken_cache_costs_a_lookup_and_nothing_else() {
    let keypair = Keypair::random();
    let packet = packet(&keypair, ago(5), 60);
    let relay = Arc::new(Scripted::with(std::slice::from_ref(&packet)));
    let engine = engine_with(&[&relay], Some(Arc::new(Broken)), Freshness::default());
    for _ in 0..2 {
        assert_eq!(resolve(&engine, &keypair, Policy::CacheFirst).await.unwrap().packet, packet);
    }
}

/// A cache with a fault of its own.
#[derive(Debug)]
struct Panicking;

#[async_trait]
impl Cache for Panicking {
    fn capacity(&self) -> usize {
        10
    }

    fn len(&self) -> usize {
        0
    }

    async fn get(&self, _: &PublicKey) -> Result<Option<Cached>, CacheError> {
        Ok(None)
    }

    async fn put(&self, _: Cached) -> Result<Put, CacheError> {
        panic!("a fault of the cache")
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_within_a_lookup_ends_it_for_all_callers_and_leaves_no_trace() {
    let keypair = Keypair::random();
    let relay = Arc::new(Scripted::with(&[packet(&keypair, ago(5), 60)]));
    let engine = engine_with(&[&relay], Some(Arc::new(Panicking)), Freshness::default());
    for asked in [1, 2] {
        let error = resolve(&engine, &keypair, Policy::CacheFirst).await.unwrap_err();
        assert!(matches!(error, ResolveError::NoAnswer(_)), "{error}");
        assert_eq!((relay.asked(), engine.flights.len()), (asked, 0));
    }
}

/// A cache that gives the same packet whatever is asked for, and takes none.
#[derive(Debug)]
struct Frozen {
    packet: Cached,
    can_peek: bool,
}

#[async_trait]
impl Cache for Frozen {
    fn capacity(&self) -> usize {
        10
    }

    fn len(&self) -> usize {
        1
    }

    fn peek(&self, _: &PublicKey) -> Peek {
        if self.can_peek { Peek::Hit(self.packet.clone()) } else { Peek::Ask }
    }

    async fn get(&self, _: &PublicKey) -> Result<Option<Cached>, CacheError> {
        Ok(Some(self.packet.clone()))
    }

    async fn put(&self, _: Cached) -> Result<Put, CacheError> {
        Ok(Put::Stored)
    }
}

#[tokio::test(start_paused = true)]
async fn a_cache_that_mixes_up_keys_is_not_believed() {
    let keypair = Keypair::random();
    let own = packet(&keypair, ago(5), 60);
    let foreign = Cached::seen_now(packet(&Keypair::random(), ago(5), 60));
    for can_peek in [true, false] {
        let relay = Arc::new(Scripted::with(std::slice::from_ref(&own)));
        let cache = Arc::new(Frozen { packet: foreign.clone(), can_peek });
        let engine = engine_with(&[&relay], Some(cache), Freshness::default());
        assert!(engine.at_hand(&keypair.public_key(), Policy::CacheFirst).is_none());
        assert_eq!(resolve(&engine, &keypair, Policy::CacheFirst).await.unwrap().packet, own);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cache_that_lost_the_newest_packet_does_not_bring_back_an_older_one() {
    let keypair = Keypair::random();
    let old = Cached { packet: packet(&keypair, ago(50), 60), last_seen: ago(1) };
    let new = packet(&keypair, ago(5), 60);
    let relay = Arc::new(Scripted::with(&[new]));
    let cache = Arc::new(Frozen { packet: old, can_peek: false });
    let engine = engine_with(&[&relay], Some(cache), Freshness::default());
    resolve(&engine, &keypair, Policy::NetworkOnly).await.unwrap();
    let error = resolve(&engine, &keypair, Policy::CacheOnly).await.unwrap_err();
    assert!(matches!(error, ResolveError::NotCached), "{error}");
}

#[tokio::test(start_paused = true)]
async fn what_the_cache_brings_from_an_earlier_run_counts_as_seen() {
    let keypair = Keypair::random();
    let (old, new) = (packet(&keypair, ago(9000), 60), packet(&keypair, ago(8000), 60));
    let cache = Arc::new(InMemoryCache::new(10));
    cache.put(Cached { packet: new.clone(), last_seen: ago(8000) }).await.unwrap();
    let relay = Arc::new(Scripted::with(&[old]));
    let engine = engine_with(&[&relay], Some(cache), Freshness::default());
    let error = resolve(&engine, &keypair, Policy::CacheFirst).await.unwrap_err();
    let seen = new.timestamp();
    assert!(matches!(error, ResolveError::Outdated { seen: s, .. } if s == seen), "{error}");
}

/// A cache that has become full: it gives what it has, and takes nothing more.
#[derive(Debug)]
struct Full(Frozen);

#[async_trait]
impl Cache for Full {
    fn capacity(&self) -> usize {
        self.0.capacity()
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn peek(&self, key: &PublicKey) -> Peek {
        self.0.peek(key)
    }

    async fn get(&self, key: &PublicKey) -> Result<Option<Cached>, CacheError> {
        self.0.get(key).await
    }

    async fn put(&self, _: Cached) -> Result<Put, CacheError> {
        Err(CacheError::new(std::io::Error::from(std::io::ErrorKind::StorageFull)))
    }
}

#[tokio::test(start_paused = true)]
async fn a_cache_that_did_not_take_the_newest_packet_does_not_bring_back_an_older_one() {
    let keypair = Keypair::random();
    let key = keypair.public_key();
    let old = Cached { packet: packet(&keypair, ago(50), 60), last_seen: ago(1) };
    let new = packet(&keypair, ago(5), 60);
    for can_peek in [true, false] {
        let relay = Arc::new(Scripted::with(std::slice::from_ref(&new)));
        let cache = Arc::new(Full(Frozen { packet: old.clone(), can_peek }));
        let engine = engine_with(&[&relay], Some(cache), Freshness::default());
        assert_eq!(
            engine.peek(&key, Timestamp::clock()).is_some(),
            can_peek,
            "nothing newer is known"
        );
        assert_eq!(resolve(&engine, &keypair, Policy::MostRecent).await.unwrap().packet, new);
        for policy in [Policy::CacheFirst, Policy::StaleWhileRevalidate, Policy::StaleIfError] {
            assert!(engine.at_hand(&key, policy).is_none(), "{policy:?}");
            assert_eq!(resolve(&engine, &keypair, policy).await.unwrap().packet, new, "{policy:?}");
        }
        let error = resolve(&engine, &keypair, Policy::CacheOnly).await.unwrap_err();
        assert!(matches!(error, ResolveError::NotCached), "{error}");
    }
}
