//! Whole DHT nodes on a virtual network: how they join, store, find, refuse and survive.
//! One binary, because every test needs the same swarm and none needs a socket.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    reason = "helpers of tests are tests"
)]

mod swarm;

mod amplification;
mod attacks;
mod both;
mod crowd;
mod crowding;
mod eviction;
mod extend;
mod families;
mod figures;
mod floods;
mod hostile;
mod join;
mod liveness;
mod lookup;
mod outage;
mod paths;
mod private;
mod quotas;
mod republish;
mod restart;
mod rounds;
mod sampled;
mod scripted;
mod serving;
mod serving_six;
mod store;
mod survival;
