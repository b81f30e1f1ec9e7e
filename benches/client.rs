//! The client where it asks nobody: what a fresh packet in memory costs, in time and allocations.
//!
//! Separate from the packets, because here the cache and the policy are measured; `clone_packet` and `clock` are parts of
//! every hit, and the floor to read it against.
//!
//! `cargo bench -p mainstay-benches --bench client`
#![allow(missing_docs, reason = "a bench has no readers but its table")]

use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher, black_box};
use futures_util::FutureExt;
use mainstay_client::{
    Cache, Cached, Client, InMemoryCache, Keypair, Policy, PublicKey, SignedPacket, Timestamp,
};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

/// A small zone, and one that nearly fills a packet.
const RECORDS: [usize; 2] = [2, 25];

/// How many keys are asked for in turn, where it is more than one.
const KEYS: u8 = 64;

fn main() {
    divan::main();
}

#[divan::bench(args = RECORDS)]
fn resolve(bencher: Bencher<'_, '_>, records: usize) {
    let (client, key) = client(records);
    bencher.bench(|| client.resolve(black_box(&key)).now_or_never());
}

#[divan::bench(args = RECORDS)]
fn resolve_with(bencher: Bencher<'_, '_>, records: usize) {
    let (client, key) = client(records);
    bencher.bench(|| client.resolve_with(black_box(&key), Policy::CacheFirst).now_or_never());
}

/// Throughput, one key, from one thread and from two.
#[divan::bench(threads = [1, 2])]
fn resolve_one_key_from_threads(bencher: Bencher<'_, '_>) {
    let (client, key) = client(2);
    bencher
        .counter(ItemsCount::new(1_usize))
        .bench(|| client.resolve(black_box(&key)).now_or_never());
}

/// Throughput, each time all of several keys, from one thread and from two.
#[divan::bench(threads = [1, 2])]
fn resolve_many_keys_from_threads(bencher: Bencher<'_, '_>) {
    let (client, _) = client(2);
    let keys: Vec<_> = (0..KEYS).map(|n| keypair(n).public_key()).collect();
    bencher.counter(ItemsCount::new(keys.len())).bench(|| {
        keys.iter().filter_map(|key| client.resolve(key).now_or_never().flatten()).count()
    });
}

#[divan::bench(args = RECORDS)]
fn cache_hit(bencher: Bencher<'_, '_>, records: usize) {
    let cache = cache(records);
    let key = keypair(0).public_key();
    bencher.bench(|| cache.peek(black_box(&key)));
}

#[divan::bench]
fn clone_client(bencher: Bencher<'_, '_>) {
    let (client, _) = client(2);
    bencher.bench(|| black_box(&client).clone());
}

#[divan::bench(args = RECORDS)]
fn clone_packet(bencher: Bencher<'_, '_>, records: usize) {
    let packet = packet(0, records);
    bencher.bench(|| black_box(&packet).clone());
}

#[divan::bench]
fn clock() -> Timestamp {
    Timestamp::clock()
}

fn client(records: usize) -> (Client, PublicKey) {
    let client = Client::builder().no_default_network().bootstrap(&[] as &[&str]);
    let client = client.cache(std::sync::Arc::new(cache(records))).build().expect("a free port");
    (client, keypair(0).public_key())
}

fn cache(records: usize) -> InMemoryCache {
    let cache = InMemoryCache::new(1000);
    for n in 0..KEYS {
        let put = cache.put(Cached::seen_now(packet(n, records))).now_or_never();
        put.expect("memory needs no waiting").expect("memory does not fail");
    }
    cache
}

fn packet(n: u8, records: usize) -> SignedPacket {
    let mut builder = SignedPacket::builder();
    for record in 0..records {
        let name = format!("host{record}").try_into().expect("a short name");
        builder = builder.a(name, [192, 0, 2, 1].into(), 86_400);
    }
    builder.sign(&keypair(n)).expect("it fits")
}

fn keypair(n: u8) -> Keypair {
    Keypair::from_secret_key(&[n.wrapping_add(1); 32])
}
