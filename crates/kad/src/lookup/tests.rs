//! What a walk promises, step by step.
//! Apart from the code because the rules are many; whole walks through networks have a file of their own.

use super::*;
use crate::testing::{Peer, id};

mod paths;
mod rough;
mod sparing;
mod strangers;
mod walks;

type Walk = Lookup<Peer, 20, u32>;

/// The number-th peer; the larger the number, the farther from the target of [`walk`].
fn peer(number: u8) -> Peer {
    let mut bytes = [0; 20];
    bytes[0] = number;
    Peer::new(Id::from(bytes), u32::from(number))
}

fn config() -> LookupConfig {
    LookupConfig { closest: 2, parallelism: 2, closing_parallelism: 3, ..LookupConfig::default() }
}

/// A walk to zero for the two closest, from these seeds.
fn walk(seeds: &[u8]) -> Walk {
    walk_with(config(), seeds)
}

fn walk_with(config: LookupConfig, seeds: &[u8]) -> Walk {
    let mut walk = Walk::new(Id::ZERO, config);
    for number in seeds {
        assert!(walk.add(peer(*number)));
    }
    walk
}

/// Everybody that the walk asks now.
fn asked(walk: &mut Walk) -> Vec<u8> {
    core::iter::from_fn(|| walk.next()).map(|peer| peer.id.as_bytes()[0]).collect()
}

fn answer(walk: &mut Walk, number: u8, closer: &[u8]) -> Answer {
    walk.responded(peer(number), u32::from(number), closer.iter().copied().map(peer))
}

fn fail(walk: &mut Walk, number: u8) {
    walk.failed(&peer(number).address());
}

fn stall(walk: &mut Walk, number: u8) {
    walk.stalled(&peer(number).address());
}

fn responders(walk: &Walk) -> Vec<u8> {
    walk.responders().map(|(peer, _)| peer.id.as_bytes()[0]).collect()
}

#[test]
fn the_closest_are_asked_first_and_no_more_than_the_parallelism() {
    let mut walk = walk(&[40, 10, 30, 20]);
    assert_eq!(asked(&mut walk), [10, 20]);
    assert_eq!(walk.in_flight(), 2);
    fail(&mut walk, 20);
    assert_eq!(asked(&mut walk), [30]);
}

#[test]
fn it_ends_when_the_closest_have_answered_and_nobody_closer_is_left() {
    let mut walk = walk(&[10, 20]);
    asked(&mut walk);
    assert_eq!(answer(&mut walk, 20, &[5]), Answer::Counted);
    assert_eq!(asked(&mut walk), [5]);
    answer(&mut walk, 10, &[]);
    assert_eq!(walk.phase(), Phase::Approaching, "5 is closer and in flight");
    answer(&mut walk, 5, &[10, 20]);
    assert_eq!(walk.phase(), Phase::Settled(Ending::Converged));
    let outcome = walk.into_outcome();
    let found: Vec<(u8, u32)> = outcome
        .responders
        .iter()
        .map(|responder| (responder.contact.id.as_bytes()[0], responder.extra))
        .collect();
    assert_eq!(found, [(5, 5), (10, 10), (20, 20)]);
    assert_eq!(outcome.stats, Stats { visits: 3, answers: 3, hops: 2, ..Stats::default() });
}

#[test]
fn it_ends_without_waiting_for_those_farther_away() {
    let mut walk = walk(&[10, 20, 30]);
    asked(&mut walk);
    answer(&mut walk, 10, &[]);
    assert_eq!(asked(&mut walk), [30], "closing: one more is asked at a time");
    answer(&mut walk, 20, &[]);
    assert_eq!(walk.phase(), Phase::Settled(Ending::Converged));
    assert_eq!(answer(&mut walk, 30, &[]), Answer::Late);
    assert_eq!(responders(&walk), [10, 20]);
}

