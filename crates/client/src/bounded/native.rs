//! The bounded map of native programs, which is moka's.
//!
//! Separate because browsers cannot have it.

use mainstay_keys::PublicKey;
use moka::Entry;
use moka::ops::compute::Op;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use super::Leaving;

/// A bounded map; see the module.
#[derive(Debug)]
pub(crate) struct Bounded<V>(Cache<PublicKey, V>)
where
    V: Clone + Send + Sync + 'static;

impl<V: Clone + Send + Sync + 'static> Bounded<V> {
    /// A map whose values weigh no more than `capacity` together.
    pub(crate) fn new(capacity: u64, leaving: Leaving, weigh: fn(&V) -> u32) -> Self {
        let policy = match leaving {
            Leaving::LeastRecent => EvictionPolicy::lru(),
            Leaving::LeastUseful => EvictionPolicy::tiny_lfu(),
        };
        let entries = Cache::builder().max_capacity(capacity).eviction_policy(policy);
        Self(entries.weigher(move |_, value| weigh(value)).build())
    }

    pub(crate) fn get(&self, key: &PublicKey) -> Option<V> {
        self.0.get(key)
    }

    /// Whether there is a value, without counting as a use of it.
    #[cfg(any(feature = "lmdb-cache", feature = "disk-cache"))]
    pub(crate) fn contains(&self, key: &PublicKey) -> bool {
        self.0.contains_key(key)
    }

    /// In one atomic step, puts what `decide` makes of the value that stands; `None` leaves it.
    pub(crate) fn put_with(&self, key: PublicKey, decide: impl FnOnce(Option<V>) -> Option<V>) {
        self.0.entry(key).and_compute_with(|standing| {
            decide(standing.map(Entry::into_value)).map_or(Op::Nop, Op::Put)
        });
    }

    pub(crate) fn remove(&self, key: &PublicKey) {
        self.0.invalidate(key);
    }

    /// How many values there are, after those that are due to leave have left.
    pub(crate) fn len(&self) -> usize {
        self.0.run_pending_tasks();
        usize::try_from(self.0.entry_count()).unwrap_or(usize::MAX)
    }
}
