//! The nodes that a lookup knows, sorted by distance, with the rules on who may be among them.
//! Separate because order, caps and diversity are one invariant, whatever the walk does.

use std::collections::BTreeSet;

use super::LookupConfig;
use crate::{Contact, Distance, Id};

/// Where one candidate stands. Failed candidates are not kept: only their place is remembered.
///
/// `Fresh` → `InFlight` (asked) → `Late` (slower than most) → `Stalled` (slow), and from any of the
/// three → `Answered`; not everybody is told to be late. Where requests are lost, in the place of
/// `Stalled` once → `Again` (to be asked a second time) → `InFlight`. From any of them a candidate
/// that was asked may also fail and disappear.
#[derive(Debug, Clone)]
pub(super) enum State<T> {
    Fresh,
    InFlight,
    Late,
    Stalled,
    Again,
    Answered(T),
}

#[derive(Debug, Clone)]
pub(super) struct Candidate<C, T> {
    pub(super) contact: C,
    pub(super) state: State<T>,
    /// Answers between a seed and this candidate.
    pub(super) depth: usize,
    /// Whether it was asked twice.
    pub(super) twice: bool,
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
pub(super) enum Place<H, A> {
    Host(H),
    Address(A),
}

pub(super) type PlaceOf<C, const N: usize> =
    Place<<C as Contact<N>>::Host, <C as Contact<N>>::Address>;

#[derive(Debug, Clone)]
pub(super) struct Candidates<C: Contact<N>, const N: usize, T> {
    target: Id<N>,
    excluded: Option<Id<N>>,
    order: Vec<Rank>,
    slots: Vec<Option<Candidate<C, T>>>,
    free: Vec<usize>,
    /// Places of all candidates, and of everyone who was ever asked.
    places: BTreeSet<PlaceOf<C, N>>,
    /// How far the K-th closest answer is: nobody farther can matter.
    bound: Option<Distance<N>>,
    /// How many nodes there are, where crowds are to be passed over.
    network_size: Option<u64>,
    /// How many were not let in because of a crowd.
    refused: usize,
    /// Subnets of all candidates.
    subnets: BTreeSet<C::Subnet>,
}

impl<C: Contact<N>, const N: usize, T> Candidates<C, N, T> {
    pub(super) const fn new(target: Id<N>, network_size: Option<u64>) -> Self {
        Self {
            target,
            excluded: None,
            order: Vec::new(),
            slots: Vec::new(),
            free: Vec::new(),
            places: BTreeSet::new(),
            subnets: BTreeSet::new(),
            bound: None,
            network_size,
            refused: 0,
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

    /// All candidates that count, with their slots, closest first: not those who stand in a crowd behind as
    /// many live ones as their place allows.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &Candidate<C, T>)> {
        let mut closer = 0;
        self.order.iter().filter_map(move |rank| {
            let candidate = self.get(rank.slot)?;
            if matches!(candidate.state, State::Stalled) {
                return Some((rank.slot, candidate));
            }
            let counts = self.allows(closer, rank.head);
            closer += usize::from(counts);
            counts.then_some((rank.slot, candidate))
        })
    }

    /// How many contacts were passed over because too many stand near the target.
    pub(super) fn crowded(&self) -> usize {
        self.refused + self.order.len() - self.iter().count()
    }

    fn allows(&self, closer: usize, head: u64) -> bool {
        allows(self.network_size, closer, head)
    }

    pub(super) fn into_sorted(mut self) -> impl Iterator<Item = Candidate<C, T>> {
        let counted: Vec<usize> = self.iter().map(|(slot, _)| slot).collect();
        counted.into_iter().filter_map(move |slot| self.slots.get_mut(slot)?.take())
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
        if self.is_beyond(&contact.id()) {
            return false;
        }
        let subnet = contact.subnet();
        if config.one_per_subnet && self.subnets.contains(&subnet) {
            return false;
        }
        if !self.allows(at, self.target.head() ^ contact.id().head()) {
            self.refused += 1;
            return false;
        }
        let place = place(&contact, config);
        if self.places.contains(&place) {
            return false;
        }
        if !self.make_room(at, config) {
            return false;
        }
        self.places.insert(place);
        self.subnets.insert(subnet);
        self.insert(at, Candidate { contact, state: State::Fresh, depth, twice: false });
        self.thin(at, config);
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
        if !self.make_room(at, config) {
            return false;
        }
        self.subnets.insert(contact.subnet());
        let state = State::Answered(extra);
        self.insert(at, Candidate { contact, state, depth: 0, twice: false });
        true
    }

    /// Takes out a candidate that failed. Its place stays taken, its subnet is free again.
    pub(super) fn fail(&mut self, slot: usize) {
        if let Some(at) = self.order.iter().position(|rank| rank.slot == slot) {
            self.take(at);
        }
    }

    /// Leaves a contact to another walk, with its host and, where they count, its subnet: forgets whom this one
    /// would have asked there, and lets nobody in from there any more.
    pub(super) fn leave(&mut self, contact: &C, config: &LookupConfig) {
        let (theirs, subnet) = (place(contact, config), contact.subnet());
        for at in (0..self.order.len()).rev() {
            let same = self.get(self.order[at].slot).is_some_and(|candidate| {
                let other = &candidate.contact;
                matches!(candidate.state, State::Fresh)
                    && (place(other, config) == theirs
                        || (config.one_per_subnet && other.subnet() == subnet))
            });
            if same {
                self.take(at);
            }
        }
        self.places.insert(theirs);
        if config.one_per_subnet {
            self.subnets.insert(subnet);
        }
    }

    /// Takes note of a new answer: candidates that were not asked and are farther than the K-th
    /// closest answer can no longer matter and are forgotten.
    pub(super) fn answered(&mut self, config: &LookupConfig) {
        let Some(at) = self.find_bound(config) else {
            return;
        };
        for at in (at + 1..self.order.len()).rev() {
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
    fn is_beyond(&self, id: &Id<N>) -> bool {
        self.bound.is_some_and(|bound| self.target.distance(id) > bound)
    }

    /// Finds the K-th closest answer in the order, if there is one.
    fn find_bound(&mut self, config: &LookupConfig) -> Option<usize> {
        let answers = self.iter().filter(|(_, other)| matches!(other.state, State::Answered(_)));
        let slot = answers.map(|(slot, _)| slot).nth(config.closest - 1);
        let at = slot.and_then(|slot| self.order.iter().position(|rank| rank.slot == slot));
        let bound = at.and_then(|at| self.get(self.order[at].slot));
        self.bound = bound.map(|candidate| self.target.distance(&candidate.contact.id()));
        at
    }

    fn is_fresh(&self, at: usize) -> bool {
        self.get(self.order[at].slot)
            .is_some_and(|candidate| matches!(candidate.state, State::Fresh))
    }

    fn is_answered(&self, at: usize) -> bool {
        self.get(self.order[at].slot)
            .is_some_and(|candidate| matches!(candidate.state, State::Answered(_)))
    }

    /// Makes room for a candidate at `at`, if it is needed: drops the farthest one that was not
    /// asked, or else the farthest answer beyond the K closest. False if everyone who could go is
    /// closer than the newcomer.
    ///
    /// Candidates in flight and stalled ones do not count; the cap on visits bounds them.
    fn make_room(&mut self, at: usize, config: &LookupConfig) -> bool {
        if self.order.len() < config.candidates {
            return true;
        }
        let all = 0..self.order.len();
        let answers = all.clone().filter(|at| self.is_answered(*at)).count();
        let fresh = all.clone().filter(|at| self.is_fresh(*at)).count();
        if answers + fresh < config.candidates {
            return true;
        }
        let beyond = at..all.end;
        if let Some(fresh) = beyond.clone().rev().find(|at| self.is_fresh(*at)) {
            self.forget(fresh, config);
            return true;
        }
        let answer = beyond.rev().find(|at| self.is_answered(*at));
        let Some(answer) = answer.filter(|_| answers > config.closest) else {
            return false;
        };
        self.take(answer);
        true
    }

    /// Forgets who was not asked yet and stands in a crowd since somebody came in at `at`.
    fn thin(&mut self, at: usize, config: &LookupConfig) {
        if self.network_size.is_none() {
            return;
        }
        for behind in (at + 1..self.order.len()).rev() {
            if self.is_fresh(behind) && !self.allows(behind, self.order[behind].head) {
                self.forget(behind, config);
                self.refused += 1;
            }
        }
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

/// Whether somebody at this distance may stand behind so many closer ones, in a network of that size.
pub(super) fn allows(network_size: Option<u64>, closer: usize, head: u64) -> bool {
    /// So many are let through wherever they stand.
    const SLACK: f64 = 6.0;
    let Some(size) = network_size else { return true };
    #[expect(clippy::cast_precision_loss, reason = "an estimate is rounder than a float")]
    let (expected, closer) = (size as f64 * (head as f64 / u64::MAX as f64), closer as f64);
    closer < SLACK + 2.0 * expected
}

pub(super) fn place<C: Contact<N>, const N: usize>(
    contact: &C,
    config: &LookupConfig,
) -> PlaceOf<C, N> {
    if config.one_per_host {
        Place::Host(contact.host())
    } else {
        Place::Address(contact.address())
    }
}
