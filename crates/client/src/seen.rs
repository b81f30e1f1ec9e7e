//! What is remembered of a key beside its packet: the highest timestamp seen, and a recent absence.
//!
//! Separate from the cache because it must hold even where packets are evicted or not cached at all.

use mainstay_keys::PublicKey;
use mainstay_packets::Timestamp;

use crate::bounded::{Bounded, Leaving};
use crate::freshness::Freshness;

/// For how many keys the highest timestamp is remembered, at least.
///
/// When more are seen, the least recently used leave; for those an older packet could win again.
const MINIMUM_KEYS: usize = 10_000;

/// How many keys are remembered for each packet that the cache holds.
const KEYS_PER_CACHED_PACKET: usize = 10;

/// Memory of keys, bounded.
#[derive(Debug)]
pub(crate) struct Seen {
    highest: Bounded<Timestamp>,
    absent: Bounded<Timestamp>,
}

impl Seen {
    /// A memory in proportion to a cache of this size.
    pub(crate) fn beside_cache_of(packets: usize) -> Self {
        let keys =
            packets.saturating_mul(KEYS_PER_CACHED_PACKET).clamp(MINIMUM_KEYS, MINIMUM_KEYS * 100);
        Self::with_capacity(keys as u64)
    }

    fn with_capacity(keys: u64) -> Self {
        let entries = || Bounded::new(keys, Leaving::LeastRecent, |_| 1);
        Self { highest: entries(), absent: entries() }
    }

    /// The highest timestamp seen in a packet of this key.
    ///
    /// One that our clock takes for the far future was noted while the clock stood wrong, and locks nothing.
    pub(crate) fn highest(&self, key: &PublicKey, now: Timestamp) -> Option<Timestamp> {
        self.highest.get(key).filter(|highest| Freshness::is_plausible(*highest, now))
    }

    /// Notes a packet of this key; lowers only what was noted while the clock stood wrong. An absence noted before is
    /// over.
    pub(crate) fn note_packet(&self, key: PublicKey, timestamp: Timestamp, now: Timestamp) {
        self.absent.remove(&key);
        self.highest.put_with(key, |standing| {
            let stands = standing.filter(|highest| Freshness::is_plausible(*highest, now));
            stands.is_none_or(|stands| stands < timestamp).then_some(timestamp)
        });
    }

    /// When all backends last said that the key has no packet.
    pub(crate) fn absent_since(&self, key: &PublicKey) -> Option<Timestamp> {
        self.absent.get(key)
    }

    /// Notes that all backends said so at `now`.
    pub(crate) fn note_absence(&self, key: PublicKey, now: Timestamp) {
        self.absent.put_with(key, |_| Some(now));
    }
}

#[cfg(test)]
mod tests {
    use mainstay_keys::Keypair;

    use super::{Seen, Timestamp};

    const NOW: Timestamp = Timestamp::MAX;

    #[test]
    fn the_highest_timestamp_never_falls() {
        let seen = Seen::with_capacity(10);
        let key = Keypair::random().public_key();
        seen.note_packet(key, Timestamp::from(5), NOW);
        seen.note_packet(key, Timestamp::from(3), NOW);
        assert_eq!(seen.highest(&key, NOW), Some(Timestamp::from(5)));
        seen.note_packet(key, Timestamp::from(8), NOW);
        assert_eq!(seen.highest(&key, NOW), Some(Timestamp::from(8)));
    }

    #[test]
    fn a_packet_ends_an_absence() {
        let seen = Seen::with_capacity(10);
        let key = Keypair::random().public_key();
        seen.note_absence(key, Timestamp::from(5));
        assert_eq!(seen.absent_since(&key), Some(Timestamp::from(5)));
        seen.note_packet(key, Timestamp::from(6), NOW);
        assert_eq!(seen.absent_since(&key), None);
    }

    #[test]
    fn a_flood_of_keys_stays_within_the_bound() {
        let seen = Seen::with_capacity(10);
        for _ in 0..200 {
            seen.note_packet(Keypair::random().public_key(), Timestamp::from(1), NOW);
        }
        assert!(seen.highest.len() <= 10);
    }

    #[test]
    fn what_was_noted_by_a_clock_that_stood_wrong_locks_nothing() {
        let seen = Seen::with_capacity(10);
        let key = Keypair::random().public_key();
        let [right, wrong] =
            [1_700_000_000, 2_000_000_000].map(|s: u64| Timestamp::from(s * 1_000_000));
        seen.note_packet(key, wrong, wrong);
        assert_eq!(seen.highest(&key, wrong), Some(wrong));
        assert_eq!(seen.highest(&key, right), None);
        seen.note_packet(key, right, right);
        assert_eq!(seen.highest(&key, right), Some(right));
        assert_eq!(seen.highest(&key, wrong), Some(right));
    }
}
