//! Uplinks that go away and hosts that sleep, to the second, and whom a node blames for it.
//! Apart from the restarts, because here every datagram and every deadline of one node is in the test's hands.

use std::collections::BTreeSet;
use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use mainstay_dht_proto::{Ask, Config, Event, Outcome, RemoteNode};
use mainstay_krpc::{Body, Id, Message, Method, NodeInfo6, Query};

use crate::families::v6;
use crate::scripted::{Answer, Bench, Fake};
use crate::swarm::v4;

/// A node that knows thirty others and has just asked for something that none of them answers.
fn unheard() -> Bench {
    let mut bench = Bench::knowing(&Fake::all(30));
    bench.ask(Ask::FindNode { target: Id::from_bytes([3; 20]) });
    bench
}

fn tells(bench: &Bench, what: impl Fn(&Event) -> bool) -> usize {
    bench.events.iter().filter(|event| what(event)).count()
}

#[test]
fn a_node_that_hears_nobody_says_so_five_seconds_after_it_heard_somebody_last() {
    let mut bench = unheard();
    let offline = |event: &Event| matches!(event, Event::Offline);
    bench.wait(Duration::from_millis(4900));
    assert_eq!(tells(&bench, offline), 0);
    assert!(!bench.node.info().offline);
    bench.wait(Duration::from_millis(200));
    assert_eq!(tells(&bench, offline), 1, "{:?}", bench.events);
    assert!(bench.node.info().offline);
    bench.wait(Duration::from_secs(600));
    assert_eq!(tells(&bench, offline), 1, "it is told once");
}

#[test]
fn who_is_heard_again_looks_around_at_once() {
    let mut bench = unheard();
    bench.wait(Duration::from_secs(60));
    assert!(bench.node.info().offline);
    let own = bench.id();
    let stranger = SocketAddr::from(([70, 1, 1, 1], 7));
    assert!(bench.query(stranger, Method::Ping).is_some());
    let back = |event: &Event| matches!(event, Event::Online { after } if after.as_secs() == 55);
    assert_eq!(tells(&bench, back), 1, "{:?}", bench.events);
    assert!(!bench.node.info().offline);
    bench.sent.clear();
    let now = bench.now;
    bench.tick();
    assert_eq!(bench.now, now, "it is due at once");
    let walks = bench.sent.iter().filter(|sent| {
        let Body::Query(query) = Message::decode(&sent.payload).unwrap().body else { return false };
        matches!(query.method, Method::FindNode { target, .. } if target == own)
    });
    assert!(walks.count() > 0, "it walks to its own neighbourhood");
}

