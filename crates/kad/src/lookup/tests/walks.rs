//! Whole walks through networks: clean, dying, lying.
//! Apart from the single rules because these are properties of all of them together.

use std::collections::BTreeSet;

use proptest::prelude::*;
use rand::RngExt;
use rand::rngs::StdRng;

use super::*;
use crate::testing::{Swarm, random_id, rng};

/// How a network misbehaves, as shares of the queries.
#[derive(Debug, Clone, Copy, Default)]
struct Trouble {
    /// Hosts that never answer.
    dead: f64,
    /// Queries that stall before anything else happens to them.
    slow: f64,
    /// Queries that are told to be late before anything else happens to them.
    late: f64,
    /// Hosts that answer under another id.
    renamed: f64,
    /// Hosts that name ever closer nodes which do not exist.
    liars: f64,
}

/// A query under way.
struct Query {
    peer: Peer,
    stalled: bool,
}

/// Runs a walk to its end; answers come in any order. Checks what must hold at every step.
fn run(
    swarm: &Swarm,
    mut walk: Walk,
    trouble: Trouble,
    limits: &LookupConfig,
    rng: &mut StdRng,
) -> Walk {
    let target = *walk.target();
    let mut under_way: Vec<Query> = Vec::new();
    let mut sent = BTreeSet::new();
    let mut invented = 1_u32 << 20;
    loop {
        while let Some(peer) = walk.next() {
            assert!(sent.insert(peer.address()), "asked twice: {peer:?}");
            under_way.push(Query { peer, stalled: false });
            let in_flight = under_way.iter().filter(|query| !query.stalled).count();
            assert_eq!(walk.in_flight(), in_flight);
            let most = limits.parallelism.max(limits.closing_parallelism);
            assert!(in_flight <= most + limits.closing_parallelism);
        }
        assert!(sent.len() <= limits.visits);
        assert_eq!(walk.stats().visits, sent.len());
        if walk.is_settled() {
            return walk;
        }
        assert!(!under_way.is_empty(), "it waits for nobody");
        let at = rng.random_range(0..under_way.len());
        let peer = under_way[at].peer;
        if rng.random::<f64>() < trouble.late {
            walk.late(&peer.address());
            continue;
        }
        if !under_way[at].stalled && rng.random::<f64>() < trouble.slow {
            under_way[at].stalled = true;
            walk.stalled(&peer.address());
            continue;
        }
        under_way.remove(at);
        // What a host is does not change during a walk.
        let fate = f64::from(peer.host.wrapping_mul(2_654_435_761)) / f64::from(u32::MAX);
        if swarm.at(peer.address()).is_none() || fate < trouble.dead {
            walk.failed(&peer.address());
        } else if fate < trouble.dead + trouble.renamed {
            let answer = walk.responded(Peer { id: random_id(rng), ..peer }, 0, []);
            assert_eq!(answer, Answer::Mismatch);
        } else if fate < trouble.dead + trouble.renamed + trouble.liars {
            let lies: Vec<Peer> = (0..20)
                .map(|_| {
                    invented += 1;
                    let prefix = rng.random_range(0..160);
                    Peer::new(
                        target.random_with_prefix(prefix, |buffer| rng.fill(buffer)),
                        invented,
                    )
                })
                .collect();
            walk.responded(peer, 0, lies);
        } else {
            let closer = swarm.answer(peer.address(), &target);
            assert_eq!(walk.responded(peer, 0, closer), Answer::Counted);
        }
    }
}

fn start(swarm: &Swarm, target: Id<20>, limits: &LookupConfig, rng: &mut StdRng) -> Walk {
    let origin = swarm.peers[rng.random_range(0..swarm.peers.len())];
    let mut walk = Walk::new(target, limits.clone());
    for seed in swarm.answer(origin.address(), &target) {
        walk.add(seed);
    }
    walk
}

#[test]
fn in_a_clean_network_the_true_closest_are_found() {
    let mut rng = rng(11);
    let swarm = Swarm::new(1500, &mut rng);
    let limits = LookupConfig::default();
    let (mut missed, mut visits) = (0, 0);
    for _ in 0..150 {
        let target = random_id(&mut rng);
        let walk = start(&swarm, target, &limits, &mut rng);
        let walk = run(&swarm, walk, Trouble::default(), &limits, &mut rng);
        assert_eq!(walk.phase(), Phase::Settled(Ending::Converged));
        visits += walk.stats().visits;
        let found: Vec<Peer> = walk.responders().map(|(peer, _)| *peer).take(8).collect();
        missed += usize::from(found != swarm.closest(&target, 8));
    }
    assert!(missed <= 2, "{missed} of 150 walks missed a closest node");
    assert!(visits <= 150 * 30, "{} visits a walk", visits / 150);
}

