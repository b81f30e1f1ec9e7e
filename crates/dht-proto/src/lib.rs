//! A whole Mainline DHT node as a pure state machine: BEPs 5, 32, 33, 42, 43, 44 and 51 over `kad` and `krpc`.
//! It has no socket, no clock and no randomness of its own, so that one seed replays a whole network.
//!
//! # The one rule
//!
//! Give the [`Node`] one input ([`Node::handle_datagram`], [`Node::handle_timeout`] or an ask), then drain
//! [`Node::poll_transmit`] and [`Node::poll_event`] until both are empty, then sleep until the next datagram,
//! ask, or [`Node::poll_timeout`]. Time is given with each input and never goes back.

mod ask;
mod asks;
mod config;
mod contact;
mod event;
mod external;
mod goal;
mod limits;
mod network;
mod node;
mod put;
mod report;
mod rtt;
mod scope;
mod search;
mod server;
mod store;
#[cfg(test)]
mod testing;
mod timers;
mod tokens;
mod transactions;
mod upkeep;
mod wire;

pub use ask::{Ask, QueryId};
pub use config::{AddressPolicy, Config, LimitConfig, StoreConfig};
pub use event::{Event, Outcome, RemoteNode, Source, Step, StepKind, Transmit};
pub use node::Node;
pub use report::{
    Counters, FamilyInfo, Info, LookupError, LookupReport, PutError, PutReport, Samples,
};
