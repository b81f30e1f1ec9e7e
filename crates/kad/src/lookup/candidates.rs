//! The nodes that a lookup knows, sorted by distance, with the rules on who may be among them.
//! Separate because order, caps and diversity are one invariant, whatever the walk does.

use std::collections::BTreeSet;

use super::LookupConfig;
use crate::{Contact, Id};

/// Where one candidate stands. Failed candidates are not kept: only their place is remembered.
///
/// `Fresh` → `InFlight` (asked) → `Answered`, or → `Stalled` (slow) → `Answered`; from `InFlight`
/// and `Stalled` a candidate may also fail and disappear.
#[derive(Debug, Clone)]
pub(super) enum State<T> {
    Fresh,
    InFlight,
    Stalled,
    Answered(T),
}

#[derive(Debug, Clone)]
pub(super) struct Candidate<C, T> {
    pub(super) contact: C,
    pub(super) state: State<T>,
    /// Answers between a seed and this candidate.
    pub(super) depth: usize,
}

/// A place in the order: sixteen bytes, so that keeping the order is cheap.
#[derive(Debug, Clone, Copy)]
struct Rank {
    /// The first 64 bits of the distance to the target.
    head: u64,
    slot: usize,
}

/// Who may be asked once: a host, or an address where hosts do not count.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Place<H, A> {
    Host(H),
    Address(A),
}

type PlaceOf<C, const N: usize> = Place<<C as Contact<N>>::Host, <C as Contact<N>>::Address>;

#[derive(Debug, Clone)]
pub(super) struct Candidates<C: Contact<N>, const N: usize, T> {
    target: Id<N>,
    excluded: Option<Id<N>>,
    order: Vec<Rank>,
    slots: Vec<Option<Candidate<C, T>>>,
    free: Vec<usize>,
    /// Places of all candidates, and of everyone who was ever asked.
    places: BTreeSet<PlaceOf<C, N>>,
    /// Subnets of all candidates.
    subnets: BTreeSet<C::Subnet>,
}

impl<C: Contact<N>, const N: usize, T> Candidates<C, N, T> {
    pub(super) const fn new(target: Id<N>) -> Self {
        Self {
            target,
            excluded: None,
            order: Vec::new(),
            slots: Vec::new(),
            free: Vec::new(),
            places: BTreeSet::new(),
            subnets: BTreeSet::new(),
        }
    }

    pub(super) const fn target(&self) -> &Id<N> {
        &self.target
    }

    pub(super) const fn exclude(&mut self, id: Id<N>) {
        self.excluded = Some(id);
    }

    pub(super) fn get(&self, slot: usize) -> Option<&Candidate<C, T>> {
        self.slots.get(slot)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, slot: usize) -> Option<&mut Candidate<C, T>> {
        self.slots.get_mut(slot)?.as_mut()
    }