#[test]
fn the_phase_follows_the_closest_live_candidate() {
    let mut walk = walk_with(LookupConfig { closest: 3, ..config() }, &[10, 20]);
    asked(&mut walk);
    assert_eq!(walk.phase(), Phase::Approaching);
    answer(&mut walk, 10, &[50, 60, 70, 80]);
    assert_eq!(walk.phase(), Phase::Closing);
    assert_eq!(asked(&mut walk), [50, 60], "three in flight while closing");
    answer(&mut walk, 20, &[5]);
    assert_eq!(walk.phase(), Phase::Approaching);
    fail(&mut walk, 50);
    assert_eq!(asked(&mut walk), [5]);
    fail(&mut walk, 5);
    assert_eq!(walk.phase(), Phase::Closing);
}

#[test]
fn nobody_to_start_from_means_exhausted_at_the_first_question() {
    let mut walk = walk(&[]);
    assert_eq!(walk.phase(), Phase::Approaching, "seeds may still come");
    assert_eq!(walk.next(), None);
    assert_eq!(walk.phase(), Phase::Settled(Ending::Exhausted));
    assert!(!walk.add(peer(1)));
}

#[test]
fn when_everybody_fails_it_ends_exhausted() {
    let mut walk = walk(&[10, 20, 30]);
    while let Some(peer) = walk.next() {
        walk.failed(&peer.address());
    }
    assert_eq!(walk.phase(), Phase::Settled(Ending::Exhausted));
    assert_eq!(walk.stats().failures, 3);
}

#[test]
fn a_slow_node_frees_its_slot_and_its_answer_still_counts() {
    let mut walk = walk(&[10, 20, 30, 40]);
    assert_eq!(asked(&mut walk), [10, 20]);
    stall(&mut walk, 10);
    assert_eq!(walk.in_flight(), 1);
    assert_eq!(asked(&mut walk), [30]);
    assert_eq!(answer(&mut walk, 10, &[5]), Answer::Counted);
    assert_eq!(responders(&walk), [10]);
    assert_eq!(walk.stats().stalls, 1);
}

#[test]
fn a_slow_node_does_not_hold_up_the_end() {
    let mut walk = walk(&[10, 20, 30]);
    asked(&mut walk);
    stall(&mut walk, 10);
    asked(&mut walk);
    answer(&mut walk, 20, &[]);
    answer(&mut walk, 30, &[]);
    assert_eq!(walk.phase(), Phase::Settled(Ending::Converged));
    assert_eq!(responders(&walk), [20, 30]);
}

#[test]
fn a_slow_node_is_waited_for_when_nobody_else_is_left() {
    let mut walk = walk(&[10]);
    asked(&mut walk);
    stall(&mut walk, 10);
    assert_eq!(asked(&mut walk), Vec::<u8>::new());
    assert_eq!(walk.phase(), Phase::Approaching);
    answer(&mut walk, 10, &[]);
    assert_eq!(walk.phase(), Phase::Settled(Ending::Exhausted));
    assert_eq!(responders(&walk), [10]);
}

#[test]
fn a_walk_that_has_arrived_asks_as_at_its_end_whatever_of_its_way_is_in_flight() {
    // The neighbourhood reaches to 12.
    let limits =
        LookupConfig { closest: 9, closing_parallelism: 2, near: 12.5 / 256.0, ..config() };
    let mut walk = walk_with(LookupConfig { parallelism: 4, ..limits.clone() }, &[60, 70, 80, 90]);
    assert_eq!(asked(&mut walk), [60, 70, 80, 90]);
    answer(&mut walk, 60, &[10, 11, 12, 13]);
    assert_eq!(asked(&mut walk), [10, 11], "two of the neighbourhood, beside three on the way");
    assert_eq!(walk.in_flight(), 5);
    fail(&mut walk, 10);
    assert_eq!(asked(&mut walk), [12]);
    fail(&mut walk, 11);
    assert_eq!(asked(&mut walk), [], "13 is not of the neighbourhood, and three are in flight");

    let mut walk = walk_with(LookupConfig { parallelism: 4, ..limits }, &[10, 11, 12]);
    assert_eq!(asked(&mut walk), [10, 11], "it begins where others arrive");
}

