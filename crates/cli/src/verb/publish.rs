//! `mainstay publish`: sign a zone and store it in the DHT and at relays.
//!
//! Separate as every verb is.

use mainstay::{
    ConcurrencyError, Freshness, PublishError, PublishOutcome, PublishReport, PublishResult,
    SignedPacket, Timestamp,
};
use serde::Serialize;

use crate::args::{Options, Publish, ZoneInput};
use crate::failure::Failure;
use crate::progress::Progress;
use crate::{input, network, output};

use super::sign;

/// What `publish` prints with `--json`.
#[derive(Debug, Serialize)]
struct Published {
    public_key: String,
    timestamp: u64,
    stored: usize,
    backends: Vec<Backend>,
}

/// What one backend did.
#[derive(Debug, Serialize)]
struct Backend {
    name: String,
    ok: bool,
    nodes: Option<usize>,
    error: Option<String>,
}

pub(crate) async fn run(common: &Options, publish: &Publish) -> Result<(), Failure> {
    let packet = sign::packet(&publish.input)?;
    refuse_unpublishable(&publish.input, &packet)?;
    let client = network::client(common)?;
    let progress = Progress::start(common, format!("publishing {}", packet.public_key()));
    let cas = publish.cas.map(Timestamp::from);
    let published =
        network::within(common, "publishing", client.publish_report(&packet, cas)).await;
    drop(progress);
    let report = published?.map_err(failure)?;
    let published = Published {
        public_key: packet.public_key().to_z32(),
        timestamp: packet.timestamp().as_u64(),
        stored: report.stored_nodes(),
        backends: backends(&report),
    };
    if common.json {
        return output::json(&published);
    }
    let mut text = format!(
        "{} published, timestamp {}, on {} nodes\n",
        published.public_key, published.timestamp, published.stored
    );
    for backend in &published.backends {
        let outcome = match (&backend.error, backend.nodes) {
            (Some(error), _) => error.clone(),
            (None, Some(nodes)) => format!("stored on {nodes} nodes"),
            (None, None) => "stored".to_owned(),
        };
        text.push_str(&format!("  {}: {outcome}\n", backend.name));
    }
    output::text(&text)
}

/// Refuses what nobody would store, or what would lock the key.
fn refuse_unpublishable(input: &ZoneInput, packet: &SignedPacket) -> Result<(), Failure> {
    if let Some(what) = sign::too_large_to_store(packet) {
        let what = format!("{} {what}", input::name(&input.zone));
        return Err(Failure::BadInput { what, source: None });
    }
    let (signed, now) = (packet.timestamp(), Timestamp::clock());
    if Freshness::is_plausible(signed, now) {
        return Ok(());
    }
    let whose = if input.timestamp.is_some() {
        "take a lower --timestamp"
    } else {
        "set the clock of this machine right"
    };
    let what = format!(
        "the timestamp {signed} ({}) is more than two hours ahead of the clock of this machine ({}); published, it \
         would replace whatever you sign until then, so {whose}",
        signed.to_rfc3339(),
        now.to_rfc3339(),
    );
    Err(Failure::BadInput { what, source: None })
}

fn backends(report: &PublishReport) -> Vec<Backend> {
    let backend = |outcome: &PublishOutcome| {
        let (nodes, error) = match &outcome.result {
            PublishResult::Stored { nodes } => (*nodes, None),
            PublishResult::Conflict { conflict } => (None, Some(conflict.to_string())),
            PublishResult::Failed(failure) => (None, Some(failure.to_string())),
            // The outcome names its backend first, and what is unknown here is told whole.
            _ => (None, Some(outcome.to_string())),
        };
        Backend { name: outcome.backend.to_string(), ok: error.is_none(), nodes, error }
    };
    report.outcomes.iter().map(backend).collect()
}

/// A conflict has its own exit code; everything else is the network's.
fn failure(error: PublishError) -> Failure {
    let Some(conflict) = error.concurrency() else {
        return Failure::network("not published", error);
    };
    let refused =
        |outcome: &&PublishOutcome| matches!(outcome.result, PublishResult::Conflict { .. });
    let outcomes = error.report().map_or(&[][..], |report| &report.outcomes);
    let by: Vec<String> =
        outcomes.iter().filter(refused).map(|outcome| outcome.backend.to_string()).collect();
    let mut what = "not published".to_owned();
    if !by.is_empty() {
        what.push_str(&format!(": refused by {}", by.join(", ")));
    }
    if let ConcurrencyError::NotMostRecent { seen: Some(seen) }
    | ConcurrencyError::CasFailed { seen: Some(seen) } = conflict
    {
        what.push_str(&format!("; the packet that stands has timestamp {seen}"));
    }
    Failure::Conflict { what, source: Box::new(conflict) }
}
