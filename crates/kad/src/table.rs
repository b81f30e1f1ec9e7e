//! The routing table: which nodes are worth remembering, in buckets around our own id.
//! Separate from the lookup because a table outlives lookups and never sends anything.

mod admission;
mod bucket;
mod closest;
mod config;
mod entry;
mod heads;
mod outcome;
mod upkeep;

use std::time::{Duration, Instant};

use crate::{Contact, Id};
use bucket::Bucket;
use entry::Spare;

pub use closest::Nearest;
pub use config::TableConfig;
pub use entry::{Entry, Status};
pub use outcome::{Failure, Heard, Insert, Refusal};

/// The nodes we know, arranged by how many leading bits their id shares with ours.
///
/// Bucket `i` holds nodes that share exactly `i` bits; the last one, the *home bucket*, holds all
/// that share more. When the home bucket is full it splits in two, so the table knows our own
/// neighbourhood completely and the rest of the space in outline.
///
/// A node gets in by one door: [`responded`](Self::responded), an answer to a query of ours under
/// the id that we asked. Nodes that others name wait among the [spares](TableConfig::spares) until
/// they have answered. Nothing is handed out that has not answered, or that left our last query
/// unanswered.
///
/// The owner asks and reports:
/// - it tells what it learns: [`responded`](Self::responded), [`failed`](Self::failed),
///   [`heard`](Self::heard), [`asked_us`](Self::asked_us), [`asked`](Self::asked);
/// - it asks what to do: [`next_to_ping`](Self::next_to_ping), [`stale_bucket`](Self::stale_bucket);
/// - it asks who is near: [`closest`](Self::closest), [`nearest`](Self::nearest).
///
/// Where this departs from [BEP 5](https://www.bittorrent.org/beps/bep_0005.html):
/// the first buckets are wider ([`wide_levels`](TableConfig::wide_levels)), because half of all
/// lookups start in the first one; a node is replaced on its first failure if a confirmed spare is
/// waiting, because a spare that answered is a better bet than one that did not; and one host has
/// one entry, one subnet one per bucket, because names are free and addresses are not.
#[derive(Debug, Clone)]
pub struct Table<C, const N: usize> {
    own: Id<N>,
    config: TableConfig,
    /// Never empty; the last is the home bucket.
    buckets: Vec<Bucket<C>>,
}

impl<C: Contact<N>, const N: usize> Table<C, N> {
    /// An empty table around our own id.
    pub fn new(own: Id<N>, config: TableConfig) -> Self {
        Self { own, config, buckets: vec![Bucket::new(None)] }
    }

    /// Our own id, the centre of the table.
    pub fn own_id(&self) -> &Id<N> {
        &self.own
    }

    /// The limits that this table keeps.
    pub fn config(&self) -> &TableConfig {
        &self.config
    }

    /// How many nodes are in the table, spares not counted.
    pub fn len(&self) -> usize {
        self.buckets.iter().map(Bucket::len).sum()
    }

    /// Whether no node is in the table; spares may still wait.
    pub fn is_empty(&self) -> bool {
        self.buckets.iter().all(|bucket| bucket.len() == 0)
    }

    /// The entry of this id. Spares are not entries.
    pub fn entry(&self, id: &Id<N>) -> Option<&Entry<C>> {
        let bucket = &self.buckets[self.bucket_of(id)];
        bucket.position(id).map(|at| &bucket.live()[at])
    }

    /// Whether the node of this id is in the table.
    pub fn contains(&self, id: &Id<N>) -> bool {
        self.entry(id).is_some()
    }

    /// Whether this id is known, as an entry or as a spare, at an address other than `address`.
    ///
    /// Anybody can name a known id at an address of its own: what happens to a query sent there says nothing
    /// about the node, so it belongs in none of the reports that take an id.
    pub fn is_elsewhere(&self, id: &Id<N>, address: &C::Address) -> bool {
        let bucket = &self.buckets[self.bucket_of(id)];
        let entry = bucket.position(id).map(|at| &bucket.live()[at].contact);
        let spare = || bucket.spare_position(id).map(|at| bucket.spares[at].contact());
        entry.or_else(spare).is_some_and(|known| known.address() != *address)
    }

    /// How far this entry can be trusted now; `None` if it is not in the table.
    pub fn status(&self, now: Instant, id: &Id<N>) -> Option<Status> {
        self.entry(id).map(|entry| entry.status(now, self.config.questionable_after))
    }

    /// Every entry: bucket by bucket from the farthest, and in a bucket by time of arrival.
    pub fn iter(&self) -> impl Iterator<Item = &Entry<C>> {
        self.buckets.iter().flat_map(Bucket::live)
    }

    /// Every spare, in the order of [`iter`](Self::iter): named by others, or confirmed but
    /// without a place.
    pub fn spares(&self) -> impl Iterator<Item = &C> {
        self.buckets.iter().flat_map(|bucket| bucket.spares.iter().map(Spare::contact))
    }

    /// What is in each bucket, from the farthest to the home bucket.
    pub fn buckets(&self) -> impl Iterator<Item = BucketSummary> {
        self.buckets.iter().enumerate().map(|(prefix, bucket)| BucketSummary {
            prefix,
            entries: bucket.len(),
            capacity: self.config.capacity(prefix),
            spares: bucket.spares.len(),
            changed: bucket.changed,
        })
    }

    /// A round-trip time that `share` of all entries stay within (0.9: nine in ten), for timeouts.
    ///
    /// `None` while the table is empty. Costs a sort of all entries' times.
    pub fn rtt_quantile(&self, share: f64) -> Option<Duration> {
        let mut times: Vec<Duration> = self.iter().map(Entry::rtt).collect();
        times.sort_unstable();
        let last = times.len().checked_sub(1)?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a table's length is small, the product lies between 0 and that length"
        )]
        let at = (share.clamp(0.0, 1.0) * last as f64).round() as usize;
        times.get(at.min(last)).copied()
    }

    /// Moves the table to another id of our own: every entry goes to the bucket it belongs in
    /// there, with its history.
    ///
    /// Entries that meet in a bucket too small for them, or with one of their subnet, are chosen
    /// among as newcomers would be; the others become spares as far as those have room. Costs one pass over the table.
    pub fn rehome(&mut self, own: Id<N>) {
        let old = core::mem::replace(&mut self.buckets, vec![Bucket::new(None)]);
        self.own = own;
        let mut waiting = Vec::new();
        for bucket in old {
            let (live, spares) = bucket.into_parts();
            waiting.extend(spares);
            for entry in live {
                self.readmit(entry);
            }
        }
        for spare in waiting {
            self.queue_spare(spare);
        }
        self.promote();
    }

    /// The bucket that covers `id`.
    fn bucket_of(&self, id: &Id<N>) -> usize {
        self.own.shared_prefix(id).min(self.home())
    }

    fn home(&self) -> usize {
        self.buckets.len() - 1
    }
}

/// What one bucket holds, for people and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BucketSummary {
    /// How many leading bits its nodes share with our id (at least, for the home bucket).
    pub prefix: usize,
    /// Nodes in it.
    pub entries: usize,
    /// The most nodes it may hold.
    pub capacity: usize,
    /// Contacts that wait beside it.
    pub spares: usize,
    /// When something about it last changed; `None` if nothing ever did.
    pub changed: Option<Instant>,
}

#[cfg(test)]
mod tests;
