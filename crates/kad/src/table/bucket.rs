//! One bucket: its entries, their spares, and the victim rule of a full one.
//! Separate because a bucket judges its own members and knows nothing of the other buckets.

use core::cmp::Reverse;
use std::time::Instant;

use super::entry::{Entry, Spare};
use super::heads::Heads;
use crate::lean::make_room;
use crate::{Contact, Id};

#[derive(Debug, Clone)]
pub(super) struct Bucket<C> {
    heads: Heads,
    live: Vec<Entry<C>>,
    pub(super) spares: Vec<Spare<C>>,
    /// When an entry last came, went or answered, or a lookup passed through.
    pub(super) changed: Option<Instant>,
}

impl<C> Bucket<C> {
    pub(super) const fn new(changed: Option<Instant>) -> Self {
        Self { heads: Heads::new(), live: Vec::new(), spares: Vec::new(), changed }
    }

    pub(super) fn len(&self) -> usize {
        self.live.len()
    }

    pub(super) fn live(&self) -> &[Entry<C>] {
        &self.live
    }

    pub(super) fn live_mut(&mut self) -> &mut [Entry<C>] {
        &mut self.live
    }

    pub(super) fn heads(&self) -> &Heads {
        &self.heads
    }

    pub(super) fn remove(&mut self, position: usize) -> Entry<C> {
        self.heads.remove(position);
        self.live.remove(position)
    }

    pub(super) fn into_parts(self) -> (Vec<Entry<C>>, Vec<Spare<C>>) {
        (self.live, self.spares)
    }

    pub(super) fn position<const N: usize>(&self, id: &Id<N>) -> Option<usize>
    where
        C: Contact<N>,
    {
        self.heads.places_of(id.head()).find(|at| self.live[*at].contact.id() == *id)
    }

    pub(super) fn spare_position<const N: usize>(&self, id: &Id<N>) -> Option<usize>
    where
        C: Contact<N>,
    {
        self.spares.iter().position(|spare| spare.contact().id() == *id)
    }

    pub(super) fn push<const N: usize>(&mut self, entry: Entry<C>)
    where
        C: Contact<N>,
    {
        self.heads.insert(self.live.len(), entry.contact.id().head());
        make_room(&mut self.live);
        self.live.push(entry);
    }

    /// Puts an entry back where it was taken from.
    pub(super) fn insert_at<const N: usize>(&mut self, at: usize, entry: Entry<C>)
    where
        C: Contact<N>,
    {
        self.heads.insert(at, entry.contact.id().head());
        make_room(&mut self.live);
        self.live.insert(at, entry);
    }

    /// The entry of this subnet, if there is one.
    pub(super) fn subnet_position<const N: usize>(&self, contact: &C) -> Option<usize>
    where
        C: Contact<N>,
    {
        self.live.iter().position(|entry| entry.contact.shares_subnet(contact))
    }

    /// Which entry a confirmed newcomer may displace from this full bucket.
    ///
    /// In this order:
    /// 1. the entry with most failures;
    /// 2. if nobody here covers the newcomer's branch (the bits right after the bucket's
    ///    prefix), the weakest of the most crowded branch: a bucket whose members are spread
    ///    shortens every lookup by the bits they spread over;
    /// 3. within the newcomer's own branch, an entry that is not preferred if the newcomer is;
    /// 4. likewise one of equal standing that is more than twice as slow.
    ///
    /// We differ from libtorrent in 4, which takes any newcomer that is faster: then a host
    /// next door could displace every long-lived entry just by being near.
    pub(super) fn victim<const N: usize>(&self, prefix: usize, newcomer: &Entry<C>) -> Option<usize>
    where
        C: Contact<N>,
    {
        let failing = (0..self.live.len())
            .filter(|at| self.live[*at].failures > 0)
            .max_by_key(|at| (self.live[*at].failures, Reverse(*at)));
        if failing.is_some() {
            return failing;
        }
        let branches = Branches::of(prefix, self.live.len());
        let wanted = branches.number(newcomer.contact.id().head());
        let mut crowds = [0_usize; 1 << Branches::MOST_BITS];
        for head in self.heads.iter() {
            crowds[branches.number(head)] += 1;
        }
        if crowds[wanted] == 0 {
            let most = (0..crowds.len()).max_by_key(|crowd| crowds[*crowd])?;
            return (crowds[most] > 1).then(|| self.weakest(branches, most)).flatten();
        }
        let rival = self.weakest(branches, wanted)?;
        let entry = &self.live[rival];
        let better = match (newcomer.contact.is_preferred(), entry.contact.is_preferred()) {
            (true, false) => true,
            (false, true) => false,
            (true, true) | (false, false) => newcomer.rtt() * 2 < entry.rtt(),
        };
        better.then_some(rival)
    }

