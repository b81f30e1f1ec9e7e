//! What keeps a table alive: whom to ping next, which bucket to refresh, and when.
//! Separate because upkeep is advice to the owner; nothing here changes who is in the table.

use std::time::Instant;

use super::Table;
use super::entry::Spare;
use crate::{Contact, Id};

impl<C: Contact<N>, const N: usize> Table<C, N> {
    /// The contact that most deserves a ping at `now`, marked as asked; `None` if nobody is due.
    ///
    /// First contacts we only heard of, where their bucket has room or a failing member (home
    /// bucket first: there they matter most); then failing entries, to settle whether they are
    /// gone; then the entry that has been silent longest beyond
    /// [`questionable_after`](super::TableConfig::questionable_after). Nobody is named twice
    /// within [`retry_after`](super::TableConfig::retry_after). Report what comes of it with
    /// [`responded`](Self::responded) or [`failed`](Self::failed). Costs a scan of the table.
    pub fn next_to_ping(&mut self, now: Instant) -> Option<C> {
        if let Some((bucket, at)) = self.due_spare(now) {
            let spare = &mut self.buckets[bucket].spares[at];
            spare.mark_asked(now);
            return Some(spare.contact().clone());
        }
        let (_, bucket, at) = self
            .ping_times()
            .filter(|((_, due), _, _)| *due <= now)
            .min_by_key(|(order, _, _)| *order)?;
        let entry = &mut self.buckets[bucket].live_mut()[at];
        entry.mark_asked(now);
        Some(entry.contact.clone())
    }

    /// The earliest moment at which [`next_to_ping`](Self::next_to_ping) has somebody to name.
    ///
    /// Not later than `now` if somebody is due already; `None` while nobody is known. Ask again
    /// after anything changed the table. Costs a scan of it.
    pub fn ping_due(&self, now: Instant) -> Option<Instant> {
        let retry = self.config.retry_after;
        let spares = self
            .buckets
            .iter()
            .enumerate()
            .filter(|(index, _)| self.wants_spares(*index))
            .flat_map(|(_, bucket)| &bucket.spares)
            .filter_map(move |spare| spare.ping_due(now, retry));
        spares.chain(self.ping_times().map(|((_, due), _, _)| due)).min()
    }

    /// We sent this node a query that [`next_to_ping`](Self::next_to_ping) did not ask for, so it
    /// need not be pinged before that is settled.
    pub fn asked(&mut self, now: Instant, id: &Id<N>) {
        let index = self.bucket_of(id);
        let bucket = &mut self.buckets[index];
        if let Some(at) = bucket.position(id) {
            let entry = &mut bucket.live_mut()[at];
            entry.mark_asked(now);
        } else if let Some(at) = bucket.spare_position(id) {
            bucket.spares[at].mark_asked(now);
        }
    }

    /// This contact sent us a query: a sign of life of an entry at that address under that id.
    ///
    /// It postpones pings but clears no failure and lets nobody in, because the sender of a
    /// datagram is not proven. True if the contact is such an entry.
    pub fn asked_us(&mut self, now: Instant, contact: &C) -> bool {
        let id = contact.id();
        let index = self.bucket_of(&id);
        let bucket = &mut self.buckets[index];
        let Some(at) = bucket.position(&id) else {
            return false;
        };
        let entry = &mut bucket.live_mut()[at];
        let known = entry.contact.address() == contact.address();
        if known {
            entry.was_active(now);
        }
        known
    }

    /// The bucket that has gone longest without change, if it is longer than
    /// [`refresh_after`](super::TableConfig::refresh_after).
    ///
    /// Look up a [`refresh_target`](Self::refresh_target) of it, and report any lookup with
    /// [`looked_up`](Self::looked_up) when it starts. A bucket that never changed comes first.
    pub fn stale_bucket(&self, now: Instant) -> Option<usize> {
        let (changed, index) =
            self.buckets.iter().enumerate().map(|(index, bucket)| (bucket.changed, index)).min()?;
        let stale = changed.is_none_or(|at| now >= at + self.config.refresh_after);
        stale.then_some(index)
    }

    /// When the next bucket becomes stale; not later than `now` if one is stale already.
    pub fn stale_due(&self, now: Instant) -> Instant {
        self.buckets
            .iter()
            .map(|bucket| bucket.changed.map_or(now, |at| at + self.config.refresh_after))
            .min()
            .unwrap_or(now)
    }

    /// A random id that falls into bucket `index`: the target of a lookup that refreshes it.
    ///
    /// For the home bucket any id that shares its prefix.
    pub fn refresh_target(&self, index: usize, fill: impl FnMut(&mut [u8])) -> Id<N> {
        if index >= self.home() {
            self.own.random_with_prefix(self.home(), fill)
        } else {
            self.own.random_at_prefix(index, fill)
        }
    }

    /// A lookup of `target` runs or ran: its bucket counts as refreshed.
    pub fn looked_up(&mut self, now: Instant, target: &Id<N>) {
        let index = self.bucket_of(target);
        let bucket = &mut self.buckets[index];
        bucket.changed = bucket.changed.max(Some(now));
    }

    fn due_spare(&self, now: Instant) -> Option<(usize, usize)> {
        let retry = self.config.retry_after;
        (0..self.buckets.len()).rev().find_map(|bucket| {
            let spares = &self.buckets[bucket].spares;
            let due = |spare: &Spare<C>| spare.ping_due(now, retry).is_some_and(|at| at <= now);
            let at = spares.iter().position(due)?;
            self.wants_spares(bucket).then_some((bucket, at))
        })
    }

    /// Whether a spare of this bucket could soon become an entry.
    fn wants_spares(&self, index: usize) -> bool {
        let bucket = &self.buckets[index];
        index == self.home()
            || bucket.len() < self.config.capacity(index)
            || bucket.live().iter().any(|entry| entry.failures > 0)
    }

    /// For each entry: how urgent its next ping is (failing first) and when it is due.
    fn ping_times(&self) -> impl Iterator<Item = ((Urgency, Instant), usize, usize)> {
        self.buckets.iter().enumerate().flat_map(move |(bucket, entries)| {
            entries.live().iter().enumerate().map(move |(at, entry)| {
                let retry = entry.asked() + self.config.retry_after;
                let order = if entry.failures > 0 {
                    (Urgency::Failing, retry)
                } else {
                    (Urgency::Silent, retry.max(entry.active() + self.config.questionable_after))
                };
                (order, bucket, at)
            })
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Urgency {
    Failing,
    Silent,
}
