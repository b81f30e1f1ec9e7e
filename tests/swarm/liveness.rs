//! Whatever the network does: every ask ends once, in time, and the same seed gives the same run.
//! Apart from what the asks find, which these tests do not look at.

use std::time::Duration;

use mainstay_dht_proto::{Ask, Event, QueryId};
use mainstay_krpc::Id;
use mainstay_krpc::item::ImmutableItem;
use mainstay_sim::{Latency, Link};

use crate::swarm::{Swarm, ending, get_of, item};

/// A small generator for choices of the test itself.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    fn index(&mut self, n: usize) -> usize {
        usize::try_from(self.below(n as u64)).expect("below n")
    }

    fn ask(&mut self) -> Ask {
        // Few targets, so that asks meet.
        let number = 1 + u8::try_from(self.below(3)).expect("below 3");
        let target = item(number, 0).target();
        let seq = i64::try_from(self.below(4)).expect("below 4");
        match self.below(9) {
            0 => get_of(&item(number, 0)),
            1 => Ask::GetImmutable { target },
            2 => Ask::PutMutable { item: item(number, seq), cas: None },
            3 => Ask::PutMutable { item: item(number, seq), cas: Some(seq - 1) },
            4 => Ask::PutImmutable { item: ImmutableItem::from_bytes(&[number]).expect("small") },
            5 => Ask::GetPeers { info_hash: target, no_seeds: false },
            6 => Ask::AnnouncePeer { info_hash: target, port: None, seed: false },
            7 => Ask::FindNode { target },
            _ => Ask::SampleInfohashes { target },
        }
    }
}

/// Runs a bad network with random asks; gives what was asked and the network's trace.
fn ordeal(seed: u64) -> (Swarm, Vec<(usize, QueryId)>) {
    let mut swarm = Swarm::joined(40, seed);
    let latency = Latency::Fixed(Duration::from_millis(60));
    let jitter = Duration::from_millis(80);
    swarm.net.set_link(Link {
        latency,
        jitter,
        loss: 0.2,
        duplication: 0.1,
        corruption: 0.05,
        ..Link::default()
    });
    let mut dice = Dice(seed);
    let mut asked = Vec::new();
    for _ in 0..120 {
        match dice.below(6) {
            0 => {
                let index = dice.index(40);
                let up = swarm.net.is_up(swarm.nodes[index]);
                swarm.net.set_up(swarm.nodes[index], !up || index < 10);
            }
            1 => {
                let node = swarm.nodes[dice.index(40)];
                swarm.net.partition([node], u32::try_from(dice.below(2)).expect("0 or 1"));
            }
            _ => {
                // The first ten stay up, so that their asks can end.
                let index = dice.index(10);
                let ask = dice.ask();
                asked.push((index, swarm.start(index, ask)));
            }
        }
        swarm.net.run_for(Duration::from_millis(dice.below(400)));
    }
    swarm.net.run_for(Duration::from_secs(21));
    (swarm, asked)
}

#[test]
fn every_ask_ends_exactly_once_and_in_time_on_a_terrible_network() {
    for seed in 0..4 {
        let (swarm, asked) = ordeal(seed);
        for (index, query) in asked {
            let end = ending(swarm.events(index), query);
            let (_, report) = end.unwrap_or_else(|| panic!("seed {seed}: {query:?} never ended"));
            assert!(report.elapsed <= Duration::from_secs(20));
            let events = swarm.events(index).iter().filter(|event| event.query() == Some(query));
            let mut events = events;
            let last = events.next_back().expect("its end");
            assert!(matches!(last, Event::Done { .. }), "{last:?} after the end");
        }
        for index in 0..10 {
            assert_eq!(swarm.node(index).info().asks, 0);
        }
        assert_eq!(swarm.net.stats().stuck, 0, "a deadline that does not move is a busy loop");
    }
}

#[test]
fn the_same_seed_gives_the_same_run_to_the_last_byte() {
    let run = |seed| {
        let (swarm, _) = ordeal(seed);
        (swarm.net.trace(), format!("{:?}", swarm.events(3)))
    };
    let (first, again, other) = (run(7), run(7), run(8));
    assert_eq!(first, again);
    assert_ne!(first.0, other.0);
}

#[test]
fn a_cancelled_ask_leaves_nothing_behind() {
    let mut swarm = Swarm::joined(30, 40);
    let mut dice = Dice(1);
    for _ in 0..40 {
        let ask = dice.ask();
        let query = swarm.start(1, ask);
        swarm.net.run_for(Duration::from_millis(dice.below(100)));
        let before = swarm.events(1).len();
        swarm.net.with(swarm.nodes[1], |peer, now| peer.node.cancel(now, query));
        swarm.net.run_for(Duration::from_secs(3));
        let after = &swarm.events(1)[before..];
        assert!(after.iter().all(|event| event.query() != Some(query)));
    }
    assert_eq!(swarm.node(1).info().asks, 0);
}

#[test]
fn asks_beyond_the_cap_end_at_once() {
    let mut swarm = Swarm::joined(20, 41);
    let index = swarm.spawn(|mut config| {
        config.max_asks = 3;
        config
    });
    swarm.net.run_for(Duration::from_secs(5));
    let find = || Ask::FindNode { target: Id::from_bytes([4; 20]) };
    let queries = [(); 5].map(|()| swarm.start(index, find()));
    let ended = queries.map(|query| ending(swarm.events(index), query).is_some());
    assert_eq!(ended, [false, false, false, true, true]);
    swarm.net.run_for(Duration::from_secs(5));
    assert_eq!(swarm.node(index).info().asks, 0);
}

#[test]
fn two_nodes_that_are_fed_each_others_replies_fall_silent() {
    let mut swarm = Swarm::joined(2, 42);
    swarm.net.run_for(Duration::from_secs(10));
    let before = swarm.net.stats().sent;
    for datagram in [
        &b"d1:rd2:id20:abcdefghij0123456789e1:t2:aa1:y1:re"[..],
        b"d1:eli203e3:whye1:t2:aa1:y1:ee",
        b"d1:ad2:id3:abce1:q4:ping1:t2:aa1:y1:qe",
    ] {
        let from = crate::swarm::address(0);
        swarm.net.with(swarm.nodes[1], |peer, now| peer.node.handle_datagram(now, from, datagram));
        swarm.net.run_for(Duration::from_secs(1));
    }
    // The one broken query is told so once, and that is the end of it.
    assert_eq!(swarm.net.stats().sent - before, 1);
}
