//! A value of which each thread has a copy of its own, or nearly.
//!
//! Separate because it is about processors alone. What every request touches lies in a line of memory that only one core
//! can have at a time; with one such line a relay on many cores would be as fast as on one.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many copies there are. With more threads than that, some share one.
const PLACES: usize = 16;

/// How many threads have asked for a place.
static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// This thread's place; none before it first asks.
    static PLACE: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// Copies of a value, each in lines of memory of its own: of the two that processors fetch at once.
#[derive(Debug)]
pub(crate) struct Spread<T>([Place<T>; PLACES]);

#[derive(Debug)]
#[repr(align(128))]
struct Place<T>(T);

impl<T> Spread<T> {
    /// Makes each copy.
    pub(crate) fn new(mut make: impl FnMut() -> T) -> Self {
        Self(std::array::from_fn(|_| Place(make())))
    }

    /// The copy of this thread.
    pub(crate) fn here(&self) -> &T {
        let mut place = PLACE.get();
        if place == usize::MAX {
            place = THREADS.fetch_add(1, Ordering::Relaxed) % PLACES;
            PLACE.set(place);
        }
        let Place(here) = &self.0[place % PLACES];
        here
    }

    /// All copies.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> + Clone {
        self.0.iter().map(|Place(copy)| copy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_keeps_its_copy_and_another_one_has_another() {
        let counts = Spread::new(AtomicUsize::default);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..10 {
                        counts.here().fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        let counted: Vec<_> = counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        assert_eq!(counted.iter().sum::<usize>(), 20);
        assert!(counted.iter().all(|count| count % 10 == 0), "{counted:?}");
    }
}
