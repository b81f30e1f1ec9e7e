//! What it costs to put many packets again and again: packets a second and processor time of a publisher on one core.
//!
//! Separate from the client's rows, because nobody waits for one packet here: what counts is how many names one core keeps
//! alive. Each contender has the network to itself, one after another; a packet put a second time is the one that the
//! nodes have already.

use std::time::Duration;

use serde_json::json;

use crate::contenders::Contenders;
use crate::figures::Table;
use crate::network::{Network, Weather};

const NETWORK: Weather =
    Weather { nodes: 1_000, round_trip: Duration::from_millis(5), dead: 0.0, loss: 0.0 };

/// How many puts are under way at a time: as many as a publisher does best with.
const PARALLEL: [(&str, u64); 2] = [("mainstay", 32), ("mainline", 100)];

pub(crate) fn run(contenders: &Contenders, quick: bool) -> Result<(), String> {
    let count = if quick { 200 } else { 5_000 };
    let mut table = Table::new(&[
        "publisher",
        "packets stored",
        "a second",
        "an hour",
        "CPU ms a packet",
        "messages a packet",
    ]);
    for (which, parallel) in PARALLEL {
        let Some(contender) = contenders.iter().find(|contender| contender.which == which) else {
            continue;
        };
        let network = Network::start(NETWORK, &[]);
        let mut process = contender.join("0", &network.bootstrap)?;
        let put = json!({ "op": "put", "first": 0, "count": count, "parallel": parallel });
        process.ask(&put)?;
        let mut requests = vec![(contender.name.to_owned(), put)];
        if which == "mainstay" {
            let republish = json!({
                "op": "republish", "bootstrap": network.bootstrap, "count": count, "parallel": parallel,
            });
            requests.push((format!("{}, `Republisher`", contender.name), republish));
        }
        for (name, request) in requests {
            let (messages, cpu) = (network.received(), process.usage().cpu);
            let answer = process.ask(&request)?;
            let cpu = (process.usage().cpu - cpu).as_secs_f64() * 1000.0;
            let messages = network.received() - messages;
            let rate = count as f64 / answer["seconds"].as_f64().unwrap_or(f64::NAN);
            table.row(vec![
                name,
                format!("{} of {count}", answer["done"]),
                format!("{rate:.0}"),
                format!("{:.0}", rate * 3600.0),
                format!("{:.2}", cpu / count as f64),
                format!("{:.0}", messages as f64 / count as f64),
            ]);
        }
    }
    table.print("Packets put again, a publisher on one core");
    Ok(())
}
