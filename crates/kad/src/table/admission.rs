//! Who gets into the table, who waits, and who goes.
//! Separate because these rules are what an attacker plays against; they stand in one place.

use std::time::{Duration, Instant};

use super::Table;
use super::bucket::Bucket;
use super::entry::{Entry, Proof, Spare};
use crate::{Contact, Id};

impl<C: Contact<N>, const N: usize> Table<C, N> {
    /// A node answered a query of ours, under the id that we asked: the only way in.
    ///
    /// The owner must have matched the answer to its query (transaction, address and id); an
    /// answer under another id than the one asked belongs to [`remove`](Self::remove).
    ///
    /// A known node is refreshed. A newcomer gets a place if its bucket has one or can split, or
    /// if it beats the weakest member; otherwise it waits among the spares. Costs a scan of the
    /// table for a newcomer and of one bucket for a known node.
    pub fn responded(&mut self, now: Instant, contact: C, rtt: Duration) -> Insert<C> {
        let id = contact.id();
        if id == self.own {
            return Insert::Refused(Refusal::OwnId);
        }
        let index = self.bucket_of(&id);
        if let Some(at) = self.buckets[index].position(&id) {
            let bucket = &mut self.buckets[index];
            let known = &mut bucket.live_mut()[at];
            if known.contact.address() == contact.address() {
                known.contact = contact;
                known.answered_again(now, rtt);
                bucket.changed = Some(now);
                return Insert::Refreshed;
            }
            if known.failures == 0 {
                return Insert::Refused(Refusal::IdElsewhere);
            }
            bucket.remove(at);
        }
        if let Err(refusal) = self.make_way(&contact, index) {
            let bucket = &mut self.buckets[index];
            if let Some(spare) = bucket.spare_position(&id) {
                bucket.spares.remove(spare);
            }
            self.promote(index);
            return Insert::Refused(refusal);
        }
        self.admit(Some(now), Entry::new(now, contact, rtt))
    }

    /// Somebody named this contact; we have no proof that it exists.
    ///
    /// It waits among its bucket's spares until [`next_to_ping`](Self::next_to_ping) names it, and
    /// never displaces another spare. Contacts that break the rules on hosts and subnets are
    /// refused at once, so that a flood of names from one network costs nothing.
    pub fn heard(&mut self, contact: C) -> Heard {
        let id = contact.id();
        if id == self.own {
            return Heard::Refused(Refusal::OwnId);
        }
        let bucket = &self.buckets[self.bucket_of(&id)];
        if bucket.position(&id).is_some() || bucket.spare_position(&id).is_some() {
            return Heard::Known;
        }
        if bucket.spares.len() >= self.config.spares {
            return Heard::Refused(Refusal::Full);
        }
        if self.config.one_per_subnet {
            let subnet = contact.subnet();
            let waits = bucket.spares.iter().any(|spare| spare.contact.subnet() == subnet);
            if waits || bucket.subnet_position::<N>(&subnet).is_some() {
                return Heard::Refused(Refusal::SubnetTaken);
            }
        }
        let rival = self.rival(&contact).is_some();
        let bucket = &self.buckets[self.bucket_of(&id)];
        let queued_rival =
            bucket.spares.iter().any(|spare| self.same_place(&spare.contact, &contact));
        if rival || queued_rival {
            return Heard::Refused(Refusal::HostTaken);
        }
        self.queue_spare(Spare { contact, proof: Proof::Heard });
        Heard::Queued
    }

