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
//! | [`Book`] | thousands of nodes that answered once | tell it what came of each query |
//! | [`Lookup`] | one walk towards a target | send to each contact that [`next`](Lookup::next) names, and report what came of it |
//! | [`Paths`] | several walks towards one target that share no node | as a lookup |
//! | [`SizeEstimator`] | how many nodes the network has, from finished walks | hand in each settled lookup's closest set |
//!
//! A whole search, with the network left out:
//!
//! ```
//! use mainstay_kad::{Contact, Id, Lookup, LookupConfig, Phase, Table, TableConfig};
//! use std::{net::{IpAddr, SocketAddr}, time::{Duration, Instant}};
//!
//! #[derive(Debug, Clone, Copy, PartialEq)]
//! struct Peer { id: Id<4>, address: SocketAddr }
//!
//! impl Contact<4> for Peer {
//!     type Address = SocketAddr;
//!     type Host = IpAddr;
//!     type Subnet = IpAddr;
//!     type Provider = IpAddr;
//!     fn id(&self) -> Id<4> { self.id }
//!     fn address(&self) -> SocketAddr { self.address }
//!     fn host(&self) -> IpAddr { self.address.ip() }
//!     fn subnet(&self) -> IpAddr { self.address.ip() }
//!     fn provider(&self) -> IpAddr { self.address.ip() }
//! }
//!
//! let peer = |last: u8| Peer { id: Id::from([0, 0, 0, last]), address: ([10, 0, 0, last], 6881).into() };
//! let (own, target, now) = (Id::from([0xff; 4]), Id::from([0; 4]), Instant::now());
//!
//! // The table knows one node, which has answered us.
//! let mut table = Table::new(own, TableConfig::default());
//! table.responded(now, peer(9), Duration::from_millis(40));
//!
//! // The walk begins there. `()` is what we note of each answer: nothing.
//! let mut lookup: Lookup<Peer, 4, ()> = Lookup::new(target, LookupConfig::default()).excluding(own);
//! for seed in table.closest(&target, 8) {
//!     lookup.add(*seed);
//! }
//! while !matches!(lookup.phase(), Phase::Settled(_)) {
//!     let Some(asked) = lookup.next() else { break };
//!     // Here a query would go out and its answer come in: this one names two closer nodes.
//!     let named = if asked == peer(9) { vec![peer(1), peer(5)] } else { Vec::new() };
//!     table.responded(now, asked, Duration::from_millis(40));
//!     lookup.responded(asked, (), named);
//! }
//! let found: Vec<Peer> = lookup.responders().map(|(peer, ())| *peer).collect();
//! assert_eq!(found, [peer(1), peer(5), peer(9)]);
//! assert_eq!(table.len(), 3);
//! ```
//!
//! The shape is that of the Kademlia paper and of
//! [BEP 5](https://www.bittorrent.org/beps/bep_0005.html); each type says where it departs
//! from them and why.

#![forbid(unsafe_code)]

mod book;
mod contact;
mod id;
mod lean;
mod lookup;
mod size;
mod table;

pub use book::{Book, BookConfig, Known, Noted};
pub use contact::Contact;
pub use id::{Distance, Id, ParseIdError};
pub use lookup::{
    Answer, Ending, Lookup, LookupConfig, Outcome, Paths, Phase, Responder, Sparing, Stats,
};
pub use size::{SizeEstimate, SizeEstimator};
pub use table::{
    BucketSummary, Entry, Failure, Heard, Insert, Nearest, Refusal, Status, Table, TableConfig,
};

#[cfg(test)]
mod testing;
