//! How many nodes the network has, judged from how close the closest ones are.
//! Separate because it looks at finished lookups and needs neither table nor walk.

use std::collections::VecDeque;

use crate::{Distance, Id};

/// Estimates the number of nodes in the network from the closest sets of finished lookups.
///
/// Ids are spread evenly, so around a target of our choosing the n nodes of the network stand
/// like the ticks of a random clock: the k-th closest lies at about k/(n+1) of the space. From
/// one closest set the estimate `(k - 1) / d`, with `d` the k-th distance as a share of the space,
/// has no bias and the least possible error, `1 / sqrt(k - 2)`; m sets that do not overlap count
/// as one of m·k nodes. (A least-squares line through all k distances errs more, because the
/// nearer ones add nothing that the k-th does not tell.)
///
/// It reads low where lookups miss live nodes, and high where somebody crowds the targets looked
/// up: one target far out of line with the estimate of the others is a sign of that.
#[derive(Debug, Clone)]
pub struct SizeEstimator<const N: usize> {
    /// The newest samples, oldest first; at most `window`.
    samples: VecDeque<Sample<N>>,
    window: usize,
}

#[derive(Debug, Clone)]
struct Sample<const N: usize> {
    target: Id<N>,
    /// How many nodes lie within `radius`, the farthest included.
    count: usize,
    radius: Distance<N>,
}

impl<const N: usize> SizeEstimator<N> {
    /// An estimator that averages over the last `window` lookups (at least 1). Sixteen with 8
    /// nodes each give an error near 9 %.
    pub fn new(window: usize) -> Self {
        Self { samples: VecDeque::new(), window: window.max(1) }
    }

    /// Takes in the closest nodes to `target` that a lookup found. Order does not matter, but the
    /// set must be all the nodes up to the farthest of them, so give only the K closest.
    ///
    /// A set of fewer than 3 says too little and is ignored, and so is a target among the ids:
    /// whoever looks up a node's own id does not measure an average place. A new sample replaces
    /// older ones that look at the same part of the space.
    pub fn observe(&mut self, target: &Id<N>, closest: impl IntoIterator<Item = Id<N>>) {
        let mut count = 0_usize;
        let mut radius = Distance::ZERO;
        for id in closest {
            let distance = target.distance(&id);
            if distance == Distance::ZERO {
                return;
            }
            count += 1;
            radius = radius.max(distance);
        }
        if count < 3 {
            return;
        }
        self.samples.retain(|other| target.distance(&other.target) > radius.max(other.radius));
        if self.samples.len() >= self.window {
            self.samples.pop_front();
        }
        self.samples.push_back(Sample { target: *target, count, radius });
    }

    /// The estimate from everything observed; `None` before the first sample.
    pub fn estimate(&self) -> Option<SizeEstimate> {
        let nodes: usize = self.samples.iter().map(|sample| sample.count).sum();
        let space: f64 = self.samples.iter().map(|sample| sample.radius.fraction()).sum();
        if nodes < 3 || space <= 0.0 {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "a few hundred nodes at most")]
        let nodes = nodes as f64;
        Some(SizeEstimate { nodes: (nodes - 1.0) / space, error: 1.0 / (nodes - 2.0).sqrt() })
    }
}

/// How many nodes there are, and how sure that is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SizeEstimate {
    /// The expected number of nodes, ourselves not counted.
    pub nodes: f64,
    /// The standard deviation of that number, as a share of it: 0.1 is ten percent.
    pub error: f64,
}

impl SizeEstimate {
    /// The share of the space within which the `k`-th closest node to any target is expected.
    ///
    /// Nodes nearer than this are worth storing at even before a lookup has settled.
    pub fn expected_share(&self, k: usize) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "k is a handful")]
        let k = k as f64;
        (k / (self.nodes + 1.0)).min(1.0)
    }
}

#[cfg(test)]
mod tests;
