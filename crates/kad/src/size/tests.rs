//! What the size estimate promises: no bias, and the error that it states.
//! Apart from the code because each needs a few hundred simulated networks.

use super::*;
use crate::testing::{random_id, rng};

/// The `count` closest of `nodes` random nodes to each of `lookups` random targets.
fn estimate(nodes: usize, lookups: usize, count: usize, seed: u64) -> SizeEstimate {
    let mut rng = rng(seed);
    let ids: Vec<Id<20>> = (0..nodes).map(|_| random_id(&mut rng)).collect();
    let mut estimator = SizeEstimator::new(64);
    for _ in 0..lookups {
        let target = random_id(&mut rng);
        let mut near: Vec<Id<20>> = ids.clone();
        near.select_nth_unstable_by(count - 1, |left, right| target.closer(left, right));
        near.truncate(count);
        estimator.observe(&target, near);
    }
    estimator.estimate().unwrap()
}

#[test]
fn the_mean_of_many_estimates_is_the_truth_and_their_spread_is_the_stated_error() {
    let nodes = 400.0;
    for (lookups, count) in [(1, 8), (1, 20), (8, 8)] {
        let runs: Vec<SizeEstimate> =
            (0..300).map(|seed| estimate(400, lookups, count, seed)).collect();
        let mean = runs.iter().map(|run| run.nodes).sum::<f64>() / 300.0;
        let spread =
            (runs.iter().map(|run| (run.nodes - mean).powi(2)).sum::<f64>() / 300.0).sqrt();
        let stated = runs[0].error;
        assert!((mean / nodes - 1.0).abs() < 4.0 * stated / 300_f64.sqrt(), "mean {mean}");
        assert!(
            (0.7..1.3).contains(&(spread / nodes / stated)),
            "spread {spread}, stated {stated}"
        );
    }
}

#[test]
fn sixteen_lookups_of_eight_err_by_nine_percent() {
    let error = estimate(5000, 16, 8, 1).error;
    assert!((0.085..0.095).contains(&error), "{error}");
}

#[test]
fn nothing_observed_is_no_estimate() {
    let mut estimator = SizeEstimator::<20>::new(4);
    assert_eq!(estimator.estimate(), None);
    estimator.observe(&Id::ZERO, [Id::from([1; 20]), Id::from([2; 20])]);
    assert_eq!(estimator.estimate(), None, "two nodes say too little");
}

#[test]
fn looking_up_a_nodes_own_id_is_no_sample() {
    let mut estimator = SizeEstimator::<20>::new(4);
    estimator.observe(&Id::ZERO, [0, 1, 2, 3].map(|byte| Id::from([byte; 20])));
    assert_eq!(estimator.estimate(), None);
}

#[test]
fn the_same_part_of_the_space_counts_once() {
    let mut estimator = SizeEstimator::<20>::new(8);
    let near = [1, 2, 3, 4].map(|byte| Id::from([byte; 20]));
    estimator.observe(&Id::ZERO, near);
    let once = estimator.estimate();
    estimator.observe(&Id::ZERO.with_bit(20, true), near);
    assert_eq!(estimator.estimate().map(|both| both.error), once.map(|one| one.error));
    estimator.observe(&Id::from([0xf0; 20]), [0xf1, 0xf2, 0xf3].map(|byte| Id::from([byte; 20])));
    assert!(estimator.estimate().unwrap().error < once.unwrap().error);
}

#[test]
fn the_window_forgets_the_oldest() {
    let mut estimator = SizeEstimator::<20>::new(2);
    for byte in [0x10, 0x40, 0x80, 0xc0] {
        estimator.observe(&Id::from([byte; 20]), [1, 2, 3].map(|low| Id::from([byte | low; 20])));
    }
    assert_eq!(estimator.samples.len(), 2);
}

#[test]
fn the_expected_share_of_the_space_falls_with_the_size() {
    let estimate = SizeEstimate { nodes: 999.0, error: 0.1 };
    assert!((estimate.expected_share(8) - 0.008).abs() < 1e-12);
    assert!((SizeEstimate { nodes: 0.0, error: 0.1 }.expected_share(8) - 1.0).abs() < 1e-12);
}