    /// A node left a query of ours unanswered, or answered nonsense.
    ///
    /// An entry is dropped as soon as a confirmed spare can take its place, and after
    /// [`max_failures`](super::TableConfig::max_failures) in any case; a spare is dropped at once.
    /// While our own uplink is down the owner should not report failures, or the spares are spent.
    pub fn failed(&mut self, now: Instant, id: &Id<N>) -> Failure<C> {
        let index = self.bucket_of(id);
        let bucket = &mut self.buckets[index];
        let Some(at) = bucket.position(id) else {
            return match bucket.spare_position(id) {
                Some(spare) => {
                    bucket.spares.remove(spare);
                    Failure::Dropped { promoted: None }
                }
                None => Failure::Unknown,
            };
        };
        let entry = &mut bucket.live_mut()[at];
        entry.asked = entry.asked.max(now);
        entry.failures = entry.failures.saturating_add(1);
        let failures = entry.failures;
        let failing = bucket.remove(at);
        if let Some(promoted) = self.promote(index) {
            self.buckets[index].changed = Some(now);
            return Failure::Dropped { promoted: Some(promoted) };
        }
        if failures >= self.config.max_failures {
            return Failure::Dropped { promoted: None };
        }
        self.buckets[index].insert_at(at, failing);
        Failure::Kept { failures }
    }

    /// Takes a node out, entry or spare: it answered under another id, or the owner bans it.
    ///
    /// A confirmed spare takes the place.
    pub fn remove(&mut self, id: &Id<N>) -> Option<C> {
        let index = self.bucket_of(id);
        let bucket = &mut self.buckets[index];
        if let Some(spare) = bucket.spare_position(id) {
            return Some(bucket.spares.remove(spare).contact);
        }
        let at = bucket.position(id)?;
        let removed = bucket.remove(at);
        self.promote(index);
        Some(removed.contact)
    }

    /// Clears the way for a newcomer: entries at its address or of its host that no longer
    /// answer go, entries that do answer keep it out.
    fn make_way(&mut self, newcomer: &C, index: usize) -> Result<(), Refusal> {
        while let Some((bucket, at)) = self.rival(newcomer) {
            let rival = &self.buckets[bucket].live()[at];
            let same_address = rival.contact.address() == newcomer.address();
            let failing = rival.failures > 0;
            if same_address || failing {
                self.buckets[bucket].remove(at);
                self.promote(bucket);
            }
            if !failing {
                return Err(if same_address { Refusal::IdChanged } else { Refusal::HostTaken });
            }
        }
        if !self.config.one_per_subnet {
            return Ok(());
        }
        while let Some(at) = self.buckets[index].subnet_position::<N>(&newcomer.subnet()) {
            if self.buckets[index].live()[at].failures == 0 {
                return Err(Refusal::SubnetTaken);
            }
            self.buckets[index].remove(at);
        }
        Ok(())
    }

    /// The entry that stands where `contact` would: at its address, or on its host.
    fn rival(&self, contact: &C) -> Option<(usize, usize)> {
        self.buckets.iter().enumerate().find_map(|(index, bucket)| {
            let at =
                bucket.live().iter().position(|entry| self.same_place(&entry.contact, contact))?;
            Some((index, at))
        })
    }

    fn same_place(&self, left: &C, right: &C) -> bool {
        if self.config.one_per_host {
            left.host() == right.host()
        } else {
            left.address() == right.address()
        }
    }

    /// Gives an entry that broke no rule its place, or makes it a spare.
    pub(super) fn admit(&mut self, changed: Option<Instant>, entry: Entry<C>) -> Insert<C> {
        let id = entry.contact.id();
        loop {
            let index = self.bucket_of(&id);
            if self.buckets[index].len() < self.config.capacity(index) {
                let bucket = &mut self.buckets[index];
                if let Some(spare) = bucket.spare_position(&id) {
                    bucket.spares.remove(spare);
                }
                bucket.push(entry);
                bucket.changed = bucket.changed.max(changed);
                return Insert::Added;
            }
            if index < self.home() || !self.split_home() {
                return self.displace(index, changed, entry);
            }
        }
    }

