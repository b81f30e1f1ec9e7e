//! What disjoint paths promise: nobody is asked by two, and nobody steers more than his own.
//! Apart from the rules of one walk, which hold on each path.

use std::collections::BTreeSet;

use proptest::prelude::*;
use rand::RngExt;

use super::*;
use crate::testing::{Swarm, random_id, rng};

type Walks = Paths<Peer, 20, u32>;

/// Walks to zero that start from these, each of whom has a provider of his own.
fn paths(config: LookupConfig, count: usize, seeds: &[u8]) -> Walks {
    let mut paths = Walks::new(Id::ZERO, config, count);
    for number in seeds {
        assert!(paths.add(far(*number)));
    }
    paths
}

/// As [`peer`], in a /16 of its own.
fn far(number: u8) -> Peer {
    Peer { host: u32::from(number) << 16, ..peer(number) }
}

fn asked(paths: &mut Walks) -> Vec<u8> {
    core::iter::from_fn(|| paths.next()).map(|peer| peer.id.as_bytes()[0]).collect()
}

fn answer(paths: &mut Walks, number: u8, closer: &[u8]) -> Answer {
    paths.responded(far(number), 0, closer.iter().copied().map(far))
}

fn found(paths: Walks) -> (Ending, Vec<u8>) {
    let outcome = paths.into_outcome();
    let ids = outcome.responders.iter().map(|one| one.contact.id.as_bytes()[0]);
    (outcome.ending, ids.collect())
}

#[test]
fn whom_two_paths_name_is_asked_by_the_first_only() {
    let mut paths = paths(config(), 2, &[40, 50]);
    assert_eq!(asked(&mut paths), [40, 50]);
    answer(&mut paths, 40, &[10, 20]);
    assert_eq!(asked(&mut paths), [10], "one at a time: two are shared by two");
    answer(&mut paths, 50, &[10, 20]);
    assert_eq!(asked(&mut paths), [20], "10 is the other's, 20 was only named to it");
    answer(&mut paths, 10, &[]);
    assert_eq!(asked(&mut paths), [0; 0]);
    answer(&mut paths, 20, &[]);
    assert!(paths.next().is_none() && paths.is_settled());
    assert_eq!(paths.stats().visits, 4);
    assert_eq!(found(paths), (Ending::Converged, vec![10, 20, 40, 50]));
}

#[test]
fn another_host_of_the_same_subnet_belongs_to_the_path_that_asked_there() {
    let neighbour = Peer { host: far(10).host + 1, ..far(20) };
    for (strict, expected) in [(true, vec![10]), (false, vec![10, 20])] {
        let limits = LookupConfig { one_per_subnet: strict, ..config() };
        let mut paths = paths(limits, 2, &[40, 50]);
        asked(&mut paths);
        answer(&mut paths, 40, &[10]);
        paths.responded(far(50), 0, [neighbour]);
        assert_eq!(asked(&mut paths), expected);
    }
}

#[test]
fn liars_end_their_own_path_and_no_other() {
    let mut paths = paths(config(), 2, &[40, 50]);
    asked(&mut paths);
    // One names two accomplices next to the target, who answer at once and name all honest nodes: too far to be asked.
    answer(&mut paths, 40, &[1, 2]);
    answer(&mut paths, 50, &[30]);
    let mut waiting = asked(&mut paths);
    assert_eq!(waiting, [1, 30]);
    answer(&mut paths, 1, &[2]);
    waiting = asked(&mut paths);
    assert_eq!(waiting, [2]);
    answer(&mut paths, 2, &[1, 10, 20]);
    assert_eq!(asked(&mut paths), [0; 0]);
    assert!(!paths.is_settled(), "the other goes on");
    answer(&mut paths, 30, &[10, 20]);
    assert_eq!(asked(&mut paths), [10, 20], "with the share of the one that has ended");
    answer(&mut paths, 10, &[]);
    answer(&mut paths, 20, &[]);
    assert!(paths.is_settled());
    assert_eq!(found(paths), (Ending::Converged, vec![1, 2, 10, 20, 30, 40, 50]));
}

#[test]
fn a_provider_has_seeds_on_one_path_only() {
    let mut paths = Walks::new(Id::ZERO, config(), 3);
    for number in 1..=20 {
        paths.add(peer(number));
    }
    paths.add(far(60));
    assert_eq!(
        asked(&mut paths),
        [1, 60],
        "one query on each of three paths; the third has no seed"
    );
}

