//! The keys that a server may hold for a name, as resolved before.
//!
//! Separate because resolving writes here and handshakes read, and neither waits for the other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mainstay_keys::PublicKey;
use moka::sync::Cache;

/// How long after it was resolved a key may serve a name.
const LIFETIME: Duration = Duration::from_secs(300);

/// How many names are remembered; beyond, those least used are forgotten and must be resolved again.
const MAX_NAMES: u64 = 1000;

/// How many keys may serve one name; beyond, those resolved longest ago are forgotten.
const MAX_KEYS: usize = 32;

/// Which keys are expected of which names. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct ExpectedKeys(Cache<String, Arc<[Expected]>>);

/// A key, and until when it is expected.
#[derive(Clone, Copy, Debug)]
struct Expected {
    key: PublicKey,
    until: Instant,
}

impl Default for ExpectedKeys {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(MAX_NAMES).time_to_live(LIFETIME).build())
    }
}

impl ExpectedKeys {
    /// Notes that a name has been resolved to a server of this key.
    pub(crate) fn expect(&self, name: &str, key: PublicKey, now: Instant) {
        self.0.entry(name.to_owned()).and_upsert_with(|there| {
            let there = there.map(moka::Entry::into_value);
            let kept = there.iter().flat_map(|there| there.iter()).copied();
            // Those that are over count for nothing and stand first in the row of those to go.
            let mut kept: Vec<_> = kept.filter(|expected| expected.key != key).collect();
            let excess = (kept.len() + 1).saturating_sub(MAX_KEYS);
            kept.drain(..excess);
            kept.push(Expected { key, until: now + LIFETIME });
            kept.into()
        });
    }

    /// Whether a server of this key may serve the name.
    pub(crate) fn is_expected(&self, name: &str, key: &PublicKey, now: Instant) -> bool {
        let there = self.0.get(name);
        there.is_some_and(|there| there.iter().any(|e| e.key == *key && e.until > now))
    }
}

#[cfg(test)]
mod tests {
    use mainstay_keys::Keypair;

    use super::*;

    fn key(n: u8) -> PublicKey {
        Keypair::from_secret_key(&[n; 32]).public_key()
    }

    #[test]
    fn a_key_serves_the_name_it_was_resolved_for_and_no_other() {
        let (expected, now) = (ExpectedKeys::default(), Instant::now());
        expected.expect("a", key(1), now);
        expected.expect("a", key(2), now);
        assert!(expected.is_expected("a", &key(1), now) && expected.is_expected("a", &key(2), now));
        assert!(!expected.is_expected("a", &key(3), now));
        assert!(!expected.is_expected("b", &key(1), now));
    }

    #[test]
    fn a_key_expires_by_itself_though_others_of_its_name_are_renewed() {
        let (expected, now) = (ExpectedKeys::default(), Instant::now());
        expected.expect("a", key(1), now);
        let later = now + LIFETIME / 2;
        expected.expect("a", key(2), later);
        let end = now + LIFETIME;
        assert!(!expected.is_expected("a", &key(1), end));
        assert!(expected.is_expected("a", &key(2), end));
    }

    #[test]
    fn a_key_is_expected_for_five_minutes_from_when_it_was_resolved_last() {
        let (expected, now) = (ExpectedKeys::default(), Instant::now());
        let after = |seconds| now + Duration::from_secs(seconds);
        expected.expect("a", key(1), now);
        expected.expect("a", key(1), after(200));
        assert!(expected.is_expected("a", &key(1), after(499)));
        assert!(!expected.is_expected("a", &key(1), after(500)));
    }

    #[test]
    fn a_key_that_is_resolved_again_is_the_youngest_and_takes_one_place() {
        let (expected, now) = (ExpectedKeys::default(), Instant::now());
        for n in 0..32 {
            expected.expect("a", key(n), now);
        }
        expected.expect("a", key(0), now);
        assert!((0..32).all(|n| expected.is_expected("a", &key(n), now)));
        expected.expect("a", key(32), now);
        let known = (0..40).filter(|n| expected.is_expected("a", &key(*n), now));
        assert_eq!(known.collect::<Vec<_>>(), [&[0][..], &(2..=32).collect::<Vec<_>>()].concat());
    }

    #[test]
    fn of_too_many_keys_the_eldest_are_forgotten() {
        let (expected, now) = (ExpectedKeys::default(), Instant::now());
        for n in 0..40 {
            expected.expect("a", key(n), now);
        }
        let known = (0..40).filter(|n| expected.is_expected("a", &key(*n), now));
        assert_eq!(known.collect::<Vec<_>>(), (8..40).collect::<Vec<_>>());
    }
}
