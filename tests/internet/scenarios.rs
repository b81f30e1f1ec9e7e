//! Scenarios with a name and a story: calm days, bad radio, mass extinction, a desert, a split, a zoo.
//! Apart from the properties, because each says which number must hold in it.

use std::time::Duration;

use mainstay_dht_proto::{Config, RemoteNode, SavedNode, Snapshot};
use mainstay_sim::{Bursts, Latency, Link};
use mainstay_tests::internet::{Quantiles, Terrain, World, address};
use mainstay_tests::seeds;

use crate::asking::{HOUR, MINUTE, get, item, prompt, put};

/// Puts and gets so many items; gives the share found, the packets of each get, and their times in milliseconds.
fn trials(
    world: &mut World,
    [writer, reader]: [usize; 2],
    count: u64,
) -> (f64, Quantiles, Quantiles) {
    let (mut found, mut packets, mut times) = (0, Vec::new(), Vec::new());
    for number in 0..count {
        put(world, writer, &item(number, 1));
        let (seq, report) = get(world, reader, &item(number, 1));
        found += u32::from(seq == Some(1));
        packets.push(report.queried as f64);
        times.push(report.elapsed.as_secs_f64() * 1000.0);
        world.net.run_for(Duration::from_secs(1));
    }
    (f64::from(found) / count as f64, packets.into_iter().collect(), times.into_iter().collect())
}

fn pair(world: &mut World) -> [usize; 2] {
    [0, 1].map(|_| world.join(5 * MINUTE, |config| config))
}

#[test]
fn calm_1k_finds_everything_with_few_packets() {
    seeds::each(2, |seed| {
        let mut world = World::before(prompt(seed, 1000, 0.0), 0.005);
        let pair = pair(&mut world);
        let (found, packets, _) = trials(&mut world, pair, 20);
        assert!(found == 1.0 && packets.at(1.0) <= 60.0, "{found}, {packets:?}");
    });
}

#[test]
fn bad_radio_has_no_cliff_before_level_seven() {
    // Loss in bursts and latency, from good to bad; the last three are hopeless by design.
    let levels: [(f64, u64); 9] = [
        (0.001, 16),
        (0.005, 30),
        (0.01, 60),
        (0.02, 100),
        (0.05, 150),
        (0.08, 250),
        (0.12, 400),
        (0.18, 600),
        (0.25, 800),
    ];
    let mut world = World::before(prompt(4, 1000, 0.2), 0.0);
    let [writer, reader] = pair(&mut world);
    for (level, (loss, latency)) in levels.into_iter().enumerate() {
        let bad = Duration::from_secs(1).mul_f64(loss);
        let bursts = Some(Bursts { good: Duration::from_secs(1) - bad, bad, loss: 1.0 });
        let latency = Latency::Fixed(Duration::from_millis(latency / 2));
        world.net.set_line(world.guests[reader], Link { bursts, latency, ..Link::default() });
        let (found, ..) = trials(&mut world, [writer, reader], 6);
        assert!(level >= 6 || found == 1.0, "level {}: {found}", level + 1);
    }
}

#[test]
fn bootstrap_desert_is_crossed_with_saved_nodes_of_which_nine_in_ten_are_dead() {
    let (mut ready, mut all) = (0, 0);
    seeds::each(6, |seed| {
        let mut world = World::before(prompt(seed, 2000, 0.9), 0.01);
        let (dead_hosts, nodes) = {
            let internet = world.internet.as_ref().unwrap().borrow();
            let census = internet.census();
            let dead = (0..5000).filter(|number| !census.lives(*number)).take(4);
            let saved = (5000..5200).map(|number| SavedNode {
                node: RemoteNode { id: census.id(number), addr: census.address(number).into() },
                rtt: Duration::from_millis(120),
                age: HOUR,
            });
            (dead.map(|number| census.address(number).into()).collect(), saved.collect())
        };
        let snapshot =
            Snapshot { taken: None, ipv4: vec![], ipv6: vec![], nodes, published: vec![] };
        let guest = world.spawn(|config| Config { bootstrap: dead_hosts, ..config });
        world.net.with(world.guests[guest], |guest, now| guest.node.restore(now, &snapshot));
        world.net.run_for(Duration::from_secs(10));
        all += 1;
        ready += usize::from(world.node(guest).info().ipv4.unwrap().nodes >= 8);
    });
    assert!(ready * 100 >= all * 99, "{ready} of {all} are ready after ten seconds");
}

