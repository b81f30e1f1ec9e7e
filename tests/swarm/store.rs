//! Putting and announcing: where copies go, what refusals mean, and that it always ends.
//! Scripted peers for what is exact, whole swarms for what is statistical.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::time::Duration;

use mainstay_dht_proto::{Ask, Config, Event, Outcome, PutError, PutReport};
use mainstay_krpc::item::{ImmutableItem, MutableItem};
use mainstay_krpc::{AnnouncePort, Id, Method, Query};
use mainstay_sim::Link;

use crate::scripted::{Answer, Bench, Fake};
use crate::swarm::{Swarm, get_of, item, keypair};

fn put(item: &MutableItem) -> Ask {
    Ask::PutMutable { item: item.clone(), cas: None }
}

fn report(outcome: Outcome) -> PutReport {
    match outcome {
        Outcome::Put(Ok(report)) => report,
        other => panic!("{other:?}"),
    }
}

fn failure(outcome: Outcome) -> PutError {
    match outcome {
        Outcome::Put(Err(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_one_node_puts_every_node_gets() {
    let mut swarm = Swarm::joined(60, 20);
    let item = item(1, 7);
    let stored = report(swarm.put(3, &item));
    assert_eq!((stored.stored, stored.target), (16, item.target()));
    for index in 0..60 {
        assert_eq!(swarm.get(index, &item).as_ref(), Some(&item), "node {index}");
    }
}

#[test]
fn immutable_items_and_peers_are_found_by_others() {
    let mut swarm = Swarm::joined(40, 21);
    let item = ImmutableItem::from_bytes(b"an immutable value").unwrap();
    report(swarm.ask(1, Ask::PutImmutable { item: item.clone() }).0);
    let (found, _) = swarm.ask(30, Ask::GetImmutable { target: item.target() });
    assert!(matches!(found, Outcome::Immutable(Ok(Some(other))) if other == item));

    let info_hash = Id::from_bytes([0x42; 20]);
    report(swarm.ask(2, Ask::AnnouncePeer { info_hash, port: Some(8080), seed: false }).0);
    report(swarm.ask(3, Ask::AnnouncePeer { info_hash, port: None, seed: false }).0);
    let (found, _) = swarm.ask(31, Ask::GetPeers { info_hash, no_seeds: false });
    let Outcome::Peers(Ok(peers)) = found else { panic!("{found:?}") };
    let expected = [SocketAddr::new(crate::swarm::address(2).ip(), 8080), crate::swarm::address(3)];
    assert_eq!(peers, expected);
    let (scraped, _) = swarm.ask(33, Ask::Scrape { info_hash });
    let Outcome::Scrape(Ok(scrape)) = scraped else { panic!("{scraped:?}") };
    assert_eq!((scrape.seed_count(), scrape.downloader_count()), (0, 2));
    assert!(scrape.nodes >= 1);
    // Who then has everything says so, counts as a seed, and is of no use to others who have everything.
    report(swarm.ask(2, Ask::AnnouncePeer { info_hash, port: Some(8080), seed: true }).0);
    let (scraped, _) = swarm.ask(33, Ask::Scrape { info_hash });
    let Outcome::Scrape(Ok(scrape)) = scraped else { panic!("{scraped:?}") };
    assert_eq!((scrape.seed_count(), scrape.downloader_count()), (1, 1));
    // Whoever asks may be one of those that store it, and looks into its own store first.
    for reader in 0..40 {
        let ask = Ask::GetPeers { info_hash, no_seeds: true };
        let Outcome::Peers(Ok(peers)) = swarm.ask(reader, ask).0 else { panic!("node {reader}") };
        assert_eq!(peers, expected[1..], "node {reader}");
    }
    let (sampled, _) = swarm.ask(32, Ask::SampleInfohashes { target: info_hash });
    let Outcome::Samples(Ok(samples)) = sampled else { panic!("{sampled:?}") };
    assert!(samples.iter().any(|sample| sample.info_hashes == [info_hash]));
}

#[test]
fn copies_go_to_the_nodes_closest_to_the_target() {
    let mut swarm = Swarm::joined(100, 22);
    let item = item(1, 7);
    let stored = report(swarm.put(3, &item));
    let distance = |id: &Id| -> Vec<u8> {
        id.as_bytes().iter().zip(item.target().as_bytes()).map(|(a, b)| a ^ b).collect()
    };
    let mut ids: Vec<Id> =
        (0..100).filter(|n| *n != 3).map(|n| swarm.node(n).info().ipv4.unwrap().id).collect();
    ids.sort_by_key(distance);
    let hit = ids[..16].iter().filter(|id| stored.nodes.iter().any(|node| node.id == **id)).count();
    assert!(ids[..8].iter().all(|id| stored.nodes.iter().any(|node| node.id == *id)));
    assert!(hit >= 12, "{hit} of the 16 closest");
}

#[test]
fn a_newer_item_replaces_an_older_one_and_an_older_one_is_refused_with_proof() {
    let mut swarm = Swarm::joined(40, 23);
    report(swarm.put(1, &item(1, 5)));
    report(swarm.put(2, &item(1, 6)));
    assert_eq!(swarm.get(9, &item(1, 0)), Some(item(1, 6)));
    let PutError::NotMostRecent { newest } = failure(swarm.put(3, &item(1, 5))) else { panic!() };
    assert_eq!(*newest, item(1, 6));
    report(swarm.put(3, &item(1, 6)));
    let rival = MutableItem::sign_bytes(&keypair(1), b"", 6, b"same number, other value").unwrap();
    // Nodes leave out what is not newer than the number asked for, so this shows in their refusals.
    let PutError::Conflict { code: 302, stored: 0, .. } = failure(swarm.put(4, &rival)) else {
        panic!()
    };
    assert_eq!(swarm.get(9, &item(1, 0)), Some(item(1, 6)));
}

#[test]
fn compare_and_swap_stores_only_over_the_expected() {
    let mut swarm = Swarm::joined(40, 24);
    let cas = |seq, cas| Ask::PutMutable { item: item(1, seq), cas: Some(cas) };
    report(swarm.ask(1, cas(5, 4)).0);
    let PutError::CasFailed { newest } = failure(swarm.ask(2, cas(6, 4)).0) else { panic!() };
    assert_eq!(*newest, item(1, 5));
    report(swarm.ask(2, cas(6, 5)).0);
    assert_eq!(swarm.get(9, &item(1, 0)), Some(item(1, 6)));
}

#[test]
fn two_writers_that_race_for_one_swap_are_told_apart() {
    for seed in 0..20 {
        let mut swarm = Swarm::joined(30, 100 + seed);
        report(swarm.put(1, &item(1, 5)));
        let value =
            |text: &str| MutableItem::sign_bytes(&keypair(1), b"", 6, text.as_bytes()).unwrap();
        let asks = ["a", "b"].map(|text| Ask::PutMutable { item: value(text), cas: Some(5) });
        let [a, b] = asks;
        let first = swarm.start(2, a);
        let second = swarm.start(3, b);
        let wins = [swarm.finish(2, first).0, swarm.finish(3, second).0]
            .into_iter()
            .filter(|outcome| matches!(outcome, Outcome::Put(Ok(_))))
            .count();
        assert!(wins <= 1, "seed {seed}: both writers believe they won");
    }
}

#[test]
fn a_put_right_after_or_during_a_find_node_of_its_target_stores() {
    let mut swarm = Swarm::joined(40, 25);
    let item = item(1, 5);
    let find = Ask::FindNode { target: item.target() };
    swarm.ask(1, find.clone());
    assert_eq!(report(swarm.put(1, &item)).stored, 16);
    let info_hash = item.target();
    let finding = swarm.start(2, find);
    let announcing = swarm.start(2, Ask::AnnouncePeer { info_hash, port: Some(1), seed: false });
    let putting = swarm.start(2, put(&item));
    assert!(matches!(swarm.finish(2, finding).0, Outcome::Nodes(Ok(_))));
    assert_eq!(report(swarm.finish(2, announcing).0).stored, 16);
    assert_eq!(report(swarm.finish(2, putting).0).stored, 16);
}

#[test]
fn concurrent_gets_of_one_target_with_and_without_a_floor_both_get_theirs() {
    let mut swarm = Swarm::joined(40, 26);
    report(swarm.put(1, &item(1, 5)));
    let floored = |newer_than| match get_of(&item(1, 0)) {
        Ask::GetMutable { key, salt, .. } => Ask::GetMutable { key, salt, newer_than },
        other => other,
    };
    let queries = [Some(9), None, Some(4), Some(5)].map(|floor| swarm.start(30, floored(floor)));
    let found = queries.map(|query| match swarm.finish(30, query).0 {
        Outcome::Mutable(Ok(found)) => found.map(|item| item.seq()),
        other => panic!("{other:?}"),
    });
    assert_eq!(found, [None, Some(5), Some(5), None]);
}

#[test]
fn tokens_for_an_announce_come_from_get_peers_and_for_a_put_from_get() {
    let peers = Fake::all(3);
    for announce in [false, true] {
        let mut bench = Bench::knowing(&peers);
        let target = item(1, 5).target();
        let ask = match announce {
            true => Ask::AnnouncePeer { info_hash: target, port: None, seed: false },
            false => put(&item(1, 5)),
        };
        let query = bench.ask(ask);
        let mut script = |peer: &Fake, query: &Query<'_>| {
            match query.method {
                Method::AnnouncePeer { token, port, .. } => {
                    assert_eq!(token, peer.token(b'p'));
                    assert!(matches!(port, AnnouncePort::Implied { .. }));
                }
                Method::Put(put) => assert_eq!(put.token, peer.token(b'g')),
                // Nodes without BEP 44 and nodes without anything else, each in turn.
                Method::Get { .. } if announce => {
                    return Some(Answer { error: Some(204), ..Answer::default() });
                }
                Method::GetPeers { .. } if !announce => {
                    return Some(Answer { error: Some(204), ..Answer::default() });
                }
                _ => {}
            }
            peer.polite(query, &[])
        };
        bench.serve(&mut script, &peers);
        assert_eq!(report(bench.ending(query).unwrap().0).stored, 3);
    }
}

#[test]
fn the_first_acknowledgement_is_told_at_once_and_the_count_at_the_end() {
    let peers = Fake::all(3);
    let mut bench = Bench::knowing(&peers);
    let query = bench.ask(put(&item(1, 5)));
    bench.serve(&mut |peer, query| peer.polite(query, &[]), &peers);
    let counts: Vec<usize> = bench
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Stored { stored, .. } => Some(*stored),
            _ => None,
        })
        .collect();
    assert_eq!(counts, [1, 2, 3]);
    assert_eq!(report(bench.ending(query).unwrap().0).nodes.len(), 3);
}

#[test]
fn a_node_that_refuses_or_falls_silent_is_replaced_by_the_next_closest() {
    let peers = Fake::all(30);
    let config = Config { store_at: 4, ..Config::default() };
    let mut bench = Bench::knowing_with(&peers, config);
    let query = bench.ask(put(&item(1, 5)));
    let tried = RefCell::new(0);
    let mut script = |peer: &Fake, query: &Query<'_>| {
        if let Method::Put(_) = query.method {
            *tried.borrow_mut() += 1;
            match *tried.borrow() {
                2 => return None,
                4 => return Some(Answer { error: Some(202), ..Answer::default() }),
                _ => {}
            }
        }
        peer.polite(query, &peers)
    };
    while bench.ending(query).is_none() {
        bench.serve(&mut script, &peers);
        assert!(bench.ending(query).is_some() || bench.tick());
    }
    let report = report(bench.ending(query).unwrap().0);
    assert_eq!((report.stored, report.refused.len(), report.timed_out), (4, 1, 1));
    assert_eq!(report.refused[0].1, 202);
}

