//! The bounded map of native programs, which is moka's.
//!
//! Separate because browsers cannot have it.

mod front;

use mainstay_keys::PublicKey;
use moka::Entry;
use moka::ops::compute::Op;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use super::Leaving;
use front::Front;

/// What a value weighs, more or less, where weights are bytes.
const TYPICAL: u64 = 1024;

/// A bounded map; see the module.
#[derive(Debug)]
pub(crate) struct Bounded<V>
where
    V: Clone + Send + Sync + 'static,
{
    entries: Cache<PublicKey, V>,
    /// Only where exact order of use does not matter.
    front: Option<Front<V>>,
}

impl<V: Clone + Send + Sync + 'static> Bounded<V> {
    /// A map whose values weigh no more than `capacity` together.
    pub(crate) fn new(capacity: u64, leaving: Leaving, weigh: fn(&V) -> u32) -> Self {
        let (policy, front) = match leaving {
            Leaving::LeastRecent => (EvictionPolicy::lru(), None),
            Leaving::AboutLeastRecent => {
                let values = capacity / TYPICAL;
                (EvictionPolicy::lru(), (values > 0).then(|| Front::beside(values)))
            }
            Leaving::LeastUseful => (EvictionPolicy::tiny_lfu(), Some(Front::beside(capacity))),
        };
        let entries = Cache::builder().max_capacity(capacity).eviction_policy(policy);
        Self { entries: entries.weigher(move |_, value| weigh(value)).build(), front }
    }

    pub(crate) fn get(&self, key: &PublicKey) -> Option<V> {
        let Some(front) = &self.front else { return self.entries.get(key) };
        front.get(key).or_else(|| front.refill(key, || self.entries.get(key)))
    }

    /// Whether there is a value, without counting as a use of it.
    #[cfg(any(feature = "lmdb-cache", feature = "disk-cache"))]
    pub(crate) fn contains(&self, key: &PublicKey) -> bool {
        self.entries.contains_key(key)
    }

    /// In one atomic step, puts what `decide` makes of the value that stands; `None` leaves it.
    pub(crate) fn put_with(&self, key: PublicKey, decide: impl FnOnce(Option<V>) -> Option<V>) {
        self.change(&key, || {
            self.entries.entry(key).and_compute_with(|standing| {
                decide(standing.map(Entry::into_value)).map_or(Op::Nop, Op::Put)
            });
        });
    }

    pub(crate) fn remove(&self, key: &PublicKey) {
        self.change(key, || self.entries.invalidate(key));
    }

    /// How many values there are, after those that are due to leave have left.
    pub(crate) fn len(&self) -> usize {
        self.entries.run_pending_tasks();
        usize::try_from(self.entries.entry_count()).unwrap_or(usize::MAX)
    }

    fn change(&self, key: &PublicKey, change: impl FnOnce()) {
        match &self.front {
            Some(front) => front.change(key, change),
            None => change(),
        }
    }
}
