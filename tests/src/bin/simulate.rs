//! Measures.
#![allow(clippy::print_stdout)]
use mainstay_tests::internet::*;
use std::time::{Duration, Instant};
fn main() {
    let arg: Vec<f64> = std::env::args().skip(1).map(|a| a.parse().unwrap()).collect();
    let terrain = Terrain { nodes: arg[0] as usize, dead: arg[1], ..Terrain::default() };
    let t = Instant::now();
    let series = Series {
        terrain,
        loss: arg[2],
        trials: arg[3] as usize,
        settling: Duration::from_secs(1800),
    };
    let f = series.run(|c| c);
    println!(
        "{:?} first {:.0}/{:.0}/{:.0} complete {:.0}/{:.0} ack {:.0} quorum {:.0}/{:.0} packets {:.0}/{:.0} found {:.4} stored {:.3} recall {:.4} vain {:.2} table {}",
        t.elapsed(),
        f.first_value.median(),
        f.first_value.at(0.9),
        f.first_value.at(0.99),
        f.complete.median(),
        f.complete.at(0.99),
        f.first_ack.median(),
        f.quorum.median(),
        f.quorum.at(0.99),
        f.get_packets.median(),
        f.put_packets.median(),
        f.found,
        f.stored,
        f.recall,
        f.vain,
        f.table
    );
}
