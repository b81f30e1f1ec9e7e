//! What a race promises, whatever the relays have done before and do now.
//!
//! Separate because these are properties of whole races, played out in made-up time.

use proptest::prelude::*;

use super::race::BUDGET;
use super::{Duration, Errand, Performance, Ranking, Reach, Standing};

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What a relay does in a race: ends after so long, and whether with a good answer.
type Manner = (Duration, bool);

/// Plays a race of relays that started at `begun`; returns when each was asked, and when the first good answer came.
fn play(
    ranking: &Ranking,
    begun: Duration,
    manners: &[Manner],
) -> (Vec<Option<Duration>>, Option<Duration>) {
    let mut race = ranking.race(Reach::First, begun);
    let mut asked = vec![None; manners.len()];
    let mut running: Vec<(Duration, bool)> = Vec::new();
    let mut now = begun;
    loop {
        while let Some(start) = race.poll_start(now) {
            assert_eq!(asked[start.backend], None, "nobody is asked twice");
            asked[start.backend] = Some(now);
            let (takes, good) = manners[start.backend];
            running.push((now + takes, good));
        }
        running.sort();
        let Some((end, good)) = running.first().copied() else {
            if race.unasked().next().is_none() {
                return (asked, None);
            }
            race.handle_dry();
            continue;
        };
        if race.poll_timeout().is_some_and(|due| due < end) {
            now = race.poll_timeout().unwrap();
            continue;
        }
        (_, now) = (running.remove(0), end);
        if good {
            return (asked, Some(now));
        }
        race.handle_end(now);
    }
}

fn performance() -> impl Strategy<Value = Performance> {
    let took = (0_u64..6000).prop_map(millis);
    prop_oneof![
        4 => took.clone().prop_map(|took| Performance::Answered { took }),
        1 => took.clone().prop_map(|took| Performance::Behind { took }),
        1 => took.clone().prop_map(|took| Performance::Nothing { took }),
        1 => Just(Performance::Alive),
        2 => Just(Performance::Failed),
        1 => prop::option::of(took).prop_map(|retry_after| Performance::Busy { retry_after }),
    ]
}

/// Relays with a past, and the moment at which that is over.
fn past(relays: usize) -> impl Strategy<Value = (Ranking, Duration)> {
    let events = prop::collection::vec((0..relays, 0_u64..3000, performance()), 0..60);
    events.prop_map(move |events| {
        let mut ranking = Ranking::new((0..relays).map(|_| true));
        let mut now = Duration::ZERO;
        for (relay, pause, performance) in events {
            now += millis(pause);
            ranking.handle_start(relay);
            ranking.handle_end(relay, Errand::Lookup, now, performance);
        }
        (ranking, now)
    })
}

fn manners(relays: usize) -> impl Strategy<Value = Vec<Manner>> {
    // A fault takes a moment (a closed port, garbage) or the whole timeout (silence).
    let fault = prop_oneof![Just(millis(1)), Just(millis(5000)), (0_u64..5000).prop_map(millis)];
    prop::collection::vec(fault.prop_map(|takes| (takes, false)), relays)
}

