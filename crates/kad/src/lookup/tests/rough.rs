//! Walks through networks that lose queries, and through crowds.
//! Apart from the plain rules, which know of neither.

use super::*;

fn lose(walk: &mut Walk, number: u8) {
    walk.lost(&peer(number).address());
}

#[test]
fn where_queries_are_lost_a_stalled_node_is_asked_once_more_and_either_answer_counts() {
    let mut walk = walk(&[10, 20, 30]);
    walk.ask_twice(true);
    assert_eq!(asked(&mut walk), [10, 20]);
    stall(&mut walk, 10);
    assert_eq!(asked(&mut walk), [10]);
    stall(&mut walk, 10);
    assert_eq!(asked(&mut walk), [30], "nobody is asked three times");
    lose(&mut walk, 10);
    assert_eq!(answer(&mut walk, 10, &[]), Answer::Counted, "the second query is still in flight");
    assert_eq!(answer(&mut walk, 10, &[]), Answer::Unasked);
    assert_eq!((walk.stats().second_queries, walk.stats().second_answers), (1, 1));
    answer(&mut walk, 20, &[]);
    assert_eq!(responders(&walk), [10, 20]);
    assert!(walk.is_settled());
}

#[test]
fn a_node_that_is_silent_twice_is_lost() {
    let mut walk = walk(&[10]);
    walk.ask_twice(true);
    asked(&mut walk);
    stall(&mut walk, 10);
    lose(&mut walk, 10);
    assert!(!walk.is_settled(), "it is to be asked again");
    assert_eq!(asked(&mut walk), [10]);
    lose(&mut walk, 10);
    assert_eq!(walk.phase(), Phase::Settled(Ending::Exhausted));
}

#[test]
fn a_walk_that_was_narrowed_ends_with_fewer() {
    let mut walk = walk_with(LookupConfig { closest: 4, ..config() }, &[10, 20, 30, 40]);
    asked(&mut walk);
    answer(&mut walk, 10, &[]);
    answer(&mut walk, 20, &[]);
    assert!(!walk.is_settled());
    walk.narrow(2);
    assert_eq!(walk.phase(), Phase::Settled(Ending::Converged));
    assert_eq!(responders(&walk), [10, 20]);
}

#[test]
fn a_crowd_at_the_target_is_thinned_and_those_behind_it_are_reached() {
    // Of 256 nodes, one is expected for each step of the first byte: 40 at number 40.
    let config = LookupConfig { closest: 12, network_size: Some(256), ..config() };
    let mut walk = walk_with(config, &[40, 50, 60, 70]);
    // Forty nodes share the first byte of the target.
    let crowd = |n: u32| {
        Peer::new(
            Id::ZERO
                .with_bit(20, n & 1 == 1)
                .with_bit(21, n & 2 == 2)
                .with_bit(22, n & 4 == 4)
                .with_bit(23, n & 8 == 8)
                .with_bit(24, n & 16 == 16)
                .with_bit(30, n >= 32),
            1000 + n,
        )
    };
    let mut met = 0;
    while let Some(contact) = walk.next() {
        met += usize::from(contact.host >= 1000 << 8);
        walk.responded(contact, 0, (0..40).map(crowd));
    }
    assert!((6..=12).contains(&met), "{met} of the crowd were asked");
    assert!(walk.crowded() > 0);
    assert!(responders(&walk).ends_with(&[40, 50, 60, 70]));
}