    /// All candidates with their slots, closest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &Candidate<C, T>)> {
        self.order.iter().filter_map(|rank| Some((rank.slot, self.get(rank.slot)?)))
    }

    pub(super) fn into_sorted(mut self) -> impl Iterator<Item = Candidate<C, T>> {
        let order = core::mem::take(&mut self.order);
        order.into_iter().filter_map(move |rank| self.slots.get_mut(rank.slot)?.take())
    }

    /// Reserves the place of a contact whose id is not known; false if it is taken.
    pub(super) fn reserve(&mut self, contact: &C, config: &LookupConfig) -> bool {
        self.places.insert(place(contact, config))
    }

    /// Adds a candidate if no rule speaks against it; true if it is new.
    pub(super) fn offer(&mut self, contact: C, depth: usize, config: &LookupConfig) -> bool {
        let Some(at) = self.vacancy(&contact) else {
            return false;
        };
        if self.is_beyond(&contact, config.closest) {
            return false;
        }
        let subnet = contact.subnet();
        if config.one_per_subnet && self.subnets.contains(&subnet) {
            return false;
        }
        let place = place(&contact, config);
        if self.places.contains(&place) {
            return false;
        }
        if self.order.len() >= config.candidates && !self.drop_farther_than(at, config) {
            return false;
        }
        self.places.insert(place);
        self.subnets.insert(subnet);
        self.insert(at, Candidate { contact, state: State::Fresh, depth });
        true
    }

    /// Adds a node that has answered although its id was not known when it was asked; its place
    /// is reserved already.
    pub(super) fn adopt(&mut self, contact: C, extra: T, config: &LookupConfig) -> bool {
        let Some(at) = self.vacancy(&contact) else {
            return false;
        };
        if config.one_per_subnet && self.subnets.contains(&contact.subnet()) {
            return false;
        }
        if self.order.len() >= config.candidates && !self.drop_farther_than(at, config) {
            return false;
        }
        self.subnets.insert(contact.subnet());
        self.insert(at, Candidate { contact, state: State::Answered(extra), depth: 0 });
        true
    }

    /// Takes out a candidate that failed. Its place stays taken, its subnet is free again.
    pub(super) fn fail(&mut self, slot: usize) {
        if let Some(at) = self.order.iter().position(|rank| rank.slot == slot) {
            self.take(at);
        }
    }

    /// Forgets candidates that were not asked and can no longer matter: those farther than the
    /// K-th closest answer.
    pub(super) fn forget_beyond(&mut self, config: &LookupConfig) {
        let Some(bound) = self.bound(config.closest) else {
            return;
        };
        for at in (bound + 1..self.order.len()).rev() {
            if self.is_fresh(at) {
                self.forget(at, config);
            }
        }
    }

    /// Where in the order a contact belongs; `None` if its id is there already or excluded.
    fn vacancy(&self, contact: &C) -> Option<usize> {
        let id = contact.id();
        if self.excluded.is_some_and(|excluded| excluded == id) {
            return None;
        }
        let head = self.target.head() ^ id.head();
        let found = self.order.binary_search_by(|rank| {
            rank.head.cmp(&head).then_with(|| match self.get(rank.slot) {
                Some(other) => self.target.closer(&other.contact.id(), &id),
                None => core::cmp::Ordering::Less,
            })
        });
        found.err()
    }

    /// Whether K closer nodes have answered already.
    fn is_beyond(&self, contact: &C, closest: usize) -> bool {
        let Some(bound) = self.bound(closest).and_then(|at| self.get(self.order[at].slot)) else {
            return false;
        };
        self.target.closer(&bound.contact.id(), &contact.id()).is_lt()
    }

    /// Where the K-th answer stands in the order.
    fn bound(&self, closest: usize) -> Option<usize> {
        let answered =
            |rank: &Rank| matches!(self.get(rank.slot)?.state, State::Answered(_)).then_some(());
        let answers = self.order.iter().enumerate().filter(|(_, rank)| answered(rank).is_some());
        answers.map(|(at, _)| at).nth(closest - 1)
    }

    fn is_fresh(&self, at: usize) -> bool {
        self.get(self.order[at].slot)
            .is_some_and(|candidate| matches!(candidate.state, State::Fresh))
    }

    /// Makes room for a candidate at `at` by dropping the farthest one that was not asked, or
    /// else the farthest answer; false if everyone who could go is closer than that.
    fn drop_farther_than(&mut self, at: usize, config: &LookupConfig) -> bool {
        let fresh = (at..self.order.len()).rev().find(|at| self.is_fresh(*at));
        if let Some(fresh) = fresh {
            self.forget(fresh, config);
            return true;
        }
        let answered = (at..self.order.len()).rev().find(|at| {
            self.get(self.order[*at].slot)
                .is_some_and(|candidate| matches!(candidate.state, State::Answered(_)))
        });
        if let Some(answered) = answered {
            self.take(answered);
        }
        answered.is_some()
    }

    /// Drops a candidate that was never asked, and with it every claim to its place.
    fn forget(&mut self, at: usize, config: &LookupConfig) {
        if let Some(candidate) = self.take(at) {
            self.places.remove(&place(&candidate.contact, config));
        }
    }

    fn take(&mut self, at: usize) -> Option<Candidate<C, T>> {
        let rank = self.order.remove(at);
        let candidate = self.slots.get_mut(rank.slot)?.take()?;
        self.free.push(rank.slot);
        self.subnets.remove(&candidate.contact.subnet());
        Some(candidate)
    }

    fn insert(&mut self, at: usize, candidate: Candidate<C, T>) {
        let head = self.target.head() ^ candidate.contact.id().head();
        let slot = self.free.pop().unwrap_or(self.slots.len());
        if slot == self.slots.len() {
            self.slots.push(Some(candidate));
        } else {
            self.slots[slot] = Some(candidate);
        }
        self.order.insert(at, Rank { head, slot });
    }
}

fn place<C: Contact<N>, const N: usize>(contact: &C, config: &LookupConfig) -> PlaceOf<C, N> {
    if config.one_per_host {
        Place::Host(contact.host())
    } else {
        Place::Address(contact.address())
    }
}
