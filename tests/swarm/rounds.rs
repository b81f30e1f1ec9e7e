//! When a node looks after its tables, beside the questions of its owner.
//! Apart from how well it does so, because here only the times count, as others see them.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mainstay_dht_proto::{Ask, Verdict};
use mainstay_krpc::Method;

use crate::swarm::{Swarm, address};

/// Which node is watched.
const BUSY: usize = 5;
/// Who answers its questions, so that it does not seem cut off.
const FRIEND: usize = 7;
const HOUR: Duration = Duration::from_secs(3600);
const SECOND: Duration = Duration::from_secs(1);

/// When somebody was asked by the node that is watched, other than for the sake of a question.
type Upkeep = Arc<Mutex<Vec<Instant>>>;

fn watched() -> (Swarm, Upkeep) {
    let mut swarm = Swarm::joined(25, 31);
    let upkeep = Upkeep::default();
    for index in (0..25).filter(|index| *index != FRIEND) {
        let node = swarm.nodes[index];
        let upkeep = upkeep.clone();
        let hook = move |request: &mainstay_dht_proto::Request<'_>| {
            if request.from == address(BUSY)
                && matches!(request.method, Method::Ping | Method::FindNode { .. })
            {
                upkeep.lock().unwrap().push(request.now);
            }
            Verdict::Answer
        };
        swarm.net.with(node, |peer, _| peer.node.set_hook(Box::new(hook)));
    }
    swarm.net.run_for(HOUR);
    upkeep.lock().unwrap().clear();
    (swarm, upkeep)
}

/// Keeps a question open all the while: each is about a host that nobody has, and takes seconds.
fn question(swarm: &mut Swarm, time: Duration, asked: &mut usize) {
    let end = swarm.net.now() + time;
    while swarm.net.now() < end {
        *asked += 1;
        swarm.start(BUSY, Ask::Ping { addr: address(1000 + *asked % 10_000) });
        swarm.start(BUSY, Ask::Ping { addr: address(FRIEND) });
        swarm.net.run_for(SECOND / 2);
        assert!(swarm.node(BUSY).info().asks > 0);
    }
}

/// When each round began, of requests that follow each other closely.
fn beginnings(times: &[Instant]) -> Vec<Instant> {
    let mut last = None;
    let mut beginnings = Vec::new();
    for at in times {
        if last.is_none_or(|last| *at > last + 15 * SECOND) {
            beginnings.push(*at);
        }
        last = Some(*at);
    }
    beginnings
}

#[test]
fn upkeep_gives_way_to_questions() {
    let (mut swarm, upkeep) = watched();
    let (mut asked, mut questions) = (0, Vec::new());
    for _ in 0..60 {
        let began = swarm.net.now();
        question(&mut swarm, 38 * SECOND, &mut asked);
        questions.push((began, swarm.net.now()));
        swarm.net.run_for(22 * SECOND);
    }
    let rounds = beginnings(&upkeep.lock().unwrap());
    assert!((4..=16).contains(&rounds.len()), "{} rounds in an hour", rounds.len());
    for round in rounds {
        // What it sends is under way for twenty milliseconds.
        let meets =
            |(began, ended): &(Instant, Instant)| round > *began + SECOND / 20 && round < *ended;
        assert!(!questions.iter().any(meets), "a round began beside a question");
    }
}

#[test]
fn a_node_that_is_never_done_with_questions_looks_after_its_tables_all_the_same() {
    let (mut swarm, upkeep) = watched();
    let (began, known) = (swarm.net.now(), swarm.node(BUSY).contacts().len());
    question(&mut swarm, HOUR, &mut 0);
    let mut rounds = beginnings(&upkeep.lock().unwrap());
    rounds.insert(0, began);
    rounds.push(swarm.net.now());
    let longest = rounds.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    // Five minutes, a quarter more by chance, and one minute more for the questions; and only every third round has
    // something to do where all are heard of in between.
    assert!(longest < 3 * (375 + 63) * SECOND, "{longest:?} without upkeep");
    assert!(swarm.node(BUSY).contacts().len() >= known * 3 / 4);
}

#[test]
fn who_slept_looks_around_at_once_whatever_is_asked_of_it() {
    let (mut swarm, upkeep) = watched();
    let node = swarm.nodes[BUSY];
    swarm.net.set_up(node, false);
    swarm.net.run_for(HOUR);
    swarm.net.set_up(node, true);
    upkeep.lock().unwrap().clear();
    question(&mut swarm, 10 * SECOND, &mut 0);
    assert!(upkeep.lock().unwrap().len() >= 15, "the pings of a round find out who is still there");
}
