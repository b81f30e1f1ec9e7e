//! Finding what is there: which answers count, when, and how long a lookup takes.
//! Against scripted peers, because real ones do not lie on demand.

use std::time::Duration;

use mainstay_dht_proto::{Ask, Event, Outcome, Source, StepKind};
use mainstay_krpc::item::MutableItem;
use mainstay_krpc::{Id, Message};

use crate::scripted::{Answer, Bench, Fake};
use crate::swarm::{Swarm, get_of, item, keypair};

fn values(bench: &Bench) -> Vec<i64> {
    let seq = |event: &Event| match event {
        Event::Mutable { item, .. } => Some(item.seq()),
        _ => None,
    };
    bench.events.iter().filter_map(seq).collect()
}

#[test]
fn each_better_value_is_told_at_once_and_the_newest_at_the_end() {
    let peers = Fake::all(6);
    let mut bench = Bench::knowing(&peers);
    let query = bench.ask(get_of(&item(1, 0)));
    let mut seqs = [3, 5, 4, 9, 9, 1].into_iter();
    bench.serve(
        &mut |peer, query| {
            let item = Some(item(1, seqs.next()?));
            Some(Answer { item, ..peer.polite(query, &[])? })
        },
        &peers,
    );
    assert_eq!(values(&bench), [3, 5, 9]);
    let Some((Outcome::Mutable(Ok(Some(found))), report)) = bench.ending(query) else { panic!() };
    assert_eq!(found, item(1, 9));
    assert_eq!((report.queried, report.answered, report.invalid), (6, 6, 0));
    assert!(report.first_value.unwrap() < report.elapsed);
    // Who holds which version is told; an old copy is the node's own word.
    let held: Vec<_> =
        report.holders.iter().map(|held| (held.seq.unwrap(), held.verified)).collect();
    assert_eq!(held, [(3, true), (5, true), (4, false), (9, true), (9, true), (1, false)]);
    assert_eq!(report.behind().count(), 4);
    assert_eq!(report.rivals(&found).count(), 0);
}

#[test]
fn who_holds_another_value_under_the_same_number_is_told() {
    let value = |text: &str| MutableItem::sign_bytes(&keypair(1), b"", 9, text.as_bytes()).unwrap();
    let peers = Fake::all(6);
    let mut bench = Bench::knowing(&peers);
    let query = bench.ask(get_of(&item(1, 0)));
    bench.serve(
        &mut |peer, query| {
            let item = match peer.id.as_bytes()[0] {
                1 | 2 => Some(value("one")),
                3 => Some(value("two")),
                4 => Some(item(1, 8)),
                _ => None,
            };
            Some(Answer { item, ..peer.polite(query, &[])? })
        },
        &peers,
    );
    let Some((Outcome::Mutable(Ok(Some(found))), report)) = bench.ending(query) else { panic!() };
    assert_eq!(found, value("two"), "the greater, so that all readers agree");
    let mut rivals: Vec<_> = report.rivals(&found).map(|holder| holder.node.id).collect();
    rivals.sort_unstable();
    assert_eq!(rivals, [peers[0].id, peers[1].id]);
    let rivals: Vec<_> = report.rivals(&value("one")).map(|holder| holder.node.id).collect();
    assert_eq!(rivals, [peers[2].id]);
    assert_eq!(report.behind().map(|holder| holder.node.id).collect::<Vec<_>>(), [peers[3].id]);
}

#[test]
fn an_answer_that_says_it_is_read_only_counts_all_the_same() {
    let peers = Fake::all(1);
    let mut bench = Bench::knowing(&peers);
    let query = bench.ask(Ask::Ping { addr: peers[0].addr });
    let sent = bench.sent.pop().unwrap();
    let tid = Message::decode(&sent.payload).unwrap().transaction;
    let answer = [b"d1:rd2:id20:", &peers[0].id.as_bytes()[..], b"e2:roi1e1:t4:", tid, b"1:y1:re"];
    bench.receive(peers[0].addr, &answer.concat());
    let Some((Outcome::Nodes(Ok(nodes)), _)) = bench.ending(query) else { panic!() };
    assert_eq!(nodes[0].id, peers[0].id);
}