#[test]
fn what_was_in_flight_when_the_host_fell_asleep_is_held_against_nobody() {
    let peers = Fake::all(30);
    let mut bench = Bench::knowing(&peers);
    // Those without a failure come first, and of them those that answered last.
    let known = bench.node.contacts();
    let before = bench.node.info().counters;
    for n in 0..4 {
        bench.ask(Ask::FindNode { target: Id::from_bytes([n * 60; 20]) });
    }
    let asked = bench.sent.len();
    assert!(asked >= 8, "{asked} are asked when it falls asleep");
    bench.now += Duration::from_secs(8 * 3600);
    bench.tick();
    assert_eq!(bench.node.contacts(), known);
    let lost = bench.node.info().counters.timed_out - before.timed_out;
    assert_eq!(lost, asked as u64);
    // Awake, silence counts: who is not heard now falls behind those who are.
    let (silent, others) = peers.split_at(10);
    bench.sent.retain(|sent| !silent.iter().any(|peer| peer.addr == sent.to));
    bench.serve(&mut |peer: &Fake, query: &Query<'_>| peer.polite(query, &peers), others);
    bench.wait(Duration::from_secs(3));
    let last: Vec<_> = bench.node.contacts().iter().rev().take(10).map(|node| node.addr).collect();
    assert!(last.iter().all(|addr| silent.iter().any(|peer| peer.addr == *addr)), "{last:?}");
}

/// A node that has heard `peers` answer: as many of them as fit are in its table, others wait for a place.
fn full(peers: &[Fake], config: Config) -> Bench {
    let bootstrap = peers.iter().map(|peer| peer.addr).collect();
    let mut bench = Bench::with(Config { bootstrap, ipv4: Some(v4(9999)), ..config });
    for peer in peers {
        bench.ask(Ask::Ping { addr: peer.addr });
    }
    bench.serve(&mut |peer: &Fake, query: &Query<'_>| peer.polite(query, &[]), peers);
    bench.events.clear();
    bench
}

fn nth(n: u8) -> Ask {
    Ask::FindNode { target: Id::from_bytes([n.wrapping_mul(37); 20]) }
}

/// Everybody in the tables, and everybody that a search may begin with.
fn known(bench: &Bench) -> [BTreeSet<RemoteNode>; 2] {
    let targets = (0..=255).map(|n| Id::from_bytes([n; 20]));
    let remembered = targets.flat_map(|target| bench.node.remembered(bench.now, &target, 64));
    [bench.node.contacts().into_iter().collect(), remembered.collect()]
}

/// Whom it knew before, it knows still, and nobody has taken a place.
fn assert_same(bench: &Bench, before: &[BTreeSet<RemoteNode>; 2]) {
    for (now, before) in known(bench).iter().zip(before) {
        let missing: Vec<_> = before.difference(now).map(|node| node.addr).collect();
        let fresh: Vec<_> = now.difference(before).map(|node| node.addr).collect();
        assert!(missing.is_empty() && fresh.is_empty(), "missing {missing:?}, new {fresh:?}");
    }
}

#[test]
fn a_lost_uplink_evicts_nobody_whether_the_host_knows_of_it_or_not() {
    for told in [false, true] {
        // More than fit into the table, so that there is somebody for every place that falls free.
        let peers = Fake::all(200);
        let mut bench = full(&peers, Config::default());
        // It happens in the middle of a lookup: three answers still arrive, and the others do not any more.
        let query = bench.ask(nth(1));
        let mut arrive = 3;
        let mut script = |peer: &Fake, query: &Query<'_>| {
            arrive -= i32::from(arrive > 0);
            peer.polite(query, &[]).filter(|_| arrive > 0)
        };
        bench.serve(&mut script, &peers);
        let before = known(&bench);
        assert!(before[0].len() >= 80 && before[1].len() > before[0].len(), "{}", before[0].len());
        for n in 0..60 {
            bench.ask(nth(n));
            for _ in 0..10 {
                if told {
                    bench.lose_route();
                }
                bench.wait(Duration::from_secs(1));
            }
        }
        bench.sent.clear();
        assert!(bench.ending(query).is_some());
        assert_same(&bench, &before);
        assert_eq!(tells(&bench, |event| matches!(event, Event::Offline)), 1);
        // It is back at once, and finds.
        for _ in 0..60 {
            bench.wait(Duration::from_secs(1));
            bench.serve(&mut |peer: &Fake, query: &Query<'_>| peer.polite(query, &[]), &peers);
        }
        assert_eq!(tells(&bench, |event| matches!(event, Event::Online { .. })), 1);
        let query = bench.ask(Ask::FindNode { target: peers[150].id });
        while bench.ending(query).is_none() {
            bench.serve(&mut |peer: &Fake, query: &Query<'_>| peer.polite(query, &[]), &peers);
            assert!(bench.ending(query).is_some() || bench.tick());
        }
        let Some((Outcome::Nodes(Ok(nodes)), _)) = bench.ending(query) else { panic!() };
        assert_eq!(nodes[0].id, peers[150].id);
    }
}

#[test]
fn a_node_without_a_route_is_blamed_while_others_are_heard() {
    let peers = Fake::all(30);
    let mut bench = Bench::knowing(&peers);
    let astray = peers[4];
    for _ in 0..25 {
        bench.ask(Ask::FindNode { target: astray.id });
        let lost = bench.sent.iter().any(|sent| sent.to == astray.addr);
        bench.sent.retain(|sent| sent.to != astray.addr);
        if lost {
            bench.node.handle_no_route(bench.now, astray.addr);
        }
        for _ in 0..10 {
            bench.serve(&mut |peer: &Fake, query: &Query<'_>| peer.polite(query, &peers), &peers);
            bench.wait(Duration::from_secs(1));
        }
    }
    let last = bench.node.contacts().last().map(|node| node.id);
    assert!(last == Some(astray.id) || bench.node.contacts().len() == 29);
    assert_eq!(tells(&bench, |event| matches!(event, Event::Offline)), 0);
}

/// As [`Fake::new`], with an address of IPv6.
fn six(n: u8) -> Fake {
    let ip = Ipv6Addr::new(0x2a00 + u16::from(n), 7, 7, 0, 0, 0, 0, 1);
    Fake { addr: SocketAddr::from((ip, 6881)), ..Fake::new(n) }
}

#[test]
fn a_family_that_is_lost_forgets_nobody_while_the_other_answers() {
    let (fours, sixes) = (Fake::all(20), (1..=20).map(six).collect::<Vec<_>>());
    let all = [&fours[..], &sixes].concat();
    for (lost, lives) in [(&sixes, &fours), (&fours, &sixes)] {
        let mut bench = full(&all, Config { ipv6: Some(v6(999)), ..Config::default() });
        let before = known(&bench);
        assert_eq!(before[0].len(), 40);
        for n in 0..60 {
            bench.ask(nth(n));
            for _ in 0..10 {
                bench.serve(&mut |peer: &Fake, query: &Query<'_>| peer.polite(query, &[]), lives);
                bench.wait(Duration::from_secs(1));
            }
        }
        assert_same(&bench, &before);
        let outage = |event: &Event| matches!(event, Event::Offline | Event::Online { .. });
        assert_eq!(tells(&bench, outage), 0, "half of it works");
        // Back again, it answers as before.
        let query = bench.ask(Ask::Ping { addr: lost[3].addr });
        bench.serve(&mut |peer: &Fake, query: &Query<'_>| peer.polite(query, &[]), &all);
        assert!(matches!(bench.ending(query), Some((Outcome::Nodes(Ok(_)), _))));
    }
}

#[test]
fn a_family_that_leads_nowhere_is_not_taken_for_an_outage() {
    let (fours, nowhere) = (Fake::all(20), (1..=20).map(six).collect::<Vec<_>>());
    for told in [false, true] {
        let bootstrap = fours.iter().chain(&nowhere).map(|peer| peer.addr).collect();
        let (ipv4, ipv6) = (Some(v4(9999)), Some(v6(999)));
        let mut bench = Bench::with(Config { bootstrap, ipv4, ipv6, ..Config::default() });
        for _ in 0..600 {
            let mut polite = |peer: &Fake, query: &Query<'_>| peer.polite(query, &fours);
            if told {
                let (six, four) =
                    std::mem::take(&mut bench.sent).into_iter().partition(|sent| sent.to.is_ipv6());
                bench.sent = six;
                bench.lose_route();
                bench.sent = four;
            }
            bench.serve(&mut polite, &fours);
            bench.wait(Duration::from_secs(2));
        }
        assert_eq!(tells(&bench, |event| matches!(event, Event::Offline)), 0, "told: {told}");
        assert!(bench.node.info().ipv4.unwrap().nodes >= 10);
    }
}

#[test]
fn a_family_that_leads_nowhere_holds_up_no_lookup() {
    let (fours, sixes) = (Fake::all(20), (1..=200).map(six).collect::<Vec<_>>());
    let nodes6: Vec<NodeInfo6> = sixes
        .iter()
        .map(|peer| {
            let SocketAddr::V6(addr) = peer.addr else { panic!("made of IPv6") };
            NodeInfo6 { id: peer.id, addr }
        })
        .collect();
    for told in [false, true] {
        let bootstrap = fours.iter().map(|peer| peer.addr).collect();
        let (ipv4, ipv6) = (Some(v4(9999)), Some(v6(999)));
        let mut bench = Bench::with(Config { bootstrap, ipv4, ipv6, ..Config::default() });
        // Whoever is asked names eight nodes of IPv6, others each time, since our table there is empty.
        let mut turn = 0;
        let mut script = |peer: &Fake, query: &Query<'_>| {
            turn += 8;
            let named = nodes6.iter().cycle().skip(turn % nodes6.len()).take(8).copied();
            Some(Answer { nodes6: named.collect(), ..peer.polite(query, &fours)? })
        };
        for n in 0..20 {
            let key = mainstay_keys::Keypair::from_secret_key(&[n + 1; 32]).public_key();
            let query = bench.ask(Ask::GetMutable { key, salt: vec![], newer_than: None });
            while bench.ending(query).is_none() {
                if told {
                    let (six, four) = std::mem::take(&mut bench.sent)
                        .into_iter()
                        .partition(|sent| sent.to.is_ipv6());
                    bench.sent = six;
                    bench.lose_route();
                    bench.sent.extend::<Vec<_>>(four);
                }
                bench.serve(&mut script, &fours);
                assert!(bench.ending(query).is_some() || bench.tick());
            }
            let (_, report) = bench.ending(query).unwrap();
            // The first may find out that nobody is there.
            let limit = Duration::from_millis(if n < 2 { 2500 } else { 200 });
            assert!(report.elapsed <= limit, "lookup {n} took {:?}, told: {told}", report.elapsed);
            bench.wait(Duration::from_secs(5));
        }
    }
}