#[test]
fn refusals_as_out_of_date_are_told_with_the_node_and_decide_by_majority() {
    let peers = Fake::all(5);
    for (refusing, code) in [(1, 301), (4, 302)] {
        let mut bench = Bench::knowing(&peers);
        let query = bench.ask(put(&item(1, 5)));
        bench.serve(
            &mut |peer, query| {
                let puts = matches!(query.method, Method::Put(_));
                if puts && peer.id.as_bytes()[0] <= refusing {
                    return Some(Answer { error: Some(code), ..Answer::default() });
                }
                peer.polite(query, &[])
            },
            &peers,
        );
        let refused = bench
            .events
            .iter()
            .filter(|event| matches!(event, Event::Refused { code: other, .. } if *other == code));
        assert_eq!(refused.count(), usize::from(refusing));
        match bench.ending(query).unwrap().0 {
            Outcome::Put(Ok(report)) => assert_eq!((report.stored, refusing), (4, 1)),
            Outcome::Put(Err(PutError::Conflict { code: 302, refused: 4, stored: 1, .. })) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn each_node_is_held_to_the_number_it_told_us_and_one_without_to_nothing() {
    let peers = Fake::all(4);
    let mut bench = Bench::knowing(&peers);
    let query = bench.ask(Ask::PutMutable { item: item(1, 9), cas: Some(5) });
    bench.serve(
        &mut |peer, query| {
            let mut answer = peer.polite(query, &[])?;
            match (query.method, peer.id.as_bytes()[0]) {
                (Method::Put(put), n) => {
                    let expected = [Some(5), Some(3), Some(0), Some(0)];
                    assert_eq!(put.mutable.unwrap().cas, expected[usize::from(n) - 1]);
                }
                (Method::Get { .. }, 1) => answer.item = Some(item(1, 5)),
                (Method::Get { .. }, 2) => answer.item = Some(item(1, 3)),
                _ => {}
            }
            Some(answer)
        },
        &peers,
    );
    assert_eq!(report(bench.ending(query).unwrap().0).stored, 4);
}

#[test]
fn a_put_without_tokens_or_answers_says_so() {
    let peers = Fake::all(3);
    let mut bench = Bench::knowing(&peers);
    let query = bench.ask(put(&item(1, 5)));
    bench
        .serve(&mut |peer, query| Some(Answer { token: None, ..peer.polite(query, &[])? }), &peers);
    assert_eq!(failure(bench.ending(query).unwrap().0), PutError::NoTokens { answered: 3 });
    let query = bench.ask(put(&item(1, 5)));
    bench.sent.clear();
    bench.wait(Duration::from_secs(3));
    assert!(matches!(failure(bench.ending(query).unwrap().0), PutError::Lookup(_)));
}

#[test]
fn a_third_dead_and_a_third_lost_still_finds_what_was_put() {
    let mut swarm = Swarm::joined(100, 27);
    let item = item(1, 5);
    report(swarm.put(3, &item));
    swarm.kill((10..100).filter(|n| n % 3 == 0));
    for index in [1, 2, 4, 5, 7] {
        let (outcome, report) = swarm.ask(index, get_of(&item));
        assert!(matches!(outcome, Outcome::Mutable(Ok(Some(_)))), "node {index}");
        assert!(
            report.elapsed <= Duration::from_millis(1500),
            "node {index}: {:?}",
            report.elapsed
        );
    }
    swarm.net.set_link(Link { loss: 0.3, ..Link::default() });
    let found = (0..10).filter(|n| swarm.get(n % 3 + 1, &item).is_some()).count();
    assert!(found >= 9, "{found} of 10 gets with a third of all packets lost");
}

#[test]
fn items_are_gone_after_two_hours_and_stay_when_put_again() {
    let mut swarm = Swarm::joined(40, 28);
    report(swarm.put(1, &item(1, 5)));
    report(swarm.put(1, &item(2, 5)));
    swarm.net.run_for(Duration::from_secs(3600));
    report(swarm.put(1, &item(2, 5)));
    swarm.net.run_for(Duration::from_secs(3660));
    assert_eq!(swarm.get(9, &item(1, 0)), None);
    assert_eq!(swarm.get(9, &item(2, 0)), Some(item(2, 5)));
}
