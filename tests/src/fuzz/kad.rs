//! Fuzz targets of the kad crate: table, walk and contact book against plain models of themselves.
//!
//! Separate, because their input is no message but a script: each byte says what the owner does next.

mod book;
mod peer;
mod table;
mod walk;

use mainstay_kad::Id;
use mainstay_sim::Dice;
use peer::Peer;

pub(super) use book::contact_book;
pub(super) use table::routing_table;
pub(super) use walk::lookup_walk;

/// A script, read byte by byte; when it is over it says 0.
#[derive(Debug)]
struct Script<'a>(&'a [u8]);

impl Script<'_> {
    fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// A number below `bound`.
    fn below(&mut self, bound: u8) -> u8 {
        self.byte() % bound
    }

    fn count(&mut self, bound: u8) -> usize {
        usize::from(self.below(bound))
    }

    fn word(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    fn coin(&mut self) -> bool {
        self.below(2) == 1
    }

    /// Ids that scatter, and ids that crowd at both ends of the space.
    fn id(&mut self) -> Id<2> {
        match self.below(4) {
            0 => Id::from([0, self.below(16)]),
            1 => Id::from([0x80, self.below(16)]),
            _ => Id::from([self.byte(), self.byte()]),
        }
    }

    fn peer(&mut self) -> Peer {
        let (id, host, more) = (self.id(), self.below(48), self.below(4));
        Peer { id, host, port: more & 1, preferred: more & 2 > 0 }
    }

    fn peers(&mut self, bound: u8) -> Vec<Peer> {
        (0..self.below(bound)).map(|_| self.peer()).collect()
    }
}

/// Scripts of all lengths: any bytes are one.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    (1..=24_u64)
        .map(|number| {
            let mut dice = Dice::of(&[number, 0x0073_6372_6970]);
            (0..number * 40).map(|_| dice.next().to_be_bytes()[0]).collect()
        })
        .collect()
}