#[test]
fn a_patient_walk_waits_for_a_stalled_node_among_the_closest_and_for_no_other() {
    for (patient, end) in [(false, true), (true, false)] {
        let mut walk = walk_with(LookupConfig { patient, ..config() }, &[10, 20, 30, 40]);
        asked(&mut walk);
        stall(&mut walk, 10);
        answer(&mut walk, 20, &[]);
        asked(&mut walk);
        answer(&mut walk, 30, &[]);
        assert_eq!(walk.is_settled(), end);
    }
    let mut walk = walk_with(LookupConfig { patient: true, ..config() }, &[10, 20, 30]);
    walk.ask_twice(true);
    assert_eq!(asked(&mut walk), [10, 20]);
    stall(&mut walk, 10);
    assert_eq!(asked(&mut walk), [10], "once more");
    answer(&mut walk, 20, &[]);
    assert_eq!(asked(&mut walk), [30]);
    answer(&mut walk, 30, &[]);
    stall(&mut walk, 10);
    walk.lost(&peer(10).address());
    assert!(!walk.is_settled(), "the second query may still be answered");
    walk.lost(&peer(10).address());
    assert_eq!(walk.phase(), Phase::Settled(Ending::Converged));
    assert_eq!(responders(&walk), [20, 30]);

    let mut walk = walk_with(LookupConfig { patient: true, ..config() }, &[10, 20, 30]);
    asked(&mut walk);
    stall(&mut walk, 20);
    asked(&mut walk);
    stall(&mut walk, 30);
    answer(&mut walk, 10, &[5]);
    asked(&mut walk);
    answer(&mut walk, 5, &[]);
    assert!(walk.is_settled(), "20 and 30 stand behind the two closest");
}

#[test]
fn stalling_twice_or_after_the_answer_changes_nothing() {
    let mut walk = walk(&[10, 20, 30]);
    asked(&mut walk);
    stall(&mut walk, 10);
    stall(&mut walk, 10);
    assert_eq!((walk.stats().stalls, walk.in_flight()), (1, 1));
    answer(&mut walk, 10, &[]);
    stall(&mut walk, 10);
    assert_eq!(responders(&walk), [10]);
}

#[test]
fn an_answer_nobody_asked_for_is_ignored() {
    let mut walk = walk(&[10, 20]);
    asked(&mut walk);
    assert_eq!(answer(&mut walk, 30, &[1]), Answer::Unasked);
    answer(&mut walk, 10, &[]);
    assert_eq!(answer(&mut walk, 10, &[1]), Answer::Unasked);
    fail(&mut walk, 20);
    assert_eq!(responders(&walk), [10]);
}

#[test]
fn an_answer_after_its_failure_is_ignored() {
    let mut walk = walk(&[10, 20, 30]);
    asked(&mut walk);
    fail(&mut walk, 10);
    assert_eq!(answer(&mut walk, 10, &[]), Answer::Unasked);
}

#[test]
fn an_answer_under_another_id_is_discarded_with_all_it_names() {
    let mut walk = walk(&[10, 20]);
    asked(&mut walk);
    let liar = Peer { id: id("00000000"), ..peer(10) };
    assert_eq!(walk.responded(liar, 0, [peer(1)]), Answer::Mismatch);
    answer(&mut walk, 20, &[]);
    assert_eq!(walk.phase(), Phase::Settled(Ending::Exhausted));
    assert_eq!(responders(&walk), [20]);
    assert_eq!((walk.stats().mismatches, walk.stats().failures), (1, 0));
}

#[test]
fn an_answer_from_another_port_is_not_an_answer() {
    let mut walk = walk(&[10, 20]);
    asked(&mut walk);
    let elsewhere = Peer { port: 2, ..peer(10) };
    assert_eq!(walk.responded(elsewhere, 0, []), Answer::Unasked);
}

