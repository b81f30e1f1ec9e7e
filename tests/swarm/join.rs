//! Joining a network, and staying in it.
//! Apart from lookups, since here only tables are looked at.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use mainstay_dht_proto::{Ask, Config, Event, LookupError, Outcome};
use mainstay_krpc::{Id, Query, bep42};

use crate::scripted::{Bench, Fake};
use crate::swarm::{Swarm, address, settled, v4};

#[test]
fn every_node_learns_its_neighbourhood() {
    let mut swarm = Swarm::joined(100, 1);
    swarm.net.run_for(Duration::from_secs(1200));
    assert_neighbours(&swarm);
}

#[test]
fn every_node_learns_its_neighbourhood_although_all_ids_changed() {
    let mut swarm = Swarm::grown(100, 1, |config| config);
    swarm.net.run_for(Duration::from_secs(1200));
    assert_neighbours(&swarm);
}

/// What a node is told of its own address, and of its id there.
fn public(event: &Event) -> Option<(SocketAddr, Id)> {
    match event {
        Event::PublicAddress { addr, id } => Some((*addr, *id)),
        _ => None,
    }
}

/// Each node knows at least six of the eight others closest to it; a full bucket may lack the others.
fn assert_neighbours(swarm: &Swarm) {
    for index in 0..100 {
        let own = swarm.node(index).info().ipv4.unwrap().id;
        let known: Vec<Id> = swarm.node(index).contacts().iter().map(|node| node.id).collect();
        let mut others: Vec<Id> = (0..100)
            .filter(|other| *other != index)
            .map(|other| swarm.node(other).info().ipv4.unwrap().id)
            .collect();
        others.sort_by_key(|id| distance(id, &own));
        let missed = others[..8].iter().filter(|id| !known.contains(id)).count();
        assert!(missed <= 2, "node {index} misses {missed} of its 8 neighbours");
    }
}

#[test]
fn joining_takes_few_messages_and_little_time() {
    let mut swarm = Swarm::joined(200, 2);
    // Those who came before fill their tables in their first rounds.
    swarm.net.run_for(Duration::from_secs(900));
    let before = swarm.net.stats().sent;
    let newcomer = swarm.spawn(settled);
    let node = swarm.nodes[newcomer];
    let joined = swarm.net.run_while_not(Duration::from_secs(5), |net| {
        net.machine(node).events.iter().any(|event| matches!(event, Event::Bootstrapped { .. }))
    });
    assert!(joined);
    let sent = swarm.net.stats().sent - before;
    assert!(sent <= 120, "{sent} datagrams in the whole network while one node joined");
    assert!(swarm.node(newcomer).info().ipv4.unwrap().nodes >= 8);
}

#[test]
fn a_lone_node_settles_at_once_and_says_that_it_knows_nobody() {
    let mut swarm = Swarm::empty(3);
    swarm.spawn(|config| config);
    swarm.net.run_for(Duration::from_millis(1));
    assert!(matches!(swarm.events(0), [Event::Bootstrapped { nodes: 0 }]));
    let (outcome, report) = swarm.ask(0, Ask::GetImmutable { target: Id::from_bytes([1; 20]) });
    assert!(matches!(outcome, Outcome::Immutable(Err(LookupError::NoNodes))));
    assert_eq!((report.queried, report.elapsed), (0, Duration::ZERO));
    assert_eq!(swarm.node(0).poll_timeout(), None, "nothing will ever be due");
}

#[test]
fn a_bootstrap_that_is_down_is_tried_again_ever_less_often() {
    let mut swarm = Swarm::empty(4);
    swarm.spawn(|config| config);
    swarm.kill([0]);
    let newcomer = swarm.spawn(|config| config);
    swarm.net.run_for(Duration::from_secs(3600));
    let tries = swarm.net.stats().sent;
    assert!((6..=16).contains(&tries), "{tries} attempts in an hour");
    let settled = swarm.events(newcomer).iter().filter(|e| matches!(e, Event::Bootstrapped { .. }));
    assert_eq!(settled.count(), 1);

    swarm.net.set_up(swarm.nodes[0], true);
    swarm.net.run_for(Duration::from_secs(900));
    assert_eq!(swarm.node(newcomer).info().ipv4.unwrap().nodes, 1);
    assert_eq!(swarm.node(0).info().ipv4.unwrap().nodes, 1);
}

#[test]
fn asks_wait_for_names_that_are_being_resolved() {
    let mut swarm = Swarm::joined(20, 5);
    let newcomer = swarm.spawn(|mut config| {
        config.bootstrap.clear();
        config.more_bootstrap = true;
        config
    });
    let query = swarm.start(newcomer, Ask::FindNode { target: Id::from_bytes([9; 20]) });
    swarm.net.run_for(Duration::from_secs(5));
    assert!(swarm.events(newcomer).is_empty());
    swarm.net.with(swarm.nodes[newcomer], |peer, now| peer.node.add_bootstrap(now, &[address(0)]));
    let (outcome, _) = swarm.finish(newcomer, query);
    assert!(matches!(outcome, Outcome::Nodes(Ok(nodes)) if nodes.len() == 8));
}

#[test]
fn names_that_lead_nowhere_end_the_wait() {
    let mut swarm = Swarm::empty(6);
    swarm.spawn(|mut config| {
        config.more_bootstrap = true;
        config
    });
    let query = swarm.start(0, Ask::FindNode { target: Id::from_bytes([9; 20]) });
    swarm.net.run_for(Duration::from_secs(1));
    swarm.net.with(swarm.nodes[0], |peer, now| peer.node.add_bootstrap(now, &[]));
    let (outcome, _) = swarm.finish(0, query);
    assert!(matches!(outcome, Outcome::Nodes(Err(LookupError::NoNodes))));
}

