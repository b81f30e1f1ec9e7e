//! Real sockets on loopback: what only a kernel, a runtime and threads can get wrong.
//! A binary of its own, because everything that needs no socket is proven elsewhere and faster.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod client;
mod dht;
mod endpoints;
mod guide;
mod relay_server;