#[test]
fn a_node_that_failed_is_not_asked_again_by_whatever_name() {
    let mut walk = walk(&[10, 20]);
    asked(&mut walk);
    fail(&mut walk, 10);
    let renamed = Peer { id: peer(5).id, ..peer(10) };
    walk.responded(peer(20), 0, [peer(10), renamed, peer(7)]);
    assert_eq!(asked(&mut walk), [7]);
}

#[test]
fn a_host_or_subnet_is_a_candidate_once() {
    let mut walk = walk(&[10]);
    let other_port = Peer { id: peer(1).id, port: 9, ..peer(10) };
    let neighbour = Peer { id: peer(2).id, host: peer(10).host + 1, ..peer(10) };
    assert!(!walk.add(other_port));
    assert!(!walk.add(neighbour));
    assert_eq!(asked(&mut walk), [10]);
    fail(&mut walk, 10);
    assert!(walk.is_settled());
}

#[test]
fn a_failed_node_frees_its_subnet_for_a_neighbour() {
    let mut walk = walk(&[10, 20]);
    asked(&mut walk);
    let neighbour = Peer { id: peer(2).id, host: peer(10).host + 1, ..peer(10) };
    assert!(!walk.add(neighbour));
    fail(&mut walk, 10);
    assert!(walk.add(neighbour));
}

#[test]
fn on_loopback_every_address_is_a_node_of_its_own() {
    let mut walk = walk_with(LookupConfig { closest: 2, ..LookupConfig::loopback() }, &[10]);
    assert!(walk.add(Peer { id: peer(1).id, port: 9, ..peer(10) }));
    assert!(!walk.add(Peer { id: peer(2).id, ..peer(10) }), "the same address twice");
}

#[test]
fn an_id_is_a_candidate_once() {
    let mut walk = walk(&[10]);
    assert!(!walk.add(Peer { id: peer(10).id, ..peer(20) }));
    asked(&mut walk);
    answer(&mut walk, 10, &[10]);
    assert_eq!(walk.phase(), Phase::Settled(Ending::Exhausted));
}

#[test]
fn we_do_not_ask_ourselves() {
    let mut walk = Walk::new(Id::ZERO, config()).excluding(peer(1).id);
    assert!(walk.add(peer(10)));
    asked(&mut walk);
    answer(&mut walk, 10, &[1, 20]);
    assert_eq!(asked(&mut walk), [20]);
}

#[test]
fn one_answer_brings_no_more_than_its_share() {
    let mut walk = walk_with(LookupConfig { new_per_answer: 2, parallelism: 9, ..config() }, &[10]);
    asked(&mut walk);
    answer(&mut walk, 10, &[10, 5, 6, 7]);
    assert_eq!(asked(&mut walk), [5, 6], "10 was known, so it does not count");
}

#[test]
fn candidates_behind_enough_answers_are_forgotten_and_their_subnets_free() {
    let mut walk = walk(&[10, 20, 30, 40]);
    asked(&mut walk);
    stall(&mut walk, 10);
    asked(&mut walk);
    answer(&mut walk, 20, &[2]);
    answer(&mut walk, 30, &[]);
    assert!(!walk.is_settled(), "2 waits");
    assert!(!walk.add(peer(50)), "too far to matter");
    let neighbour = Peer { id: peer(3).id, host: peer(40).host + 1, ..peer(40) };
    assert!(walk.add(neighbour), "40 is forgotten");
}

#[test]
fn when_candidates_are_full_the_farthest_unasked_makes_room_and_nobody_in_flight_goes() {
    let config = LookupConfig { candidates: 4, ..config() };
    let mut walk = walk_with(config, &[10, 20, 30, 40]);
    assert_eq!(asked(&mut walk), [10, 20]);
    for number in [50, 60] {
        assert!(walk.add(peer(number)), "two in flight do not count");
    }
    assert!(!walk.add(peer(70)), "farther than all");
    for number in [5, 4, 3, 2] {
        assert!(walk.add(peer(number)), "one farther away goes");
    }
    assert!(!walk.add(peer(6)), "farther than all that could go");
    fail(&mut walk, 10);
    assert_eq!(asked(&mut walk), [2]);
    answer(&mut walk, 20, &[]);
    assert_eq!(asked(&mut walk), [3]);
}

