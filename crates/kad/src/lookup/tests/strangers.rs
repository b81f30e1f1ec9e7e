//! How often a walk asks addresses that never answer: those of bystanders whom liars name.
//! Apart from the other rules, because here the network is hostile and lossy at once.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rand::RngExt;

use super::*;
use crate::testing::{Swarm, random_id, rng};

/// Walks where a third of all queries stall, some of them for good, and every answer names bystanders too: under
/// ids next to the target, again and again, as `near` says on how many ports. Counts the queries to each address.
fn hostile_walk(seed: u64, config: LookupConfig, ports: u16) -> BTreeMap<(u32, u16), usize> {
    let mut rng = rng(seed);
    let swarm = Swarm::new(150, &mut rng);
    let target = random_id(&mut rng);
    let mut walk = Walk::new(target, config);
    let mut queries = BTreeMap::new();
    let mut waiting: Vec<(Peer, bool)> = Vec::new();
    for peer in swarm.peers.iter().step_by(15) {
        walk.add(*peer);
    }
    loop {
        walk.ask_twice(rng.random_bool(0.8));
        while let Some(peer) = walk.next() {
            *queries.entry(peer.address()).or_insert(0) += 1;
            waiting.push((peer, false));
        }
        if walk.is_settled() || waiting.is_empty() {
            return queries;
        }
        let (peer, stalled) = waiting.swap_remove(rng.random_range(0..waiting.len()));
        let there = swarm.at(peer.address()).is_some_and(|other| other.id == peer.id);
        if !stalled && (!there || rng.random_bool(0.3)) {
            walk.stalled(&peer.address());
            waiting.push((peer, true));
        } else if !there || rng.random_bool(0.2) {
            walk.lost(&peer.address());
        } else {
            let mut named = swarm.answer(peer.address(), &target);
            named.truncate(4);
            for _ in 0..4 {
                let id = target.random_with_prefix(40, |buffer| rng.fill(buffer));
                let host = (1000 + rng.random_range(0..3)) << 8;
                named.push(Peer { id, host, port: rng.random_range(0..ports), preferred: true });
            }
            walk.responded(peer, 0, named);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_address_that_stays_silent_is_asked_more_than_twice(seed in any::<u64>()) {
        let strict = LookupConfig { one_per_subnet: false, ..LookupConfig::default() };
        for (config, ports) in [(strict, 50), (LookupConfig::loopback(), 4)] {
            let one_per_host = config.one_per_host;
            let queries = hostile_walk(seed, config, ports);
            prop_assert!(queries.values().all(|count| *count <= 2), "{queries:?}");
            prop_assert!(queries.len() > 10);
            if one_per_host {
                // And no more to all ports of one host together.
                for host in 1000..1003 {
                    let to_it = queries.iter().filter(|((other, _), _)| *other == host << 8);
                    let sum: usize = to_it.map(|(_, count)| count).sum();
                    prop_assert!(sum <= 2, "{sum} to one host");
                }
            }
        }
    }
}
