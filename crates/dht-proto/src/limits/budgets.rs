//! A table of fixed size for the budgets of any number of strangers.
//! Apart from the limits, which say what an answer costs and not where that is written down.

use std::hash::Hasher as _;

use siphasher::sip::SipHasher13;

use crate::scope::Group;

/// How many budgets stand in one set: a cache line of them.
const WAYS: usize = 8;
/// The part of a slot that tells whose it is; the rest is when the budget is full again.
const TAG_BITS: u32 = 16;
const TAG: u64 = (1 << TAG_BITS) - 1;

/// When each budget will be full again, in nanoseconds since the node began.
///
/// A keyed hash gives a stranger one set of eight slots, and a tag to be known by in it. Who has no slot there takes the
/// one whose budget is full soonest, and if it is not full yet, takes over what it lacks. So nobody is ever forgotten
/// at a gain: whoever was pushed out comes back to a slot that lacks as much at least. And nobody outside can tell
/// who shares a set with whom: to starve a stranger in it, all eight must lack all the time, which for every set
/// together takes more answers than [`bytes_in_total`](crate::LimitConfig::bytes_in_total) pays for.
#[derive(Debug)]
pub(super) struct Budgets {
    key: [u8; 16],
    /// Nothing before the first stranger comes. Microseconds above, the tag below.
    slots: Vec<u64>,
    sets: usize,
}

/// A stranger's place in the table, and what it finds there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    slot: usize,
    tag: u64,
    /// When its budget will be full again.
    pub(super) full_at: u64,
}

impl Budgets {
    /// `key` decides who shares a set with whom; `remembered` is rounded down to whole sets.
    pub(super) fn new(key: [u8; 16], remembered: usize) -> Self {
        Self { key, slots: Vec::new(), sets: (remembered / WAYS).max(1) }
    }

    /// Begins anew with so many, unless there are as many already.
    pub(super) fn resize(&mut self, remembered: usize) {
        let resized = Self::new(self.key, remembered);
        if resized.sets != self.sets {
            *self = resized;
        }
    }

    /// The place of a stranger, other than the one that `taken` is about to fill.
    pub(super) fn find(&self, group: Group, taken: Option<&Place>) -> Place {
        let hash = self.hash(group);
        let tag = hash & TAG;
        let set = usize::try_from((hash >> TAG_BITS) % self.sets as u64).unwrap_or(0);
        let mut best = Place { slot: set * WAYS, tag, full_at: 0 };
        let Some(slots) = self.slots.get(best.slot..best.slot + WAYS) else {
            // Nobody has a slot yet: the second of two in one set takes the next.
            best.slot += usize::from(taken.is_some_and(|taken| taken.slot == best.slot));
            return best;
        };
        let mut soonest = u64::MAX;
        for (way, slot) in slots.iter().enumerate() {
            let at = set * WAYS + way;
            if taken.is_some_and(|taken| taken.slot == at) {
                continue;
            }
            let full_at = (slot >> TAG_BITS).saturating_mul(1000);
            if slot & TAG == tag {
                return Place { slot: at, tag, full_at };
            }
            if full_at < soonest {
                soonest = full_at;
                best = Place { slot: at, tag, full_at };
            }
        }
        best
    }

    /// Writes down when the budget at a place will be full again.
    pub(super) fn put(&mut self, place: Place, full_at: u64) {
        if self.slots.is_empty() {
            self.slots.resize(self.sets * WAYS, 0);
        }
        if let Some(slot) = self.slots.get_mut(place.slot) {
            // Rounded up, so that nothing is gained by many small answers. There is room for nine years of them.
            let micros = full_at.div_ceil(1000);
            *slot = (micros << TAG_BITS) + place.tag;
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    fn hash(&self, group: Group) -> u64 {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        let (family, bits, length) = match group {
            Group::V4(bits, length) => (4, u64::from(bits), length),
            Group::V6(bits, length) => (6, bits, length),
        };
        hasher.write_u64(bits.to_be());
        hasher.write(&[family, length]);
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(n: u32) -> Group {
        Group::V4(n, 32)
    }

    #[test]
    fn two_newcomers_to_one_set_get_two_places() {
        let mut budgets = Budgets::new([3; 16], WAYS);
        let first = budgets.find(host(1), None);
        let second = budgets.find(host(2), Some(&first));
        assert_eq!((first.slot, second.slot), (0, 1));
        budgets.put(first, 5000);
        budgets.put(second, 7001);
        assert_eq!(budgets.find(host(1), None).full_at, 5000);
        assert_eq!(budgets.find(host(2), None).full_at, 8000, "rounded up to the microsecond");
        let third = budgets.find(host(3), None);
        assert_eq!((third.slot, third.full_at), (2, 0));
        assert_eq!(budgets.find(host(4), Some(&third)).slot, 3);
    }

    #[test]
    fn of_a_full_set_the_place_that_is_full_soonest_goes_with_what_it_lacks() {
        let mut budgets = Budgets::new([3; 16], WAYS);
        for (n, full_at) in (0..).zip([9000, 8000, 3000, 7000, 2000, 6000, 5000, 4000]) {
            let place = budgets.find(host(n), None);
            budgets.put(place, full_at);
        }
        let newcomer = budgets.find(host(100), None);
        assert_eq!((newcomer.slot, newcomer.full_at), (4, 2000));
        let other = budgets.find(host(101), Some(&newcomer));
        assert_eq!((other.slot, other.full_at), (2, 3000));
    }

    #[test]
    fn what_is_written_down_is_found_again_in_every_set() {
        let mut budgets = Budgets::new([3; 16], 64 * WAYS);
        let strangers = || (1..=100_u32).map(|n| (host(n), u64::from(n) * 1_000_000));
        for (stranger, full_at) in strangers() {
            let place = budgets.find(stranger, None);
            assert_eq!(place.full_at, 0);
            budgets.put(place, full_at);
        }
        for (stranger, full_at) in strangers() {
            assert_eq!(budgets.find(stranger, None).full_at, full_at);
        }
        assert_eq!(budgets.len(), 64 * WAYS);
    }

    #[test]
    fn the_same_bits_of_another_family_or_length_have_a_budget_of_their_own() {
        let mut budgets = Budgets::new([3; 16], 64 * WAYS);
        let groups = [32, 24, 48, 64].map(|length| [Group::V4(7, length), Group::V6(7, length)]);
        for (n, group) in (1..).zip(groups.into_iter().flatten()) {
            let place = budgets.find(group, None);
            assert_eq!(place.full_at, 0, "{group:?}");
            budgets.put(place, n * 1000);
            assert_eq!(budgets.find(group, None).full_at, n * 1000);
        }
    }

    #[test]
    fn another_number_of_budgets_begins_anew_and_the_same_goes_on() {
        let mut budgets = Budgets::new([3; 16], 2 * WAYS);
        let place = budgets.find(host(1), None);
        budgets.put(place, 5000);
        budgets.resize(2 * WAYS + 1);
        assert_eq!(budgets.find(host(1), None).full_at, 5000, "rounded down to whole sets");
        budgets.resize(3 * WAYS);
        assert_eq!((budgets.find(host(1), None).full_at, budgets.len()), (0, 0));
        // Fewer than one set is one set.
        budgets.resize(0);
        let place = budgets.find(host(1), None);
        budgets.put(place, 5000);
        assert_eq!(budgets.len(), WAYS);
    }
}
