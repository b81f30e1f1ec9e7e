//! What a lookup tells those whom it asks on its way, and what hiding it costs.
//! Apart from the lookups, because it is judged by what others saw.

use std::sync::{Arc, Mutex};

use mainstay_dht_proto::{Ask, Config, LookupReport, Outcome, Verdict};
use mainstay_krpc::{Id, Method};

use crate::swarm::{Swarm, address, get_of, item, settled};

/// Who else there is.
const OTHERS: usize = 300;
/// For every request of the one that asks: the id of whom it asked, and the target that it told.
type Seen = Arc<Mutex<Vec<(Id, Id)>>>;

/// A network of which each node notes what the last, which has just joined, asks it.
fn watched(private: bool) -> (Swarm, usize, Seen) {
    let mut swarm = Swarm::joined(OTHERS, 11);
    let seen = Seen::default();
    let client = OTHERS;
    for index in 0..OTHERS {
        let id = swarm.node(index).info().ipv4.unwrap().id;
        let seen = seen.clone();
        let hook = move |request: &mainstay_dht_proto::Request<'_>| {
            if let Some(target) = request.target
                && request.from == address(client)
                && !matches!(request.method, Method::Put(_) | Method::AnnouncePeer { .. })
            {
                seen.lock().unwrap().push((id, target));
            }
            Verdict::Answer
        };
        swarm.net.with(swarm.nodes[index], |peer, _| peer.node.set_hook(Box::new(hook)));
    }
    // Without a book of contacts, so that it has to come from afar.
    let adjust = |config| Config { private_lookups: private, contacts: 0, ..settled(config) };
    assert_eq!(swarm.spawn(adjust), client);
    swarm.net.run_for(std::time::Duration::from_secs(30));
    (swarm, client, seen)
}

fn shared(left: &Id, right: &Id) -> u32 {
    let number = |id: &Id| u128::from_be_bytes(id.as_bytes()[..16].try_into().unwrap());
    (number(left) ^ number(right)).leading_zeros()
}

/// Gets and puts: how many bits those who were told a target share with it, how often another was told, and what the
/// gets cost.
fn asked(private: bool) -> (Vec<u32>, usize, Vec<LookupReport>) {
    let (mut swarm, client, seen) = watched(private);
    let (mut open, mut veiled, mut reports) = (Vec::new(), 0, Vec::new());
    for number in 1..=5 {
        let item = item(number, 1);
        assert!(matches!(swarm.put(7, &item), Outcome::Put(Ok(_))));
        seen.lock().unwrap().clear();
        let (outcome, report) = swarm.ask(client, get_of(&item));
        assert!(matches!(outcome, Outcome::Mutable(Ok(Some(found))) if found == item));
        reports.push(report);
        let newer = crate::swarm::item(number, 2);
        let put = Ask::PutMutable { item: newer, cas: None };
        let Outcome::Put(Ok(put)) = swarm.ask(client, put).0 else { panic!("not stored") };
        // Sixteen, and those of the eight closest that were found after them.
        assert!((16..=24).contains(&put.stored));
        for (id, told) in seen.lock().unwrap().drain(..) {
            let target = item.target();
            if told == target {
                open.push(shared(&id, &target));
            } else {
                veiled += 1;
                // Four bits more than it has itself, and never more than the boundary.
                let most = shared(&id, &target) + 4;
                let lucky = 12;
                assert!(shared(&told, &target) <= most + lucky, "{told} {target} {id}");
            }
        }
    }
    open.sort_unstable();
    (open, veiled, reports)
}

#[test]
fn far_nodes_never_learn_the_target_of_a_private_lookup() {
    let (open, veiled, private) = asked(true);
    let (all, none, plain) = asked(false);
    // Of 300 nodes 75 are near: those that share two bits, or one where the network looked smaller.
    assert!(open.iter().all(|shared| *shared >= 1), "{open:?}");
    assert!(open.iter().filter(|shared| **shared >= 2).count() * 2 > open.len(), "{open:?}");
    assert!(veiled > 0);
    // Who does not hide tells everybody on its way.
    assert!(all.contains(&0) && none == 0, "{all:?}");
    let queries = |reports: &[LookupReport]| reports.iter().map(|report| report.queried).sum();
    let (private, plain): (usize, usize) = (queries(&private), queries(&plain));
    println!("queries of five gets: {private} hidden, {plain} open");
    assert!(private * 2 <= plain * 3, "{private} queries hidden, {plain} open");
}
