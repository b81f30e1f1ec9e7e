//! `mainstay dht`: questions to the Mainline DHT itself, for whoever wants to look at it.
//!
//! Separate as every verb is.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mainstay::dht::{
    AskOptions, Dht, GetError, GetStream, PingError, PutError, RemoteNode, SampleConfig,
};
use serde_json::{Value, json};

use super::node::joined;
use crate::args::{DhtVerb, Options, SampleWalk};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::{network, output};

pub(crate) async fn run(common: &Options, verb: &DhtVerb) -> Result<(), Failure> {
    let dht = joined(Dht::builder(), common, false)
        .build()
        .map_err(|error| network::no_node("cannot start a node", error))?;
    if let DhtVerb::Sample(wanted) = verb {
        return sample(common, &dht, wanted).await;
    }
    let answer = network::within(common, "the DHT", answer(common, &dht, verb)).await??;
    let nothing = answer.as_object().is_some_and(|answer| {
        answer.values().all(|value| value.as_array().is_some_and(Vec::is_empty))
    });
    if nothing {
        return Err(Failure::NotFound { what: "nobody has announced it".to_owned() });
    }
    show(common, &answer)
}

async fn answer(common: &Options, dht: &Dht, verb: &DhtVerb) -> Result<Value, Failure> {
    let began = Instant::now();
    let ready = tokio::time::timeout(network::before(common.timeout), dht.ready()).await;
    if ready.is_err() && !matches!(verb, DhtVerb::Ping { .. }) {
        // Nothing was asked yet, so there is nothing to tell but this.
        return Err(nobody(common));
    }
    let left = common.timeout.saturating_sub(began.elapsed());
    let deadline = Some(network::before(left));
    let dht = &dht.with_options(AskOptions { deadline, ..AskOptions::default() });
    match verb {
        DhtVerb::Ping { address } => {
            let pong = dht
                .ping(*address)
                .await
                .map_err(|error: PingError| Failure::network("no node was heard there", error))?;
            let millis = pong.round_trip.as_secs_f64() * 1000.0;
            Ok(json!({ "id": pong.node.id.to_string(), "milliseconds": millis }))
        }
        DhtVerb::Find { target } => {
            let nodes = dht.find_node(*target).await.map_err(unanswered)?;
            Ok(json!({ "nodes": nodes.iter().map(node).collect::<Value>() }))
        }
        DhtVerb::Peers { info_hash, no_seeds } => {
            let stream =
                if *no_seeds { dht.get_downloaders(*info_hash) } else { dht.get_peers(*info_hash) };
            Ok(json!({ "peers": peers(stream).await? }))
        }
        DhtVerb::Announce { info_hash, port, seed } => {
            let announced = if *seed {
                dht.announce_seed(*info_hash, *port).await
            } else {
                dht.announce_peer(*info_hash, *port).await
            };
            let report = announced.map_err(|error: PutError| {
                Failure::network("nobody took the announcement", error)
            })?;
            Ok(json!({ "stored": report.stored, "refused": report.refused.len() }))
        }
        DhtVerb::Scrape { info_hash } => {
            let scrape = dht.scrape(*info_hash).await.map_err(unanswered)?;
            Ok(json!({
                "seeds": scrape.seed_count(),
                "downloaders": scrape.downloader_count(),
                "nodes": scrape.nodes,
            }))
        }
        // It has more than one answer, and its own way to give them.
        DhtVerb::Sample(_) => Ok(Value::Null),
    }
}

async fn peers(mut stream: GetStream<Vec<SocketAddr>>) -> Result<Vec<String>, Failure> {
    let mut all = Vec::new();
    while let Some(peers) = stream.next().await {
        all.extend(peers.iter().map(ToString::to_string));
    }
    match stream.report() {
        Some(Err(error)) if all.is_empty() => Err(unanswered(error)),
        _ => Ok(all),
    }
}

/// Walks until everybody was asked, or as many as were wanted, or until interrupted; then says what it came to.
async fn sample(common: &Options, dht: &Dht, wanted: &SampleWalk) -> Result<(), Failure> {
    let interrupt = Interrupt::listen()?;
    if !network::within(common, "the DHT", dht.ready()).await? {
        return Err(Failure::Network { what: "nobody to join through".to_owned(), source: None });
    }
    let mut walk =
        dht.sample_walk(SampleConfig { most_nodes: wanted.nodes, ..SampleConfig::default() });
    let mut interrupted = std::pin::pin!(interrupt.wait());
    loop {
        let sampled = tokio::select! {
            sampled = walk.next() => sampled,
            () = &mut interrupted => None,
        };
        let Some(sampled) = sampled else { break };
        if common.json {
            let hashes = sampled.info_hashes.iter().map(ToString::to_string);
            output::json(&json!({
                "node": node(&sampled.node),
                "info_hashes": hashes.collect::<Vec<_>>(),
                "total": sampled.total,
                "interval": seconds(sampled.interval),
            }))?;
        } else {
            for info_hash in &sampled.info_hashes {
                output::text(&info_hash.to_string())?;
            }
        }
    }
    let report = walk.report();
    let sum = json!({
        "asked": report.asked,
        "answered": report.answered,
        "info_hashes": report.info_hashes,
        "held": report.held,
        "network_size": dht.info().network_size(),
    });
    if common.json {
        output::json(&sum)
    } else {
        crate::log::say(format!("{}\n", words(&sum)).into_bytes());
        Ok(())
    }
}

fn show(common: &Options, answer: &Value) -> Result<(), Failure> {
    if common.json { output::json(answer) } else { output::text(&words(answer)) }
}

/// A list as lines, anything else as names and values.
fn words(value: &Value) -> String {
    match value {
        Value::Object(fields) if fields.values().all(Value::is_array) => {
            let items = fields.values().filter_map(Value::as_array).flatten();
            items.map(words).collect::<Vec<_>>().join("\n")
        }
        Value::Object(fields) => {
            let named = fields.iter().map(|(name, value)| format!("{name} {}", words(value)));
            named.collect::<Vec<_>>().join(", ")
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn node(node: &RemoteNode) -> Value {
    json!({ "id": node.id.to_string(), "address": node.addr.to_string() })
}

fn seconds(interval: Duration) -> u64 {
    interval.as_secs()
}

/// Nobody to join through answered in the time there was.
fn nobody(common: &Options) -> Failure {
    let through = match common.bootstrap.as_slice() {
        [] => "the hosts that introduce newcomers".to_owned(),
        named => named.join(", "),
    };
    let what = format!(
        "nobody to join through: {through} did not answer within {} seconds",
        common.timeout.as_secs_f64()
    );
    Failure::Network { what, source: None }
}

fn unanswered(error: GetError) -> Failure {
    Failure::network("the DHT could not be asked", error)
}