#[test]
fn an_answer_with_another_key_or_a_bad_signature_is_as_good_as_none() {
    let peers = Fake::all(4);
    let mut bench = Bench::knowing(&peers);
    let query = bench.ask(get_of(&item(1, 0)));
    let decoy = Fake::new(77);
    bench.serve(
        &mut |peer, query| {
            let others = [decoy];
            let mut answer = peer.polite(query, &others)?;
            match peer.id.as_bytes()[0] {
                1 => answer.item = Some(item(2, 99)),
                2 => (answer.item, answer.forged) = (Some(item(1, 98)), true),
                3 => {
                    let salted = MutableItem::sign_bytes(&keypair(1), b"salt", 97, b"x").unwrap();
                    answer.item = Some(salted);
                }
                _ => (answer.item, answer.nodes) = (Some(item(1, 4)), vec![]),
            }
            Some(answer)
        },
        &peers,
    );
    bench.wait(Duration::from_secs(5));
    assert_eq!(values(&bench), [4]);
    let (Outcome::Mutable(Ok(Some(found))), report) = bench.ending(query).unwrap() else {
        panic!()
    };
    assert_eq!(found, item(1, 4));
    assert_eq!((report.invalid, report.answered, report.queried), (3, 1, 4), "the decoy was asked");
}

#[test]
fn a_value_with_the_asked_hash_ends_a_get_and_another_does_not() {
    let wanted = mainstay_krpc::item::ImmutableItem::from_bytes(b"the one").unwrap();
    let other = mainstay_krpc::item::ImmutableItem::from_bytes(b"not the one").unwrap();
    let peers = Fake::all(3);
    let mut bench = Bench::knowing(&peers);
    let query = bench.ask(Ask::GetImmutable { target: wanted.target() });
    for sent in std::mem::take(&mut bench.sent) {
        let peer = peers.iter().find(|peer| peer.addr == sent.to).unwrap();
        let tid = Message::decode(&sent.payload).unwrap().transaction.to_vec();
        let item = if peer.id == peers[1].id { &wanted } else { &other };
        let mut response = mainstay_krpc::Response::new(peer.id);
        response.value = Some(item.value());
        let mut bytes = Vec::new();
        Message::response(&tid, response).encode(&mut bytes);
        bench.receive(peer.addr, &bytes);
    }
    let Some((Outcome::Immutable(Ok(found)), _)) = bench.ending(query) else { panic!() };
    assert_eq!(found, Some(wanted));
}

#[test]
fn an_answer_under_another_id_counts_for_nothing() {
    let peers = Fake::all(4);
    let mut bench = Bench::knowing(&peers);
    let query = bench.ask(Ask::FindNode { target: Id::from_bytes([1; 20]) });
    bench.serve(
        &mut |peer, query| {
            let mut answer = peer.polite(query, &[])?;
            if peer.id == peers[0].id {
                answer.id = Some(Id::from_bytes([9; 20]));
            }
            Some(answer)
        },
        &peers,
    );
    let Some((Outcome::Nodes(Ok(nodes)), report)) = bench.ending(query) else { panic!() };
    assert_eq!(nodes.len(), 3);
    assert!(nodes.iter().all(|node| node.addr != peers[0].addr));
    assert_eq!(report.invalid, 1);
    assert!(!bench.node.contacts().iter().any(|node| node.addr == peers[0].addr));
}

#[test]
fn a_reply_from_another_address_or_with_another_transaction_is_not_a_reply() {
    let peers = Fake::all(1);
    let mut bench = Bench::knowing(&peers);
    let query = bench.ask(get_of(&item(1, 0)));
    let sent = bench.sent.pop().unwrap();
    let tid = Message::decode(&sent.payload).unwrap().transaction.to_vec();
    let answer = Answer { id: Some(peers[0].id), item: Some(item(1, 5)), ..Answer::default() };
    bench.receive(Fake::new(2).addr, &answer.encode(&tid));
    bench.receive(peers[0].addr, &answer.encode(b"xxxx"));
    bench.receive(peers[0].addr, &answer.encode(&tid[..2]));
    assert!(values(&bench).is_empty() && bench.ending(query).is_none());
    assert_eq!(bench.node.info().counters.unexpected, 3);
    bench.receive(peers[0].addr, &answer.encode(&tid));
    assert_eq!(values(&bench), [5]);
    bench.receive(peers[0].addr, &answer.encode(&tid));
    assert_eq!(values(&bench), [5], "an answer counts once");
}

