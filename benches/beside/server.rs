//! What a query costs the node that answers it: processor time, the kernel's part included.
//!
//! Separate from the client's rows, because here the node is asked and there it asks. Every contender has joined the same
//! network of 10,000 nodes, so that its answers name eight nodes. Rounds alternate, and the medians count.

use std::time::Duration;

use crate::contenders::Contenders;
use crate::figures::{Table, percentile};
use crate::load::{Kind, Load};
use crate::network::{Network, Weather};

const NETWORK: Weather =
    Weather { nodes: 10_000, round_trip: Duration::ZERO, dead: 0.0, loss: 0.0 };

pub(crate) fn run(contenders: &Contenders, quick: bool) -> Result<(), String> {
    let network = Network::start(NETWORK, &[]);
    let (queries, rounds) = if quick { (20_000, 1) } else { (100_000, 5) };
    let mut running = Vec::new();
    for (index, contender) in contenders.iter().enumerate() {
        let (process, address) = contender.serve("0", &network.bootstrap)?;
        let address = address.parse().map_err(|_| format!("{address}: no address"))?;
        let load = Load::new(address, 1 + index as u8).map_err(|error| error.to_string())?;
        running.push((contender, process, load));
    }
    let heads: Vec<&str> =
        ["query"].into_iter().chain(running.iter().map(|(contender, ..)| contender.name)).collect();
    let mut table = Table::new(&heads);
    for kind in Kind::ALL {
        let count = if kind == Kind::PutNew { queries / 5 } else { queries };
        let mut costs = vec![Vec::new(); running.len()];
        for _ in 0..rounds {
            for (index, (contender, process, load)) in running.iter_mut().enumerate() {
                let stores = !matches!(kind, Kind::Ping | Kind::FindNode | Kind::GetPeers);
                if stores && !contender.items {
                    continue;
                }
                let before = process.usage().cpu;
                let told = |error| format!("{}, {}: {error}", contender.name, kind.name());
                let answered = load.run(kind, count).map_err(told)?;
                let used = process.usage().cpu - before;
                let lost = answered.lost + answered.refused;
                if lost > count as u64 / 100 {
                    println!("{}, {}: {answered:?}", contender.name, kind.name());
                }
                // Who refuses has no price for it.
                if answered.good > 0 {
                    costs[index].push(used.as_secs_f64() * 1e6 / answered.good as f64);
                }
            }
        }
        let medians: Vec<f64> = costs.iter().map(|costs| percentile(costs, 0.5)).collect();
        let ours = medians.first().copied().unwrap_or(f64::NAN);
        let cell = |&cost: &f64| match cost.is_nan() {
            true => "–".to_owned(),
            false => format!("{cost:.1} ({:.1} ×)", cost / ours),
        };
        table.row([kind.name().to_owned()].into_iter().chain(medians.iter().map(cell)).collect());
    }
    table.print("Server: µs of processor time a request (ratio to Mainstay)");
    Ok(())
}
