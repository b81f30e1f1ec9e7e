//! What holds whatever the network does: calls end, runs repeat, the closest are found.
//! Apart from the scenarios, which have a story each; these draw theirs from the seed.

use std::time::Duration;

use mainstay_dht_proto::{Ask, AskOptions, Config, Effort, Event};
use mainstay_krpc::item::ImmutableItem;
use mainstay_sim::{Bursts, Dice, Fragments, Latency, Link, Uplink};
use mainstay_tests::internet::{Series, Terrain, World};
use mainstay_tests::seeds;

use crate::asking::{MINUTE, get, get_of, item, prompt, put, recall, target};

/// A network whose every fault is drawn from the seed, many of them absent.
fn ordeal(seed: u64, nodes: usize, dice: &mut Dice) -> World {
    let dead = [0.0, 0.3, 0.6, 0.9][dice.below(4) as usize];
    let sybils = [0.0, 0.0, 0.2, 0.5][dice.below(4) as usize];
    let busy = [0.0, 0.05, 0.5][dice.below(3) as usize];
    let mut world = World::before(Terrain { sybils, busy, ..prompt(seed, nodes, dead) }, 0.0);
    let mut share = |most: f64| if dice.below(2) == 0 { 0.0 } else { dice.unit() * most };
    let link = Link {
        latency: Latency::LogNormal {
            median: Duration::from_millis(60),
            sigma: share(1.5),
            least: Duration::from_millis(3),
        },
        jitter: Duration::from_secs(2).mul_f64(share(1.0)),
        loss: share(0.9),
        duplication: share(0.5),
        corruption: share(0.3),
        ..Link::default()
    };
    world.net.set_link(link);
    world
}

#[test]
fn every_call_ends_once_within_its_deadline_whatever_the_network_does() {
    seeds::each(6, |seed| {
        let mut dice = Dice::of(&[seed, 1]);
        let mut world = ordeal(seed, 400, &mut dice);
        let guest = world.join(MINUTE, |config| config);
        calls_end(&mut world, guest, 25, &mut dice);
    });
}

#[test]
fn every_call_ends_within_its_deadline_before_two_thousand_small_internets() {
    seeds::each(2000, |seed| {
        let mut dice = Dice::of(&[seed, 3]);
        let nodes = 16 + dice.below(48) as usize;
        let mut world = ordeal(seed, nodes, &mut dice);
        let settling = dice.up_to(Duration::from_secs(2));
        let guest = world.join(settling, |config| config);
        calls_end(&mut world, guest, 2, &mut dice);
    });
}

/// Makes so many calls while the node's line changes, and sees that each of them ends once and in time.
fn calls_end(world: &mut World, guest: usize, calls: u64, dice: &mut Dice) {
    let line = Link {
        bursts: Some(Bursts { good: MINUTE / 4, bad: MINUTE / 12, loss: 0.9 }),
        fragments: Some(Fragments { above: 1200, loss: 0.3 }),
        uplink: Some(Uplink { bytes_per_second: 4000.0, queue: Duration::from_secs(1) }),
        ..Link::default()
    };
    let node = world.guests[guest];
    let longest = Config::default().ask_deadline;
    let mut asked = Vec::new();
    for number in 0..calls {
        match dice.below(8) {
            0 => world.net.set_line(node, line.clone()),
            1 => world.net.set_line(node, Link::default()),
            2 => world.net.partition([node], dice.below(2) as u32),
            _ => {}
        }
        let ask = any_ask(number, dice);
        let deadline =
            dice.happens(0.5).then(|| dice.exponential(Duration::from_secs(3)).min(longest));
        let effort = [None, Some(Effort::Quick), Some(Effort::Thorough)][dice.below(3) as usize];
        let options = AskOptions { deadline, effort, ..AskOptions::default() };
        let limit = deadline.unwrap_or(longest) + Duration::from_millis(1);
        asked.push((world.start_with(guest, ask, options), world.net.now(), limit));
        world.net.run_for(dice.exponential(Duration::from_secs(2)));
    }
    world.net.run_for(longest + Duration::from_secs(1));
    for (query, began, limit) in asked {
        let ending = world.net.machine(node).ending(query);
        let (_, report) = ending.unwrap_or_else(|| panic!("{query:?} never ended"));
        let mut events = world.events(guest).iter();
        let done =
            |event: &Event| matches!(event, Event::Done { query: other, .. } if *other == query);
        let (at, _) = events.find(|(_, event)| done(event)).unwrap();
        assert!(*at - began <= limit, "{query:?} took {:?}", *at - began);
        assert!(report.elapsed <= limit);
    }
    assert_eq!(world.node(guest).info().asks, 0);
    assert_eq!(world.net.stats().stuck, 0);
}

