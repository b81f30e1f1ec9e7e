//! The nodes closest to a target, exactly, by one short search.
//! Separate because it is the hot path of every query that a server answers.

use core::cmp::Ordering;
use core::ops::Range;

use super::Table;
use super::bucket::Bucket;
use super::entry::Entry;
use super::heads::Around;
use crate::{Contact, Id};

impl<C: Contact<N>, const N: usize> Table<C, N> {
    /// The `count` entries closest to `target`, closest first: what a lookup starts from.
    ///
    /// Entries that left our last query unanswered are passed over; with
    /// [`closest_even_failing`](Self::closest_even_failing) they are not. The result is exact, not
    /// a guess from one bucket. Costs a search of the buckets that can hold the answer, usually one
    /// to three, and one allocation.
    pub fn closest(&self, target: &Id<N>, count: usize) -> Vec<&C> {
        self.select_vec(target, count, false)
    }

    /// As [`closest`](Self::closest), with failing entries among them: when a lookup must start
    /// from somewhere although nobody answered lately.
    pub fn closest_even_failing(&self, target: &Id<N>, count: usize) -> Vec<&C> {
        self.select_vec(target, count, true)
    }

    /// As [`closest`](Self::closest) for a count known at compile time, without allocating: what
    /// a server answers a query with.
    pub fn nearest<const K: usize>(&self, target: &Id<N>) -> Nearest<'_, C, K> {
        let mut slots = [None; K];
        let len = self.select(target, &mut slots, false);
        Nearest { slots, at: 0, len }
    }

    fn select_vec(&self, target: &Id<N>, count: usize, failing: bool) -> Vec<&C> {
        let mut slots = vec![None; count.min(self.len())];
        let len = self.select(target, &mut slots, failing);
        slots.truncate(len);
        slots.into_iter().flatten().map(|pick| &pick.entry.contact).collect()
    }

    /// Fills `slots` with the closest entries in order and says how many there are.
    ///
    /// With p bits shared between the target and our own id: all of bucket p is closer than
    /// anything else, then come the buckets beyond p together, then p-1, p-2 … 0, each wholly
    /// closer than the next.
    fn select<'t>(
        &'t self,
        target: &Id<N>,
        slots: &mut [Option<Pick<'t, C>>],
        failing: bool,
    ) -> usize {
        let head = target.head();
        let mut selection = Selection { target, head, slots, len: 0, failing };
        let own = self.bucket_of(target);
        selection.search(&self.buckets[own]);
        if selection.has_room() {
            for bucket in &self.buckets[own + 1..] {
                selection.scan(bucket, 0..bucket.len());
            }
        }
        for bucket in self.buckets[..own].iter().rev() {
            if !selection.has_room() {
                break;
            }
            selection.search(bucket);
        }
        selection.len
    }
}

#[derive(Debug)]
struct Pick<'t, C> {
    /// The first 64 bits of the distance.
    head: u64,
    entry: &'t Entry<C>,
}

impl<C> Clone for Pick<'_, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C> Copy for Pick<'_, C> {}

/// The best seen so far, sorted, in a slice of the caller's.
struct Selection<'t, 's, C, const N: usize> {
    target: &'s Id<N>,
    head: u64,
    slots: &'s mut [Option<Pick<'t, C>>],
    len: usize,
    failing: bool,
}

impl<'t, C: Contact<N>, const N: usize> Selection<'t, '_, C, N> {
    fn has_room(&self) -> bool {
        self.len < self.slots.len()
    }

    /// Takes what fits of a bucket that is wholly farther than all that was searched before, from its near end.
    fn search(&mut self, bucket: &'t Bucket<C>) {
        let Around { nearer, rest } = bucket.heads().around(self.head, self.slots.len() - self.len);
        for part in nearer {
            if self.has_room() {
                self.scan(bucket, part);
            }
        }
        // Only where some of the nearer ones fail.
        if self.has_room() {
            rest.into_iter().for_each(|part| self.scan(bucket, part));
        }
    }

    /// Takes what fits of a part of a bucket. Heads are compared before an entry is touched.
    fn scan(&mut self, bucket: &'t Bucket<C>, part: Range<usize>) {
        let mut limit = self.limit();
        for (head, place) in bucket.heads().part(part) {
            let head = head ^ self.head;
            if head <= limit {
                let entry = &bucket.live()[place];
                if self.failing || entry.failures == 0 {
                    self.insert(Pick { head, entry });
                    limit = self.limit();
                }
            }
        }
    }

    /// No head above this can get in: that of the last, once there is no room.
    fn limit(&self) -> u64 {
        self.slots.last().copied().flatten().map_or(u64::MAX, |last| last.head)
    }

    fn is_closer(&self, left: &Pick<'t, C>, right: &Pick<'t, C>) -> bool {
        match left.head.cmp(&right.head) {
            Ordering::Less => true,
            Ordering::Greater => false,
            Ordering::Equal => {
                self.target.closer(&left.entry.contact.id(), &right.entry.contact.id()).is_lt()
            }
        }
    }

    /// Sorts `pick` in; the last falls out if there is no room.
    fn insert(&mut self, pick: Pick<'t, C>) {
        let mut at = self.len;
        if !self.has_room() {
            match self.slots.last() {
                Some(Some(last)) if self.is_closer(&pick, last) => at -= 1,
                Some(_) | None => return,
            }
        }
        while at > 0
            && let Some(before) = self.slots[at - 1]
            && self.is_closer(&pick, &before)
        {
            self.slots[at] = Some(before);
            at -= 1;
        }
        self.slots[at] = Some(pick);
        self.len = self.slots.len().min(self.len + 1);
    }
}

/// Up to `K` contacts, closest first, held on the stack.
#[derive(Debug)]
pub struct Nearest<'t, C, const K: usize> {
    slots: [Option<Pick<'t, C>>; K],
    at: usize,
    len: usize,
}

impl<'t, C, const K: usize> Iterator for Nearest<'t, C, K> {
    type Item = &'t C;

    fn next(&mut self) -> Option<&'t C> {
        let pick = self.slots[..self.len].get(self.at)?.as_ref()?;
        self.at += 1;
        Some(&pick.entry.contact)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.len - self.at;
        (left, Some(left))
    }
}

impl<C, const K: usize> ExactSizeIterator for Nearest<'_, C, K> {}