#[test]
fn when_candidates_are_full_of_answers_the_farthest_beyond_the_closest_goes() {
    let config = LookupConfig { candidates: 4, parallelism: 9, ..config() };
    let mut walk = walk_with(config, &[10, 20, 30, 40]);
    asked(&mut walk);
    stall(&mut walk, 10);
    walk.add(peer(5));
    asked(&mut walk);
    for number in [40, 30, 20] {
        answer(&mut walk, number, &[]);
    }
    answer(&mut walk, 10, &[3]);
    assert_eq!(responders(&walk), [10, 20, 30]);
    asked(&mut walk);
    answer(&mut walk, 5, &[]);
    answer(&mut walk, 3, &[]);
    assert_eq!(responders(&walk), [3, 5, 10, 20, 30]);
}

#[test]
fn visits_are_capped_and_the_last_answers_awaited() {
    let mut walk = walk_with(LookupConfig { visits: 3, ..config() }, &[10, 20, 30, 40, 50]);
    assert_eq!(asked(&mut walk), [10, 20]);
    fail(&mut walk, 10);
    assert_eq!(asked(&mut walk), [30]);
    fail(&mut walk, 20);
    assert_eq!(asked(&mut walk), Vec::<u8>::new());
    assert!(!walk.is_settled(), "30 may still answer");
    answer(&mut walk, 30, &[]);
    assert_eq!(walk.phase(), Phase::Settled(Ending::VisitsSpent));
    assert_eq!(walk.stats().visits, 3);
}

#[test]
fn a_host_without_a_known_id_is_asked_last_and_counts_under_the_id_it_answers() {
    let mut walk = walk(&[]);
    assert!(walk.add_unidentified(Peer { id: Id::ZERO, ..peer(30) }));
    assert!(!walk.add_unidentified(Peer { id: Id::ZERO, ..peer(30) }), "once");
    walk.add(peer(10));
    let order: Vec<(u32, u16)> =
        core::iter::from_fn(|| walk.next()).map(|peer| peer.address()).collect();
    assert_eq!(order, [peer(10).address(), peer(30).address()]);
    assert_eq!(answer(&mut walk, 30, &[]), Answer::Counted);
    fail(&mut walk, 10);
    assert_eq!(responders(&walk), [30]);
    assert_eq!(walk.phase(), Phase::Settled(Ending::Exhausted));
}

#[test]
fn a_host_without_a_known_id_may_fail_or_turn_out_to_be_us() {
    let mut walk = Walk::new(Id::ZERO, config()).excluding(peer(30).id);
    walk.add_unidentified(peer(10));
    walk.add_unidentified(peer(30));
    while walk.next().is_some() {}
    fail(&mut walk, 10);
    assert_eq!(answer(&mut walk, 30, &[20]), Answer::Counted);
    assert_eq!(responders(&walk), Vec::<u8>::new());
    assert_eq!(asked(&mut walk), [20], "what it named is used all the same");
}

#[test]
fn taking_the_outcome_early_says_so() {
    let mut walk = walk(&[10, 20]);
    asked(&mut walk);
    answer(&mut walk, 10, &[]);
    let outcome = walk.into_outcome();
    assert_eq!(outcome.ending, Ending::Abandoned);
    assert_eq!(outcome.responders.len(), 1);
}

#[test]
fn silly_limits_are_raised_to_what_works() {
    let config = LookupConfig {
        closest: 0,
        parallelism: 0,
        closing_parallelism: 0,
        candidates: 0,
        ..LookupConfig::default()
    };
    let mut walk = walk_with(config, &[10, 20]);
    assert_eq!(asked(&mut walk), [10]);
    answer(&mut walk, 10, &[]);
    assert_eq!(walk.phase(), Phase::Settled(Ending::Converged));
}
