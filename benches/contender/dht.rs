//! The DHT node as a server and as a client.
//!
//! Separate from the packets, because these rows measure a node and those a library.

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mainstay_dht::{Dht, DhtBuilder, LimitConfig, MutableItem, Testnet};
use mainstay_keys::Keypair;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::Failure;

/// What earlier requests of this process have started.
#[derive(Default)]
pub(crate) struct Started {
    nodes: Vec<Dht>,
    testnets: Vec<Testnet>,
}

impl Started {
    pub(crate) async fn answer(&mut self, op: &str, request: &Value) -> Result<Value, Failure> {
        match op {
            "serve" => {
                let dht = node(&list(request, "bootstrap"))
                    .server_mode(true)
                    .limits(LimitConfig::unlimited())
                    .build()?;
                dht.ready().await;
                let address = dht.local_addr().to_string();
                self.nodes.push(dht);
                Ok(json!({ "address": address }))
            }
            "join" => {
                let dht = node(&list(request, "bootstrap")).build()?;
                let ready = dht.ready().await;
                self.nodes.insert(0, dht);
                Ok(json!({ "ready": ready }))
            }
            "testnet" => {
                let start = Instant::now();
                self.testnets
                    .push(Testnet::new(usize::try_from(number(request, "nodes")?)?).await?);
                Ok(json!({ "ready_ms": milliseconds(start.elapsed()) }))
            }
            "put" => self.many(request, put).await,
            "get" => self.many(request, get).await,
            "idle" => {
                let dht = self.nodes.first().ok_or("no node yet")?;
                let took = (0..number(request, "count")?).map(|_| {
                    let start = Instant::now();
                    black_box(dht.info());
                    milliseconds(start.elapsed())
                });
                Ok(json!({ "ms": took.collect::<Vec<_>>() }))
            }
            other => Err(format!("op {other}: not known").into()),
        }
    }

    async fn many<F>(&self, request: &Value, one: fn(Dht, u64) -> F) -> Result<Value, Failure>
    where
        F: Future<Output = Done> + Send + 'static,
    {
        let dht = self.nodes.first().ok_or("no node yet")?;
        let (first, count) = (number(request, "first")?, number(request, "count")?);
        let places = Arc::new(Semaphore::new(usize::try_from(number(request, "parallel")?)?));
        let start = Instant::now();
        let mut running = Vec::new();
        for index in first..first + count {
            let place = places.clone().acquire_owned().await?;
            let operation = one(dht.clone(), index);
            running.push(tokio::spawn(async move {
                let done = operation.await;
                drop(place);
                done
            }));
        }
        let mut all = Vec::new();
        for one in running {
            all.push(one.await?);
        }
        Ok(json!({
            "seconds": start.elapsed().as_secs_f64(),
            "done": all.iter().filter(|done| done.well).count(),
            "first_ms": all.iter().filter_map(|done| done.first).map(milliseconds).collect::<Vec<_>>(),
            "ms": all.iter().filter(|done| done.well).map(|done| milliseconds(done.whole)).collect::<Vec<_>>(),
        }))
    }
}

/// How one operation ended.
struct Done {
    well: bool,
    first: Option<Duration>,
    whole: Duration,
}

async fn put(dht: Dht, index: u64) -> Done {
    let keypair = Keypair::from_secret_key(&seed(index));
    let Ok(item) = MutableItem::sign_bytes(&keypair, b"", 1, &[b'v'; 100]) else {
        return Done { well: false, first: None, whole: Duration::ZERO };
    };
    let start = Instant::now();
    let well = dht.put_mutable(item, None).await.is_ok();
    Done { well, first: None, whole: start.elapsed() }
}

async fn get(dht: Dht, index: u64) -> Done {
    let key = Keypair::from_secret_key(&seed(index)).public_key();
    let start = Instant::now();
    let mut first = None;
    let mut items = dht.get_mutable(&key, None, None);
    while items.next().await.is_some() {
        first.get_or_insert_with(|| start.elapsed());
    }
    Done { well: first.is_some(), first, whole: start.elapsed() }
}

/// The secret key of the item with this number: the same in every contender.
pub(crate) fn seed(index: u64) -> [u8; 32] {
    let mut seed = [0x42; 32];
    seed[..8].copy_from_slice(&index.to_le_bytes());
    seed
}

fn node(bootstrap: &[String]) -> DhtBuilder {
    Dht::builder().bootstrap(bootstrap).bind((Ipv4Addr::LOCALHOST, 0).into())
}

pub(crate) fn list(request: &Value, member: &str) -> Vec<String> {
    let items = request[member].as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

pub(crate) fn number(request: &Value, member: &str) -> Result<u64, Failure> {
    Ok(request[member].as_u64().ok_or_else(|| format!("{member}: not a number"))?)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
