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
//! | `PUT /<key>` | 204 with the number of nodes that stored it; 400, 409, 412, 413, 503 |
//! | `GET /<key>?policy=…` | 200 with the packet, 304; 400, 404, 503 |
//! | `GET /health` | 200 with JSON |
//! | `GET /` | 200, what this is |

mod answer;
mod conditional;
mod connections;
mod handlers;
mod server;

pub use server::{RelayServer, RelayServerBuilder};
