//! A Mainline DHT node on tokio: sockets, time and channels around the state machine of `mainstay-dht-proto`.
//! It holds no protocol rule, so that every rule can be tested without a network.
//!
//! ```
//! use mainstay_dht::{Dht, MutableItem, Testnet};
//! use mainstay_keys::Keypair;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Twenty ordinary nodes on loopback. On the public network, leave `bootstrap` and `bind` out.
//! let testnet = Testnet::new(20).await?;
//! let dht = Dht::builder().bootstrap(&testnet.bootstrap).bind("127.0.0.1:0".parse()?).build()?;
//!
//! let keypair = Keypair::random();
//! let item = MutableItem::sign_bytes(&keypair, b"salt", 1, b"hello")?;
//! let report = dht.put_mutable(item, None).await?;
//! assert!(report.stored > 0);
//!
//! let found = dht.get_mutable_most_recent(&keypair.public_key(), Some(b"salt")).await?;
//! assert_eq!(found.expect("it was just stored").bytes(), Some(&b"hello"[..]));
//! # Ok(())
//! # }
//! ```
//!
//! # The parts
//!
//! - [`Dht`] is a handle: cheap to clone, usable from any executor and any thread.
//!   [`Dht::as_blocking`] gives [`DhtBlocking`], for code without an executor.
//! - [`DhtBuilder`] says where to listen and whom to join through. Building is synchronous, asks no
//!   name server, and works outside of a tokio runtime, too.
//! - [`GetStream`] yields answers as they arrive and ends when the lookup has settled.
//! - [`SampleWalk`] goes through the whole network and asks every node for a sample of its info hashes.
//! - [`Putting`] is a put whose caller goes on at its first copy, or when half of them are safe.
//! - [`Dht::events`] tells what happens to the node; [`DhtBuilder::state_file`] lets it start where it stopped.
//! - [`Testnet`] is a network of ordinary nodes on loopback.
//!
//! # What runs
//!
//! One task a node, no thread of its own. It sleeps until the earliest of a datagram, a command and
//! the node's next deadline; nothing polls on a tick. A state file is written on tokio's threads for blocking work. [BEP 5](https://www.bittorrent.org/beps/bep_0005.html)
//! and its extensions live in `mainstay-dht-proto`.

#![forbid(unsafe_code)]

mod addresses;
mod blocking;
mod builder;
mod command;
mod driver;
mod error;
mod event;
mod explain;
mod extend;
mod handle;
mod info;
mod limits;
mod listen;
mod packets;
mod putting;
mod runtime;
mod sampling;
mod span;
mod state;
mod stream;
mod testnet;
mod trace;

pub use blocking::DhtBlocking;
pub use builder::{DEFAULT_BOOTSTRAP, DEFAULT_PORT, DhtBuilder};
pub use command::Pong;
pub use error::{BuildError, GetError, LimitsError, PingError, PutError};
pub use event::{EventIter, EventStream, NodeEvent};
pub use explain::{ExplainedNode, Explanation};
pub use handle::Dht;
pub use info::Info;
pub use packets::Packet;
pub use putting::{Acknowledged, PutStep, Putting, Refused};
pub use sampling::{SampleConfig, SampleReport, SampleWalk, Sampled};
pub use state::{StateError, read_state, write_state};
pub use stream::{GetIter, GetStream};
pub use testnet::{Testnet, TestnetBuilder};
pub use trace::{TraceIter, TraceStep, TraceStream};

pub use mainstay_dht_proto::{
    AddressPolicy, AskOptions, Counters, Effort, FamilyInfo, Full, Histogram, Holder, Identity,
    ItemKind, LimitConfig, LimitError, LookupReport, MemoryStore, Methods, Peer, PeerFamily,
    PutReport, QueryId, RemoteNode, Request, Samples, SavedNode, Scrape, Snapshot, SnapshotError,
    Step, StepKind, Store, StoreConfig, StoreCounts, Verdict,
};
pub use mainstay_krpc::Id;
pub use mainstay_krpc::item::{ImmutableItem, ItemError, MutableItem};
