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
            *slot = (micros << TAG_BITS) | place.tag;
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    fn hash(&self, group: Group) -> u64 {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        let (bits, length) = match group {
            Group::V4(bits, length) => (u64::from(bits), length),
            Group::V6(bits, length) => (bits, length | 0x80),
        };
        hasher.write_u64(bits.to_be());
        hasher.write_u8(length);
        hasher.finish()
    }
}
