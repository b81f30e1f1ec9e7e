//! Disjoint paths where they meet everything else: lost packets, puts, hidden targets, and liars in numbers.
//! Apart from the rules of the paths, which `mainstay-kad` tests; here it is counted what they cost and what they gain.

use std::time::Duration;

use mainstay_dht_proto::{Ask, AskOptions, Config, Outcome};

use crate::crowd::{Crowd, Nature};
use crate::figures::nth;
use crate::swarm::get_of;

/// How many items are put and read over each number of paths.
const ITEMS: usize = 6;

const fn over(paths: u8) -> AskOptions {
    AskOptions { deadline: None, effort: None, traced: false, paths }
}

/// What puts and gets over so many paths come to.
#[derive(Debug, Default)]
struct Sum {
    copies: usize,
    found: usize,
    put_packets: usize,
    get_packets: usize,
    slowest: Duration,
}

/// Puts items and reads each of them once, with a client of 800 nodes for each.
fn sum(seed: u64, loss: f64, private: bool, paths: u8) -> Sum {
    let mut crowd = Crowd::new(800, seed);
    let adjust = |config| Config { private_lookups: private, ..config };
    let [writer, reader] = [(); 2].map(|()| crowd.spawn(adjust));
    crowd.warm(writer, 8);
    crowd.warm(reader, 8);
    crowd.loss = loss;
    let mut sum = Sum::default();
    for item in (0..ITEMS).map(nth) {
        let put = Ask::PutMutable { item: item.clone(), cas: None };
        let (outcome, put, sent) = crowd.ask_with(writer, put, over(paths));
        assert!(matches!(outcome, Outcome::Put(Ok(_))), "{outcome:?}");
        sum.put_packets += sent;
        sum.copies += crowd.copies(&item);
        let (outcome, get, sent) = crowd.ask_with(reader, get_of(&item), over(paths));
        sum.found += usize::from(matches!(outcome, Outcome::Mutable(Ok(Some(got))) if got == item));
        sum.get_packets += sent;
        sum.slowest = sum.slowest.max(put.elapsed).max(get.elapsed);
    }
    sum
}

#[test]
fn puts_and_gets_over_several_paths_store_and_find_though_packets_are_lost() {
    for (loss, private) in [(0.0, false), (0.3, false), (0.1, true)] {
        let all = [1, 2, 4].map(|paths| sum(7, loss, private, paths));
        println!("loss {loss}, private {private}: {all:#?}");
        for sum in &all {
            assert_eq!(sum.found, ITEMS);
            // As many as over one path, where three in ten are lost at least twelve of the sixteen wanted.
            assert!(sum.copies >= ITEMS * 12, "{sum:?}");
            assert!(sum.slowest < Duration::from_secs(10), "{sum:?}");
        }
        let [one, two, four] = all.map(|sum| sum.put_packets + sum.get_packets);
        assert!(two <= one * 2 && four <= one * 4, "{one}, {two}, {four} packets");
    }
}

/// How many of the items that the eight closest hold are found by clients that have just joined, and for how many
/// packets, where so many of all nodes conspire.
fn among_liars(share: f64, paths: u8) -> (usize, usize) {
    let mut crowd = Crowd::new(1000, 8);
    crowd.turn(share, Nature::Conspirator);
    let (mut found, mut packets) = (0, 0);
    for item in (0..ITEMS).map(nth) {
        crowd.plant(&item, 16);
        let cold = crowd.spawn(|config| Config { contacts: 0, ..config });
        let (outcome, _, sent) = crowd.ask_with(cold, get_of(&item), over(paths));
        found += usize::from(matches!(outcome, Outcome::Mutable(Ok(Some(got))) if got == item));
        packets += sent;
    }
    (found, packets)
}

#[test]
fn where_most_nodes_lie_several_paths_find_no_less_than_one() {
    for share in [0.5, 0.8] {
        let all = [1, 2, 4].map(|paths| among_liars(share, paths));
        println!("{share} lie: {all:?} of {ITEMS} found, packets, over 1, 2, 4 paths");
        assert!(all[1..].iter().all(|(found, _)| *found + 1 >= all[0].0), "{all:?}");
    }
}
