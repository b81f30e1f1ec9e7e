//! Publish and resolve signed packets over the DHT and relays, with cache, policy and CAS.
//!
//! Separate from the networks below so that what a program asks for, and what it is promised, does not
//! depend on which of them answers:
//!
//! * What a [`Client`] returns for a key was signed by that key, and is never older than what it has
//!   returned before. A backend that answers with anything else is passed over.
//! * Who wants the newest answer asks all backends at once, and waits for each until its deadline. Who wants any good
//!   one asks the DHT and the relay that has been fastest, and the next relay as soon as that one takes longer than it
//!   usually does. A relay that fails is left alone for a while, one that asks us to wait for as long as it says. So one
//!   that hangs, lies or fails neither fails nor noticeably delays what another can answer.
//! * Those who ask for one key at the same time share one lookup. A future that is dropped disturbs
//!   nobody else.
//! * The cache changes only after a backend has given or stored a packet, and only forwards.
//!
//! ```no_run
//! use mainstay_client::{Client, PublicKey};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::builder().build()?;
//! let key: PublicKey = "o4dksfbqk85ogzdb5osziw6befigbuxmuxkuxq8434q89uj56uyy".try_into()?;
//! if let Some(packet) = client.resolve(&key).await {
//!     for record in packet.all_resource_records() {
//!         println!("{record:?}");
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! | feature | brings |
//! |---|---|
//! | `dht` (default) | the Mainline DHT as a backend |
//! | `relays` (default) | HTTP relays as backends |
//! | `lmdb-cache` | a cache on disk that many processes share, by LMDB |
//! | `disk-cache` | a cache on disk for one process, by an engine in safe Rust |
//! | `endpoints` | where a service can be reached, by SVCB and HTTPS records |
//! | `tls` | TLS by keys instead of certificates, with rustls |
//! | `reqwest-resolve` | the client as the DNS of reqwest |
//! | `reqwest-builder` | a reqwest client for `https://<key>/` and the web |
//! | `hyper-connector` | the same for the client of hyper-util |
//! | `quinn-connector` | QUIC to names under keys |

#![cfg_attr(not(feature = "lmdb-cache"), forbid(unsafe_code))]
#![cfg_attr(
    not(any(feature = "dht", feature = "relays")),
    allow(dead_code, unused_mut, reason = "without a network there is nobody to ask")
)]

mod backend;
#[cfg(not(target_family = "wasm"))]
mod blocking;
mod bounded;
mod builder;
mod cache;
mod client;
#[cfg(all(
    any(feature = "hyper-connector", feature = "quinn-connector"),
    not(target_family = "wasm")
))]
pub mod connect;
#[cfg(feature = "endpoints")]
mod endpoints;
mod engine;
mod error;
mod flight;
mod freshness;
mod names;
mod progress;
mod publishing;
mod ranking;
mod report;
#[cfg(not(target_family = "wasm"))]
pub mod republish;
#[cfg(all(feature = "reqwest-builder", not(target_family = "wasm")))]
mod reqwest_builder;
#[cfg(all(feature = "reqwest-resolve", not(target_family = "wasm")))]
mod reqwest_resolve;
mod resolve_stream;
mod runtime;
#[cfg(test)]
mod scripted;
mod seen;
mod shown;
#[cfg(all(feature = "tls", not(target_family = "wasm")))]
pub mod tls;
mod update;

#[cfg(not(target_family = "wasm"))]
pub use blocking::ClientBlocking;
#[cfg(feature = "relays")]
pub use builder::DEFAULT_RELAYS;
pub use builder::{ClientBuilder, DEFAULT_MAX_RECURSION_DEPTH, DEFAULT_RELAY_TIMEOUT};
#[cfg(all(feature = "disk-cache", not(target_family = "wasm")))]
pub use cache::DiskCache;
#[cfg(all(feature = "lmdb-cache", not(target_family = "wasm")))]
pub use cache::LmdbCache;
pub use cache::{Cache, CacheError, Cached, DEFAULT_CACHE_SIZE, InMemoryCache, Peek, Put};
#[cfg(all(any(feature = "disk-cache", feature = "lmdb-cache"), not(target_family = "wasm")))]
pub use cache::{
    CacheFault, CacheOptions, CacheStatus, Durability, OpenCacheError, SetAside, Writing,
};
pub use client::Client;
#[cfg(feature = "endpoints")]
pub use endpoints::{Attempt, Attempts, CouldNotResolveEndpoint, DeadEnd, Endpoint};
pub use error::{Answers, BuildError, ConcurrencyError, PublishError, ResolveError};
pub use freshness::{DEFAULT_MAXIMUM_TTL, DEFAULT_MINIMUM_TTL, Freshness, Known, Policy, Verdict};
#[cfg(feature = "dht")]
pub use mainstay_dht as dht;
pub use mainstay_keys::{Keypair, PublicKey};
pub use mainstay_packets::{SignedPacket, SignedPacketBuilder, Timestamp};
#[cfg(feature = "relays")]
pub use mainstay_relay::{HttpClient, protocol::RelayUrlError as InvalidRelayUrl};
pub use names::{Hop, NameAnswer, ResolveNameError};
pub use report::{
    Answer, AnswerOutcome, BackendName, Failure, PublishOutcome, PublishReport, PublishResult,
    Resolution, Source,
};
#[cfg(not(target_family = "wasm"))]
pub use resolve_stream::ResolveIter;
pub use resolve_stream::ResolveStream;
pub use update::{CurrentZone, EditError, MAX_UPDATE_ATTEMPTS, UpdateError, Updated};