#[test]
fn ids_come_to_fit_the_addresses_that_others_see() {
    let swarm = Swarm::grown(60, 7, |config| config);
    for index in 0..60 {
        let info = swarm.node(index).info().ipv4.unwrap();
        assert_eq!(info.public, Some(address(index)), "node {index}");
        assert!(bep42::fits(&info.id, address(index).ip()), "node {index}");
        let told: Vec<_> = swarm.events(index).iter().filter_map(public).collect();
        assert_eq!(told, [(address(index), info.id)], "node {index}");
    }
}

#[test]
fn tables_keep_the_living_and_lose_the_dead_over_hours() {
    let mut swarm = Swarm::joined(60, 8);
    swarm.kill(30..60);
    swarm.net.run_for(Duration::from_secs(4 * 3600));
    for index in 0..30 {
        let contacts = swarm.node(index).contacts();
        let alive = contacts.iter().filter(|c| (0..30).any(|n| address(n) == c.addr)).count();
        assert!(alive >= 15, "node {index} knows {alive} living nodes");
        let (outcome, _) = swarm.ask(index, Ask::FindNode { target: Id::from_bytes([3; 20]) });
        let Outcome::Nodes(Ok(nodes)) = outcome else { panic!("{outcome:?}") };
        assert_eq!(nodes.len(), 8);
    }
}

#[test]
fn an_idle_node_rarely_wakes() {
    let mut swarm = Swarm::joined(100, 9);
    swarm.net.run_for(Duration::from_secs(1800));
    let (before, heard) = (swarm.net.stats().timeouts, swarm.net.stats().delivered);
    swarm.net.run_for(Duration::from_secs(3600));
    let wakes = swarm.net.stats().timeouts - before;
    let heard = swarm.net.stats().delivered - heard;
    // Once in a hundred seconds by its own timers, once in ten with every datagram that keeps the tables alive.
    assert!(wakes <= 100 * 36, "{wakes} wake-ups by timers of 100 nodes in an hour");
    assert!(wakes + heard <= 100 * 360, "{wakes} and {heard} datagrams to 100 nodes in an hour");
    assert_eq!(swarm.net.stats().stuck, 0, "a deadline that does not move is a busy loop");
}

#[test]
fn a_node_that_lost_its_uplink_still_knows_its_network() {
    let mut swarm = Swarm::joined(40, 10);
    let known = |swarm: &Swarm| -> BTreeSet<_> { swarm.node(5).contacts().into_iter().collect() };
    let before = known(&swarm);
    swarm.net.partition([swarm.nodes[5]], 1);
    swarm.net.run_for(Duration::from_secs(3600));
    swarm.net.heal();
    assert_eq!(known(&swarm), before, "an hour offline");
    let (outcome, _) = swarm.ask(5, Ask::FindNode { target: Id::from_bytes([3; 20]) });
    assert!(matches!(outcome, Outcome::Nodes(Ok(nodes)) if nodes.len() == 8));
}

#[test]
fn a_node_whose_whole_network_was_replaced_joins_the_new_one() {
    let mut swarm = Swarm::joined(30, 11);
    swarm.kill((0..30).filter(|n| *n != 5));
    swarm.net.run_for(Duration::from_secs(1200));
    // The bootstrap host comes back as another node, and others join through it.
    let config = Config { ipv4: Some(v4(0)), public_ipv4: Some(*v4(0).ip()), ..Config::default() };
    let reborn = swarm.peer(config, 500);
    swarm.net.replace(swarm.nodes[0], reborn);
    swarm.net.set_up(swarm.nodes[0], true);
    for _ in 0..10 {
        swarm.spawn(settled);
    }
    swarm.net.run_for(Duration::from_secs(900));
    let (outcome, _) = swarm.ask(5, Ask::FindNode { target: Id::from_bytes([3; 20]) });
    let Outcome::Nodes(Ok(nodes)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(nodes.len(), 8);
}

#[test]
fn an_ask_of_a_node_that_knows_only_the_dead_goes_back_to_the_bootstrap() {
    let peers = Fake::all(12);
    let host = Fake::new(99);
    let mut bench = Bench::new(&[host]);
    bench.serve(
        &mut |peer: &Fake, query: &Query<'_>| peer.polite(query, &peers),
        &[&peers[..], &[host]].concat(),
    );
    // Everybody is silent, and then the bootstrap host alone has come back under another id.
    let target = Id::from_bytes([3; 20]);
    bench.ask(Ask::FindNode { target });
    bench.sent.clear();
    bench.wait(Duration::from_secs(5));
    let reborn = Fake { id: Id::from_bytes([0x77; 20]), ..host };
    let query = bench.ask(Ask::FindNode { target });
    while bench.ending(query).is_none() {
        bench.serve(&mut |peer: &Fake, query: &Query<'_>| peer.polite(query, &[]), &[reborn]);
        assert!(bench.ending(query).is_some() || bench.tick());
    }
    let Some((Outcome::Nodes(Ok(nodes)), _)) = bench.ending(query) else { panic!() };
    assert_eq!(nodes.iter().map(|node| node.id).collect::<Vec<_>>(), [reborn.id]);
}

fn distance(a: &Id, b: &Id) -> Vec<u8> {
    a.as_bytes().iter().zip(b.as_bytes()).map(|(a, b)| a ^ b).collect()
}
