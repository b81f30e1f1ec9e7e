//! How the relay is: for load balancers, dashboards and people.
//!
//! Separate from what it is for. None of it tells who asks, or whom the node knows.

use hyper::{Response, StatusCode};
use mainstay_client::dht::Dht;
use serde::Serialize;

use crate::answer;
use crate::body::Body;
use crate::metrics::Gauges;
use crate::service::{Relay, Settings};

const VERSION: &str = env!("CARGO_PKG_VERSION");

#[derive(Debug, Serialize)]
struct Health {
    status: &'static str,
    version: &'static str,
    nodes: usize,
    cached_packets: usize,
}

#[derive(Debug, Serialize)]
struct Info {
    name: &'static str,
    version: &'static str,
    uptime_seconds: u64,
    dht: DhtInfo,
    cache: CacheInfo,
    limits: Limits,
    paths: [&'static str; 9],
    policies: [&'static str; 3],
}

#[derive(Debug, Serialize)]
struct DhtInfo {
    joined: bool,
    nodes: usize,
    /// How many nodes the whole network is estimated to have.
    network_size: Option<u64>,
    server_mode: bool,
}

#[derive(Debug, Serialize)]
struct CacheInfo {
    packets: usize,
    capacity: usize,
    durable: bool,
    minimum_ttl: u32,
    maximum_ttl: u32,
}

#[derive(Debug, Serialize)]
struct Limits {
    enabled: bool,
    quota: String,
    user_dht_quota: String,
    max_batch: usize,
    max_keys_per_watch: usize,
}

/// `/health`: that the process serves, and what it is connected to.
pub(crate) fn health(relay: &Relay) -> Response<Body> {
    let gauges = gauges(relay);
    answer::json(&Health {
        status: if gauges.joined { "ok" } else { "joining" },
        version: VERSION,
        nodes: gauges.nodes,
        cached_packets: gauges.cached,
    })
}

/// `/ready`: 200 as soon as the DHT is joined and until the relay is told to stop; else 503.
pub(crate) fn ready(relay: &Relay) -> Response<Body> {
    let joined = relay.client.dht().is_none_or(|dht| dht.bootstrapped());
    let (status, line) = match (*relay.stopped.borrow(), joined) {
        (true, _) => (StatusCode::SERVICE_UNAVAILABLE, "ending\n"),
        (false, false) => (StatusCode::SERVICE_UNAVAILABLE, "joining the DHT\n"),
        (false, true) => (StatusCode::OK, "ready\n"),
    };
    answer::text(status, line)
}

/// `/info`: what it is and what it allows, as JSON.
pub(crate) fn info(relay: &Relay, settings: &Settings) -> Response<Body> {
    let gauges = gauges(relay);
    let dht = relay.client.dht().map(|dht| dht.info());
    let (freshness, config) = (relay.client.freshness(), &settings.config);
    answer::json(&Info {
        name: "mainstay-relay",
        version: VERSION,
        uptime_seconds: relay.metrics.uptime().as_secs(),
        dht: DhtInfo {
            joined: gauges.joined,
            nodes: gauges.nodes,
            network_size: dht.as_ref().and_then(mainstay_client::dht::Info::network_size),
            server_mode: dht.as_ref().is_some_and(mainstay_client::dht::Info::server_mode),
        },
        cache: CacheInfo {
            packets: gauges.cached,
            capacity: gauges.capacity,
            durable: relay.durable,
            minimum_ttl: freshness.minimum_ttl(),
            maximum_ttl: freshness.maximum_ttl(),
        },
        limits: Limits {
            enabled: config.rate_limiter.enabled,
            quota: config.rate_limiter.quota.to_string(),
            user_dht_quota: config.rate_limiter.user_dht_quota.to_string(),
            max_batch: config.http.max_batch,
            max_keys_per_watch: config.watch.max_keys_per_watch,
        },
        paths: [
            "/{key}",
            "/pkarr/{key}",
            "/records/{key}",
            "/packets",
            "/watch",
            "/health",
            "/ready",
            "/info",
            "/",
        ],
        policies: ["CacheOnly", "CacheFirst", "NetworkOnly"],
    })
}

/// `/metrics`: the numbers.
pub(crate) fn metrics(relay: &Relay) -> Response<Body> {
    let text = relay.metrics.to_text(gauges(relay));
    answer::document("text/plain; version=0.0.4; charset=utf-8", text)
}

pub(crate) fn gauges(relay: &Relay) -> Gauges {
    let dht = relay.client.dht();
    let cache = relay.client.cache();
    let (watches, watched) = relay.watches.counts();
    Gauges {
        cached: cache.map_or(0, mainstay_client::Cache::len),
        capacity: cache.map_or(0, mainstay_client::Cache::capacity),
        nodes: dht.as_ref().map_or(0, |dht| dht.info().nodes()),
        joined: dht.as_ref().is_some_and(Dht::bootstrapped),
        searching: relay.lookups.len(),
        watches,
        watched,
    }
}
