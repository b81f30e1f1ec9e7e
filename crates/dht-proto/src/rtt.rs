//! How long answers usually take, and so how long to wait before going on without one.
//! Apart from the transactions, which only ask for the number.

use std::time::Duration;

/// The patience before anything was measured.
const UNMEASURED: Duration = Duration::from_secs(1);
/// Never less: an answer needs the time of a scheduler, not only that of a wire.
const FLOOR: Duration = Duration::from_millis(100);
/// How many round trips are remembered.
const WINDOW: usize = 32;
/// After how many new ones the figure is worked out again.
const BATCH: u8 = 8;

/// The round trips of late, and the patience that follows from them.
///
/// A request that waits longer than one and a half times what nine of ten answers took is *stalled*: it
/// no longer holds up its lookup, but its answer still counts until the hard timeout.
#[derive(Debug)]
pub(crate) struct RoundTrips {
    /// In microseconds, overwritten in turn.
    recent: Vec<u32>,
    next: usize,
    fresh: u8,
    patience: Duration,
    usual: Duration,
}

impl RoundTrips {
    pub(crate) fn new() -> Self {
        Self { recent: Vec::new(), next: 0, fresh: 0, patience: UNMEASURED, usual: UNMEASURED }
    }

    /// Takes note of one round trip.
    pub(crate) fn measured(&mut self, rtt: Duration) {
        let micros = u32::try_from(rtt.as_micros()).unwrap_or(u32::MAX);
        if self.recent.len() < WINDOW {
            self.recent.push(micros);
        } else if let Some(slot) = self.recent.get_mut(self.next) {
            *slot = micros;
            self.next = (self.next + 1) % WINDOW;
        }
        self.fresh += 1;
        if self.fresh >= BATCH {
            self.fresh = 0;
            self.judge();
        }
    }

    /// How long a request may take before it counts as stalled.
    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    /// How long most requests take, three of four and a quarter longer: one that takes more is *late*. Never more than
    /// the patience.
    pub(crate) fn usual(&self) -> Duration {
        self.usual
    }

    fn judge(&mut self) {
        let mut sorted = self.recent.clone();
        sorted.sort_unstable();
        let took = |part: usize, of: usize| {
            let most = sorted.get(sorted.len() * part / of).copied().unwrap_or(u32::MAX);
            Duration::from_micros(most.into())
        };
        self.patience = (took(9, 10) * 3 / 2).clamp(FLOOR, UNMEASURED);
        self.usual = (took(3, 4) * 5 / 4).min(self.patience);
    }
}

/// How many requests get lost on the way, judged by nodes that answered of late: their silence says more about
/// the network than about them.
#[derive(Debug)]
pub(crate) struct Weather {
    /// The share lost, in parts of 65,536: a moving average over some thirty requests.
    lost: u32,
    /// The share of nodes that answered when they were asked twice, in the same parts: where nodes died and
    /// nothing gets lost, hardly any do.
    worth: u32,
    /// The share of requests to anybody that are answered before they stall, in the same parts.
    answering: u32,
}

impl Weather {
    const ALL: u32 = 1 << 16;
    const WINDOW: u32 = 32;
    /// Over how many requests the share of answers is averaged.
    const MANY: u32 = 64;

    pub(crate) fn new() -> Self {
        Self { lost: 0, worth: Self::ALL / 2, answering: Self::ALL / 2 }
    }

    /// So many nodes were asked twice, and so many of them answered.
    pub(crate) fn asked_twice(&mut self, asked: usize, answered: usize) {
        for n in 0..asked {
            let one = if n < answered { Self::ALL } else { 0 };
            self.worth = (self.worth * 15 + one) / 16;
        }
    }

    /// A request to anybody was answered before it stalled, or was not.
    pub(crate) fn fulfilled(&mut self, in_time: bool) {
        let one = if in_time { Self::ALL } else { 0 };
        self.answering = (self.answering * (Self::MANY - 1) + one) / Self::MANY;
    }

