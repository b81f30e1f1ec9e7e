//! How one relay does: how fast it answers, and whether it is to be left alone.
//!
//! Separate because it looks at one relay only; who goes first is decided among all of them.

use std::time::Duration;

use super::{Errand, Standing};

/// A relay that nobody has asked for so long is asked again, to learn how it does.
const REMEASURE: Duration = Duration::from_secs(600);

/// How long a relay is left alone after a failure; doubled with each further one in a row.
const FIRST_REST: Duration = Duration::from_secs(1);

/// How long at most.
const LONGEST_REST: Duration = Duration::from_secs(300);

/// For how long a relay may silence us, whatever it asks for: as long as names are put again in time.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// What is expected of a relay that has not answered yet.
const EXPECTED: Duration = Duration::from_millis(250);

/// Answers count by so much more than those before them: an eighth.
const WEIGHT: u32 = 8;

/// What is known of one relay.
#[derive(Clone, Debug, Default)]
pub(super) struct Health {
    latency: Option<Duration>,
    histogram: Histogram,
    /// When it last ended, well or badly.
    measured: Option<Duration>,
    /// How many requests to it are under way.
    running: u32,
    /// How many failed in a row.
    failures: u32,
    /// How many of its last answers were older than what we had from others.
    behind: u32,
    rest: Option<Rest>,
    /// It asked that nothing be published before.
    publish_after: Option<Duration>,
}

/// A time in which it is left alone.
#[derive(Clone, Copy, Debug)]
enum Rest {
    /// It failed.
    Failed { until: Duration },
    /// It asked for it when it was asked to look something up.
    Asked { until: Duration },
}

impl Rest {
    fn until(&self) -> Duration {
        match self {
            Self::Failed { until } | Self::Asked { until } => *until,
        }
    }
}

/// How a request to a relay went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Performance {
    /// It gave a packet.
    Answered { took: Duration },
    /// It gave a packet older than one that we knew.
    Behind { took: Duration },
    /// It had nothing, which may have taken it a search.
    Nothing { took: Duration },
    /// It did what it was asked, which tells nothing about how long a lookup takes.
    Alive,
    /// It gave nothing that could be used.
    Failed,
    /// It has too much to do, and may have said for how long.
    #[cfg_attr(
        all(feature = "dht", not(any(test, feature = "relays"))),
        expect(dead_code, reason = "only relays say so")
    )]
    Busy { retry_after: Option<Duration> },
}

impl Health {
    pub(super) fn standing(&self, now: Duration) -> Standing {
        if let Some(Rest::Asked { until }) = self.rest.filter(|rest| rest.until() > now) {
            return Standing::Waiting { remaining: until.saturating_sub(now) };
        }
        self.standing_unasked(now)
    }

    /// To store a packet is not what it limits when it limits lookups: that it says when it is asked to.
    pub(super) fn standing_to_publish(&self, now: Duration) -> Standing {
        if let Some(until) = self.publish_after.filter(|until| *until > now) {
            return Standing::Waiting { remaining: until.saturating_sub(now) };
        }
        self.standing_unasked(now)
    }

    /// How it does, whatever it asks for.
    fn standing_unasked(&self, now: Duration) -> Standing {
        if let Some(Rest::Failed { until }) = self.rest.filter(|rest| rest.until() > now) {
            return Standing::Broken { remaining: until.saturating_sub(now) };
        }
        let probed = self.running > 0;
        if self.failures > 0 {
            let remaining = Duration::ZERO;
            return if probed { Standing::Broken { remaining } } else { Standing::Probe };
        }
        let is_known = self.measured.is_some_and(|then| now.saturating_sub(then) < REMEASURE);
        if is_known || probed {
            Standing::Good { expected: self.expected() }
        } else {
            Standing::Probe
        }
    }

    /// How long to wait for it before the next relay is asked as well: nineteen of twenty answers come sooner.
    pub(super) fn hedge(&self) -> Duration {
        self.histogram.p95().unwrap_or(EXPECTED)
    }

    fn expected(&self) -> Duration {
        self.latency.unwrap_or(EXPECTED).saturating_mul(self.behind.saturating_add(1))
    }

