//! IPv4 and IPv6 in one node: two networks, two tables, one face.
//! Apart, because everything else in this folder speaks IPv4 only.

use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};
use std::time::Duration;

use mainstay_dht_proto::{Ask, Config, LookupError, Outcome};
use mainstay_krpc::bep42;
use mainstay_sim::Host;

use crate::swarm::{Swarm, address, get_of, item, v4};

pub(crate) fn v6(index: usize) -> SocketAddrV6 {
    let index = u16::try_from(index).expect("a small swarm");
    SocketAddrV6::new(Ipv6Addr::new(0x2a00 + index, 7, 7, 0, 0, 0, 0, 1), 6881, 0, 0)
}

/// A swarm where every node has the families that `has` says.
pub(crate) fn mixed(count: usize, seed: u64, has: impl Fn(usize) -> (bool, bool)) -> Swarm {
    let mut swarm = Swarm::empty(seed);
    for index in 0..count {
        let (four, six) = has(index);
        let bootstrap = match index {
            0 => vec![],
            1 => vec![address(0), SocketAddr::V6(v6(0))],
            _ if four => vec![address(0)],
            _ => vec![SocketAddr::V6(v6(0))],
        };
        let (ipv4, ipv6) = (four.then(|| v4(index)), six.then(|| v6(index)));
        let config = Config { ipv4, ipv6, bootstrap, ..Config::default() };
        let host = match (four, six) {
            (true, true) => Host::open(address(index)).and(SocketAddr::V6(v6(index))),
            (true, false) => Host::open(address(index)),
            _ => Host::open(SocketAddr::V6(v6(index))),
        };
        let peer = swarm.peer(config, index);
        let node = swarm.net.add(host, peer);
        swarm.nodes.push(node);
        swarm.net.run_for(Duration::from_millis(50));
    }
    swarm.net.run_for(Duration::from_secs(60));
    swarm
}

#[test]
fn a_network_of_ipv6_alone_stores_and_finds() {
    let mut swarm = mixed(30, 60, |_| (false, true));
    let item = item(1, 5);
    assert!(matches!(swarm.put(2, &item), Outcome::Put(Ok(report)) if report.stored == 16));
    assert_eq!(swarm.get(20, &item), Some(item));
    let info = swarm.node(3).info().ipv6.unwrap();
    assert_eq!(info.public, Some(SocketAddr::V6(v6(3))));
    assert!(bep42::fits(&info.id, SocketAddr::V6(v6(3)).ip()));
}

#[test]
fn one_family_leads_a_node_into_the_other() {
    // All but one were told an IPv4 address only.
    let mut swarm = mixed(30, 61, |_| (true, true));
    swarm.net.run_for(Duration::from_secs(300));
    for index in 0..30 {
        let info = swarm.node(index).info();
        let (four, six) = (info.ipv4.unwrap().nodes, info.ipv6.unwrap().nodes);
        assert!(four >= 8 && six >= 8, "node {index} knows {four} and {six}");
    }
}

#[test]
fn a_put_over_both_families_is_found_over_either() {
    let mut swarm = mixed(45, 62, |index| match index % 3 {
        0 => (true, true),
        1 => (true, false),
        _ => (false, true),
    });
    let item = item(1, 5);
    let Outcome::Put(Ok(report)) = swarm.put(3, &item) else { panic!("not stored") };
    assert!(report.nodes.iter().any(|node| node.addr.is_ipv4()));
    assert!(report.nodes.iter().any(|node| node.addr.is_ipv6()));
    for reader in [4, 5, 6, 40, 41, 42] {
        assert_eq!(swarm.get(reader, &item).as_ref(), Some(&item), "node {reader}");
    }
}

#[test]
fn a_family_without_nodes_does_not_hold_up_the_other() {
    let mut swarm = mixed(20, 63, |index| (true, index == 5));
    let (outcome, report) = swarm.ask(5, get_of(&item(1, 5)));
    assert!(matches!(outcome, Outcome::Mutable(Ok(None))));
    assert!(report.elapsed < Duration::from_millis(500), "{:?}", report.elapsed);
}

#[test]
fn a_node_without_any_family_says_that_it_knows_nobody() {
    let mut swarm = Swarm::empty(64);
    swarm.spawn_with(Config { ipv4: None, ..Config::default() });
    let (outcome, _) = swarm.ask(0, Ask::FindNode { target: item(1, 1).target() });
    assert!(matches!(outcome, Outcome::Nodes(Err(LookupError::NoNodes))));
}
