//! Who gets into the table, who waits, and who goes.
//! Separate because these rules are what an attacker plays against; they stand in one place.

use std::time::{Duration, Instant};

use super::Table;
use super::bucket::Bucket;
use super::entry::{Entry, Spare};
use super::outcome::{Failure, Heard, Insert, Refusal};
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
        let before = self.len();
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
        let way = self.make_way(&contact, index);
        let vacated = self.len() < before;
        let home = self.home();
        let outcome = match way {
            Ok(()) => self.admit(Some(now), Entry::new(now, contact, rtt)),
            Err(refusal) => {
                let bucket = &mut self.buckets[index];
                if let Some(spare) = bucket.spare_position(&id) {
                    bucket.spares.remove(spare);
                }
                Insert::Refused(refusal)
            }
        };
        let displaced = matches!(outcome, Insert::Replaced(_));
        let wider = self.config.provider_share(self.len()) > self.config.provider_share(before);
        if vacated || displaced || wider || self.home() > home {
            self.promote();
        }
        outcome
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
            let waits = bucket.spares.iter().any(|spare| spare.contact().shares_subnet(&contact));
            if waits || bucket.subnet_position::<N>(&contact).is_some() {
                return Heard::Refused(Refusal::SubnetTaken);
            }
        }
        let rival = self.rival(&contact).is_some();
        let bucket = &self.buckets[self.bucket_of(&id)];
        let queued_rival =
            bucket.spares.iter().any(|spare| self.same_place(spare.contact(), &contact));
        if rival || queued_rival {
            return Heard::Refused(Refusal::HostTaken);
        }
        if self.provider_is_full(&contact, &[]) {
            return Heard::Refused(Refusal::ProviderFull);
        }
        self.queue_spare(Spare::Unproven { contact, asked: None });
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
        entry.mark_asked(now);
        entry.failures = entry.failures.saturating_add(1);
        let failures = entry.failures;
        let failing = bucket.remove(at);
        let promoted = self.promote_into(index);
        if promoted.is_some() || failures >= self.config.max_failures {
            if promoted.is_some() {
                self.buckets[index].changed = Some(now);
            }
            // Its host is free again, which a spare elsewhere may have waited for.
            self.promote();
            return Failure::Dropped { promoted };
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
            return Some(bucket.spares.remove(spare).into_contact());
        }
        let at = bucket.position(id)?;
        let removed = bucket.remove(at);
        self.promote_into(index);
        self.promote();
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
            }
            if !failing {
                return Err(if same_address { Refusal::IdChanged } else { Refusal::HostTaken });
            }
        }
        if self.config.one_per_subnet {
            self.clear_subnet(newcomer, index)?;
        }
        self.clear_provider(newcomer)
    }

    fn clear_subnet(&mut self, newcomer: &C, index: usize) -> Result<(), Refusal> {
        while let Some(at) = self.buckets[index].subnet_position::<N>(newcomer) {
            if self.buckets[index].live()[at].failures == 0 {
                return Err(Refusal::SubnetTaken);
            }
            self.buckets[index].remove(at);
        }
        Ok(())
    }

    fn clear_provider(&mut self, newcomer: &C) -> Result<(), Refusal> {
        while self.provider_is_full(newcomer, &[]) {
            let failing = self.buckets.iter_mut().find_map(|bucket| {
                let of_it = |entry: &Entry<C>| {
                    entry.failures > 0 && entry.contact.shares_provider(newcomer)
                };
                let at = bucket.live().iter().position(of_it)?;
                Some(bucket.remove(at))
            });
            if failing.is_none() {
                return Err(Refusal::ProviderFull);
            }
        }
        Ok(())
    }

    /// Whether one entry more of this contact's provider would be too many. `apart` are entries
    /// that are taken out of the table only while it is asked.
    fn provider_is_full(&self, contact: &C, apart: &[Entry<C>]) -> bool {
        let share = self.config.provider_share(self.len() + apart.len());
        if share == usize::MAX {
            return false;
        }
        let all = self.iter().chain(apart);
        all.filter(|entry| entry.contact.shares_provider(contact)).take(share).count() == share
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
            left.shares_host(right)
        } else {
            left.address() == right.address()
        }
    }

    /// Gives an entry of the table its place around another id of ours.
    pub(super) fn readmit(&mut self, entry: Entry<C>) {
        if entry.contact.id() == self.own {
            return;
        }
        let index = self.bucket_of(&entry.contact.id());
        if self.make_way(&entry.contact, index).is_ok() {
            let _outcome = self.admit(Some(entry.answered), entry);
        } else if entry.failures == 0 {
            self.queue_spare(Spare::Proven(entry));
        }
    }

    /// Gives an entry that broke no rule its place, or makes it a spare.
    fn admit(&mut self, changed: Option<Instant>, entry: Entry<C>) -> Insert<C> {
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
            return if bucket.queue(Spare::Proven(entry), self.config.spares) {
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
            bucket.queue(Spare::Proven(victim), self.config.spares);
        }
        Insert::Replaced(contact)
    }

    /// Splits the home bucket until what is left of it fits; false if ids have no further bit to
    /// split on.
    ///
    /// Below a wide level one split need not be enough: 100 near nodes do not fit the next level.
    /// Then some may lose their place, those that fail first and then the latest to arrive.
    fn split_home(&mut self) -> bool {
        let first = self.home();
        while self.home() + 1 < Id::<N>::BITS
            && (self.home() == first
                || self.buckets[self.home()].len() > self.config.capacity(self.home()))
        {
            self.split_once();
        }
        self.home() > first
    }

    fn split_once(&mut self) {
        let home = self.home();
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
        // Below a wide level the half that stays may be too large for its place as well.
        let capacity = self.config.capacity(home);
        let bucket = &mut self.buckets[home];
        while bucket.len() > capacity {
            let worst = (0..bucket.len()).max_by_key(|at| (bucket.live()[*at].failures, *at));
            let Some(worst) = worst.map(|at| bucket.remove(at)) else {
                return;
            };
            if worst.failures == 0 {
                bucket.queue(Spare::Proven(worst), self.config.spares);
            }
        }
    }

    pub(super) fn queue_spare(&mut self, spare: Spare<C>) {
        let id = spare.contact().id();
        if id != self.own {
            let index = self.bucket_of(&id);
            self.buckets[index].queue(spare, self.config.spares);
        }
    }

    /// Fills places that fell free, and lets in spares that waited for a host to fall free. Only
    /// once a newcomer has its place: the rules on hosts and subnets must see it.
    pub(super) fn promote(&mut self) {
        // Whoever enters may widen the share of a provider whose spare waits in an earlier bucket.
        while (0..self.buckets.len()).any(|index| self.promote_into(index).is_some()) {}
    }

    /// Moves the best confirmed spare of a bucket into it, if there is room and one fits.
    fn promote_into(&mut self, index: usize) -> Option<C> {
        if self.buckets[index].len() >= self.config.capacity(index) {
            return None;
        }
        let mut bucket = core::mem::replace(&mut self.buckets[index], Bucket::new(None));
        let entry = bucket.take_proven(|bucket, contact| {
            let host_free = self.rival(contact).is_none()
                && !bucket.live().iter().any(|entry| self.same_place(&entry.contact, contact));
            let subnet_free =
                !self.config.one_per_subnet || bucket.subnet_position::<N>(contact).is_none();
            host_free && subnet_free && !self.provider_is_full(contact, bucket.live())
        });
        let promoted = entry.as_ref().map(|entry| entry.contact.clone());
        if let Some(entry) = entry {
            bucket.push(entry);
        }
        self.buckets[index] = bucket;
        promoted
    }
}