#[test]
fn gray_nodes_do_not_hold_a_get_up_for_three_seconds() {
    // A tenth of the living takes half a second to three.
    seeds::each(2, |seed| {
        let mut world = World::before(Terrain { busy: 0.1, ..prompt(seed, 2000, 0.2) }, 0.01);
        let pair = pair(&mut world);
        let (found, _, times) = trials(&mut world, pair, 25);
        assert!(found == 1.0 && times.at(0.99) <= 3000.0, "{found}, {times:?}");
    });
}

#[test]
fn mixed_zoo_stores_and_finds_although_a_third_knows_no_items() {
    seeds::each(2, |seed| {
        let terrain = Terrain { without_items: 0.33, ..prompt(seed, 2000, 0.2) };
        let mut world = World::before(terrain, 0.01);
        let pair = pair(&mut world);
        let (found, ..) = trials(&mut world, pair, 20);
        assert!(found == 1.0, "{found}");
    });
}

#[test]
fn big_net_window_lets_a_node_judge_the_size_of_its_network() {
    let mut world = World::before(prompt(6, 30_000, 0.0), 0.0);
    let pair = pair(&mut world);
    trials(&mut world, pair, 12);
    let info = world.node(pair[1]).info().ipv4.unwrap();
    let (size, error) = (info.network_size.unwrap(), info.network_size_error.unwrap());
    assert!((22_000..40_000).contains(&size), "{size}");
    // Sixteen lookups of eight nodes each: nine percent.
    assert!((size / 20..size / 4).contains(&error), "{size} ± {error}");
    assert!(size.abs_diff(30_000) < 3 * error, "{size} ± {error}");
}

/// Whole nodes that know each other, and nothing behind them.
fn village(seed: u64, count: usize) -> World {
    let mut world = World::empty(seed, 0.005);
    for index in 0..count {
        let bootstrap = if index == 0 { vec![] } else { vec![address(0), address(index / 2)] };
        world.spawn(|config| Config { bootstrap, ..config });
        world.net.run_for(Duration::from_millis(200));
    }
    world.net.run_for(3 * MINUTE);
    world
}

#[test]
fn mass_extinction_of_half_leaves_values_and_of_most_a_network() {
    let mut world = village(7, 60);
    for number in 0..10 {
        assert!(put(&mut world, number as usize, &item(number, 1)) > 0);
    }
    let survivors = |world: &mut World, keep: usize| {
        for guest in keep..60 {
            let node = world.guests[guest];
            world.net.set_up(node, false);
        }
    };
    survivors(&mut world, 30);
    let found = (0..10).filter(|number| get(&mut world, 20, &item(*number, 1)).0.is_some()).count();
    assert_eq!(found, 10, "half are gone, and every value had sixteen copies");
    survivors(&mut world, 12);
    world.net.run_for(10 * MINUTE);
    for guest in 0..12 {
        let known = world.node(guest).info().ipv4.unwrap().nodes;
        assert!(known >= 6, "{known} of eleven");
    }
    for number in 0..10 {
        assert!(put(&mut world, 1, &item(number, 2)) > 0);
        assert_eq!(get(&mut world, 11, &item(number, 2)).0, Some(2));
    }
}

#[test]
fn split_brain_heals_to_the_newest_value_and_no_reader_goes_back() {
    let mut world = village(8, 40);
    assert!(put(&mut world, 1, &item(1, 1)) > 0);
    let away: Vec<_> = world.guests[24..].to_vec();
    world.net.partition(away, 1);
    world.net.run_for(MINUTE);
    assert!(put(&mut world, 1, &item(1, 2)) > 0);
    assert!(put(&mut world, 30, &item(1, 3)) > 0);
    let [left, right] = [2, 31].map(|guest| get(&mut world, guest, &item(1, 0)).0);
    assert_eq!([left, right], [Some(2), Some(3)]);
    world.net.heal();
    world.net.run_for(HOUR);
    assert!(put(&mut world, 30, &item(1, 3)) > 0, "the hourly announce of the newer");
    for guest in [2, 10, 31, 39] {
        assert_eq!(get(&mut world, guest, &item(1, 0)).0, Some(3));
    }
}

#[test]
fn a_node_that_stays_away_for_an_hour_is_back_without_a_restart() {
    let mut world = village(9, 30);
    let node = world.guests[5];
    world.net.partition([node], 9);
    world.net.run_for(HOUR);
    world.net.heal();
    world.net.run_for(2 * MINUTE);
    assert!(put(&mut world, 5, &item(5, 1)) > 0);
    assert_eq!(get(&mut world, 20, &item(5, 1)).0, Some(1));
}