#[test]
fn a_late_answer_still_counts_while_the_lookup_runs() {
    let peers = Fake::all(2);
    let mut bench = Bench::knowing(&peers);
    let query = bench.ask_traced(get_of(&item(1, 0)));
    let slow = bench.sent.iter().position(|sent| sent.to == peers[0].addr).unwrap();
    let slow = bench.sent.remove(slow);
    bench.sent.clear();
    bench.wait(Duration::from_millis(1500));
    let steps: Vec<StepKind> = bench.events.iter().filter_map(step).collect();
    assert!(steps.contains(&StepKind::Stalled), "{steps:?}");
    let tid = Message::decode(&slow.payload).unwrap().transaction.to_vec();
    let answer = Answer { id: Some(peers[0].id), item: Some(item(1, 5)), ..Answer::default() };
    bench.receive(peers[0].addr, &answer.encode(&tid));
    assert_eq!(values(&bench), [5]);
    bench.wait(Duration::from_secs(3));
    assert!(matches!(bench.ending(query), Some((Outcome::Mutable(Ok(Some(_))), _))));
}

fn step(event: &Event) -> Option<StepKind> {
    match event {
        Event::Step { step, .. } => Some(step.what),
        _ => None,
    }
}

#[test]
fn silent_nodes_do_not_hold_up_what_others_have_answered() {
    let peers = Fake::all(12);
    let mut bench = Bench::knowing(&peers);
    // Round trips of a millisecond are known from joining, so patience is short.
    let query = bench.ask(get_of(&item(1, 0)));
    let before = bench.now;
    bench.serve(
        &mut |peer, query| (peer.id.as_bytes()[0] > 3).then(|| peer.polite(query, &[]))?,
        &peers,
    );
    while bench.ending(query).is_none() {
        assert!(bench.tick());
        bench.serve(
            &mut |peer, query| (peer.id.as_bytes()[0] > 3).then(|| peer.polite(query, &[]))?,
            &peers,
        );
    }
    assert!(bench.now - before < Duration::from_millis(1000), "{:?}", bench.now - before);
}

#[test]
fn a_stream_of_ever_closer_lies_ends() {
    let peers = Fake::all(3);
    let mut bench = Bench::knowing(&peers);
    let target = Id::from_bytes([0x80; 20]);
    let query = bench.ask(Ask::FindNode { target });
    let mut asked = 0_u32;
    while !bench.sent.is_empty() {
        for sent in std::mem::take(&mut bench.sent) {
            let message = Message::decode(&sent.payload).unwrap();
            let tid = message.transaction.to_vec();
            asked += 1;
            let mut id = target.to_bytes();
            id[16..].copy_from_slice(&(u32::MAX - asked).to_be_bytes());
            let liar = Fake {
                id: Id::from_bytes(id),
                addr: ([70, (asked >> 8) as u8, asked as u8, 1], 1).into(),
            };
            let answerer = known_id(&bench, &peers, sent.to, &target);
            let answer = Answer { id: answerer, nodes: vec![liar.info()], ..Answer::default() };
            bench.receive(sent.to, &answer.encode(&tid));
        }
    }
    bench.wait(Duration::from_secs(30));
    let (_, report) = bench.ending(query).expect("it ends whatever is said");
    assert!(report.queried <= 200, "{} visits", report.queried);
}

/// The id under which the node at `addr` was asked: each liar is named exactly once, in order.
fn known_id(_: &Bench, peers: &[Fake], addr: std::net::SocketAddr, target: &Id) -> Option<Id> {
    if let Some(peer) = peers.iter().find(|peer| peer.addr == addr) {
        return Some(peer.id);
    }
    let std::net::IpAddr::V4(ip) = addr.ip() else { return None };
    let [_, high, low, _] = ip.octets();
    let mut id = target.to_bytes();
    id[16..]
        .copy_from_slice(&(u32::MAX - u32::from(u16::from_be_bytes([high, low]))).to_be_bytes());
    Some(Id::from_bytes(id))
}

#[test]
fn addresses_that_nobody_should_be_sent_to_are_never_asked() {
    let peers = Fake::all(2);
    let mut bench = Bench::knowing(&peers);
    bench.ask(Ask::FindNode { target: Id::from_bytes([1; 20]) });
    let bogus = [
        "127.0.0.1:53",
        "10.0.0.1:80",
        "0.0.0.0:1",
        "224.0.0.1:5353",
        "60.200.1.1:0",
        "255.255.255.255:9",
    ];
    let bogus: Vec<Fake> = bogus
        .iter()
        .enumerate()
        .map(|(n, addr)| Fake { addr: addr.parse().unwrap(), ..Fake::new(100 + n as u8) })
        .collect();
    let mut asked = Vec::new();
    bench.serve(
        &mut |peer, query| {
            asked.push(peer.addr);
            peer.polite(query, &bogus)
        },
        &[&peers[..], &bogus[..]].concat(),
    );
    bench.wait(Duration::from_secs(3600));
    asked.extend(bench.sent.iter().map(|sent| sent.to));
    assert!(asked.iter().all(|addr| peers.iter().any(|peer| peer.addr == *addr)), "{asked:?}");
}