#[test]
fn a_crowd_that_spreads_over_the_paths_is_still_a_crowd() {
    let limits = LookupConfig { closest: 8, network_size: Some(1), ..config() };
    let mut paths = Walks::new(Id::ZERO, limits, 4);
    for number in 1..=16 {
        assert!(paths.add(far(number)));
    }
    while let Some(contact) = paths.next() {
        paths.responded(contact, 0, []);
    }
    assert_eq!(paths.responded_to(), 16, "four on each path are no crowd");
    assert_eq!(paths.crowded(), 9);
    assert_eq!(found(paths).1, [1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn a_network_too_small_for_all_paths_is_asked_whole_and_has_converged() {
    let mut paths = paths(config(), 8, &[10, 20, 30]);
    for number in asked(&mut paths) {
        answer(&mut paths, number, &[10, 20, 30]);
    }
    assert!(paths.next().is_none() && paths.is_settled());
    assert_eq!(paths.crowded(), 0);
    assert_eq!(found(paths), (Ending::Converged, vec![10, 20, 30]));
}

/// What one of the two kinds of walk asked and found, where answers come in any order.
macro_rules! run {
    ($walk:expr, $swarm:expr, $target:expr, $rng:expr) => {{
        let (mut walk, mut chance) = ($walk, $rng);
        let (mut asked, mut waiting) = (Vec::new(), Vec::new());
        for peer in $swarm.peers.iter().step_by(9) {
            walk.add(*peer);
        }
        loop {
            while let Some(peer) = walk.next() {
                asked.push(peer);
                waiting.push(peer);
            }
            if walk.is_settled() || waiting.is_empty() {
                break;
            }
            let peer: Peer = waiting[chance.random_range(0..waiting.len())];
            match chance.random_range(0..10) {
                0 => walk.stalled(&peer.address()),
                1 => {
                    walk.failed(&peer.address());
                    waiting.retain(|other| *other != peer);
                }
                _ => {
                    walk.responded(peer, 0, $swarm.answer(peer.address(), &$target));
                    waiting.retain(|other| *other != peer);
                }
            }
        }
        let (settled, in_flight, crowded) = (walk.is_settled(), walk.in_flight(), walk.crowded());
        let outcome = walk.into_outcome();
        let ids: Vec<_> = outcome.responders.iter().map(|one| one.contact.id).collect();
        (settled, asked, ids, outcome.ending, outcome.stats, in_flight, crowded)
    }};
}

proptest! {
    #[test]
    fn one_path_is_the_walk_it_was(seed: u64, size in 1_u32..150) {
        let swarm = Swarm::new(size, &mut rng(seed));
        let target = random_id(&mut rng(seed ^ 1));
        let limits = LookupConfig { network_size: Some(u64::from(size)), ..LookupConfig::default() };
        let plain = run!(Walk::new(target, limits.clone()), swarm, target, rng(seed ^ 2));
        let one = run!(Walks::new(target, limits, 1), swarm, target, rng(seed ^ 2));
        prop_assert_eq!(plain, one);
    }

    #[test]
    fn paths_end_ask_nobody_twice_and_keep_to_the_caps(
        seed: u64,
        size in 1_u32..150,
        count in 0_usize..12,
        visits in 1_usize..100,
    ) {
        let swarm = Swarm::new(size, &mut rng(seed));
        let target = random_id(&mut rng(seed ^ 1));
        let limits = LookupConfig { visits, ..LookupConfig::default() };
        let walks = Walks::new(target, limits, count);
        let (settled, asked, ids, ending, stats, ..) =
            run!(walks, swarm, target, rng(seed ^ 2));
        prop_assert!(settled);
        let subnets: BTreeSet<_> = asked.iter().map(Contact::subnet).collect();
        prop_assert_eq!(subnets.len(), asked.len());
        prop_assert_eq!(stats.visits, asked.len());
        // Rounded up on each path.
        prop_assert!(asked.len() < visits + Walks::MOST);
        prop_assert!(ids.is_sorted_by(|left, right| target.closer(left, right).is_lt()));
        prop_assert!(ending != Ending::Abandoned);
        prop_assert!(ending != Ending::Converged || ids.len() >= 8);
    }
}