    fn displace(&mut self, index: usize, changed: Option<Instant>, entry: Entry<C>) -> Insert<C> {
        let bucket = &mut self.buckets[index];
        let Some(at) = bucket.victim(index, &entry) else {
            let proof = Proof::Answered { at: entry.answered, rtt: entry.rtt };
            let spare = Spare { contact: entry.contact, proof };
            return if bucket.queue(spare, self.config.spares) {
                Insert::Queued
            } else {
                Insert::Refused(Refusal::Full)
            };
        };
        if let Some(spare) = bucket.spare_position(&entry.contact.id()) {
            bucket.spares.remove(spare);
        }
        let victim = bucket.remove(at);
        bucket.push(entry);
        bucket.changed = bucket.changed.max(changed);
        let contact = victim.contact.clone();
        if victim.failures == 0 {
            let proof = Proof::Answered { at: victim.answered, rtt: victim.rtt };
            bucket.queue(Spare { contact: victim.contact, proof }, self.config.spares);
        }
        Insert::Replaced(contact)
    }

    /// Splits the home bucket in two; false if ids have no further bit to split on.
    fn split_home(&mut self) -> bool {
        let home = self.home();
        if home + 1 >= Id::<N>::BITS {
            return false;
        }
        let old = core::mem::replace(&mut self.buckets[home], Bucket::new(None));
        let changed = old.changed;
        self.buckets[home].changed = changed;
        self.buckets.push(Bucket::new(changed));
        let (live, spares) = old.into_parts();
        for entry in live {
            let index = self.bucket_of(&entry.contact.id());
            self.buckets[index].push(entry);
        }
        for spare in spares {
            self.queue_spare(spare);
        }
        // Both halves have room: confirmed spares move up.
        while self.promote(home).is_some() {}
        while self.promote(home + 1).is_some() {}
        true
    }

    pub(super) fn queue_spare(&mut self, spare: Spare<C>) {
        let id = spare.contact.id();
        if id != self.own {
            let index = self.bucket_of(&id);
            self.buckets[index].queue(spare, self.config.spares);
        }
    }

    /// Moves the best confirmed spare of a bucket into it, if there is room and one fits.
    fn promote(&mut self, index: usize) -> Option<C> {
        if self.buckets[index].len() >= self.config.capacity(index) {
            return None;
        }
        let mut bucket = core::mem::replace(&mut self.buckets[index], Bucket::new(None));
        let entry = bucket.take_confirmed(|bucket, contact| {
            let host_free = self.rival(contact).is_none()
                && !bucket.live().iter().any(|entry| self.same_place(&entry.contact, contact));
            let subnet_free = !self.config.one_per_subnet
                || bucket.subnet_position::<N>(&contact.subnet()).is_none();
            host_free && subnet_free
        });
        let promoted = entry.as_ref().map(|entry| entry.contact.clone());
        if let Some(entry) = entry {
            bucket.push(entry);
        }
        self.buckets[index] = bucket;
        promoted
    }
}

/// What became of a node that answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Insert<C> {
    /// It was in the table; its round-trip time and last sign of life are up to date.
    Refreshed,
    /// It got a free place.
    Added,
    /// It took this node's place.
    Replaced(C),
    /// Its bucket is full of nodes at least as good; it waits among the spares.
    Queued,
    /// It may not enter.
    Refused(Refusal),
}

/// What became of a contact that somebody named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// It waits for a ping among the spares of its bucket.
    Queued,
    /// It is in the table or among the spares.
    Known,
    /// It may not wait.
    Refused(Refusal),
}

/// Why a contact may not enter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// It claims our own id: we hear ourselves, or somebody reflects our packets.
    OwnId,
    /// A healthy entry has its host.
    HostTaken,
    /// A healthy entry of its bucket, or a spare, has its subnet.
    SubnetTaken,
    /// A healthy entry has its id at another address.
    IdElsewhere,
    /// Its address was an entry under another id. That entry is gone, and this one may come in
    /// with its next answer: a node that changes its id at will gets no place by it.
    IdChanged,
    /// The bucket and its spares are full.
    Full,
}

/// What became of a node that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure<C> {
    /// The table does not know this id.
    Unknown,
    /// Nobody can take its place yet; it stays, but is not handed out until it answers.
    Kept {
        /// Failures in a row.
        failures: u8,
    },
    /// It is gone.
    Dropped {
        /// The confirmed spare that took its place.
        promoted: Option<C>,
    },
}
