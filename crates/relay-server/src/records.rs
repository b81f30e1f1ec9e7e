//! What a packet says, for people and scripts: its records, its age, and who holds it.
//!
//! Separate from the page that shows it and from the packets that are served as they were signed. A signature covers
//! the whole packet, so what is served as a packet is served whole; what is shown here as records are those under the
//! key's own name alone, since a record about any other name proves nothing.

use std::net::SocketAddr;

use hyper::Response;
use mainstay_client::dht::{StepKind, TraceStep, TraceStream};
use mainstay_client::{Cached, Policy};
use mainstay_keys::PublicKey;
use mainstay_packets::{Record, SignedPacket, Timestamp, type_name};
use serde::Serialize;

use crate::answer::{self, Refusal};
use crate::body::Body;
use crate::limits::Source;
use crate::packets::{self, parse_key, parse_policy};
use crate::route::parameter;
use crate::service::{Question, Relay, Settings};

/// How many searches one relay watches step by step at once; who comes later is answered without the nodes.
pub(crate) const TRACED: usize = 8;

/// A packet as it is shown.
#[derive(Debug, Serialize)]
pub(crate) struct View {
    pub(crate) public_key: String,
    /// Microseconds since 1970, as signed.
    pub(crate) timestamp: u64,
    /// The same, to read.
    pub(crate) signed: String,
    /// When the network last confirmed it.
    pub(crate) last_seen: String,
    /// Seconds since then.
    pub(crate) age: u64,
    /// For how many seconds it may be kept.
    pub(crate) max_age: u64,
    /// How many bytes its records take, of the 996 that nodes store.
    pub(crate) bytes: usize,
    pub(crate) records: Vec<Shown>,
    /// How many records of other names were left out.
    pub(crate) left_out: usize,
    /// The nodes that hold it; nothing where they were not looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) nodes: Option<Vec<Holder>>,
}

/// A record, as in a zone file.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) ttl: u32,
    pub(crate) data: String,
}

/// A node that gave the packet.
#[derive(Debug, Serialize)]
pub(crate) struct Holder {
    pub(crate) address: SocketAddr,
    pub(crate) id: Option<String>,
}

impl View {
    pub(crate) fn new(relay: &Relay, cached: &Cached, nodes: Option<Vec<Holder>>) -> Self {
        let Cached { packet, last_seen } = cached;
        let ours = |record: &Record<'_>| record.in_zone();
        let records: Vec<Shown> =
            packet.all_resource_records().filter(ours).map(|record| shown(&record)).collect();
        let all = packet.all_resource_records().count();
        Self {
            public_key: packet.public_key().to_z32(),
            timestamp: packet.timestamp().as_u64(),
            signed: packet.timestamp().to_rfc3339(),
            last_seen: last_seen.to_rfc3339(),
            age: Timestamp::clock().saturating_duration_since(*last_seen).as_secs(),
            max_age: answer::remaining(cached, relay.client.freshness()).as_secs(),
            bytes: packet.encoded_packet().len(),
            left_out: all.saturating_sub(records.len()),
            records,
            nodes,
        }
    }
}

fn shown(record: &Record<'_>) -> Shown {
    Shown {
        name: record.name().relative(),
        kind: type_name(record.rtype()).into_owned(),
        ttl: record.ttl(),
        data: record.data_text(),
    }
}

/// `GET /records/<key>`: as JSON, by the policy; with `nodes=1` the network is asked, and who holds the packet is told.
pub(crate) async fn answer(
    question: &Question<'_>,
    source: &Source,
    key: &str,
) -> Result<Response<Body>, Refusal> {
    let key = parse_key(key)?;
    let policy = parse_policy(question.query)?;
    let (relay, settings) = (question.relay, question.settings);
    let (cached, nodes) = if parameter(question.query, "nodes").as_deref() == Some("1") {
        with_holders(relay, settings, source, &key).await?
    } else {
        (packets::find(relay, settings, source, &key, policy).await?, None)
    };
    Ok(answer::json(&View::new(relay, &cached, nodes)))
}

/// The newest packet of the key that the network has, and which nodes gave it.
pub(crate) async fn with_holders(
    relay: &Relay,
    settings: &Settings,
    source: &Source,
    key: &PublicKey,
) -> Result<(Cached, Option<Vec<Holder>>), Refusal> {
    let dht = relay.client.dht();
    let (Some(dht), Ok(_permit)) = (dht, relay.traced.try_acquire()) else {
        let cached = packets::ask(relay, settings, source, key, Policy::MostRecent).await?;
        return Ok((cached, None));
    };
    let mut trace = dht.trace().await;
    let mut steps = Vec::new();
    let asked = {
        let mut asked =
            std::pin::pin!(packets::ask(relay, settings, source, key, Policy::MostRecent));
        loop {
            tokio::select! {
                asked = &mut asked => break asked,
                step = next(&mut trace) => note(&mut steps, step),
            }
        }
    }?;
    while let Some(step) = trace.try_next() {
        note(&mut steps, step);
    }
    let nodes = holders(&asked.packet, &steps);
    Ok((asked, nodes))
}

/// The next step; never, once there are none, so that what it races against wins.
async fn next(trace: &mut TraceStream) -> TraceStep {
    match trace.next().await {
        Some(step) => step,
        None => std::future::pending().await,
    }
}

/// Keeps the steps that gave a value, as many as one search can have.
fn note(steps: &mut Vec<TraceStep>, step: TraceStep) {
    if matches!(step.step.what, StepKind::Value { .. }) && steps.len() < TraceStream::QUEUE {
        steps.push(step);
    }
}

fn holders(packet: &SignedPacket, steps: &[TraceStep]) -> Option<Vec<Holder>> {
    let item = packet.to_mutable_item().ok()?;
    let (target, seq) = (item.target(), item.seq());
    let mut holders: Vec<Holder> = Vec::new();
    for TraceStep { target: of, step, .. } in steps {
        let this = *of == Some(target) && step.what == StepKind::Value { seq: Some(seq) };
        if this && holders.iter().all(|holder| holder.address != step.addr) {
            let id = step.id.map(|id| id.to_string());
            holders.push(Holder { address: step.addr, id });
        }
    }
    // A search that had begun before us was not watched.
    Some(holders).filter(|holders| !holders.is_empty())
}