    /// Which share of requests is answered before they stall, of late: half, before anything was seen.
    pub(crate) fn answering(&self) -> f64 {
        f64::from(self.answering) / f64::from(Self::ALL)
    }

    /// A node that we can rely on answered. After it had stalled, that takes back what was noted then.
    pub(crate) fn answered(&mut self, stalled: bool) {
        for _ in 0..=usize::from(stalled) {
            self.lost -= self.lost / Self::WINDOW;
        }
    }

    /// A node that we can rely on did not answer in the usual time.
    pub(crate) fn stalled(&mut self) {
        self.lost += (Self::ALL - self.lost) / Self::WINDOW;
        // In time, it is worth another try.
        self.worth += (Self::ALL / 2).saturating_sub(self.worth) / 512;
    }

    /// Whether so much is lost that asking twice is worth it: one request in seven, which is what one packet
    /// lost in thirteen makes. Not if it turned out to be in vain.
    pub(crate) fn is_rough(&self) -> bool {
        self.lost > Self::ALL / 7 && self.worth > Self::ALL / 16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_follows_what_nine_of_ten_answers_took() {
        let mut trips = RoundTrips::new();
        assert_eq!(trips.patience(), UNMEASURED);
        for n in 0..32 {
            let slow = n % 16 == 0;
            trips.measured(Duration::from_millis(if slow { 1900 } else { 120 }));
        }
        assert_eq!(trips.patience(), Duration::from_millis(180));
    }

    #[test]
    fn late_is_what_takes_longer_than_three_of_four_answers_and_a_quarter() {
        let mut trips = RoundTrips::new();
        assert_eq!(trips.usual(), UNMEASURED);
        for n in 0..32_u64 {
            trips.measured(Duration::from_millis(if n % 4 == 3 { 500 } else { 10 * n }));
        }
        // 0, 10, 20, 40, …, 300, and eight times 500.
        assert_eq!(trips.usual(), Duration::from_millis(625));
        for n in 0..32_u64 {
            trips.measured(Duration::from_millis(if n % 8 == 7 { 500 } else { 80 }));
        }
        assert_eq!(trips.usual(), Duration::from_millis(100));
        assert!(trips.usual() < trips.patience());
    }

    #[test]
    fn a_fast_network_still_leaves_time_to_answer() {
        let mut trips = RoundTrips::new();
        for _ in 0..64 {
            trips.measured(Duration::from_micros(80));
        }
        assert_eq!(trips.patience(), FLOOR);
    }

    #[test]
    fn the_share_of_requests_that_are_answered_is_learnt_within_some_hundred() {
        let mut weather = Weather::new();
        for _ in 0..60 {
            weather.fulfilled(true);
        }
        assert!((0.7..0.9).contains(&weather.answering()), "half of nothing is half");
        for _ in 0..300 {
            weather.fulfilled(true);
        }
        assert!((0.98..=1.0).contains(&weather.answering()));
        for n in 0..300 {
            weather.fulfilled(n % 4 != 0);
        }
        assert!((0.7..0.8).contains(&weather.answering()));
    }

    #[test]
    fn the_weather_is_rough_when_reliable_nodes_fall_silent_and_calms_when_they_answer() {
        let mut weather = Weather::new();
        for n in 0..300 {
            if n % 10 == 0 {
                weather.stalled();
            } else {
                weather.answered(false);
            }
            assert!(!weather.is_rough());
        }
        for _ in 0..20 {
            weather.stalled();
        }
        assert!(weather.is_rough());
        let mut futile = Weather { ..weather };
        futile.asked_twice(60, 0);
        assert!(!futile.is_rough());
        for _ in 0..60 {
            weather.answered(true);
        }
        assert!(!weather.is_rough());
    }

    #[test]
    fn old_measurements_are_forgotten() {
        let mut trips = RoundTrips::new();
        for _ in 0..64 {
            trips.measured(Duration::from_millis(500));
        }
        assert_eq!(trips.patience(), Duration::from_millis(750));
        for _ in 0..WINDOW {
            trips.measured(Duration::from_millis(200));
        }
        assert_eq!(trips.patience(), Duration::from_millis(300));
    }
}
