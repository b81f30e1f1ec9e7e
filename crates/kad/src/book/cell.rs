//! One cell of the book: its entries and the rule on who goes when it is full.
//! Separate because a cell judges its own entries and knows nothing of the other cells.

use core::cmp::Reverse;
use std::time::Duration;

use super::{Known, Noted};
use crate::lean::make_room;
use crate::{Contact, Id};

/// After this many unanswered queries in a row an entry is forgotten.
const MOST_FAILURES: u8 = 2;

/// A contact as it is written down.
#[derive(Debug, Clone)]
pub(super) struct Note<C> {
    pub(super) contact: C,
    /// When it last answered, or was named, in seconds since the book was begun.
    seen: u32,
    /// In milliseconds; [`HEARSAY`](Self::HEARSAY) if it never answered.
    rtt: u16,
    failures: u8,
}

/// What a cell may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) size: usize,
    pub(super) one_per_subnet: bool,
    pub(super) per_provider: usize,
}

impl Limits {
    /// Hearsay leaves half of a cell to those who answer: names are free.
    fn room<C>(self, note: &Note<C>) -> usize {
        if note.is_proven() { self.size } else { self.size / 2 }
    }
}

/// How much an entry is worth; the least goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    proven: bool,
    answers: bool,
    fresh: bool,
    preferred: bool,
    quick: Reverse<u16>,
}

impl<C> Note<C> {
    const HEARSAY: u16 = u16::MAX;

    pub(super) fn proven(contact: C, seen: u32, rtt: Duration) -> Self {
        let rtt = u16::try_from(rtt.as_millis()).unwrap_or(u16::MAX).min(Self::HEARSAY - 1);
        Self { contact, seen, rtt, failures: 0 }
    }

    pub(super) fn hearsay(contact: C, seen: u32) -> Self {
        Self { contact, seen, rtt: Self::HEARSAY, failures: 0 }
    }

    pub(super) fn is_proven(&self) -> bool {
        self.rtt != Self::HEARSAY
    }

    /// Whether it can be handed out, if what was not seen since `oldest` cannot.
    pub(super) fn is_usable(&self, oldest: u32) -> bool {
        self.failures == 0 && self.seen >= oldest
    }

    pub(super) fn known(&self) -> Known<'_, C> {
        let rtt = self.is_proven().then(|| Duration::from_millis(u64::from(self.rtt)));
        Known { contact: &self.contact, rtt }
    }

    fn rank<const N: usize>(&self, oldest: u32) -> Rank
    where
        C: Contact<N>,
    {
        Rank {
            proven: self.is_proven(),
            answers: self.failures == 0,
            fresh: self.seen >= oldest,
            preferred: self.contact.is_preferred(),
            quick: Reverse(self.rtt),
        }
    }

    /// Takes over what a newer note of the same node says.
    fn renew(&mut self, newer: Self) {
        if !newer.is_proven() {
            if !self.is_proven() {
                self.seen = self.seen.max(newer.seen);
            }
            return;
        }
        let old = u32::from(if self.is_proven() { self.rtt } else { newer.rtt });
        let average = (old * 2 + u32::from(newer.rtt)) / 3;
        let rtt = u16::try_from(average).unwrap_or(Self::HEARSAY - 1);
        *self = Self { rtt, ..newer };
    }
}

#[derive(Debug, Clone)]
pub(super) struct Cell<C>(Vec<Note<C>>);

impl<C> Cell<C> {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn notes(&self) -> impl Iterator<Item = &Note<C>> {
        self.0.iter()
    }

    /// The entries without and with the property.
    pub(super) fn split(self, upper: impl Fn(&Note<C>) -> bool) -> [Self; 2] {
        let (mut upper, mut lower): (Vec<_>, Vec<_>) = self.0.into_iter().partition(upper);
        upper.shrink_to_fit();
        lower.shrink_to_fit();
        [Self(lower), Self(upper)]
    }

    pub(super) fn note<const N: usize>(&self, id: &Id<N>) -> Option<&Note<C>>
    where
        C: Contact<N>,
    {
        self.0.iter().find(|note| note.contact.id() == *id)
    }

