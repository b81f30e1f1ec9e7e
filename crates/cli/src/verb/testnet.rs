//! `mainstay testnet`: a network to try things on, in one process on loopback.
//!
//! Separate as every verb is; the demo runs on the same network.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use mainstay::Client;
use mainstay::dht::Testnet;
use mainstay_relay_server::RelayServer;
use serde::Serialize;

use crate::args::{Options, Testnet as Wanted};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output;
use crate::progress::Progress;

/// Any free port that nobody outside this machine can reach.
pub(crate) const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// What `testnet` prints first with `--json`.
#[derive(Debug, Serialize)]
struct Started<'a> {
    bootstrap: &'a [String],
    relay: String,
}

/// Nodes and a relay in this process.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) testnet: Testnet,
    pub(crate) relay: RelayServer,
}

impl Network {
    /// Brings them up on loopback.
    pub(crate) async fn start(nodes: usize) -> Result<Self, Failure> {
        let testnet = Testnet::new(nodes).await.map_err(|error| {
            Failure::local(format!("cannot start {nodes} nodes on loopback"), error)
        })?;
        let client = Client::builder()
            .no_default_network()
            .bootstrap(&testnet.bootstrap)
            .dht(|node| node.bind(LOOPBACK))
            .build()
            .map_err(|error| Failure::local("cannot start the relay's node", error))?;
        let relay = RelayServer::builder(client)
            .no_rate_limits()
            .bind(LOOPBACK)
            .await
            .map_err(|error| Failure::local("cannot start the relay", error))?;
        Ok(Self { testnet, relay })
    }

    /// Stops them and waits until their ports are free.
    pub(crate) async fn stop(self) {
        self.relay.shutdown().await;
        for node in &self.testnet.nodes {
            node.shutdown().await;
        }
    }
}

pub(crate) async fn run(common: &Options, wanted: &Wanted) -> Result<(), Failure> {
    let interrupt = Interrupt::listen()?;
    let progress = Progress::start(common, format!("starting {} nodes", wanted.nodes));
    let network = Network::start(usize::from(wanted.nodes)).await?;
    drop(progress);
    let started =
        Started { bootstrap: &network.testnet.bootstrap, relay: network.relay.url().to_string() };
    if common.json {
        output::json(&started)?;
    } else {
        let bootstrap = started.bootstrap.join(",");
        output::text(&format!(
            "{} nodes and a relay on loopback; end with Ctrl-C\n\n  mainstay resolve --bootstrap {bootstrap} \\\n      --relay {} NAME",
            wanted.nodes, started.relay
        ))?;
    }
    interrupt.wait().await;
    network.stop().await;
    Ok(())
}
