//! The packets, caches and relay of pkarr.
//!
//! Separate from the nodes, because here the time of a call is the figure and there no call is ever alone.

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Instant;

use pkarr::dns::Name;
use pkarr::extra::lmdb_cache::LmdbCache;
use pkarr::{Cache, CacheKey, Client, InMemoryCache, Keypair, ResolvePolicy, SignedPacket};
use serde_json::{Value, json};

use crate::Failure;
use crate::dht::{list, number, seed};

/// Nanoseconds a call of `{what}` on a zone of `{records}`, measured in `{rounds}` batches of `{batch}`.
pub async fn time(request: &Value) -> Result<Value, Failure> {
    let records = number(request, "records")?;
    let what = request["what"].as_str().unwrap_or_default();
    let keypair = Keypair::from_secret_key(&seed(7));
    let packet = zone(records, &keypair)?;
    let (key, payload) = (packet.public_key(), packet.to_relay_payload());
    let cache_key = CacheKey::from(&key);
    let memory = InMemoryCache::new(NonZeroUsize::new(1000).ok_or("no capacity")?);
    memory.put(&cache_key, &packet);
    match what {
        "verify_and_parse" => run(request, || SignedPacket::from_relay_payload(&key, &payload).is_ok()),
        "sign" => run(request, || zone(records, &keypair).is_ok()),
        "clone" => run(request, || packet.clone()),
        "lookup" => run(request, || packet.resource_records("n1").count()),
        "public_key" => run(request, || packet.public_key()),
        "memory_hit" => run(request, || memory.get(&cache_key)),
        "resolve" => {
            let client = Client::builder()
                .no_default_network()
                .relays(&["http://127.0.0.1:9"])?
                .cache(std::sync::Arc::new(memory.clone()))
                .build()?;
            batches(request, || async {
                client.resolve(&key, ResolvePolicy::CacheFirst).await.map(drop).map_err(|e| e.to_string())
            })
            .await
        }
        "lmdb_hit" | "lmdb_put_after_reads" => lmdb(request, what, &packet),
        other => Err(format!("what {other}: not known").into()),
    }
}

/// A fresh environment; `lmdb_put_after_reads` makes 3,000 reads and times the put that follows.
fn lmdb(request: &Value, what: &str, packet: &SignedPacket) -> Result<Value, Failure> {
    let folder = PathBuf::from(request["folder"].as_str().ok_or("folder: not a string")?);
    std::fs::create_dir_all(&folder)?;
    let cache = LmdbCache::open_unsafe(&folder, 1_000_000).map_err(|e| e.to_string())?;
    let key = CacheKey::from(&packet.public_key());
    cache.put(&key, packet);
    if what == "lmdb_hit" {
        return run(request, || cache.get(&key));
    }
    let mut nanoseconds = Vec::new();
    for _ in 0..number(request, "rounds")? {
        for _ in 0..number(request, "batch")? {
            black_box(cache.get(&key));
        }
        let start = Instant::now();
        cache.put(&key, packet);
        nanoseconds.push(start.elapsed().as_secs_f64() * 1e9);
    }
    Ok(json!({ "ns": nanoseconds }))
}

fn run<T>(request: &Value, mut call: impl FnMut() -> T) -> Result<Value, Failure> {
    let (rounds, batch) = (number(request, "rounds")?, number(request, "batch")?);
    let mut nanoseconds = Vec::new();
    for _ in 0..rounds {
        let start = Instant::now();
        for _ in 0..batch {
            black_box(call());
        }
        nanoseconds.push(start.elapsed().as_secs_f64() * 1e9 / batch as f64);
    }
    Ok(json!({ "ns": nanoseconds }))
}

async fn batches<F>(request: &Value, mut call: impl FnMut() -> F) -> Result<Value, Failure>
where
    F: Future<Output = Result<(), String>>,
{
    let (rounds, batch) = (number(request, "rounds")?, number(request, "batch")?);
    let mut nanoseconds = Vec::new();
    for _ in 0..rounds {
        let start = Instant::now();
        for _ in 0..batch {
            call().await?;
        }
        nanoseconds.push(start.elapsed().as_secs_f64() * 1e9 / batch as f64);
    }
    Ok(json!({ "ns": nanoseconds }))
}

fn zone(records: u64, keypair: &Keypair) -> Result<SignedPacket, Failure> {
    let mut builder = SignedPacket::builder();
    for number in 0..records {
        let name = format!("n{number}");
        builder = builder.a(Name::new_unchecked(&name), [192, 0, 2, 7].into(), 300);
    }
    Ok(builder.sign(keypair)?)
}

/// A relay without rate limits over the DHT of `{bootstrap}`, with a cache file of its own.
pub async fn relay(request: &Value) -> Result<Value, Failure> {
    let relay =
        pkarr_relay::Relay::run_test(&list(request, "bootstrap")).await.map_err(|e| e.to_string())?;
    let url = format!("http://127.0.0.1:{}", relay.relay_address().port());
    std::mem::forget(relay);
    Ok(json!({ "url": url }))
}
