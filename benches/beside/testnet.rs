//! What a network of one's own costs: how soon it is ready, memory, threads, wake-ups when nobody asks, an idle call.
//!
//! Separate from the other rows, because here nothing is asked at all.

use std::time::Duration;

use serde_json::json;

use crate::contenders::Contenders;
use crate::figures::{Table, numbers, percentile};
use crate::network::{Network, Weather};

const NETWORK: Weather =
    Weather { nodes: 1_000, round_trip: Duration::from_millis(5), dead: 0.0, loss: 0.0 };

pub(crate) fn run(contenders: &Contenders, quick: bool) -> Result<(), String> {
    let nodes = |which: &str| match (which, quick) {
        (_, true) => 20,
        ("mainstay", _) => 1_000,
        _ => 100,
    };
    let quiet = Duration::from_secs(if quick { 3 } else { 60 });
    let mut table = Table::new(&[
        "contender",
        "nodes",
        "ready (ms)",
        "memory a node (kB)",
        "threads",
        "wake-ups a node and second",
    ]);
    for contender in contenders.iter().filter(|contender| contender.client) {
        let nodes = nodes(contender.which);
        let mut process = contender.start_on("0,1")?;
        let before = process.usage();
        let answer = process.ask(&json!({ "op": "testnet", "nodes": nodes }))?;
        // What joining has left to do is not what idling costs.
        std::thread::sleep(quiet / 3);
        let (first, memory) = (process.usage(), process.usage().memory);
        std::thread::sleep(quiet);
        let last = process.usage();
        let sleeps = (last.sleeps - first.sleeps) as f64 / quiet.as_secs_f64() / f64::from(nodes);
        table.row(vec![
            contender.name.to_owned(),
            nodes.to_string(),
            format!("{:.0}", answer["ready_ms"].as_f64().unwrap_or(f64::NAN)),
            format!(
                "{:.0}",
                memory.saturating_sub(before.memory) as f64 / 1000.0 / f64::from(nodes)
            ),
            (last.threads - before.threads).to_string(),
            format!("{sleeps:.2}"),
        ]);
    }
    table.print("A network in one process");
    let network = Network::start(NETWORK, &[]);
    let mut table = Table::new(&["contender", "idle call p50 (µs)", "p99"]);
    for contender in contenders.iter().filter(|contender| contender.client) {
        let mut process = contender.join("0", &network.bootstrap)?;
        let answer = process.ask(&json!({ "op": "idle", "count": 100 }))?;
        let took = numbers(&answer["ms"]);
        let shown = |share| format!("{:.1}", percentile(&took, share) * 1000.0);
        table.row(vec![contender.name.to_owned(), shown(0.5), shown(0.99)]);
    }
    table.print("A call that needs no network");
    Ok(())
}
