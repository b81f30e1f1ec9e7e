//! Kademlia without a network: the XOR metric, a routing table and an iterative lookup.
//! A crate of its own so that any overlay (any hash, any transport) can stand on the same code.
//!
//! Nothing here opens a socket, reads a clock or draws randomness. Time comes in as an
//! [`Instant`](std::time::Instant), random bytes come in as a closure, and answers come in as
//! method calls; the same calls in the same order give the same results, always.
//!
//! | part | holds | asks its owner to |
//! |---|---|---|
//! | [`Id`], [`Distance`] | the metric | – |
//! | [`Contact`] | what an owner must tell about a node | implement it for its own node type |
//! | [`Table`] | the nodes worth remembering, in buckets around our own id | ping [`next_to_ping`](Table::next_to_ping), refresh [`stale_bucket`](Table::stale_bucket) |
//! | [`Lookup`] | one walk towards a target | send to each contact that [`next`](Lookup::next) names, and report what came of it |
//! | [`SizeEstimator`] | how many nodes the network has, from finished walks | hand in each settled lookup's closest set |
//!
//! The shape is that of the Kademlia paper and of
//! [BEP 5](https://www.bittorrent.org/beps/bep_0005.html); each type says where it departs
//! from them and why.

mod contact;
mod id;
mod lookup;
mod size;
mod table;

pub use contact::Contact;
pub use id::{Distance, Id, ParseIdError};
pub use lookup::{Answer, Ending, Lookup, LookupConfig, Outcome, Phase, Responder, Stats};
pub use size::{SizeEstimate, SizeEstimator};
pub use table::{
    BucketSummary, Entry, Failure, Heard, Insert, Nearest, Refusal, Status, Table, TableConfig,
};

#[cfg(test)]
mod testing;
