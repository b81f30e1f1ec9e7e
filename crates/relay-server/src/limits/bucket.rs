//! Budgets that fill up with time, one a client, in a table that never grows.
//!
//! Separate because it is arithmetic on numbers and times; it knows neither addresses nor HTTP.
//!
//! A budget is one time, the generic cell rate algorithm's: when it would be full again. A client may go on as long as
//! that time lies no further ahead than its burst lasts. The table keeps so many of them, sorted into small sets by a
//! keyed hash that no client can predict; a newcomer to a full set takes the place of whoever owes least, so a flood
//! of addresses pushes out the innocent, who lose nothing by it, and keeps the busy.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How many budgets share a set.
const WAYS: usize = 8;
/// How many sets share a lock.
const SETS_A_LOCK: usize = 16;

/// How fast a budget fills up, and how much it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allowance {
    /// Nanoseconds after which one more is allowed.
    interval: u64,
    burst: u32,
}

impl Allowance {
    pub(super) fn new(interval: Duration, burst: u32) -> Self {
        Self { interval: nanos(interval).max(1), burst: burst.max(1) }
    }

    /// So many times as much.
    pub(super) fn times(self, factor: u32) -> Self {
        let interval = (self.interval / u64::from(factor.max(1))).max(1);
        Self { interval, burst: self.burst.saturating_mul(factor) }
    }
}

/// The budget of one client: who it is, and when it will be full again. All zero is nobody's.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    tag: u64,
    full_at: u64,
}

type Set = [Bucket; WAYS];

/// The budgets of the clients seen last.
#[derive(Debug)]
pub(super) struct Buckets {
    locks: Box<[Mutex<Box<[Set]>>]>,
    hasher: RandomState,
}

impl Buckets {
    /// A table for about so many clients, 16 bytes each.
    pub(super) fn new(remembered: usize) -> Self {
        let a_lock = WAYS * SETS_A_LOCK;
        let locks = remembered.div_ceil(a_lock).max(1);
        let sets = || Mutex::new(vec![Set::default(); SETS_A_LOCK].into_boxed_slice());
        Self { locks: (0..locks).map(|_| sets()).collect(), hasher: RandomState::new() }
    }

    /// Whether the client may have `cost` more, which is taken if `take` says so; else how long until it may.
    ///
    /// What costs more than the burst holds costs the whole burst.
    pub(super) fn visit(
        &self,
        allowance: Allowance,
        client: u128,
        cost: u32,
        now: Duration,
        take: bool,
    ) -> Result<(), Duration> {
        let now = nanos(now);
        let tag = self.hasher.hash_one(client).max(1);
        let (lock, set) = self.place(tag);
        let Some(lock) = self.locks.get(lock) else { return Ok(()) };
        let mut sets = lock.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(set) = sets.get_mut(set) else { return Ok(()) };
        let Some(bucket) = seat(set, tag) else { return Ok(()) };
        let known = if bucket.tag == tag { bucket.full_at } else { 0 };
        let price = allowance.interval.saturating_mul(cost.min(allowance.burst).into());
        let full_at = known.max(now).saturating_add(price);
        let depth = allowance.interval.saturating_mul(allowance.burst.into());
        let allowed_at = full_at.saturating_sub(depth);
        if allowed_at > now {
            return Err(Duration::from_nanos(allowed_at.saturating_sub(now)));
        }
        if take {
            *bucket = Bucket { tag, full_at };
        }
        Ok(())
    }

    fn place(&self, tag: u64) -> (usize, usize) {
        let sets = SETS_A_LOCK as u64;
        let locks = self.locks.len() as u64;
        let lock = (tag / sets).checked_rem(locks).unwrap_or(0);
        let place = |number: u64| usize::try_from(number).unwrap_or(0);
        (place(lock), place(tag % sets))
    }
}

