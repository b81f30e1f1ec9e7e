//! A small table in front of moka, for the values that are asked for again and again.
//!
//! Separate because it is only about speed: moka keeps the books of who is useful for every single read, which costs
//! several times the look-up. Here one read in sixteen is left to moka, so its books stay true in proportion.

use std::cell::Cell;
use std::sync::{PoisonError, RwLock};

use mainstay_keys::PublicKey;

/// At most so many slots, each with room for one value.
const MOST_SLOTS: usize = 1024;

/// One read in so many goes to moka.
const SAMPLE: u8 = 16;

thread_local! {
    /// How many reads of this thread were answered from here since the last that was not.
    static READS: Cell<u8> = const { Cell::new(0) };
}

/// One value and whose it is, if there is any.
type Slot<V> = RwLock<Option<(PublicKey, V)>>;

/// A table of slots; each key has one place, which it shares with others.
#[derive(Debug)]
pub(super) struct Front<V> {
    slots: Box<[Slot<V>]>,
}

impl<V: Clone> Front<V> {
    /// A table for a map of this capacity; it holds values beside those of the map, never more than [`MOST_SLOTS`].
    pub(super) fn beside(capacity: u64) -> Self {
        let slots = usize::try_from(capacity).unwrap_or(MOST_SLOTS).clamp(1, MOST_SLOTS);
        Self { slots: (0..slots.next_power_of_two()).map(|_| RwLock::default()).collect() }
    }

    /// The value, unless it is not here, somebody is changing it, or it is moka's turn.
    pub(super) fn get(&self, key: &PublicKey) -> Option<V> {
        let slot = self.slot(key)?.try_read().ok()?;
        let (_, value) = slot.as_ref().filter(|(there, _)| there == key)?;
        let reads = READS.get().wrapping_add(1);
        READS.set(reads);
        (!reads.is_multiple_of(SAMPLE)).then(|| value.clone())
    }

    /// Reads what is behind the table, and keeps it for the next who asks.
    ///
    /// The reading is done while the slot is locked, as each [`Self::change`] is: so what was replaced is never seen after
    /// what replaced it.
    pub(super) fn refill(&self, key: &PublicKey, read: impl FnOnce() -> Option<V>) -> Option<V> {
        let Some(mut slot) = self.slot(key).and_then(|slot| slot.try_write().ok()) else {
            return read();
        };
        let value = read();
        match &value {
            Some(value) => *slot = Some((*key, value.clone())),
            None if slot.as_ref().is_some_and(|(there, _)| there == key) => *slot = None,
            None => {}
        }
        value
    }

    /// Changes what stands for this key behind the table.
    pub(super) fn change<T>(&self, key: &PublicKey, change: impl FnOnce() -> T) -> T {
        let Some(slot) = self.slot(key) else { return change() };
        let mut slot = slot.write().unwrap_or_else(PoisonError::into_inner);
        if slot.as_ref().is_some_and(|(there, _)| there == key) {
            *slot = None;
        }
        change()
    }

    fn slot(&self, key: &PublicKey) -> Option<&Slot<V>> {
        // Keys are points that nobody chooses freely; whoever searches for neighbours only takes a slot from them.
        let [a, b, ..] = *key.as_bytes();
        self.slots.get(usize::from(u16::from_le_bytes([a, b])) & self.slots.len().wrapping_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use mainstay_keys::Keypair;

    use super::{Front, SAMPLE};

    #[test]
    fn most_reads_are_answered_and_one_in_sixteen_goes_behind() {
        let front = Front::beside(10);
        let key = Keypair::random().public_key();
        assert_eq!(front.refill(&key, || Some(5)), Some(5));
        let answered = (0..160).filter(|_| front.get(&key) == Some(5)).count();
        assert_eq!(answered, 160 - 160 / usize::from(SAMPLE));
    }

    #[test]
    fn what_was_replaced_never_comes_back() {
        let (front, behind) = (Front::beside(1), AtomicU64::new(0));
        let key = Keypair::random().public_key();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for value in 1..20_000 {
                    front.change(&key, || behind.store(value, Ordering::SeqCst));
                }
            });
            for _ in 0..2 {
                scope.spawn(|| {
                    let mut last = 0;
                    for _ in 0..20_000 {
                        let read = || Some(behind.load(Ordering::SeqCst));
                        let before = behind.load(Ordering::SeqCst);
                        let got = front.get(&key).or_else(|| front.refill(&key, read));
                        let got = got.expect("something always stands");
                        assert!(got >= before && got >= last, "{got} after {before} and {last}");
                        last = got;
                    }
                });
            }
        });
        front.change(&key, || ());
        assert_eq!(front.get(&key), None);
    }

    #[test]
    fn keys_that_share_a_slot_do_not_answer_for_each_other() {
        let front = Front::beside(1);
        let [one, two] = [(); 2].map(|()| Keypair::random().public_key());
        front.refill(&one, || Some(1));
        assert_eq!(front.get(&two), None);
        front.refill(&two, || Some(2));
        assert_eq!(front.get(&one), None);
        front.change(&one, || ());
        assert!((0..2).any(|_| front.get(&two) == Some(2)));
    }
}
