//! `mainstay node`: a DHT node that serves until interrupted.
//!
//! Separate as every verb is.

use mainstay::dht::{Dht, DhtBuilder};
use serde::Serialize;

use crate::args::{Node, Options};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::{network, output};

/// What `node` prints first with `--json`.
#[derive(Debug, Serialize)]
struct Started {
    address: String,
    id: String,
}

pub(crate) async fn run(common: &Options, node: &Node) -> Result<(), Failure> {
    let interrupt = Interrupt::listen()?;
    let dht = joined(Dht::builder().bind(node.listen).server_mode(true), common, node.no_bootstrap)
        .build()
        .map_err(|error| network::no_node(format!("cannot listen on {}", node.listen), error))?;
    let started =
        Started { address: dht.local_addr().to_string(), id: dht.info().id().to_string() };
    if common.json {
        output::json(&started)?;
    } else {
        output::text(&format!("node {} on {}", started.id, started.address))?;
    }
    interrupt.wait().await;
    dht.shutdown().await;
    Ok(())
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