/// Where this client's budget lies, or else the one that owes least.
fn seat(set: &mut Set, tag: u64) -> Option<&mut Bucket> {
    set.iter_mut().min_by_key(|bucket| (bucket.tag != tag, bucket.full_at))
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Two a second, five saved up.
    fn allowance() -> Allowance {
        Allowance::new(SECOND / 2, 5)
    }

    #[test]
    fn many_times_as_much_comes_so_many_times_as_fast() {
        let (one, many) = (Allowance::new(SECOND, 5), Allowance::new(SECOND / 16, 80));
        assert_eq!(one.times(16), many);
        assert_eq!(one.times(1), one);
        // Nothing comes faster than one each nanosecond.
        assert_eq!(Allowance::new(Duration::ZERO, 0).times(16).interval, 1);
    }

    #[test]
    fn clients_spread_over_all_sets() {
        let buckets = Buckets::new(1024);
        let places: BTreeSet<_> = (0..128).map(|tag| buckets.place(tag)).collect();
        assert_eq!(places.len(), 1024 / WAYS);
        for (lock, set) in places {
            assert!(lock < buckets.locks.len() && set < SETS_A_LOCK);
        }
    }

    #[test]
    fn who_is_known_keeps_its_seat_and_a_newcomer_takes_that_of_the_least_debt() {
        let mut set: Set = std::array::from_fn(|n| Bucket { tag: n as u64 + 1, full_at: 100 });
        set[5].full_at = 7;
        assert_eq!(seat(&mut set, 3).map(|bucket| bucket.tag), Some(3));
        assert_eq!(seat(&mut set, 99).map(|bucket| bucket.tag), Some(6));
    }

    #[test]
    fn a_burst_is_allowed_and_then_the_rate() {
        let buckets = Buckets::new(100);
        let take = |now| buckets.visit(allowance(), 7, 1, now, true);
        for _ in 0..5 {
            take(SECOND).unwrap();
        }
        assert_eq!(take(SECOND), Err(SECOND / 2));
        assert_eq!(take(SECOND * 5 / 4), Err(SECOND / 4));
        take(SECOND * 3 / 2).unwrap();
        assert_eq!(take(SECOND * 3 / 2), Err(SECOND / 2));
        for _ in 0..5 {
            take(SECOND * 100).unwrap();
        }
        take(SECOND * 100).unwrap_err();
        buckets.visit(allowance(), 8, 1, SECOND, true).unwrap();
    }

    #[test]
    fn looking_takes_nothing_and_a_refusal_neither() {
        let buckets = Buckets::new(100);
        for _ in 0..100 {
            buckets.visit(allowance(), 7, 1, SECOND, false).unwrap();
        }
        buckets.visit(allowance(), 7, 5, SECOND, true).unwrap();
        for _ in 0..100 {
            buckets.visit(allowance(), 7, 1, SECOND, true).unwrap_err();
        }
        buckets.visit(allowance(), 7, 1, SECOND * 3 / 2, true).unwrap();
    }

    #[test]
    fn what_costs_more_than_the_burst_costs_the_burst() {
        let buckets = Buckets::new(100);
        buckets.visit(allowance(), 7, 1000, SECOND, true).unwrap();
        let wait = buckets.visit(allowance(), 7, 1000, SECOND, true).unwrap_err();
        assert_eq!(wait, SECOND * 5 / 2);
    }

    #[test]
    fn a_flood_of_clients_does_not_free_the_busy_ones() {
        let buckets = Buckets::new(1024);
        let take = |client: u128, cost| buckets.visit(allowance(), client, cost, SECOND, true);
        for busy in 0..16 {
            take(busy, 5).unwrap();
        }
        for flood in 1000..100_000 {
            take(flood, 1).unwrap();
        }
        let still_limited = (0..16).filter(|busy| take(*busy, 1).is_err()).count();
        assert_eq!(still_limited, 16);
    }

    #[test]
    fn memory_does_not_depend_on_the_number_of_clients() {
        let buckets = Buckets::new(65_536);
        let sets = buckets.locks.len() * SETS_A_LOCK;
        assert_eq!(sets * size_of::<Set>(), 1024 * 1024);
    }
}
