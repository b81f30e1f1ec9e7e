//! The packets on disk that this process has verified: bounded, in memory.
//!
//! Separate because it is what makes a hit cost no signature check, and a failing disk no outage.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mainstay_keys::PublicKey;

use super::super::{Cached, memory};
use super::Epoch;
use crate::bounded::{Bounded, Leaving};

/// Verified packets, the ones asked for last.
#[derive(Debug)]
pub(super) struct Front(Bounded<Known>);

/// A verified packet, and the last epoch in which the disk was seen to agree.
#[derive(Clone, Debug)]
pub(super) struct Known(Arc<(Cached, AtomicU64)>);

impl Known {
    fn new(cached: Cached, epoch: Epoch) -> Self {
        Self(Arc::new((cached, AtomicU64::new(epoch.number()))))
    }

    pub(super) fn cached(&self) -> &Cached {
        &self.0.0
    }

    /// Whether the disk has been seen to agree in this epoch.
    pub(super) fn is_of(&self, epoch: Epoch) -> bool {
        self.0.1.load(Ordering::Acquire) == epoch.number()
    }

    pub(super) fn set_epoch(&self, epoch: Epoch) {
        self.0.1.store(epoch.number(), Ordering::Release);
    }
}

impl Front {
    pub(super) fn new(bytes: u64) -> Self {
        Self(Bounded::new(bytes, Leaving::AboutLeastRecent, |known| memory::weight(known.cached())))
    }

    pub(super) fn find(&self, key: &PublicKey) -> Option<Known> {
        self.0.get(key)
    }

    pub(super) fn get(&self, key: &PublicKey) -> Option<Cached> {
        self.find(key).map(|known| known.cached().clone())
    }

    /// Whether somebody has asked for the key lately.
    pub(super) fn holds(&self, key: &PublicKey) -> bool {
        self.0.contains(key)
    }

    /// Takes a packet in by the rule of all caches, and returns the one that stands. The disk has agreed in this epoch.
    pub(super) fn note(&self, key: &PublicKey, incoming: Cached, epoch: Epoch) -> Cached {
        let mut stands = incoming.clone();
        self.0.put_with(*key, |standing: Option<Known>| {
            let (replaces, _) = Cached::merge(standing.as_ref().map(Known::cached), incoming);
            match (replaces, standing) {
                (Some(replaces), _) => Some(Known::new(replaces, epoch)),
                (None, Some(standing)) => {
                    if standing.cached().packet.is_same_as(&stands.packet) {
                        standing.set_epoch(epoch);
                    }
                    stands = standing.cached().clone();
                    None
                }
                (None, None) => None,
            }
        });
        stands
    }
}
