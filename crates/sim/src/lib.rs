//! A virtual network for any sans-IO node: latency, loss, NAT, reordering, partitions; seeded.
//! A crate of its own, knowing nothing of ours, so that every state machine can be run on it.
//!
//! A node is anything that implements [`Machine`]: datagrams and time go in, datagrams and its
//! next deadline come out. [`Network`] owns the nodes, a queue of events and a clock that jumps
//! from event to event, so an hour of simulated time costs what its packets cost.
//!
//! The same seed, the same machines and the same calls give the same run, packet for packet:
//! [`Network::trace`] is a hash of everything that happened, to compare two runs by. Chance is drawn
//! for each packet from the seed, its ends, its time and its bytes, so that a host more or less
//! does not change what the others meet with.
//!
//! Hosts that need not be nodes, by the million, are a [`Backdrop`].
//!
//! ```
//! use mainstay_sim::{Datagram, Host, Latency, Link, Machine, Network};
//! use std::{net::SocketAddr, time::{Duration, Instant}};
//!
//! /// Sends everything back.
//! struct Echo(Vec<Datagram>);
//!
//! impl Machine for Echo {
//!     fn handle_datagram(&mut self, _now: Instant, from: SocketAddr, bytes: &[u8]) {
//!         self.0.push(Datagram { to: from, payload: bytes.to_vec() });
//!     }
//!     fn handle_timeout(&mut self, _now: Instant) {}
//!     fn poll_transmit(&mut self) -> Option<Datagram> {
//!         self.0.pop()
//!     }
//!     fn poll_timeout(&mut self) -> Option<Instant> {
//!         None
//!     }
//! }
//!
//! let mut network = Network::new(7, Instant::now());
//! network.set_link(Link { latency: Latency::Fixed(Duration::from_millis(20)), ..Link::default() });
//! let addresses: [SocketAddr; 2] = ["10.0.0.1:1".parse()?, "10.0.0.2:1".parse()?];
//! let first = network.add(Host::open(addresses[0]), Echo(Vec::new()));
//! network.add(Host::open(addresses[1]), Echo(Vec::new()));
//!
//! network.with(first, |echo, _now| {
//!     echo.0.push(Datagram { to: addresses[1], payload: b"ping".to_vec() });
//! });
//! network.run_for(Duration::from_secs(1));
//! assert_eq!(network.stats().delivered, 50);
//! # Ok::<(), std::net::AddrParseError>(())
//! ```

#![forbid(unsafe_code)]

mod backdrop;
mod churn;
mod dice;
mod host;
mod limit;
mod link;
mod machine;
mod nat;
mod network;
mod queue;
mod trace;

pub use backdrop::{Backdrop, Reply};
pub use churn::{Churn, Lifetime};
pub use dice::Dice;
pub use host::{Host, Node, Site};
pub use limit::Limit;
pub use link::{Bursts, Fragments, Latency, Link, Uplink};
pub use machine::{Datagram, Machine};
pub use nat::{Nat, NatKind};
pub use network::Network;
pub use trace::{Fate, Packet, Stats};