#[test]
fn our_own_store_is_consulted_and_named_as_the_source() {
    let mut bench = Bench::knowing(&Fake::all(1));
    let stored = item(1, 5);
    crate::serving::store(&mut bench, &stored);
    let query = bench.ask(get_of(&stored));
    let from = bench.events.iter().find_map(|event| match event {
        Event::Mutable { query: other, from, .. } if *other == query => Some(*from),
        _ => None,
    });
    assert_eq!(from, Some(Source::Own));
}

#[test]
fn finding_and_storing_cost_few_round_trips_and_messages() {
    let mut swarm = Swarm::joined(200, 50);
    swarm.net.run_for(Duration::from_secs(1200));
    let (mut found, mut stored) = (Vec::new(), Vec::new());
    for number in 1..=20 {
        let item = item(number, 1);
        let ask = Ask::PutMutable { item: item.clone(), cas: None };
        let put = swarm.ask(usize::from(number), ask).1;
        let got = swarm.ask(usize::from(number) + 100, get_of(&item)).1;
        stored.push((put.elapsed, put.queried));
        found.push((got.elapsed, got.queried));
    }
    found.sort_unstable();
    stored.sort_unstable();
    // A round trip takes 40 ms.
    assert!(found[10].0 <= Duration::from_millis(160), "{found:?}");
    assert!(stored[10].0 <= Duration::from_millis(280), "{stored:?}");
    let median = |mut counts: Vec<usize>| {
        counts.sort_unstable();
        counts[counts.len() / 2]
    };
    assert!(median(found.iter().map(|(_, queried)| *queried).collect()) <= 35, "{found:?}");
    assert!(median(stored.iter().map(|(_, queried)| *queried).collect()) <= 35, "{stored:?}");
}

#[test]
fn a_cancelled_ask_is_never_heard_of_again() {
    let peers = Fake::all(3);
    let mut bench = Bench::knowing(&peers);
    let query = bench.ask(get_of(&item(1, 0)));
    bench.node.cancel(bench.now, query);
    bench.serve(
        &mut |peer, query| Some(Answer { item: Some(item(1, 5)), ..peer.polite(query, &[])? }),
        &peers,
    );
    bench.wait(Duration::from_secs(60));
    assert!(bench.events.iter().all(|event| event.query() != Some(query)));
    assert_eq!(bench.node.info().asks, 0);
}

#[test]
fn a_ping_finds_out_who_is_there() {
    let peers = Fake::all(2);
    let mut bench = Bench::new(&[]);
    let query = bench.ask(Ask::Ping { addr: peers[0].addr });
    bench.serve(&mut |peer, query| peer.polite(query, &[]), &peers);
    let Some((Outcome::Nodes(Ok(nodes)), _)) = bench.ending(query) else { panic!() };
    assert_eq!((nodes[0].id, nodes[0].addr), (peers[0].id, peers[0].addr));
    let query = bench.ask(Ask::Ping { addr: peers[1].addr });
    bench.wait(Duration::from_secs(3));
    assert!(matches!(bench.ending(query), Some((Outcome::Nodes(Err(_)), _))));
}

#[test]
fn hops_are_the_longest_chain_of_answers_in_the_report_and_in_the_counters() {
    let peers = Fake::all(5);
    let mut bench = Bench::knowing(&peers[..1]);
    let before = bench.node.info().counters;
    let query = bench.ask(get_of(&item(1, 0)));
    // Each names the next, as far as the fourth.
    bench.serve(
        &mut |peer, query| {
            let at = peers.iter().position(|other| other.addr == peer.addr)?;
            let next = if at < 3 { &peers[at + 1..=at + 1] } else { &[] };
            peer.polite(query, next)
        },
        &peers,
    );
    let (_, report) = bench.ending(query).unwrap();
    assert_eq!((report.hops, report.answered), (4, 4));
    let hops = bench.node.info().counters.since(&before).ask_hops;
    let counts: Vec<_> = hops.classes().filter(|(_, count)| *count > 0).collect();
    assert_eq!(counts, [(4, 1)]);
}