#[test]
fn with_half_the_network_dead_the_closest_living_are_found() {
    let mut rng = rng(12);
    let swarm = Swarm::new(1500, &mut rng);
    let limits = LookupConfig::default();
    let trouble = Trouble { dead: 0.5, slow: 0.1, ..Trouble::default() };
    // Half of what every node names is dead too, as if nobody kept a table: the hardest case.
    let (mut found, mut wanted) = (0, 0);
    for _ in 0..100 {
        let target = random_id(&mut rng);
        let walk = start(&swarm, target, &limits, &mut rng);
        let walk = run(&swarm, walk, trouble, &limits, &mut rng);
        let got: Vec<Peer> = walk.responders().map(|(peer, _)| *peer).collect();
        let alive = |peer: &Peer| {
            f64::from(peer.host.wrapping_mul(2_654_435_761)) / f64::from(u32::MAX) >= trouble.dead
        };
        for peer in swarm.closest(&target, 64).iter().filter(|peer| alive(peer)).take(8) {
            wanted += 1;
            found += usize::from(got.contains(peer));
        }
    }
    assert!(found * 100 >= wanted * 88, "{found} of {wanted}");
}

#[test]
fn liars_cost_no_more_than_the_cap_and_do_not_hide_the_others() {
    let mut rng = rng(13);
    let swarm = Swarm::new(500, &mut rng);
    let limits = LookupConfig { visits: 200, ..LookupConfig::default() };
    let trouble = Trouble { liars: 0.05, ..Trouble::default() };
    let mut found = 0;
    for _ in 0..100 {
        let target = random_id(&mut rng);
        let walk = start(&swarm, target, &limits, &mut rng);
        let walk = run(&swarm, walk, trouble, &limits, &mut rng);
        let closest = swarm.closest(&target, 1)[0];
        found += usize::from(walk.responders().any(|(peer, _)| *peer == closest));
    }
    assert!(found >= 90, "{found} of 100");
}

proptest! {
    #[test]
    fn every_walk_ends_within_its_limits_whatever_happens(
        seed: u64,
        size in 1_u32..120,
        dead in 0.0..1.0_f64,
        slow in 0.0..1.0_f64,
        late in 0.0..0.9_f64,
        renamed in 0.0..0.3_f64,
        liars in 0.0..0.5_f64,
        parallelism in 1_usize..6,
        closest in 1_usize..12,
        visits in 1_usize..150,
        candidates in 1_usize..60,
        near in 0.0..1.0_f64,
        sparing in prop::option::of((0.0..1.0_f64, 0_usize..6)),
    ) {
        let mut rng = rng(seed);
        let swarm = Swarm::new(size, &mut rng);
        let limits = LookupConfig {
            closest,
            parallelism,
            closing_parallelism: parallelism + 2,
            visits,
            candidates,
            near: near * near,
            sparing: sparing.map(|(answering, scouts)| Sparing { answering, scouts }),
            ..LookupConfig::default()
        };
        let target = random_id(&mut rng);
        let walk = start(&swarm, target, &limits, &mut rng);
        let walk = run(&swarm, walk, Trouble { dead, slow, late, renamed, liars }, &limits, &mut rng);
        let found: Vec<Id<20>> = walk.responders().map(|(peer, _)| peer.id).collect();
        prop_assert!(found.is_sorted_by(|left, right| target.closer(left, right).is_lt()));
        let stats = *walk.stats();
        prop_assert!(stats.answers + stats.failures + stats.mismatches <= stats.visits);
        let outcome = walk.into_outcome();
        match outcome.ending {
            Ending::Converged => prop_assert!(outcome.responders.len() >= closest),
            Ending::VisitsSpent => prop_assert_eq!(stats.visits, visits),
            Ending::Exhausted => {}
            Ending::Abandoned => prop_assert!(false, "it was settled"),
        }
    }

    #[test]
    fn the_same_answers_in_the_same_order_give_the_same_walk(seed: u64) {
        let walk = || {
            let mut rng = rng(seed);
            let swarm = Swarm::new(100, &mut rng);
            let limits = LookupConfig::default();
            let target = random_id(&mut rng);
            let trouble = Trouble { dead: 0.2, slow: 0.2, ..Trouble::default() };
            let walk = start(&swarm, target, &limits, &mut rng);
            let walk = run(&swarm, walk, trouble, &limits, &mut rng);
            (walk.responders().map(|(peer, _)| *peer).collect::<Vec<_>>(), *walk.stats())
        };
        prop_assert_eq!(walk(), walk());
    }
}
