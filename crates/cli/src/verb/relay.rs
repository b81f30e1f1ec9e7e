//! `mainstay relay`: an HTTP relay in front of a DHT node of its own.
//!
//! Separate as every verb is.

use std::net::SocketAddr;

use mainstay::{BuildError, Client};
use mainstay_relay_server::RelayServer;
use serde::Serialize;

use crate::args::{Options, Relay};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::{network, output};

use super::node::joined;

/// For how many seconds a key that nobody knows is denied from memory: one search serves a flood of requests for it.
const ABSENCE: u32 = 5;

/// What `relay` prints first with `--json`.
#[derive(Debug, Serialize)]
struct Started {
    url: String,
    dht: Option<String>,
}

pub(crate) async fn run(common: &Options, relay: &Relay) -> Result<(), Failure> {
    if common.no_dht {
        let what = "a relay serves what is in the DHT; leave --no-dht out".to_owned();
        return Err(Failure::BadInput { what, source: None });
    }
    let interrupt = Interrupt::listen()?;
    let dht_listen = relay.dht_listen.unwrap_or(SocketAddr::new(relay.listen.ip(), 0));
    let alone = relay.no_bootstrap;
    let client = Client::builder()
        .no_relays()
        .cache_size(relay.cache_size)
        .request_timeout(common.timeout.min(network::REQUEST))
        .negative_ttl(ABSENCE)
        .dht(|builder| joined(builder.bind(dht_listen).server_mode(true), common, alone))
        .build()
        .map_err(|error| match error {
            BuildError::Dht(error) => {
                network::no_node(format!("cannot start the DHT node on {dht_listen}"), error)
            }
            other => Failure::local("cannot start the relay", other),
        })?;
    let dht = client.dht();
    let server = RelayServer::builder(client)
        .max_connections(relay.max_connections)
        .bind(relay.listen)
        .await
        .map_err(|error| Failure::local(format!("cannot serve HTTP on {}", relay.listen), error))?;
    let address = dht.as_ref().map(|dht| dht.local_addr().to_string());
    let started = Started { url: server.url().to_string(), dht: address };
    if common.json {
        output::json(&started)?;
    } else {
        let dht = started.dht.as_deref().unwrap_or("off");
        output::text(&format!("relay at {}, its DHT node on {dht}", started.url))?;
    }
    interrupt.wait().await;
    server.shutdown().await;
    if let Some(dht) = dht {
        dht.shutdown().await;
    }
    Ok(())
}