    pub(super) fn holds<const N: usize>(&self, id: &Id<N>) -> bool
    where
        C: Contact<N>,
    {
        self.note(id).is_some()
    }

    pub(super) fn fail<const N: usize>(&mut self, id: &Id<N>, address: &C::Address)
    where
        C: Contact<N>,
    {
        let Some(at) = self.position(id, address) else { return };
        let note = &mut self.0[at];
        note.failures = note.failures.saturating_add(1);
        if note.failures >= MOST_FAILURES || !note.is_proven() {
            self.0.remove(at);
        }
    }

    pub(super) fn remove<const N: usize>(&mut self, id: &Id<N>, address: &C::Address)
    where
        C: Contact<N>,
    {
        if let Some(at) = self.position(id, address) {
            self.0.remove(at);
        }
    }

    /// Writes a contact down, if a rule does not keep it out.
    pub(super) fn write<const N: usize>(
        &mut self,
        note: Note<C>,
        limits: Limits,
        oldest: u32,
    ) -> Noted
    where
        C: Contact<N>,
    {
        let id = note.contact.id();
        if let Some(at) = self.0.iter().position(|known| known.contact.id() == id) {
            let known = &mut self.0[at];
            if known.contact.address() == note.contact.address() {
                known.renew(note);
                return Noted::Refreshed;
            }
            if !note.is_proven() || (known.is_proven() && known.is_usable(oldest)) {
                return Noted::Refused;
            }
            self.0.remove(at);
        }
        // Most that are named find a full cell: they would displace nobody, so nobody need be compared with them.
        if !note.is_proven() && self.0.len() >= limits.room(&note) {
            return Noted::Refused;
        }
        match self.rival(&note.contact, limits) {
            Some(at) => self.displace(at, note, oldest),
            None if self.0.len() < limits.room(&note) => {
                make_room(&mut self.0);
                self.0.push(note);
                Noted::Added
            }
            None => match self.worst(oldest, |_| true) {
                Some(at) => self.displace(at, note, oldest),
                None => Noted::Refused,
            },
        }
    }

    /// The entry that the rules on addresses, subnets and providers set against a newcomer.
    fn rival<const N: usize>(&self, newcomer: &C, limits: Limits) -> Option<usize>
    where
        C: Contact<N>,
    {
        let address = newcomer.address();
        let same = self.0.iter().position(|note| {
            note.contact.address() == address
                || (limits.one_per_subnet && note.contact.shares_subnet(newcomer))
        });
        if same.is_some() {
            return same;
        }
        let of_provider = |note: &Note<C>| note.contact.shares_provider(newcomer);
        if self.0.iter().filter(|note| of_provider(note)).count() < limits.per_provider {
            return None;
        }
        self.worst(0, of_provider)
    }

    fn worst<const N: usize>(&self, oldest: u32, among: impl Fn(&Note<C>) -> bool) -> Option<usize>
    where
        C: Contact<N>,
    {
        let places = self.0.iter().enumerate().filter(|(_, note)| among(note));
        places.min_by_key(|(_, note)| note.rank(oldest)).map(|(at, _)| at)
    }

    /// Puts a newcomer in the place of a worse entry. One that is as good but for its speed stays,
    /// unless the newcomer is quicker by a quarter: who has answered before is the better bet.
    fn displace<const N: usize>(&mut self, at: usize, newcomer: Note<C>, oldest: u32) -> Noted
    where
        C: Contact<N>,
    {
        let (known, new) = (self.0[at].rank(oldest), newcomer.rank(oldest));
        let alike = Rank { quick: new.quick, ..known } == new;
        let quicker = u32::from(new.quick.0) * 4 < u32::from(known.quick.0) * 3;
        let better = if alike { quicker } else { new > known };
        if better && newcomer.is_proven() {
            self.0[at] = newcomer;
            Noted::Replaced
        } else {
            Noted::Refused
        }
    }

    fn position<const N: usize>(&self, id: &Id<N>, address: &C::Address) -> Option<usize>
    where
        C: Contact<N>,
    {
        self.0
            .iter()
            .position(|note| note.contact.id() == *id && note.contact.address() == *address)
    }
}
