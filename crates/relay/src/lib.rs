//! HTTP relays for signed packets: what is said ([`protocol`]), and a client that says it ([`RelayClient`]).
//!
//! A relay publishes and resolves packets for programs that cannot speak UDP, browsers first of all. [`protocol`] is
//! the only owner of its paths, headers, statuses and limits; it needs no HTTP library, so that servers and clients of
//! any kind can share it. [`RelayClient`] (feature `client`, on by default) speaks to relays of every generation, in
//! native programs and in browsers.
//!
//! A relay is trusted with nothing but its time: every packet is verified under the key that was asked for.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

pub mod protocol;

#[cfg(feature = "client")]
mod client;

#[cfg(feature = "client")]
pub use client::{BuildError, Fetched, HttpClient, RelayClient, RelayError, RelayOptions, Stored};
pub use protocol::{Conflict, Policy};
