//! Mainstay beside its peers in one run: the same load, the same network, the same machine, and the ratios.
//!
//! Separate from the benches that know only our own code, because the peers are programs of other people.
//!
//! `cargo xtask bench` sets the peers up and runs this; the rows that can be chosen are those of `PARTS`.
#![allow(clippy::print_stdout, reason = "its table is what it is for")]
#![allow(clippy::indexing_slicing, reason = "the bytes are our own")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "figures for people"
)]

mod client;
mod contenders;
mod figures;
mod load;
mod network;
mod packets;
mod process;
mod relay;
mod republish;
mod server;
mod testnet;

use std::process::ExitCode;

/// A group of rows by its name.
type Part = (&'static str, fn(&contenders::Contenders, bool) -> Result<(), String>);

const PARTS: [Part; 6] = [
    ("server", server::run),
    ("client", client::run),
    ("testnet", testnet::run),
    ("packets", packets::run),
    ("relay", relay::run),
    ("republish", republish::run),
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let quick = words.iter().any(|word| word == "--quick");
    let chosen: Vec<&String> = words.iter().filter(|word| *word != "--quick").collect();
    if let Some(unknown) = chosen.iter().find(|word| PARTS.iter().all(|(name, _)| name != *word)) {
        println!(
            "{unknown}: no such part; there are server, client, testnet, packets, relay and republish, and --quick"
        );
        return ExitCode::FAILURE;
    }
    let contenders = contenders::Contenders::find();
    let mut code = ExitCode::SUCCESS;
    for (name, run) in PARTS {
        if !chosen.is_empty() && chosen.iter().all(|word| *word != name) {
            continue;
        }
        if let Err(error) = run(&contenders, quick) {
            println!("{name}: {error}");
            code = ExitCode::FAILURE;
        }
    }
    code
}
