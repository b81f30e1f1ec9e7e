//! Notices that the time of day and the time that passed disagree.
//! Apart from the store's use of the time of day, since here only differences matter.

use std::time::{Duration, Instant};

/// A smaller difference is the slewing of a clock that is kept in step.
const NOTABLE: Duration = Duration::from_secs(5);

/// What the clock showed when it was last looked at.
#[derive(Debug, Default)]
pub(crate) struct WallClock {
    last: Option<(Instant, Duration)>,
}

/// A step of the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Jump {
    pub(crate) forward: bool,
    pub(crate) by: Duration,
}

impl WallClock {
    /// Looks at the clock; says by how much it shows another time than what has passed explains.
    pub(crate) fn look(&mut self, now: Instant, unix: Duration) -> Option<Jump> {
        let (then, before) = self.last.replace((now, unix))?;
        let expected = before.saturating_add(now.saturating_duration_since(then));
        let by = expected.abs_diff(unix);
        (by >= NOTABLE).then_some(Jump { forward: unix > expected, by })
    }

    /// The time of day at `now`.
    pub(crate) fn at(&self, now: Instant) -> Option<Duration> {
        let (then, unix) = self.last?;
        Some(unix.saturating_add(now.saturating_duration_since(then)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_told_and_slewing_is_not() {
        let start = crate::testing::start();
        let secs = Duration::from_secs;
        let mut clock = WallClock::default();
        assert_eq!(clock.look(start, secs(1_000_000)), None);
        assert_eq!(clock.look(start + secs(100), secs(1_000_104)), None);
        assert_eq!(
            clock.look(start + secs(200), secs(4_600)),
            Some(Jump { forward: false, by: secs(995_604) })
        );
        assert_eq!(
            clock.look(start + secs(200), Duration::MAX),
            Some(Jump { forward: true, by: Duration::MAX - secs(4_600) })
        );
        assert_eq!(
            clock.look(start + secs(300), Duration::ZERO).map(|jump| jump.forward),
            Some(false)
        );
        assert_eq!(clock.at(start + secs(310)), Some(secs(10)));
    }

    #[test]
    fn five_seconds_are_a_step_and_no_clock_has_a_time_before_it_was_looked_at() {
        let start = crate::testing::start();
        let (secs, millis) = (Duration::from_secs, Duration::from_millis);
        let mut clock = WallClock::default();
        assert_eq!(clock.at(start), None);
        clock.look(start, secs(1000));
        assert_eq!(clock.look(start, millis(1_004_999)), None);
        let jump = |forward| Some(Jump { forward, by: secs(5) });
        assert_eq!(clock.look(start, millis(1_009_999)), jump(true));
        assert_eq!(clock.look(start, millis(1_004_999)), jump(false));
    }
}
