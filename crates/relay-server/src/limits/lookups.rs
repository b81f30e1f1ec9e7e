//! For how many keys the network is searched at once.
//!
//! Separate from the client's own sharing of searches, which has no word in how many there are: here the thousandth
//! request for one key costs nothing, and the request for one key too many is turned away before it starts anything.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use mainstay_keys::PublicKey;

/// The keys that are being searched for, and for how many requests each.
#[derive(Debug, Default)]
pub(crate) struct Lookups {
    keys: Mutex<HashMap<PublicKey, usize>>,
}

impl Lookups {
    /// Room for a search for this key; `None` when there are `most` for other keys.
    pub(crate) fn enter(&self, key: PublicKey, most: usize) -> Option<Lookup<'_>> {
        let mut keys = self.lock();
        let room = keys.len() < most;
        match keys.get_mut(&key) {
            Some(requests) => *requests = requests.saturating_add(1),
            None if room => {
                keys.insert(key, 1);
            }
            None => return None,
        }
        Some(Lookup { lookups: self, key })
    }

    /// How many keys are being searched for.
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PublicKey, usize>> {
        // No holder leaves the map half changed, so what a panic left is sound.
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request's share in a search. Dropping it gives the room back.
#[derive(Debug)]
pub(crate) struct Lookup<'a> {
    lookups: &'a Lookups,
    key: PublicKey,
}

impl Drop for Lookup<'_> {
    fn drop(&mut self) {
        let mut keys = self.lookups.lock();
        if let Some(requests) = keys.get_mut(&self.key) {
            *requests = requests.saturating_sub(1);
            if *requests == 0 {
                keys.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use mainstay_keys::Keypair;

    use super::*;

    #[test]
    fn keys_are_counted_and_not_requests() {
        let lookups = Lookups::default();
        let [a, b, c] = [1, 2, 3].map(|n| Keypair::from_secret_key(&[n; 32]).public_key());
        let many: Vec<_> = (0..100).map(|_| lookups.enter(a, 2).unwrap()).collect();
        let other = lookups.enter(b, 2).unwrap();
        assert!(lookups.enter(c, 2).is_none());
        assert_eq!(lookups.len(), 2);
        drop(other);
        assert!(lookups.enter(c, 2).is_some());
        drop(many);
        assert_eq!(lookups.len(), 0);
    }
}
