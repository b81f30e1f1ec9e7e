//! The fuzz targets: one function a decoder, given any bytes, that panics when a promise is broken.
//!
//! Separate from the harnesses: `cargo xtask fuzz` replays them on stable with a seeded mutator, `tests/fuzz` runs them
//! under libFuzzer on nightly. A new decoder adds a line to [`TARGETS`] and a file in `tests/fuzz/fuzz_targets`.

mod bendy;
mod dht;
mod endpoints;
mod kad;
mod keys;
mod krpc;
mod mutate;
mod packets;
mod relay;
mod relay_server;
mod snapshot;

pub use mutate::Mutator;

/// One decoder under test.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name: the folder of its corpus, the file of its libFuzzer harness.
    pub name: &'static str,
    /// Inputs to start from, beside those of the corpus.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Feeds one input; panics when a promise is broken.
    pub run: fn(&[u8]),
}

/// Every decoder of the project, the state machines under the node against models, and a whole node.
pub const TARGETS: &[Target] = &[
    Target { name: "public_key_text", seeds: keys::text_seeds, run: keys::public_key_text },
    Target { name: "secret_key_file", seeds: keys::file_seeds, run: keys::secret_key_file },
    Target { name: "krpc_message", seeds: krpc::message_seeds, run: krpc::message },
    Target { name: "bencoded_value", seeds: krpc::value_seeds, run: krpc::value },
    Target { name: "relay_headers", seeds: relay::seeds, run: relay::relay_headers },
    Target {
        name: "relay_request",
        seeds: relay_server::request_seeds,
        run: relay_server::relay_request,
    },
    Target {
        name: "relay_config",
        seeds: relay_server::config_seeds,
        run: relay_server::relay_config,
    },
    Target { name: "signed_packet", seeds: packets::message_seeds, run: packets::signed_packet },
    Target { name: "zone_text", seeds: packets::zone_seeds, run: packets::zone_text },
    Target { name: "owner_name", seeds: packets::name_seeds, run: packets::owner_name },
    Target { name: "endpoints", seeds: endpoints::seeds, run: endpoints::endpoints },
    Target { name: "dht_node", seeds: dht::seeds, run: dht::node },
    Target { name: "routing_table", seeds: kad::seeds, run: kad::routing_table },
    Target { name: "lookup_walk", seeds: kad::seeds, run: kad::lookup_walk },
    Target { name: "contact_book", seeds: kad::seeds, run: kad::contact_book },
    Target { name: "bendy_agrees", seeds: bendy::seeds, run: bendy::bendy_agrees },
    Target { name: "node_snapshot", seeds: snapshot::seeds, run: snapshot::node_snapshot },
];

/// Feeds one input to the target of that name.
///
/// # Panics
/// When there is no such target, or when a promise is broken.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.expect("the harness names a target of the table").run)(data);
}
