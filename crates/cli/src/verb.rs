//! The verbs, one file each.
//!
//! Separate from the words of the command line, which only say what was asked for.

mod completions;
mod demo;
mod dht;
mod key;
mod node;
mod publish;
mod relay;
mod republish;
mod resolve;
mod sign;
mod testnet;
mod verify;

use crate::args::{Arguments, Verb};
use crate::failure::Failure;
use crate::network;

/// Does what was asked for.
pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let common = &arguments.common;
    network::refuse_meaningless(common, &arguments.verb)?;
    match arguments.verb {
        Verb::Key(key) => key::run(common, key),
        Verb::Sign(sign) => sign::run(common, &sign),
        Verb::Verify(verify) => verify::run(common, &verify),
        Verb::Publish(publish) => publish::run(common, &publish).await,
        Verb::Resolve(resolve) => resolve::run(common, &resolve).await,
        Verb::Republish(republish) => republish::run(common, &republish).await,
        Verb::Node(node) => node::run(common, &node).await,
        Verb::Dht(verb) => dht::run(common, &verb).await,
        Verb::Relay(relay) => relay::run(common, &relay).await,
        Verb::Testnet(testnet) => testnet::run(common, &testnet).await,
        Verb::Demo => demo::run(common).await,
        Verb::Completions(completions) => completions::run(&completions),
    }
}
