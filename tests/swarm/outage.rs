//! Uplinks that go away and hosts that sleep, to the second, and whom a node blames for it.
//! Apart from the restarts, because here every datagram and every deadline of one node is in the test's hands.

use std::net::SocketAddr;
use std::time::Duration;

use mainstay_dht_proto::{Ask, Event};
use mainstay_krpc::{Body, Id, Message, Method, Query};

use crate::scripted::{Bench, Fake};

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
