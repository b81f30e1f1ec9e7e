//! Walks that ask no more than they need once they have arrived.
//! Apart from the plain rules, which fill every slot they have.

use super::*;

/// For the two closest of a neighbourhood that reaches to 99, with slots for everybody.
fn sparing(answering: f64) -> LookupConfig {
    LookupConfig {
        parallelism: 8,
        closing_parallelism: 8,
        near: 99.5 / 256.0,
        sparing: Some(Sparing { answering, scouts: 3 }),
        ..config()
    }
}

fn late(walk: &mut Walk, number: u8) {
    walk.late(&peer(number).address());
}

#[test]
fn nobody_is_asked_who_is_not_needed() {
    let mut walk = walk_with(sparing(1.0), &[10, 20, 30, 40]);
    assert_eq!(asked(&mut walk), [10, 20]);
    answer(&mut walk, 10, &[]);
    assert_eq!(asked(&mut walk), []);
    fail(&mut walk, 20);
    assert_eq!(asked(&mut walk), [30]);
    answer(&mut walk, 30, &[]);
    assert_eq!(walk.phase(), Phase::Settled(Ending::Converged));
    assert_eq!(walk.stats().visits, 3);

    let wide = LookupConfig { sparing: None, ..sparing(1.0) };
    assert_eq!(asked(&mut walk_with(wide, &[10, 20, 30, 40])), [10, 20, 30, 40]);
}

#[test]
fn the_more_are_silent_the_more_are_asked() {
    let asked_at = |answering| asked(&mut walk_with(sparing(answering), &[10, 20, 30, 40, 50, 60]));
    assert_eq!(asked_at(0.9), [10, 20, 30]);
    assert_eq!(asked_at(0.6), [10, 20, 30, 40]);
    assert_eq!(asked_at(0.0), [10, 20, 30, 40, 50, 60]);
    assert_eq!(asked_at(f64::NAN), [10, 20, 30, 40, 50, 60], "who knows nothing spares nothing");
}

#[test]
fn another_is_asked_for_one_who_is_late_and_either_answer_counts() {
    for late_answers in [true, false] {
        let mut walk = walk_with(sparing(1.0), &[10, 20, 30, 40]);
        asked(&mut walk);
        late(&mut walk, 10);
        assert_eq!(asked(&mut walk), [30]);
        late(&mut walk, 10);
        assert_eq!(asked(&mut walk), [], "once");
        assert_eq!(walk.in_flight(), 3, "it keeps its slot");
        answer(&mut walk, 20, &[]);
        answer(&mut walk, 30, &[]);
        assert!(!walk.is_settled(), "10 may still answer");
        let expected = if late_answers { [10, 20, 30].as_slice() } else { &[20, 30] };
        if late_answers {
            assert_eq!(answer(&mut walk, 10, &[]), Answer::Counted);
        } else {
            stall(&mut walk, 10);
        }
        assert_eq!(walk.phase(), Phase::Settled(Ending::Converged));
        assert_eq!(responders(&walk), expected);
    }
}

#[test]
fn one_who_is_late_keeps_its_slot_until_it_stalls() {
    let limits = LookupConfig { closing_parallelism: 2, ..sparing(1.0) };
    let mut walk = walk_with(limits, &[10, 20, 30]);
    assert_eq!(asked(&mut walk), [10, 20]);
    late(&mut walk, 10);
    assert_eq!(asked(&mut walk), []);
    stall(&mut walk, 10);
    assert_eq!(asked(&mut walk), [30]);
}

#[test]
fn to_be_late_changes_nothing_for_others() {
    let mut walk = walk(&[10, 20, 30]);
    assert_eq!(asked(&mut walk), [10, 20]);
    late(&mut walk, 10);
    late(&mut walk, 77);
    assert_eq!(asked(&mut walk), []);
    answer(&mut walk, 10, &[]);
    late(&mut walk, 10);
    answer(&mut walk, 20, &[]);
    assert_eq!(walk.phase(), Phase::Settled(Ending::Converged));
}

#[test]
fn whoever_is_closer_is_asked_however_many_are_expected() {
    let mut walk = walk_with(sparing(1.0), &[30, 40, 50]);
    assert_eq!(asked(&mut walk), [30, 40]);
    answer(&mut walk, 30, &[10, 20, 35]);
    assert_eq!(asked(&mut walk), [10, 20]);
    answer(&mut walk, 10, &[]);
    answer(&mut walk, 20, &[]);
    assert_eq!(walk.phase(), Phase::Settled(Ending::Converged));
}

#[test]
fn before_it_has_arrived_nothing_is_spared() {
    let limits = LookupConfig { near: 9.5 / 256.0, ..sparing(1.0) };
    let mut walk = walk_with(limits, &[10, 20, 30, 40]);
    assert_eq!(asked(&mut walk), [10, 20, 30, 40]);
    answer(&mut walk, 10, &[5, 6, 7, 8]);
    assert_eq!(asked(&mut walk), [5, 6]);
}

#[test]
fn outside_of_the_neighbourhood_few_are_asked_at_once() {
    let limits = LookupConfig { closest: 6, near: 15.5 / 256.0, ..sparing(1.0) };
    let mut walk = walk_with(limits, &[10, 20, 30, 40, 50, 60]);
    assert_eq!(asked(&mut walk), [10, 20, 30]);
    answer(&mut walk, 20, &[5, 6, 7]);
    assert_eq!(asked(&mut walk), [5, 6, 7], "who is near is asked all the same");
    for number in [5, 6, 7, 10] {
        answer(&mut walk, number, &[]);
    }
    assert_eq!(asked(&mut walk), [], "five have answered, 30 is the sixth");
    late(&mut walk, 30);
    assert_eq!(asked(&mut walk), [40]);

    let none = Some(Sparing { answering: 1.0, scouts: 0 });
    let limits = LookupConfig { closest: 6, near: 15.5 / 256.0, sparing: none, ..config() };
    let mut walk = walk_with(limits, &[10, 20, 30]);
    assert_eq!(asked(&mut walk), [10]);
    answer(&mut walk, 10, &[]);
    assert_eq!(asked(&mut walk), [20], "without any it would wait for nobody");
}

#[test]
fn before_a_crowd_nothing_is_spared() {
    let limits = LookupConfig { network_size: Some(1), ..sparing(1.0) };
    let mut walk = walk_with(limits, &[10, 20, 30, 40, 50, 60, 70]);
    assert!(!walk.add(peer(80)), "eight are too many");
    assert_eq!(walk.crowded(), 1);
    assert_eq!(asked(&mut walk), [10, 20, 30, 40, 50, 60, 70]);
}
