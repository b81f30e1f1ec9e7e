//! What a lookup and a put cost who asks: time, messages and processor time, on a network of 10,000 nodes.
//!
//! Separate from the server's rows, because here the node asks. Each contender has the network to itself, one after another.

use std::time::Duration;

use mainstay_keys::Keypair;
use mainstay_krpc::item::MutableItem;
use serde_json::json;

use crate::contenders::{Contender, Contenders};
use crate::figures::{Table, numbers, percentile};
use crate::network::{Network, Weather};

/// How many items the network holds before anybody asks.
const ITEMS: u64 = 1_200;

const FAIR: Weather =
    Weather { nodes: 10_000, round_trip: Duration::from_millis(40), dead: 0.0, loss: 0.0 };
const WEATHERS: [(&str, Weather); 4] = [
    ("mean RTT 40 ms", FAIR),
    ("mean RTT 40 ms, 30 % of contacts dead", Weather { dead: 0.3, ..FAIR }),
    ("mean RTT 40 ms, 10 % loss each way", Weather { loss: 0.1, ..FAIR }),
    ("RTT 0", Weather { round_trip: Duration::ZERO, ..FAIR }),
];

pub(crate) fn run(contenders: &Contenders, quick: bool) -> Result<(), String> {
    let items: Vec<MutableItem> = (0..ITEMS).map(item).collect();
    let (count, weathers) = if quick { (20, 1) } else { (200, WEATHERS.len()) };
    for (name, weather) in &WEATHERS[..weathers] {
        let mut table = Table::new(&[
            "contender",
            "operation",
            "done",
            "first value p50 (ms)",
            "complete p50",
            "p90",
            "p99",
            "messages each",
            "CPU ms each",
            "a second",
        ]);
        for contender in contenders.iter().filter(|contender| contender.client) {
            // A network of its own for each: who came before has left no nodes in its tables.
            let network = Network::start(*weather, &items);
            if let Err(error) = measure(contender, &network, count, &mut table) {
                println!("{}: {error}", contender.name);
            }
        }
        table.print(&format!("Client: 10,000 nodes, {name}"));
    }
    Ok(())
}

/// The rows of one contender: cold gets warm it up, then one at a time, then a hundred at a time.
fn measure(
    contender: &Contender,
    network: &Network,
    count: u64,
    table: &mut Table,
) -> Result<(), String> {
    let mut process = contender.join("0", &network.bootstrap)?;
    let fresh = 1_000_000;
    let rows = [
        ("get, cold", "get", 0, count, 1),
        ("get, one after another", "get", count, count, 1),
        ("put, one after another", "put", fresh, count, 1),
        ("get, 100 at a time", "get", 2 * count, 3 * count, 100),
        ("put, 100 at a time", "put", fresh + count, 3 * count, 100),
    ];
    for (name, op, first, count, parallel) in rows {
        let (messages, cpu) = (network.received(), process.usage().cpu);
        let answer = process
            .ask(&json!({ "op": op, "first": first, "count": count, "parallel": parallel }))?;
        let cpu = (process.usage().cpu - cpu).as_secs_f64() * 1000.0;
        let messages = network.received() - messages;
        let (whole, early) = (numbers(&answer["ms"]), numbers(&answer["first_ms"]));
        let shown =
            |value: f64| if value.is_nan() { "–".to_owned() } else { format!("{value:.0}") };
        table.row(vec![
            contender.name.to_owned(),
            name.to_owned(),
            format!("{} of {count}", answer["done"]),
            shown(percentile(&early, 0.5)),
            shown(percentile(&whole, 0.5)),
            shown(percentile(&whole, 0.9)),
            shown(percentile(&whole, 0.99)),
            shown(messages as f64 / count as f64),
            format!("{:.2}", cpu / count as f64),
            shown(count as f64 / answer["seconds"].as_f64().unwrap_or(f64::NAN)),
        ]);
    }
    Ok(())
}

/// The item with this number, as every contender knows its key.
fn item(index: u64) -> MutableItem {
    let mut seed = [0x42; 32];
    seed[..8].copy_from_slice(&index.to_le_bytes());
    let keypair = Keypair::from_secret_key(&seed);
    MutableItem::sign_bytes(&keypair, b"", 1, &[b'v'; 100]).expect("a hundred bytes are few enough")
}
