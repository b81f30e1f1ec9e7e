//! `resolve --trace`: each step of the lookups on stderr, with its time.
//!
//! Separate, because it watches the DHT node and must not hold up the verb that it explains.

use std::fmt::Write as _;
use std::io::Write as _;

use mainstay::Client;
use mainstay::dht::{Explanation, TraceStream};

/// The steps that a node reports while this lives.
#[derive(Debug)]
pub(crate) struct Trace {
    steps: TraceStream,
}

impl Trace {
    /// Starts to watch; `None` when the DHT is off.
    pub(crate) async fn start(client: &Client) -> Option<Self> {
        let Some(dht) = client.dht() else {
            // Stderr gone means that nobody watches.
            let _ = writeln!(
                std::io::stderr(),
                ";; trace: the DHT is off, and only its lookups have steps"
            );
            return None;
        };
        Some(Self { steps: dht.trace().await })
    }

    /// Prints what has happened so far: each lookup as a tree.
    pub(crate) fn finish(mut self) {
        let steps: Vec<_> = std::iter::from_fn(|| self.steps.try_next()).collect();
        let mut text = String::new();
        for line in Explanation::of(&steps).iter().flat_map(|lookup| {
            let lines = lookup.to_string();
            lines.lines().map(str::to_owned).collect::<Vec<_>>()
        }) {
            // Writing to a string cannot fail.
            let _ = writeln!(text, ";; {line}");
        }
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}
