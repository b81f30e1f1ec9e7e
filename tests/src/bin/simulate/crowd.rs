//! Thousands of whole nodes in one process: how long they take and how much memory.
//!
//! Separate from the sweeps, whose internet is not made of nodes.

use std::time::{Duration, Instant};

use mainstay_dht_proto::Config;
use mainstay_tests::internet::{World, address};

use crate::page::peak_memory;
use crate::sweep::thousands;

/// How long the network runs once everybody has come.
const RUN: Duration = Duration::from_secs(600);

/// Lets `count` nodes join one after the other, then runs ten minutes; says what it took.
pub(crate) fn measure(count: usize, seed: u64) -> String {
    let began = Instant::now();
    let mut world = World::empty(seed, 0.005);
    for index in 0..count {
        let bootstrap =
            if index == 0 { vec![] } else { vec![address(index / 7), address(index / 3)] };
        world.spawn(|config| Config { bootstrap, ..config });
        world.net.run_for(Duration::from_millis(20));
    }
    let joined = began.elapsed();
    let before = *world.net.stats();
    let running = Instant::now();
    world.net.run_for(RUN);
    let took = running.elapsed().as_secs_f64();
    let stats = world.net.stats();
    let events = stats.delivered + stats.lost + stats.unreachable + stats.timeouts
        - (before.delivered + before.lost + before.unreachable + before.timeouts);
    let tables: usize = (0..count)
        .map(|guest| world.node(guest).info().ipv4.map_or(0, |family| family.nodes))
        .sum();
    #[expect(clippy::cast_precision_loss, reason = "counts of nodes and events")]
    let (nodes, rate) = (count as f64, events as f64 / took);
    format!(
        "{} nodes: joined in {:.1} s; ten minutes took {took:.1} s, {:.0} node-hours/s, {rate:.0} events/s, {:.0} contacts a table; peak memory {}; trace {:016x}",
        thousands(count),
        joined.as_secs_f64(),
        nodes * RUN.as_secs_f64() / 3600.0 / took,
        tables as f64 / nodes,
        peak_memory().unwrap_or_else(|| "unknown".to_owned()),
        world.net.trace(),
    )
}
