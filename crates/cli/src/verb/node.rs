//! `mainstay node`: a DHT node that serves until interrupted.
//!
//! Separate as every verb is.

mod told;

use std::time::Instant;

use mainstay::dht::{Counters, Dht, DhtBuilder, EventStream};
use serde::Serialize;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::args::{Node, Options};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::lines::Lines;
use crate::{log, network, output};

/// What `node` prints first with `--json`.
#[derive(Debug, Serialize)]
struct Started {
    address: String,
    addresses: Vec<String>,
    id: String,
}

pub(crate) async fn run(common: &Options, node: &Node) -> Result<(), Failure> {
    let interrupt = Interrupt::listen()?;
    let dht = configured(common, node).build().map_err(|error| {
        let listen: Vec<String> = node.listen.iter().map(ToString::to_string).collect();
        network::no_node(format!("cannot run a node on {}", listen.join(" and ")), error)
    })?;
    let events = dht.events().await;
    let started = Started {
        address: dht.local_addr().to_string(),
        addresses: dht.local_addrs().iter().map(ToString::to_string).collect(),
        id: dht.info().id().to_string(),
    };
    if common.json {
        output::json(&started)?;
    } else {
        output::text(&format!("node {} on {}", started.id, started.addresses.join(" and ")))?;
    }
    let mut watch = Watch { events, json: common.json };
    tokio::select! {
        () = interrupt.wait() => {}
        () = watch.tell() => {
            let gone = std::io::Error::other("its task has ended");
            return Err(Failure::local("the node has stopped by itself", gone));
        }
        failure = inform(&dht, node.info_every.map(interval)) => return Err(failure),
    }
    dht.shutdown().await;
    // The last one says how the state was saved.
    watch.tell().await;
    Ok(())
}

fn configured(common: &Options, node: &Node) -> DhtBuilder {
    let mut builder =
        joined(Dht::builder().server_mode(true).adaptive(node.adaptive), common, node.no_bootstrap);
    let mut first: Vec<bool> = Vec::new();
    for address in &node.listen {
        let again = first.contains(&address.is_ipv4());
        first.push(address.is_ipv4());
        builder = if again { builder.also_bind(*address) } else { builder.bind(*address) };
    }
    match &node.state {
        Some(file) => builder.state_file(file),
        None => builder,
    }
}

/// The builder with the bootstrap nodes asked for.
pub(crate) fn joined(builder: DhtBuilder, common: &Options, alone: bool) -> DhtBuilder {
    if alone {
        builder.no_bootstrap()
    } else if common.bootstrap.is_empty() {
        builder
    } else {
        builder.bootstrap(&common.bootstrap)
    }
}

/// What happens to the node, on standard error.
struct Watch {
    events: EventStream,
    json: bool,
}

impl Watch {
    /// Tells each event as it comes; returns when the node is gone.
    async fn tell(&mut self) {
        while let Some(event) = self.events.next().await {
            let line = if self.json { told::json(&event) } else { told::text(&event) };
            log::say(line.into_bytes());
        }
    }
}

/// Prints what the node knows, again and again; returns only when standard output is gone.
async fn inform(dht: &Dht, ticks: Option<Interval>) -> Failure {
    let Some(mut ticks) = ticks else { return std::future::pending().await };
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    // The first tick comes at once, before there is anything to tell.
    ticks.tick().await;
    // Who does not read a line in time misses the next.
    let lines = Lines::to(std::io::stdout(), 1);
    let mut earlier = (Instant::now(), Counters::default());
    loop {
        let at = ticks.tick().await.into_std();
        let info = dht.info();
        let line = told::info(&info, &earlier.1, at.saturating_duration_since(earlier.0));
        earlier = (at, info.counters());
        if let Err(error) = lines.push(format!("{line}\n").into_bytes()) {
            return Failure::Output(error);
        }
    }
}
