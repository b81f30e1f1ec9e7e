//! The packets on disk that this process has verified: bounded, in memory.
//!
//! Separate because it is what makes a hit cost no signature check, and a failing disk no outage.

use mainstay_keys::PublicKey;

use super::super::{Cached, memory};
use crate::bounded::{Bounded, Leaving};

/// Verified packets, the ones asked for last.
#[derive(Debug)]
pub(super) struct Front(Bounded<Cached>);

impl Front {
    pub(super) fn new(bytes: u64) -> Self {
        Self(Bounded::new(bytes, Leaving::LeastRecent, memory::weight))
    }

    pub(super) fn get(&self, key: &PublicKey) -> Option<Cached> {
        self.0.get(key)
    }

    /// Whether somebody has asked for the key lately.
    pub(super) fn holds(&self, key: &PublicKey) -> bool {
        self.0.contains(key)
    }

    /// Takes a packet in by the rule of all caches, and returns the one that stands.
    pub(super) fn note(&self, key: &PublicKey, incoming: Cached) -> Cached {
        let mut stands = incoming.clone();
        self.0.put_with(*key, |standing| {
            let (replaces, _) = Cached::merge(standing.as_ref(), incoming);
            if let (None, Some(standing)) = (&replaces, standing) {
                stands = standing;
            }
            replaces
        });
        stands
    }
}
