//! The contact book: thousands of nodes that answered once, beside the few that the table tends.
//! Separate from the table because nobody is pinged for it: it costs memory and no message.

mod cell;
mod config;

use std::time::{Duration, Instant};

use crate::{Contact, Id};
use cell::{Cell, Note};

pub use config::BookConfig;

/// Nodes remembered so that lookups start next to their target.
///
/// A [`Table`](crate::Table) knows its own neighbourhood and the rest of the space in outline, so a
/// lookup climbs several hops. A book remembers everybody who answered, evenly over the whole
/// space: with a few thousand entries a lookup starts one or two hops from its target, wherever
/// that is. It pings nobody. What it holds grows old, is judged by its age when it is asked for,
/// and leaves when it fails.
///
/// The space is cut into equal cells. A cell with no room splits with all others as long as the
/// [capacity](BookConfig::capacity) allows, so an almost empty book is small. In a full cell the
/// worst entry goes: first who was only heard of, then who failed, then who has not answered for
/// long, then who does not fit its address, then who answers slowest. One subnet has one
/// entry in a cell, and one provider [few](BookConfig::per_provider): who owns many addresses of
/// one network cannot fill the book, and who grinds ids around one target fills one cell.
///
/// An entry costs the size of the contact and eight bytes.
#[derive(Debug, Clone)]
pub struct Book<C, const N: usize> {
    config: BookConfig,
    begun: Instant,
    /// `1 << bits` of them: cell `i` holds the ids whose first `bits` bits are the number `i`.
    cells: Vec<Cell<C>>,
    bits: u32,
}

/// What became of a contact handed to a [`Book`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Noted {
    /// It is new, and was written down.
    Added,
    /// It was known, and is up to date.
    Refreshed,
    /// It took the place of a worse one.
    Replaced,
    /// It is not written down: there is no room for it, or one of its network is there, or its id
    /// is known at an address that answers.
    Refused,
}

/// An entry of a [`Book`] as it is handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known<'b, C> {
    /// Who and where.
    pub contact: &'b C,
    /// How long its answers take, on average; `None` if it was only heard of.
    pub rtt: Option<Duration>,
}

impl<C: Contact<N>, const N: usize> Book<C, N> {
    /// An empty book. Ages are counted from `now`.
    pub fn new(now: Instant, config: BookConfig) -> Self {
        let cells = if config.capacity == 0 { Vec::new() } else { vec![Cell::new()] };
        Self { config, begun: now, cells, bits: 0 }
    }

    /// The limits that this book keeps.
    pub const fn config(&self) -> &BookConfig {
        &self.config
    }

    /// How many contacts are in it.
    pub fn len(&self) -> usize {
        self.cells.iter().map(Cell::len).sum()
    }

    /// Whether nobody is in it.
    pub fn is_empty(&self) -> bool {
        self.cells.iter().all(|cell| cell.len() == 0)
    }

