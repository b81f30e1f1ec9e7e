//! The DHT nodes: mainline and librqbit-dht, as servers and (mainline) as clients.
//!
//! Separate from the packets, because these rows measure a node and those a library.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_lite::StreamExt;
use mainline::async_dht::AsyncDht;
use mainline::{Dht, MutableItem, SigningKey};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::Failure;

/// What earlier requests of this process have started.
#[derive(Default)]
pub struct Started {
    mainline: Vec<Dht>,
    librqbit: Vec<librqbit_dht::Dht>,
}

impl Started {
    pub async fn answer(&mut self, op: &str, request: &Value) -> Result<Value, Failure> {
        match op {
            "serve" => self.serve(request).await,
            "join" => self.join(request).await,
            "testnet" => self.testnet(request).await,
            "put" => self.many(request, put).await,
            "get" => self.many(request, get).await,
            "idle" => self.idle(request).await,
            other => Err(format!("op {other}: not known").into()),
        }
    }

    /// A node that answers queries and knows nobody.
    async fn serve(&mut self, request: &Value) -> Result<Value, Failure> {
        if request["which"] == "librqbit" {
            let config = librqbit_dht::DhtConfig {
                bootstrap_addrs: Some(list(request, "bootstrap")),
                listen_addr: Some((Ipv4Addr::LOCALHOST, 0).into()),
                ..Default::default()
            };
            let dht = librqbit_dht::DhtBuilder::with_config(config).await?;
            let address = dht.listen_addr().to_string();
            while dht.stats().routing_table_size < 40 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            self.librqbit.push(dht);
            return Ok(json!({ "address": address }));
        }
        let dht = node(&list(request, "bootstrap"), true)?;
        dht.clone().as_async().bootstrapped().await;
        let address = dht.clone().as_async().info().await.local_addr().to_string();
        self.mainline.push(dht);
        Ok(json!({ "address": address }))
    }

    async fn join(&mut self, request: &Value) -> Result<Value, Failure> {
        let dht = node(&list(request, "bootstrap"), false)?;
        let ready = dht.clone().as_async().bootstrapped().await;
        self.mainline.insert(0, dht);
        Ok(json!({ "ready": ready }))
    }

    async fn testnet(&mut self, request: &Value) -> Result<Value, Failure> {
        let count = number(request, "nodes")? as usize;
        let start = Instant::now();
        let testnet = mainline::Testnet::builder(count)
            .bind_address(Ipv4Addr::LOCALHOST)
            .seeded(false)
            .build()?;
        let ready = milliseconds(start.elapsed());
        testnet.leak();
        Ok(json!({ "ready_ms": ready }))
    }

    async fn many<F>(&self, request: &Value, one: fn(AsyncDht, u64) -> F) -> Result<Value, Failure>
    where
        F: Future<Output = Done> + Send + 'static,
    {
        let dht = self.mainline.first().ok_or("no node yet")?.clone().as_async();
        let (first, count) = (number(request, "first")?, number(request, "count")?);
        let places = Arc::new(Semaphore::new(number(request, "parallel")? as usize));
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

    async fn idle(&self, request: &Value) -> Result<Value, Failure> {
        let dht = self.mainline.first().ok_or("no node yet")?.clone().as_async();
        let mut took = Vec::new();
        for _ in 0..number(request, "count")? {
            let start = Instant::now();
            std::hint::black_box(dht.info().await);
            took.push(milliseconds(start.elapsed()));
        }
        Ok(json!({ "ms": took }))
    }
}

/// How one operation ended.
struct Done {
    well: bool,
    first: Option<Duration>,
    whole: Duration,
}

async fn put(dht: AsyncDht, index: u64) -> Done {
    let item = MutableItem::new(SigningKey::from_bytes(&seed(index)), &[b'v'; 100], 1, None);
    let start = Instant::now();
    let well = dht.put_mutable(item, None).await.is_ok();
    Done { well, first: None, whole: start.elapsed() }
}

async fn get(dht: AsyncDht, index: u64) -> Done {
    let key = SigningKey::from_bytes(&seed(index)).verifying_key().to_bytes();
    let start = Instant::now();
    let mut first = None;
    let mut items = dht.get_mutable(&key, None, None);
    while items.next().await.is_some() {
        first.get_or_insert_with(|| start.elapsed());
    }
    Done { well: first.is_some(), first, whole: start.elapsed() }
}

/// The secret key of the item with this number: the same in every contender.
pub fn seed(index: u64) -> [u8; 32] {
    let mut seed = [0x42; 32];
    seed[..8].copy_from_slice(&index.to_le_bytes());
    seed
}

fn node(bootstrap: &[String], server: bool) -> Result<Dht, Failure> {
    let mut builder = Dht::builder();
    builder.bootstrap(bootstrap).bind_address(Ipv4Addr::LOCALHOST).port(0);
    if server {
        builder.server_mode();
    }
    Ok(builder.build()?)
}

pub fn list(request: &Value, member: &str) -> Vec<String> {
    let items = request[member].as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

pub fn number(request: &Value, member: &str) -> Result<u64, Failure> {
    Ok(request[member].as_u64().ok_or_else(|| format!("{member}: not a number"))?)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