proptest! {
    #[test]
    fn one_honest_relay_of_five_answers_within_a_second_of_its_own_time(
        (mut ranking, now) in past(5),
        mut manners in manners(5),
        honest in 0_usize..5,
        latency in 0_u64..2000,
    ) {
        // It may be slow, but it has not failed.
        ranking.handle_end(honest, Errand::Lookup, now + millis(60_000), Performance::Answered { took: millis(latency) });
        let now = now + millis(60_000);
        manners[honest] = (millis(latency), true);
        let (_, answered) = play(&ranking, now, &manners);
        let took = answered.expect("the honest one answers") - now;
        prop_assert!(took <= millis(latency) + millis(1000), "{took:?}");
    }

    #[test]
    fn whoever_is_well_is_asked_within_the_budget_and_nobody_who_asked_us_to_wait(
        (ranking, now) in past(4),
        manners in manners(4),
    ) {
        let (asked, answered) = play(&ranking, now, &manners);
        prop_assert_eq!(answered, None);
        for (relay, asked) in asked.iter().enumerate() {
            match ranking.standing(relay, now) {
                Standing::Waiting { .. } => prop_assert_eq!(*asked, None),
                Standing::Good { .. } => prop_assert!(asked.unwrap() <= now + BUDGET),
                Standing::Probe | Standing::Unranked => prop_assert_eq!(*asked, Some(now)),
                Standing::Broken { .. } => prop_assert!(asked.is_some(), "as a last resort"),
            }
        }
    }

    #[test]
    fn the_fastest_of_those_that_are_well_goes_first_and_the_next_not_before_its_hedge(
        (ranking, now) in past(4),
    ) {
        let silent = vec![(millis(60_000), false); 4];
        let (asked, _) = play(&ranking, now, &silent);
        let mut well: Vec<_> = (0..4)
            .filter_map(|relay| match ranking.standing(relay, now) {
                Standing::Good { expected } => Some((expected, relay)),
                _ => None,
            })
            .collect();
        well.sort();
        let order: Vec<_> = well.iter().map(|(_, relay)| asked[*relay].unwrap()).collect();
        prop_assert!(order.is_sorted());
        prop_assert!(order.first().is_none_or(|first| *first == now));
        if let [first, second, ..] = order[..] {
            let hedge = ranking.healths[well[0].1].as_ref().unwrap().hedge();
            let share = BUDGET / u32::try_from(well.len() - 1).unwrap();
            prop_assert_eq!(second - first, hedge.min(share));
        }
    }

    #[test]
    fn the_whole_network_is_asked_at_once_but_for_those_who_asked_us_to_wait(
        (ranking, now) in past(4),
    ) {
        let mut race = ranking.race(Reach::All, now);
        let mut asked = 0;
        while let Some(start) = race.poll_start(now) {
            let broken = matches!(ranking.standing(start.backend, now), Standing::Broken { .. });
            prop_assert_eq!(start.patience.is_some(), broken);
            asked += 1;
        }
        prop_assert_eq!(asked + race.waiting().len(), 4);
        prop_assert_eq!(race.poll_timeout(), None);
    }
}

#[test]
fn a_hanging_relay_costs_its_hedge_once_and_nothing_once_its_circuit_is_broken() {
    let mut ranking = Ranking::new([true, true].into_iter());
    let now = millis(1000);
    for relay in [0, 1] {
        // The one that will hang was the faster one.
        let took = millis(if relay == 0 { 20 } else { 50 });
        for _ in 0..20 {
            ranking.handle_end(relay, Errand::Lookup, now, Performance::Answered { took });
        }
    }
    let hangs = [(millis(5000), false), (millis(50), true)];
    let (_, answered) = play(&ranking, now, &hangs);
    let hedge = ranking.healths[0].as_ref().unwrap().hedge();
    assert_eq!(answered, Some(now + hedge + millis(50)));
    assert!(hedge < millis(30), "{hedge:?}");
    ranking.handle_end(0, Errand::Lookup, now + millis(5000), Performance::Failed);
    let later = now + millis(5001);
    let (asked, answered) = play(&ranking, later, &hangs);
    assert_eq!((asked[0], answered), (None, Some(later + millis(50))));
}

#[test]
fn a_relay_that_fails_at_once_costs_nothing_but_its_failure() {
    let mut ranking = Ranking::new([true, true].into_iter());
    for relay in [0, 1] {
        ranking.handle_end(
            relay,
            Errand::Lookup,
            Duration::ZERO,
            Performance::Answered { took: millis(500) },
        );
    }
    let refuses = [(millis(1), false), (millis(50), true)];
    assert_eq!(play(&ranking, Duration::ZERO, &refuses).1, Some(millis(51)));
}
