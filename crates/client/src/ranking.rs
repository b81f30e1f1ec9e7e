//! Which relays to ask, in which order, and when to stop waiting for one and ask the next: pure decisions.
//!
//! Separate because this is where time is won and lost: neither clock nor network is in here, `now` is passed in, and
//! every rule can be tested by itself. All moments are counted from one beginning, that of the client.

mod asked;
mod health;
mod race;

use std::time::Duration;

pub(crate) use asked::{Asked, Errand};
use health::Health;
pub(crate) use health::Performance;
pub(crate) use race::{Race, Start};

use crate::backend::Reach;

/// What is known of each backend; those that are no relays need no ranking.
#[derive(Debug)]
pub(crate) struct Ranking {
    healths: Vec<Option<Health>>,
}

/// Whether a backend may be asked now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Never ranked: always asked at once.
    Unranked,
    /// It is to be asked beside the others, to learn how it does: it is new, was not asked for long, or has been left
    /// alone long enough after a failure.
    Probe,
    /// It answers, within about this time.
    Good { expected: Duration },
    /// It has failed lately, and is asked only where nobody else is left.
    Broken { remaining: Duration },
    /// It asked us to wait, and is not asked.
    Waiting { remaining: Duration },
}

impl Ranking {
    /// Knows nothing yet; `is_ranked` tells which backends are relays.
    pub(crate) fn new(is_ranked: impl Iterator<Item = bool>) -> Self {
        Self { healths: is_ranked.map(|ranked| ranked.then(Health::default)).collect() }
    }

    /// Plans a lookup that starts now.
    pub(crate) fn race(&self, reach: Reach, now: Duration) -> Race {
        let standings = self.healths.iter().map(|health| standing(health.as_ref(), now));
        let hedges = self.healths.iter().map(|health| health.as_ref().map(Health::hedge));
        Race::new(reach, now, standings.zip(hedges.map(Option::unwrap_or_default)))
    }

    /// Whether a backend may be asked to store something now.
    pub(crate) fn standing_to_publish(&self, backend: usize, now: Duration) -> Standing {
        let health = self.healths.get(backend).and_then(Option::as_ref);
        health.map_or(Standing::Unranked, |health| health.standing_to_publish(now))
    }

    /// Whether a backend may be asked now.
    #[cfg(test)]
    pub(crate) fn standing(&self, backend: usize, now: Duration) -> Standing {
        standing(self.healths.get(backend).and_then(Option::as_ref), now)
    }

    /// A backend is being asked.
    pub(crate) fn handle_start(&mut self, backend: usize) {
        if let Some(Some(health)) = self.healths.get_mut(backend) {
            health.handle_start();
        }
    }

    /// A backend that was asked has ended.
    pub(crate) fn handle_end(
        &mut self,
        backend: usize,
        errand: Errand,
        now: Duration,
        performance: Performance,
    ) {
        if let Some(Some(health)) = self.healths.get_mut(backend) {
            health.handle_end(errand, now, performance);
        }
    }

    /// Whoever asked a backend has died: nothing was learnt of it.
    pub(crate) fn handle_abandoned(&mut self, backend: usize) {
        if let Some(Some(health)) = self.healths.get_mut(backend) {
            health.handle_abandoned();
        }
    }
}

fn standing(health: Option<&Health>, now: Duration) -> Standing {
    health.map_or(Standing::Unranked, |health| health.standing(now))
}

#[cfg(test)]
mod tests;
