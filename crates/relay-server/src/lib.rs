//! The HTTP relay: `PUT` and `GET` of signed packets, in front of a DHT node and a cache.
//!
//! Browsers, phones and firewalled hosts cannot speak to the DHT; a relay does it for them. It needs no trust: what it
//! serves is signed, and a client that asks for a key checks the signature. It speaks the protocol of pkarr relays of
//! every generation, and answers under `/pkarr/<key>` too, as iroh's servers do.
//!
//! ```
//! use mainstay_client::{Client, dht::Testnet};
//! use mainstay_relay_server::RelayServer;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let testnet = Testnet::new(5).await?;
//! let client = Client::builder().no_default_network().bootstrap(&testnet.bootstrap).build()?;
//! let relay = RelayServer::builder(client).bind("127.0.0.1:0".parse()?).await?;
//! println!("serving at {}", relay.url());
//! relay.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! | request | answer |
//! |---|---|
//! | `PUT /<key>` | 204 with the number of nodes that stored it; 400, 409, 412, 413, 428, 429, 503 |
//! | `GET /<key>?policy=…` | 200 with the packet, 304; 400, 404, 429, 503 |
//! | `GET /packets?key=…&key=…`, `POST /packets` | 200 with several packets as JSON |
//! | `GET /watch?key=…` | the key's new packets, as server-sent events |
//! | `GET /records/<key>` | its records as JSON |
//! | `GET /health`, `/ready`, `/info`, `/metrics` | how the relay is |
//! | `GET /` | a page for people |

#![forbid(unsafe_code)]

mod answer;
mod base64;
mod batch;
mod body;
mod conditional;
mod config;
mod connections;
mod limits;
mod metrics;
mod names;
mod packets;
mod page;
mod records;
mod reload;
mod route;
mod server;
mod service;
mod spread;
mod status;
mod tls;
mod watches;

pub use body::Body;
pub use config::{
    CacheConfig, Config, ConfigError, Engine, HttpConfig, LogConfig, LogFormat, MainlineConfig,
    MetricsConfig, Network, NotANetwork, NotAQuota, ProxyHeader, Quota, RateLimiterConfig,
    TlsConfig, WatchConfig,
};
pub use limits::Peer;
pub use reload::Reloaded;
pub use server::{RelayServer, RelayServerBuilder};
pub use service::RelayService;
pub use tls::TlsError;
