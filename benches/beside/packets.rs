//! What packets, the memory cache and LMDB cost beside pkarr's.
//!
//! Separate from the nodes, because only two contenders have packets. Rounds alternate between the two.

use serde_json::json;

use crate::contenders::Contenders;
use crate::figures::{Table, numbers, percentile};

/// What is timed, and how many calls make a batch.
const ROWS: [(&str, u64); 10] = [
    ("verify_and_parse", 200),
    ("sign", 200),
    ("clone", 20_000),
    ("lookup", 5_000),
    ("public_key", 20_000),
    ("memory_hit", 20_000),
    ("resolve", 5_000),
    ("lmdb_hit", 20_000),
    ("lmdb_hit_beyond_memory", 20_000),
    ("lmdb_put_after_reads", 3_000),
];

pub(crate) fn run(contenders: &Contenders, quick: bool) -> Result<(), String> {
    let rounds = if quick { 3 } else { 30 };
    let Some(peer) = contenders.iter().find(|contender| contender.which == "mainline") else {
        return Err("pkarr is not there".to_owned());
    };
    let Some(ours) = contenders.iter().next() else { return Err("nobody is there".to_owned()) };
    let (mut ours, mut peer) = (ours.start_on("0")?, peer.start_on("0")?);
    let folder = std::env::temp_dir().join(format!("mainstay-packets-{}", std::process::id()));
    let mut table = Table::new(&["call", "records", "Mainstay (ns)", "pkarr 8.1 (ns)", "ratio"]);
    for records in [2, 25] {
        for (what, batch) in ROWS {
            let (mut mine, mut theirs) = (Vec::new(), Vec::new());
            for part in 0..3 {
                let request = |who: &str, what: &str| {
                    let folder = folder.join(format!("{who}-{what}-{records}-{part}"));
                    json!({ "op": "time", "what": what, "records": records, "rounds": rounds, "batch": batch, "folder": folder })
                };
                // pkarr keeps nothing of it in memory, so the row is the same for it.
                let theirs_is = if what == "lmdb_hit_beyond_memory" { "lmdb_hit" } else { what };
                mine.extend(numbers(&ours.ask(&request("ours", what))?["ns"]));
                theirs.extend(numbers(&peer.ask(&request("theirs", theirs_is))?["ns"]));
            }
            let (mine, theirs) = (percentile(&mine, 0.5), percentile(&theirs, 0.5));
            table.row(vec![
                what.replace('_', " "),
                records.to_string(),
                format!("{mine:.0}"),
                format!("{theirs:.0}"),
                format!("{:.1} ×", theirs / mine),
            ]);
        }
    }
    // Where LMDB was measured; nothing else is in it.
    let _ = std::fs::remove_dir_all(&folder);
    table.print("Packets and caches: medians");
    Ok(())
}