    pub(super) fn handle_start(&mut self) {
        self.running = self.running.saturating_add(1);
    }

    pub(super) fn handle_abandoned(&mut self) {
        self.running = self.running.saturating_sub(1);
    }

    pub(super) fn handle_end(&mut self, errand: Errand, now: Duration, performance: Performance) {
        self.running = self.running.saturating_sub(1);
        self.measured = Some(now);
        match performance {
            Performance::Answered { took } => {
                self.recover();
                self.behind /= 2;
                self.learn(took);
            }
            Performance::Behind { took } => {
                self.recover();
                self.behind = self.behind.saturating_add(1).min(WEIGHT);
                self.learn(took);
            }
            Performance::Nothing { took } => {
                self.recover();
                // A search that finds nothing takes longest; it says little about those that do.
                self.latency.get_or_insert(took);
            }
            Performance::Alive => self.recover(),
            Performance::Failed | Performance::Busy { retry_after: None } => self.fail(now),
            Performance::Busy { retry_after: Some(wait) } => {
                let until = now.saturating_add(wait.min(LONGEST_WAIT));
                match errand {
                    Errand::Lookup => self.rest = Some(Rest::Asked { until }),
                    Errand::Publish => self.publish_after = Some(until),
                }
            }
        }
    }

    fn recover(&mut self) {
        self.failures = 0;
        // What it asked for it asked for, though it goes on answering meanwhile.
        self.rest = self.rest.filter(|rest| matches!(rest, Rest::Asked { .. }));
    }

    fn fail(&mut self, now: Duration) {
        let doubled = FIRST_REST.saturating_mul(1 << self.failures.min(16)).min(LONGEST_REST);
        self.failures = self.failures.saturating_add(1);
        let until = now.saturating_add(doubled);
        if !matches!(self.rest, Some(Rest::Asked { until: asked }) if asked > until) {
            self.rest = Some(Rest::Failed { until });
        }
    }

    fn learn(&mut self, took: Duration) {
        self.histogram.count(took);
        let old = self.latency.unwrap_or(took);
        self.latency = Some(old.saturating_mul(WEIGHT - 1).saturating_add(took) / WEIGHT);
    }
}

/// The last answers of a relay by their time, each step half as long again as the one before.
#[derive(Clone, Debug, Default)]
struct Histogram {
    counts: [u16; STEPS],
    total: u16,
}

/// From a millisecond to eleven seconds.
const STEPS: usize = 24;

/// When so many are counted, all count half: the past fades.
const FULL: u16 = 128;

impl Histogram {
    fn count(&mut self, took: Duration) {
        let step = bounds().position(|bound| took <= bound).unwrap_or(STEPS - 1);
        if let Some(count) = self.counts.get_mut(step) {
            *count = count.saturating_add(1);
        }
        self.total = self.total.saturating_add(1);
        if self.total >= FULL {
            self.counts.iter_mut().for_each(|count| *count /= 2);
            self.total = self.counts.iter().sum();
        }
    }

    /// The time within which nineteen of twenty came, rounded up to the next step.
    fn p95(&self) -> Option<Duration> {
        let mut outside = self.total;
        if outside == 0 {
            return None;
        }
        let tolerated = self.total / 20;
        for (count, bound) in self.counts.iter().zip(bounds()) {
            outside = outside.saturating_sub(*count);
            if outside <= tolerated {
                return Some(bound);
            }
        }
        None
    }
}

fn bounds() -> impl Iterator<Item = Duration> {
    let next = |bound: &Duration| Some(*bound + *bound / 2);
    std::iter::successors(Some(Duration::from_millis(1)), next).take(STEPS)
}

#[cfg(test)]
mod tests {
    use super::{
        Duration, Errand, FIRST_REST, Health, LONGEST_REST, LONGEST_WAIT, Performance, REMEASURE,
        Standing,
    };

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn answered(latencies: impl IntoIterator<Item = u64>) -> Health {
        let mut health = Health::default();
        for took in latencies {
            health.handle_end(
                Errand::Lookup,
                Duration::ZERO,
                Performance::Answered { took: millis(took) },
            );
        }
        health
    }

