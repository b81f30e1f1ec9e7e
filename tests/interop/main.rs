//! Interoperation with programs of other people: the real pkarr, iroh, mainline, libtorrent and bittorrent-dht on loopback.
//!
//! Separate from the other behaviour tests, because these need the peers that `cargo xtask test` sets up.

mod caches;
mod command_line;
mod families;
mod generations;
mod held;
mod hex;
mod iroh;
mod items;
mod limits;
mod mainline;
mod pairings;
mod peer;
mod relays;
mod statuses;
mod torrents;
mod zones;