fn any_ask(number: u64, dice: &mut Dice) -> Ask {
    let target = target(dice);
    match dice.below(8) {
        0 => Ask::PutMutable { item: item(number, 1), cas: None },
        1 => Ask::PutMutable { item: item(number, 2), cas: Some(1) },
        2 => Ask::PutImmutable { item: ImmutableItem::from_bytes(b"any value").unwrap() },
        3 => Ask::GetImmutable { target },
        4 => Ask::GetPeers { info_hash: target, no_seeds: false },
        5 => Ask::AnnouncePeer { info_hash: target, port: None, seed: false },
        6 => Ask::FindNode { target },
        _ => get_of(&item(number, 1)),
    }
}

#[test]
fn two_runs_of_one_seed_are_the_same_packet_for_packet() {
    seeds::each(2, |seed| {
        let terrain = Terrain { seed, nodes: 1000, ..Terrain::default() };
        let series = Series { terrain, loss: 0.05, trials: 5, settling: MINUTE, floors: false };
        let traces: Vec<u64> = (0..2).map(|_| series.run(|config| config).trace).collect();
        assert_eq!(traces[0], traces[1]);
        let terrain = Terrain { seed: seed + 1_000_000, ..terrain };
        assert_ne!(traces[0], Series { terrain, ..series }.run(|config| config).trace);
    });
}

#[test]
fn the_closest_living_nodes_are_found_among_thirty_percent_dead_and_two_percent_lost() {
    let mut recalls = Vec::new();
    seeds::each(2, |seed| {
        let mut world = World::before(prompt(seed, 3000, 0.3), 0.02);
        let guest = world.join(10 * MINUTE, |config| config);
        let mut dice = Dice::of(&[seed, 2]);
        for _ in 0..40 {
            let target = target(&mut dice);
            recalls.push(recall(&mut world, guest, target));
            world.net.run_for(Duration::from_secs(2));
        }
    });
    let mean = recalls.iter().sum::<f64>() / recalls.len() as f64;
    assert!(mean >= RECALL, "{mean:.4}");
}

/// Many networks tell more than many questions to a few: how the dead lie around a target is drawn with the network.
#[test]
fn what_is_stored_is_found_and_so_are_the_closest_before_a_thousand_small_internets() {
    let (mut recalls, mut stored, mut found) = (Vec::new(), 0, 0);
    seeds::each(1000, |seed| {
        let mut dice = Dice::of(&[seed, 4]);
        let nodes = 200 + dice.below(200) as usize;
        let mut world = World::before(prompt(seed, nodes, 0.3), 0.02);
        let [writer, reader] = [0, 1].map(|_| world.join(5 * MINUTE / 60, |config| config));
        let value = item(seed, 1);
        stored += usize::from(put(&mut world, writer, &value) >= 8);
        found += usize::from(get(&mut world, reader, &value).0 == Some(1));
        recalls.push(recall(&mut world, reader, target(&mut dice)));
    });
    let networks = recalls.len();
    let mean = recalls.iter().sum::<f64>() / networks as f64;
    println!("{networks} networks: {stored} stored, {found} found, recall {mean:.4}");
    assert!(stored * 1000 >= networks * 995 && found * 1000 >= networks * 999);
    assert!(mean >= RECALL, "{mean:.4}");
}

/// The share of the closest eight that must be found.
const RECALL: f64 = 0.99;