    #[test]
    fn the_hedge_is_where_nineteen_of_twenty_answers_have_come() {
        let hedge = answered((0..100).map(|n| if n % 25 == 0 { 900 } else { 40 })).hedge();
        assert!((millis(40)..millis(60)).contains(&hedge), "{hedge:?}");
        let hedge = answered((0..100).map(|n| if n % 10 == 0 { 900 } else { 40 })).hedge();
        assert!((millis(900)..millis(1350)).contains(&hedge), "{hedge:?}");
    }

    #[test]
    fn the_past_fades() {
        let hedge = answered([900; 100].into_iter().chain([20; 700])).hedge();
        assert!(hedge < millis(40), "{hedge:?}");
    }

    #[test]
    fn rests_double_with_each_failure_and_end_with_one_probe_at_a_time() {
        let mut health = answered([40]);
        let mut now = Duration::ZERO;
        for failures in 0..12 {
            health.handle_start();
            health.handle_end(Errand::Lookup, now, Performance::Failed);
            let remaining = (FIRST_REST * 2_u32.pow(failures)).min(LONGEST_REST);
            assert_eq!(health.standing(now), Standing::Broken { remaining });
            now += remaining;
            assert_eq!(health.standing(now), Standing::Probe);
            health.handle_start();
            assert!(matches!(health.standing(now), Standing::Broken { .. }), "it is being probed");
            health.running = 0;
        }
        health.handle_end(Errand::Lookup, now, Performance::Answered { took: millis(40) });
        assert!(matches!(health.standing(now), Standing::Good { .. }));
    }

    #[test]
    fn what_a_relay_asks_for_it_gets_whatever_else_happens() {
        let minute = Duration::from_secs(60);
        let mut health = answered([40]);
        health.handle_end(
            Errand::Lookup,
            Duration::ZERO,
            Performance::Busy { retry_after: Some(minute) },
        );
        for performance in [Performance::Failed, Performance::Alive] {
            health.handle_end(Errand::Lookup, Duration::ZERO, performance);
            assert_eq!(health.standing(Duration::ZERO), Standing::Waiting { remaining: minute });
        }
        assert!(matches!(health.standing(minute), Standing::Good { .. }));
    }

    #[test]
    fn lookups_and_publishes_are_silenced_apart_and_never_longer_than_an_hour() {
        let busy = |seconds| Performance::Busy { retry_after: Some(Duration::from_secs(seconds)) };
        let waiting = |remaining| Standing::Waiting { remaining };
        let mut health = answered([40]);
        health.handle_end(Errand::Lookup, Duration::ZERO, busy(86_400));
        assert_eq!(health.standing(Duration::ZERO), waiting(LONGEST_WAIT));
        assert!(matches!(health.standing_to_publish(Duration::ZERO), Standing::Good { .. }));
        let mut health = answered([40]);
        health.handle_end(Errand::Publish, Duration::ZERO, busy(86_400));
        assert!(matches!(health.standing(Duration::ZERO), Standing::Good { .. }));
        assert_eq!(health.standing_to_publish(Duration::ZERO), waiting(LONGEST_WAIT));
        assert!(!matches!(health.standing_to_publish(LONGEST_WAIT), Standing::Waiting { .. }));
    }

    #[test]
    fn a_relay_that_lags_behind_is_expected_later_until_it_catches_up() {
        let mut health = answered([40]);
        let expected = |health: &Health| match health.standing(Duration::ZERO) {
            Standing::Good { expected } => expected,
            other => panic!("{other:?}"),
        };
        health.handle_end(Errand::Lookup, Duration::ZERO, Performance::Behind { took: millis(40) });
        assert_eq!(expected(&health), millis(80));
        health.handle_end(
            Errand::Lookup,
            Duration::ZERO,
            Performance::Answered { took: millis(40) },
        );
        assert_eq!(expected(&health), millis(40));
    }

    #[test]
    fn what_was_not_asked_for_long_is_measured_again() {
        let health = answered([40]);
        assert!(matches!(health.standing(REMEASURE - millis(1)), Standing::Good { .. }));
        assert_eq!(health.standing(REMEASURE), Standing::Probe);
        assert_eq!(Health::default().standing(Duration::ZERO), Standing::Probe);
    }
}
