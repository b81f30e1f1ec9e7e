//! The packets, the memory cache and the relay.
//!
//! Separate from the nodes, because here the time of a call is the figure and there no call is ever alone.

use std::hint::black_box;
use std::time::{Duration, Instant};

use mainstay_client::republish::{RepublishConfig, Republisher};
use mainstay_client::{Cache, CacheOptions, Cached, Client, InMemoryCache, LmdbCache};
use mainstay_keys::Keypair;
use mainstay_packets::{SignedPacket, Timestamp};
use mainstay_relay_server::RelayServer;
use serde_json::{Value, json};

use crate::Failure;
use crate::dht::{list, number, seed};

/// Nanoseconds a call of `{what}` on a zone of `{records}`, measured in `{rounds}` batches of `{batch}`.
pub(crate) async fn time(request: &Value) -> Result<Value, Failure> {
    let what = request["what"].as_str().unwrap_or_default();
    let keypair = Keypair::from_secret_key(&seed(7));
    let records = number(request, "records")?;
    let packet = zone(records, &keypair)?;
    let (key, payload) = (packet.public_key(), packet.to_relay_payload());
    match what {
        "verify_and_parse" => {
            run(request, || SignedPacket::from_relay_payload(&key, &payload).is_ok())
        }
        "sign" => run(request, || zone(records, &keypair).is_ok()),
        "clone" => run(request, || packet.clone()),
        "lookup" => run(request, || packet.resource_records("n1").count()),
        "public_key" => run(request, || packet.public_key()),
        "lmdb_hit" | "lmdb_hit_beyond_memory" | "lmdb_put_after_reads" => {
            lmdb(request, what, packet).await
        }
        "memory_hit" => {
            let cache = InMemoryCache::new(1000);
            cache.put(Cached::seen_now(packet.clone())).await?;
            run(request, || cache.peek(&key))
        }
        "resolve" => {
            let cache = InMemoryCache::new(1000);
            cache.put(Cached::seen_now(packet.clone())).await?;
            let client = Client::builder()
                .no_default_network()
                .relays(&["http://127.0.0.1:9"])?
                .cache(std::sync::Arc::new(cache))
                .build()?;
            let (rounds, batch) = (number(request, "rounds")?, number(request, "batch")?);
            let mut nanoseconds = Vec::new();
            for _ in 0..rounds {
                let start = Instant::now();
                for _ in 0..batch {
                    black_box(client.resolve(&key).await);
                }
                nanoseconds.push(each(start.elapsed(), batch));
            }
            Ok(json!({ "ns": nanoseconds }))
        }
        other => Err(format!("what {other}: not known").into()),
    }
}

/// A fresh folder; `lmdb_put_after_reads` makes `{batch}` reads and times the put that follows.
async fn lmdb(request: &Value, what: &str, packet: SignedPacket) -> Result<Value, Failure> {
    let folder = request["folder"].as_str().ok_or("folder: not a string")?;
    let (key, cached) = (packet.public_key(), Cached::seen_now(packet));
    let options = CacheOptions::default();
    let beyond = what == "lmdb_hit_beyond_memory";
    let cache = LmdbCache::open_with(folder, &if beyond { options.memory(0) } else { options })?;
    cache.put(cached.clone()).await?;
    if what != "lmdb_put_after_reads" {
        return run(request, || cache.peek(&key));
    }
    let (rounds, batch) = (number(request, "rounds")?, number(request, "batch")?);
    let mut nanoseconds = Vec::new();
    for _ in 0..rounds {
        for _ in 0..batch {
            black_box(cache.peek(&key));
        }
        // As pkarr's, which writes the packet again.
        let again = Cached { last_seen: Timestamp::clock(), ..cached.clone() };
        let start = Instant::now();
        cache.put(again).await?;
        nanoseconds.push(each(start.elapsed(), 1));
    }
    Ok(json!({ "ns": nanoseconds }))
}

/// Puts the packets of `{count}` keys once each over the DHT of `{bootstrap}`, `{parallel}` at a time, as a republisher
/// does that was started with all of them.
pub(crate) async fn republish(request: &Value) -> Result<Value, Failure> {
    let client = Client::builder()
        .no_default_network()
        .bootstrap(&list(request, "bootstrap"))
        .dht(|node| node.bind((std::net::Ipv4Addr::LOCALHOST, 0).into()))
        .build()?;
    let count = number(request, "count")?;
    let mut packets = Vec::new();
    for index in 0..count {
        packets.push(zone(2, &Keypair::from_secret_key(&seed(index)))?);
    }
    let config = RepublishConfig {
        rate: u32::MAX,
        concurrency: usize::try_from(number(request, "parallel")?)?,
        checks: false,
        ..RepublishConfig::default()
    };
    let republisher = Republisher::builder(client).config(config).start()?;
    let mut events = republisher.events();
    let start = Instant::now();
    for packet in packets {
        republisher.add(packet).await?;
    }
    let done = || {
        let metrics = republisher.metrics();
        metrics.stored + metrics.thin + metrics.failed
    };
    while done() < count && events.next().await.is_some() {}
    let (seconds, stored) = (start.elapsed().as_secs_f64(), republisher.metrics().stored);
    republisher.shutdown().await;
    Ok(json!({ "seconds": seconds, "done": stored }))
}

fn run<T>(request: &Value, mut call: impl FnMut() -> T) -> Result<Value, Failure> {
    let (rounds, batch) = (number(request, "rounds")?, number(request, "batch")?);
    let mut nanoseconds = Vec::new();
    for _ in 0..rounds {
        let start = Instant::now();
        for _ in 0..batch {
            black_box(call());
        }
        nanoseconds.push(each(start.elapsed(), batch));
    }
    Ok(json!({ "ns": nanoseconds }))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a batch has far fewer calls than a float can count"
)]
fn each(time: Duration, calls: u64) -> f64 {
    time.as_secs_f64() * 1e9 / calls as f64
}

fn zone(records: u64, keypair: &Keypair) -> Result<SignedPacket, Failure> {
    let mut builder = SignedPacket::builder();
    for number in 0..records {
        builder = builder.a(format!("n{number}").as_str().try_into()?, [192, 0, 2, 7].into(), 300);
    }
    Ok(builder.sign(keypair)?)
}

/// A relay over the DHT of `{bootstrap}`.
pub(crate) async fn relay(request: &Value) -> Result<Value, Failure> {
    let client = Client::builder()
        .no_default_network()
        .bootstrap(&list(request, "bootstrap"))
        .dht(|node| node.bind((std::net::Ipv4Addr::LOCALHOST, 0).into()))
        .build()?;
    let server = RelayServer::builder(client)
        .no_rate_limits()
        .max_connections(4_096)
        .bind((std::net::Ipv4Addr::LOCALHOST, 0).into())
        .await?;
    let url = server.url().to_string();
    // It serves until the process ends.
    std::mem::forget(server);
    Ok(json!({ "url": url }))
}
