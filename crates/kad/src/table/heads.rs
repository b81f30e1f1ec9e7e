//! The ids of one bucket by their first eight bytes, in order: who it is, and who is near, without a look at the entries.
//! Separate from the entries, which stand in the order in which they came.

use core::ops::Range;

use crate::lean::make_room;

/// The heads of the entries of a bucket, sorted, each with the entry's place among the entries.
#[derive(Debug, Clone, Default)]
pub(super) struct Heads {
    sorted: Vec<u64>,
    places: Vec<u32>,
}

/// The parts of a bucket as seen from a target.
#[derive(Debug)]
pub(super) struct Around {
    /// The first is wholly nearer than the second; together they hold as many as wanted, or all.
    pub(super) nearer: [Range<usize>; 2],
    /// Farther than those, on both sides of them.
    pub(super) rest: [Range<usize>; 2],
}

impl Heads {
    pub(super) const fn new() -> Self {
        Self { sorted: Vec::new(), places: Vec::new() }
    }

    /// An entry with this head came to stand at `place`; those behind it moved on.
    pub(super) fn insert(&mut self, place: usize, head: u64) {
        let place = small(place);
        for other in &mut self.places {
            *other += u32::from(*other >= place);
        }
        let at = self.sorted.partition_point(|other| *other < head);
        make_room(&mut self.sorted);
        make_room(&mut self.places);
        self.sorted.insert(at, head);
        self.places.insert(at, place);
    }

    /// The entry at `place` went; those behind it moved up.
    pub(super) fn remove(&mut self, place: usize) {
        let place = small(place);
        if let Some(at) = self.places.iter().position(|other| *other == place) {
            self.sorted.remove(at);
            self.places.remove(at);
        }
        for other in &mut self.places {
            *other -= u32::from(*other > place);
        }
    }

    /// The places of the entries with this head: almost always one or none.
    pub(super) fn places_of(&self, head: u64) -> impl Iterator<Item = usize> {
        let first = self.sorted.partition_point(|other| *other < head);
        let equal = self.sorted[first..].iter().take_while(move |other| **other == head).count();
        self.places[first..first + equal].iter().map(|place| *place as usize)
    }

    /// All heads, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = u64> {
        self.sorted.iter().copied()
    }

    /// The heads of a part, in order, each with its place.
    pub(super) fn part(&self, part: Range<usize>) -> impl Iterator<Item = (u64, usize)> {
        let places = self.places[part.clone()].iter().map(|place| *place as usize);
        self.sorted[part].iter().copied().zip(places)
    }

    /// Where to look for the `wanted` nearest to `head`.
    ///
    /// Ids that share their first bits stand together, and of two halves that part at one bit the one that agrees with
    /// the target there is wholly nearer. So halves are taken as long as they hold enough.
    pub(super) fn around(&self, head: u64, wanted: usize) -> Around {
        let mut part = 0..self.sorted.len();
        loop {
            let [near, far] = self.halves(&part, head);
            if near.len() < wanted || far.is_empty() {
                let rest = [0..part.start, part.end..self.sorted.len()];
                return Around { nearer: [near, far], rest };
            }
            part = near;
        }
    }

    /// The nearer and the farther half of a part, as seen from `head`; the second is empty if all its heads are equal.
    fn halves(&self, part: &Range<usize>, head: u64) -> [Range<usize>; 2] {
        let heads = &self.sorted[part.clone()];
        let ends = heads.first().zip(heads.last());
        let Some(bit) = ends.and_then(|(first, last)| (first ^ last).checked_ilog2()) else {
            return [part.clone(), part.end..part.end];
        };
        let middle = part.start + heads.partition_point(|other| other >> bit & 1 == 0);
        if head >> bit & 1 == 0 {
            [part.start..middle, middle..part.end]
        } else {
            [middle..part.end, part.start..middle]
        }
    }
}

fn small(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_that_come_and_go_are_found_where_they_stand() {
        let (mut heads, mut entries) = (Heads::new(), Vec::new());
        for step in 0..2_000_usize {
            // Few different ones, so that equal heads meet.
            let head = ((step * 7_919) % 53) as u64;
            if step % 3 == 2 && !entries.is_empty() {
                let place = step % entries.len();
                entries.remove(place);
                heads.remove(place);
            } else {
                let place = step % (entries.len() + 1);
                entries.insert(place, head);
                heads.insert(place, head);
            }
            for head in 0..53 {
                let mut places: Vec<usize> = heads.places_of(head).collect();
                places.sort_unstable();
                let expected: Vec<usize> =
                    (0..entries.len()).filter(|at| entries[*at] == head).collect();
                assert_eq!(places, expected);
            }
            if entries.len() > 100 {
                (heads, entries) = (Heads::new(), Vec::new());
            }
        }
    }

    #[test]
    fn every_part_is_nearer_than_the_next_and_none_is_left_out() {
        let mut heads = Heads::new();
        for step in 0..64_u64 {
            heads.insert(0, step.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (step % 5));
        }
        for target in (0..200_u64).map(|step| step.wrapping_mul(0xd134_2543_de82_ef95)) {
            for wanted in 0..70 {
                let Around { nearer: [near, far], rest } = heads.around(target, wanted);
                let of = |parts: &[Range<usize>]| -> Vec<u64> {
                    let parts = parts.iter().flat_map(|part| heads.part(part.clone()));
                    parts.map(|(head, _)| head ^ target).collect()
                };
                let nearest = [of(&[near]), of(&[far]), of(&rest)];
                assert_eq!(nearest.iter().map(Vec::len).sum::<usize>(), 64);
                assert!(nearest[0].len() + nearest[1].len() >= wanted.min(64));
                for pair in nearest.windows(2) {
                    let (farthest, next) = (pair[0].iter().max(), pair[1].iter().min());
                    assert!(farthest.zip(next).is_none_or(|(farthest, next)| farthest <= next));
                }
            }
        }
    }
}