    /// Every contact, in the order of the cells, with its round trip.
    pub fn iter(&self) -> impl Iterator<Item = Known<'_, C>> {
        self.cells.iter().flat_map(Cell::notes).map(Note::known)
    }

    /// A node answered a query of ours under the id that we asked.
    ///
    /// As with [`Table::responded`](crate::Table::responded) the owner must have matched the answer
    /// to its query. Costs a scan of one cell, and now and then a split of all.
    pub fn responded(&mut self, now: Instant, contact: C, rtt: Duration) -> Noted {
        let note = Note::proven(contact, self.age(now), rtt);
        self.write(now, note)
    }

    /// Somebody named this contact; we have no proof that it exists.
    ///
    /// It fills a free place as long as half of its cell is free, displaces nobody, and goes at its
    /// first failure or when its place is wanted by who has answered.
    pub fn heard(&mut self, now: Instant, contact: C) -> Noted {
        let note = Note::hearsay(contact, self.age(now));
        self.write(now, note)
    }

    /// The node of this id at this address left a query of ours unanswered.
    ///
    /// It is not handed out again before it has answered; after a second time it is forgotten.
    pub fn failed(&mut self, id: &Id<N>, address: &C::Address) {
        let at = self.cell_of(id);
        if let Some(cell) = self.cells.get_mut(at) {
            cell.fail(id, address);
        }
    }

    /// Forgets the node of this id at this address: it answered under another id.
    pub fn remove(&mut self, id: &Id<N>, address: &C::Address) {
        let at = self.cell_of(id);
        if let Some(cell) = self.cells.get_mut(at) {
            cell.remove(id, address);
        }
    }

    /// The `count` contacts closest to `target`, closest first: what a lookup starts from.
    ///
    /// Exact among those that can be relied on: who left our last query unanswered, or has not
    /// been heard of for longer than [`fresh_for`](BookConfig::fresh_for), is passed over. Costs a
    /// scan of one cell, or of a few neighbouring ones where cells are not full.
    pub fn closest(&self, now: Instant, target: &Id<N>, count: usize) -> Vec<Known<'_, C>> {
        let oldest = self.age(now).saturating_sub(seconds(self.config.fresh_for));
        let first = self.cell_of(target);
        let mut found: Vec<Known<'_, C>> = Vec::new();
        // A cell whose number differs from the target's by x lies wholly nearer than one whose
        // number differs by more than x: XOR orders cells as it orders ids.
        for differs in 0..self.cells.len() {
            if found.len() >= count {
                break;
            }
            let Some(cell) = self.cells.get(first ^ differs) else { break };
            let usable = cell.notes().filter(|note| note.is_usable(oldest));
            let begin = found.len();
            found.extend(usable.map(Note::known));
            if let Some(fresh) = found.get_mut(begin..) {
                fresh.sort_unstable_by(|left, right| {
                    target.closer(&left.contact.id(), &right.contact.id())
                });
            }
        }
        found.truncate(count);
        found
    }

    /// Whether the node of this id at this address answered us lately, and every query since.
    pub fn vouches_for(&self, now: Instant, id: &Id<N>, address: &C::Address) -> bool {
        let oldest = self.age(now).saturating_sub(seconds(self.config.fresh_for));
        let note = self.cells.get(self.cell_of(id)).and_then(|cell| cell.note(id));
        note.is_some_and(|note| {
            note.is_proven() && note.is_usable(oldest) && note.contact.address() == *address
        })
    }

    fn write(&mut self, now: Instant, note: Note<C>) -> Noted {
        let oldest = self.age(now).saturating_sub(seconds(self.config.fresh_for));
        loop {
            let at = self.cell_of(&note.contact.id());
            let limits = self.config.cell();
            let Some(cell) = self.cells.get_mut(at) else { return Noted::Refused };
            let wants_room = cell.len() >= limits.size && !cell.holds(&note.contact.id());
            if !(wants_room && note.is_proven() && self.bits < self.config.most_bits::<N>()) {
                return cell.write(note, limits, oldest);
            }
            self.split();
        }
    }

    /// Cuts every cell in two.
    fn split(&mut self) {
        let bit = self.bits as usize;
        let halves = |cell: Cell<C>| cell.split(|note: &Note<C>| note.contact.id().bit(bit));
        let mut cells = Vec::with_capacity(self.cells.len() * 2);
        cells.extend(core::mem::take(&mut self.cells).into_iter().flat_map(halves));
        self.cells = cells;
        self.bits += 1;
    }

    fn cell_of(&self, id: &Id<N>) -> usize {
        // Sixteen bits at most, so nothing is lost.
        let number = (id.head() >> 48) as usize;
        number >> (16 - self.bits)
    }

    /// Seconds since the book was begun, from 1: 0 is before everything.
    fn age(&self, now: Instant) -> u32 {
        seconds(now.saturating_duration_since(self.begun)).saturating_add(1)
    }
}

fn seconds(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
