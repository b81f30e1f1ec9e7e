//! The bounded map of browsers: one thread, no clock, so a plain map in order of use.
//!
//! Separate because native programs have a better one.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use mainstay_keys::PublicKey;

use super::Leaving;

/// A bounded map; see the module.
#[derive(Debug)]
pub(crate) struct Bounded<V> {
    entries: Mutex<Entries<V>>,
    capacity: u64,
    weigh: fn(&V) -> u32,
}

#[derive(Debug)]
struct Entries<V> {
    values: HashMap<PublicKey, (V, u64)>,
    /// Who was used when, by a count that only rises.
    uses: BTreeMap<u64, PublicKey>,
    count: u64,
    weight: u64,
}

impl<V: Clone> Bounded<V> {
    /// A map whose values weigh no more than `capacity` together.
    pub(crate) fn new(capacity: u64, _leaving: Leaving, weigh: fn(&V) -> u32) -> Self {
        let (values, uses) = (HashMap::new(), BTreeMap::new());
        let entries = Mutex::new(Entries { values, uses, count: 0, weight: 0 });
        Self { entries, capacity, weigh }
    }

    pub(crate) fn get(&self, key: &PublicKey) -> Option<V> {
        let mut entries = self.lock();
        let (value, _) = entries.values.get(key)?;
        let value = value.clone();
        entries.touch(*key);
        Some(value)
    }

    /// In one atomic step, puts what `decide` makes of the value that stands; `None` leaves it.
    pub(crate) fn put_with(&self, key: PublicKey, decide: impl FnOnce(Option<V>) -> Option<V>) {
        let mut entries = self.lock();
        let standing = entries.values.get(&key).map(|(value, _)| value.clone());
        let Some(value) = decide(standing) else { return };
        entries.take(&key, self.weigh);
        entries.weight = entries.weight.saturating_add((self.weigh)(&value).into());
        entries.values.insert(key, (value, 0));
        entries.touch(key);
        while entries.weight > self.capacity {
            let Some((_, eldest)) = entries.uses.first_key_value() else { return };
            let eldest = *eldest;
            entries.take(&eldest, self.weigh);
        }
    }

    pub(crate) fn remove(&self, key: &PublicKey) {
        self.lock().take(key, self.weigh);
    }

    /// How many values there are.
    pub(crate) fn len(&self) -> usize {
        self.lock().values.len()
    }

    fn lock(&self) -> MutexGuard<'_, Entries<V>> {
        // A panic within could only be one of `decide`, before anything has changed.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V> Entries<V> {
    /// Makes the key the one used last.
    fn touch(&mut self, key: PublicKey) {
        self.count = self.count.saturating_add(1);
        if let Some((_, used)) = self.values.get_mut(&key) {
            self.uses.remove(used);
            *used = self.count;
            self.uses.insert(self.count, key);
        }
    }

    fn take(&mut self, key: &PublicKey, weigh: fn(&V) -> u32) {
        if let Some((value, used)) = self.values.remove(key) {
            self.uses.remove(&used);
            self.weight = self.weight.saturating_sub(weigh(&value).into());
        }
    }
}
