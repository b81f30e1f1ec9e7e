//! What is found and stored while packets vanish and nodes are dead, against the goals for reliability.
//! Apart from the figures, because these networks are broken.

use std::time::Duration;

use mainstay_tests::seeds;

use crate::crowd::{Crowd, Nature};
use crate::figures::{Costs, nth, quantile};

/// How many asks of a kind are made under each condition.
const ASKS: usize = 40;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What puts and gets cost, and how many copies were made at the mean.
struct Survey {
    puts: Costs,
    gets: Costs,
    /// How many items had a holder.
    stored: usize,
    copies: f64,
}

/// Puts and gets by nodes that knew the network before it broke. Round trips take 50 ms.
fn survey(seed: u64, loss: f64, dead: f64) -> Survey {
    let mut crowd = Crowd::new(2000, seed);
    crowd.rtt = (ms(30), ms(70));
    let [writer, reader] = [(); 2].map(|()| crowd.spawn(|config| config));
    crowd.warm(writer, 40);
    crowd.warm(reader, 40);
    crowd.loss = loss;
    crowd.turn(dead, Nature::Dead);
    println!("loss {loss}, dead {dead}");
    let puts = Costs::of_puts(&mut crowd, writer, 0..ASKS);
    let copies: Vec<usize> = (0..ASKS).map(|number| crowd.copies(&nth(number))).collect();
    let stored = copies.iter().filter(|copies| **copies > 0).count();
    let copies = copies.iter().sum::<usize>() as f64;
    let gets = Costs::of_finds(&mut crowd, reader, 0..ASKS);
    let copies = copies / ASKS as f64;
    println!("{copies} copies");
    Survey { puts, gets, stored, copies }
}

#[test]
fn what_is_put_among_the_dead_is_found_among_the_dead() {
    seeds::each(1, |seed| {
        for (more, dead) in [(0, 0.5), (1, 0.8), (2, 0.9)] {
            let survey = survey(seed + more, 0.0, dead);
            assert!(survey.gets.succeeded >= survey.stored);
            assert!(survey.stored >= ASKS - 1);
        }
    });
}

#[test]
fn lost_packets_cost_few_copies() {
    // Each request needs two packets to arrive: of a tenth of them a fifth fail, of three tenths a half.
    seeds::each(1, |seed| {
        for (more, loss, share) in [(5, 0.1, 1.0), (6, 0.3, 1.0), (7, 0.5, 0.85)] {
            let survey = survey(seed + more, loss, 0.0);
            assert_eq!(survey.puts.succeeded, ASKS);
            assert!(survey.copies >= share * 16.0, "{} copies of 16", survey.copies);
            assert!(survey.gets.succeeded * 20 >= survey.stored * 19, "{loss} lost");
        }
    });
}

#[test]
fn a_network_half_dead_is_still_quick() {
    seeds::each(1, |seed| {
        let mut survey = survey(seed + 3, 0.0, 0.5);
        assert!(quantile(&mut survey.gets.all, 0.5) <= ms(300));
        assert!(quantile(&mut survey.gets.all, 0.99) <= ms(2000));
        assert!(quantile(&mut survey.puts.quorum, 0.5) <= ms(130));
        assert!(quantile(&mut survey.puts.quorum, 0.99) <= ms(250));
    });
}
