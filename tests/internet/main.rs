//! Real nodes before a simulated internet: what must hold whatever the network does, seed by seed.
//! One binary, because every test needs the same world and none a socket. `cargo xtask test --sim N` runs more seeds.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::print_stdout,
    reason = "helpers of tests are tests"
)]

mod asking;
mod life;
mod properties;
mod scenarios;
mod siege;
mod traversal;