    /// The entry of a branch that is not preferred, or else the slowest; the eldest of equals.
    fn weakest<const N: usize>(&self, branches: Branches, branch: usize) -> Option<usize>
    where
        C: Contact<N>,
    {
        let of_branch = |at: &usize| branches.number(self.live[*at].contact.id().head()) == branch;
        (0..self.live.len()).filter(of_branch).max_by_key(|at| {
            let entry = &self.live[*at];
            (!entry.contact.is_preferred(), entry.rtt(), Reverse(*at))
        })
    }

    /// Puts a contact among the spares, if there is room or somebody to push out for it.
    pub(super) fn queue<const N: usize>(&mut self, spare: Spare<C>, capacity: usize) -> bool
    where
        C: Contact<N>,
    {
        if let Some(known) = self.spare_position(&spare.contact().id()) {
            if spare.is_proven() {
                self.spares[known] = spare;
            }
            return true;
        }
        if self.spares.len() >= capacity {
            if !spare.is_proven() || capacity == 0 {
                return false;
            }
            let unproven = self.spares.iter().position(|other| !other.is_proven());
            self.spares.remove(unproven.unwrap_or(0));
        }
        make_room(&mut self.spares);
        self.spares.push(spare);
        true
    }

    /// Takes out the proven spare that answered last and that `fits`.
    pub(super) fn take_proven(&mut self, fits: impl Fn(&Self, &C) -> bool) -> Option<Entry<C>> {
        let mut best: Option<(Instant, usize)> = None;
        for (position, spare) in self.spares.iter().enumerate() {
            if let Spare::Proven(entry) = spare
                && best.is_none_or(|(latest, _)| entry.answered >= latest)
                && fits(self, &entry.contact)
            {
                best = Some((entry.answered, position));
            }
        }
        let (_, position) = best?;
        match self.spares.remove(position) {
            Spare::Proven(entry) => Some(entry),
            Spare::Unproven { .. } => None,
        }
    }
}

/// How a bucket's ids divide by the bits right after its prefix: about as many branches as entries.
///
/// Only the first 64 bits of an id are looked at; a bucket deeper than that is one branch, and
/// nobody but ourselves lives there.
#[derive(Debug, Clone, Copy)]
struct Branches {
    from: u32,
    bits: u32,
}

impl Branches {
    const MOST_BITS: u32 = 8;

    fn of(prefix: usize, entries: usize) -> Self {
        let from = u32::try_from(prefix + 1).unwrap_or(u64::BITS).min(u64::BITS);
        let bits = entries.max(1).ilog2().min(Self::MOST_BITS).min(u64::BITS - from);
        Self { from, bits }
    }

    /// Which branch an id with this head belongs to.
    fn number(self, head: u64) -> usize {
        let shifted = head.checked_shl(self.from).unwrap_or(0);
        let branch = shifted.checked_shr(u64::BITS - self.bits).unwrap_or(0);
        usize::try_from(branch).unwrap_or(0)
    }
}
