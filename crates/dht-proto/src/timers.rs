//! An ordered set of deadlines, one per key.
//! Every part that waits for something keeps its deadlines here, so that "when next?" has one answer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// Deadlines by key; setting one again moves it.
#[derive(Debug)]
pub(crate) struct Timers<K> {
    by_key: BTreeMap<K, Instant>,
    by_time: BTreeSet<(Instant, K)>,
}

impl<K: Ord + Copy> Timers<K> {
    pub(crate) fn new() -> Self {
        Self { by_key: BTreeMap::new(), by_time: BTreeSet::new() }
    }

    /// Sets or moves the deadline of `key`.
    pub(crate) fn set(&mut self, key: K, at: Instant) {
        if let Some(old) = self.by_key.insert(key, at) {
            self.by_time.remove(&(old, key));
        }
        self.by_time.insert((at, key));
    }

    /// Sets the deadline of `key` unless it has one.
    pub(crate) fn set_if_absent(&mut self, key: K, at: Instant) {
        if !self.by_key.contains_key(&key) {
            self.set(key, at);
        }
    }

    /// Forgets the deadline of `key`.
    pub(crate) fn clear(&mut self, key: K) {
        if let Some(old) = self.by_key.remove(&key) {
            self.by_time.remove(&(old, key));
            self.rest();
        }
    }

    /// Takes the earliest deadline that has come, if any; ties in the order of the keys.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<K> {
        let &(at, key) = self.by_time.first()?;
        if at > now {
            return None;
        }
        self.by_time.pop_first();
        self.by_key.remove(&key);
        self.rest();
        Some(key)
    }

    /// Gives back the room for eleven deadlines that an emptied map keeps.
    fn rest(&mut self) {
        if self.by_key.is_empty() {
            *self = Self::new();
        }
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_earliest_deadline_comes_first_and_each_comes_once() {
        let start = crate::testing::start();
        let at = |secs| start + Duration::from_secs(secs);
        let mut timers = Timers::new();
        timers.set('b', at(2));
        timers.set('a', at(3));
        timers.set('c', at(1));
        timers.set('a', at(2));
        timers.clear('c');
        assert_eq!(timers.next(), Some(at(2)));
        assert_eq!(timers.pop_due(at(1)), None);
        assert_eq!(
            [timers.pop_due(at(5)), timers.pop_due(at(5)), timers.pop_due(at(5))],
            [Some('a'), Some('b'), None]
        );
        assert_eq!(timers.next(), None);
    }
}
