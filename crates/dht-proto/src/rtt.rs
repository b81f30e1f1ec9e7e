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
}

impl RoundTrips {
    pub(crate) fn new() -> Self {
        Self { recent: Vec::new(), next: 0, fresh: 0, patience: UNMEASURED }
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
            self.patience = self.judge();
        }
    }

    /// How long a request may take before it counts as stalled.
    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    fn judge(&self) -> Duration {
        let mut sorted = self.recent.clone();
        sorted.sort_unstable();
        let most = sorted.get(sorted.len() * 9 / 10).copied().unwrap_or(u32::MAX);
        let patience = Duration::from_micros(u64::from(most) * 3 / 2);
        patience.clamp(FLOOR, UNMEASURED)
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
    fn a_fast_network_still_leaves_time_to_answer() {
        let mut trips = RoundTrips::new();
        for _ in 0..64 {
            trips.measured(Duration::from_micros(80));
        }
        assert_eq!(trips.patience(), FLOOR);
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
