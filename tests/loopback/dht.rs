//! `mainstay-dht` on real sockets: nodes that join, store and find, and drivers that survive.
//! The protocol's rules are proven on the simulated network; here it is the plumbing that is tested.

mod faults;
mod homes;
mod items;
mod lifecycle;
mod peers;
mod sampling;
mod sockets;
mod state;
mod testnet;

use std::net::SocketAddr;

use mainstay_dht::{Dht, DhtBuilder, Testnet};

/// Any free port of 127.0.0.1.
fn loopback() -> SocketAddr {
    "127.0.0.1:0".parse().expect("an address")
}

/// Configures a client of a test network.
fn client_of(testnet: &Testnet) -> DhtBuilder {
    Dht::builder().bootstrap(&testnet.bootstrap).bind(loopback())
}

/// A client that has joined a test network.
async fn joined(testnet: &Testnet) -> Dht {
    let dht = client_of(testnet).build().expect("a free port");
    assert!(dht.ready().await, "the client could not join");
    dht
}
