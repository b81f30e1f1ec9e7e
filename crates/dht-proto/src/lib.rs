//! A whole Mainline DHT node as a pure state machine: BEPs 5, 32, 33, 42, 43, 44 and 51 over `kad` and `krpc`.
//! It has no socket, no clock and no randomness of its own, so that one seed replays a whole network.
//!
//! # The one rule
//!
//! Give the [`Node`] one input ([`Node::handle_datagram`], [`Node::handle_timeout`] or an ask), then drain
//! [`Node::poll_transmit`] and [`Node::poll_event`] until both are empty, then sleep until the next datagram,
//! ask, or [`Node::poll_timeout`]. Time is given with each input and never goes back.
//!
//! Two nodes in one thread, without a network:
//!
//! ```
//! use std::net::{SocketAddr, SocketAddrV4};
//! use std::time::Instant;
//!
//! use mainstay_dht_proto::{Ask, Config, Event, Node, Outcome};
//! use mainstay_keys::Keypair;
//! use mainstay_krpc::item::MutableItem;
//!
//! let addresses: [SocketAddrV4; 2] = ["127.0.0.1:1".parse()?, "127.0.0.1:2".parse()?];
//! let now = Instant::now();
//! let mut nodes = [0, 1].map(|n| {
//!     let bootstrap = if n == 0 { vec![] } else { vec![SocketAddr::V4(addresses[0])] };
//!     Node::new(Config { ipv4: Some(addresses[n]), bootstrap, ..Config::default() }, [n as u8; 32], now)
//! });
//!
//! let item = MutableItem::sign_bytes(&Keypair::from_secret_key(&[7; 32]), b"", 1, b"hello")?;
//! let query = nodes[1].ask(now, Ask::PutMutable { item, cas: None });
//! let stored = loop {
//!     for n in [0, 1] {
//!         while let Some(transmit) = nodes[n].poll_transmit() {
//!             nodes[1 - n].handle_datagram(now, SocketAddr::V4(addresses[n]), &transmit.payload);
//!         }
//!     }
//!     match nodes[1].poll_event() {
//!         Some(Event::Done { query: other, outcome: Outcome::Put(put), .. }) if other == query => break put?,
//!         _ => {}
//!     }
//! };
//! assert_eq!(stored.stored, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The parts
//!
//! | part | holds | decides |
//! |---|---|---|
//! | `network`, `silence` | a table, a contact book, an id and an address for each family | what table and book learn from an answer, who is asked no more |
//! | `external` | votes on our address | when to believe them, and so when our id changes |
//! | `upkeep` | when to join, ping and refresh | whom to verify, when to try again |
//! | `asks`, `search`, `goal`, `put` | what the owner wants | whom to ask next, which answer counts, when it ends |
//! | `transactions`, `rtt`, `timers` | requests in flight | which reply belongs to which, when silence is a stall, when a loss |
//! | `line` | losses of late in each family | whether a node is to blame for one, or our uplink |
//! | `server`, `store`, `tokens`, `limits`, `hooks` | what strangers may ask and keep here | every refusal |
//! | `reach`, `recent` | who asked us unasked, whom we asked | whether we are a server or a client |
//! | `wire` | what goes out | how it is written |
//!
//! # What is bounded
//!
//! Everything a stranger can make grow has a cap: tables by their buckets, the contact book by [`Config::contacts`], the store by [`StoreConfig`], the
//! budgets of senders by [`LimitConfig`], a lookup by [`Config::max_visits`], its time by
//! [`Config::ask_deadline`], verification pings by a fixed sixteen at a time, replies by 1,024 bytes (1,400
//! where they carry a value).
//!
//! # Where we differ from the BEPs
//!
//! - Transaction ids have four bytes, not two: harder to guess, and the only length that every node in the
//!   field answers.
//! - A put with an old sequence number is refused before its signature is looked at
//!   ([BEP 44](https://www.bittorrent.org/beps/bep_0044.html) suggests the reverse): a flood of old items then
//!   costs comparisons, not verifications.
//! - Of two values with one sequence number our store keeps the first, and our lookups report the greater, so
//!   that all readers agree in the end.
//! - `cas` is sent to each node as the number that this node said it holds, once the caller's own number has
//!   matched the newest item found: a node with an older copy is brought up to date and not provoked to refuse.
//! - A bootstrap host that answers enters the table like any other node, because in a small network it stores
//!   like any other.

#![forbid(unsafe_code)]

mod ask;
mod asks;
mod config;
mod contact;
mod counters;
mod event;
mod external;
mod goal;
mod hooks;
mod limits;
mod line;
mod network;
mod node;
mod published;
mod put;
mod reach;
mod recent;
mod report;
mod rtt;
mod scope;
mod scrape;
mod search;
mod server;
mod silence;
mod snapshot;
mod store;
#[cfg(test)]
mod testing;
mod timers;
mod tokens;
mod transactions;
mod upkeep;
mod waking;
mod wall_clock;
mod wire;

pub use ask::{Ask, AskOptions, Effort, QueryId};
pub use config::{AddressPolicy, Config, LimitConfig, StoreConfig};
pub use counters::{Counters, Histogram, Methods};
pub use event::{Event, Outcome, RemoteNode, Source, Step, StepKind, Transmit};
pub use hooks::{Request, RequestHook, Verdict};
pub use limits::LimitError;
pub use node::Node;
pub use report::{
    FamilyInfo, Holder, Info, LookupError, LookupReport, PutError, PutReport, Samples,
};
pub use scrape::Scrape;
pub use snapshot::{Identity, SavedNode, Snapshot, SnapshotError};
pub use store::{Full, ItemKind, MemoryStore, Peer, PeerFamily, Store, StoreCounts};
