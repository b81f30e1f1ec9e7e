//! Who there is: ids, addresses, programs, and who has gone.
//!
//! Separate because it never changes: all else is asked of it by number.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::ops::Range;
use std::time::Duration;

use mainstay_krpc::{Id, NodeInfo, bep42};
use mainstay_sim::{Dice, Lifetime};

/// What kind of internet this is. Shares are between 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terrain {
    /// Everything else follows from it.
    pub seed: u64,
    /// Nodes that are there, whether they can be reached or not taken out.
    pub nodes: usize,
    /// Share of the contacts in tables that answer nobody: gone, or behind a NAT that lets no stranger in.
    pub dead: f64,
    /// How long a node stays before it goes and forgets what it stored; away it is for so long that the share of the
    /// dead holds. `None`: who is there stays.
    pub churn: Option<Lifetime>,
    /// Share of the living that name each other only, store nothing and say they did.
    pub sybils: f64,
    /// Share of the living that store no items, being of a program that does not know BEP 44.
    pub without_items: f64,
    /// Share of the living that take half a second to three for an answer.
    pub busy: f64,
    /// Share of the living whose line adds up to 400 ms.
    pub queueing: f64,
    /// Share of the living whose id fits their address as BEP 42 asks.
    pub fitting_ids: f64,
}

impl Default for Terrain {
    fn default() -> Self {
        Self {
            seed: 1,
            nodes: 1000,
            dead: 0.3,
            churn: None,
            sybils: 0.0,
            without_items: 0.1,
            busy: 0.05,
            queueing: 0.1,
            fitting_ids: 0.8,
        }
    }
}

/// The manner of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// Wide top buckets, tokens of four bytes, a visitor who comes too often is not answered.
    Libtorrent,
    /// Knows nothing of BEP 44 and says so.
    Jech,
    /// Twenty to a bucket and to an answer, and transaction ids of four bytes only.
    Mainline,
    /// As this project's.
    Ours,
}

impl Program {
    /// How many nodes it names in an answer.
    pub(crate) const fn names(self) -> usize {
        if matches!(self, Self::Mainline) { 20 } else { 8 }
    }
}

/// A node's number. Numbers are given in no order of ids.
pub type Number = u32;

/// How many low bits of an entry are the number; the rest are the first bits of the id.
const NUMBER_BITS: u32 = 25;
/// How many first bits of an id an entry knows.
pub(crate) const KEY_BITS: u32 = 64 - NUMBER_BITS;
/// The /8 blocks that nodes live in: 31 to 94, all of them public.
const FIRST_BLOCK: u8 = 31;

/// Everybody, sorted by id.
#[derive(Debug)]
pub struct Census {
    terrain: Terrain,
    /// First bits of the id, then the number: eight bytes a node.
    sorted: Vec<u64>,
    /// Where the entries with each of the first `starts_bits` bits begin.
    starts: Vec<u32>,
    starts_bits: u32,
    /// How long this internet has been there.
    clock: Duration,
}

/// What a draw is for.
#[derive(Clone, Copy)]
enum Draw {
    Id = 1,
    Port,
    Life,
    Program,
    Nature,
}

impl Census {
    /// Counts everybody. Takes about a microsecond for each ten nodes.
    ///
    /// # Panics
    /// If there are more than thirty million, gone ones included.
    #[must_use]
    pub fn new(terrain: Terrain) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a count of at most thirty million"
        )]
        let total = (terrain.nodes as f64 / (1.0 - terrain.dead.min(0.95))).round() as usize;
        assert!(total < 30_000_000, "{total} nodes are more than this internet has room for");
        let mut census = Self {
            terrain,
            sorted: Vec::with_capacity(total),
            starts: Vec::new(),
            starts_bits: 0,
            clock: Duration::ZERO,
        };
        for number in 0..u32::try_from(total).expect("checked") {
            let key = key_of(&census.id(number));
            census.sorted.push(key << NUMBER_BITS | u64::from(number));
        }
        census.sorted.sort_unstable();
        census.starts_bits = total.max(2).ilog2().saturating_sub(3).clamp(1, 24);
        let shift = 64 - census.starts_bits;
        let mut at = 0;
        for prefix in 0..=1_u64 << census.starts_bits {
            while census.sorted.get(at).is_some_and(|entry| entry >> shift < prefix) {
                at += 1;
            }
            census.starts.push(u32::try_from(at).expect("checked"));
        }
        census
    }

    /// What it was made from.
    #[must_use]
    pub const fn terrain(&self) -> &Terrain {
        &self.terrain
    }

    /// Everybody, those gone included.
    #[must_use]
    pub fn total(&self) -> usize {
        self.sorted.len()
    }

    /// The bytes it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.sorted.capacity() * 8 + self.starts.capacity() * 4
    }

    /// A node's id.
    #[must_use]
    pub fn id(&self, number: Number) -> Id {
        let mut dice = self.dice(number, Draw::Id);
        let mut random = [0; 20];
        for chunk in random.chunks_mut(8) {
            let word = dice.next().to_be_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
        if dice.happens(self.terrain.fitting_ids) {
            bep42::id_for(self.ip(number).into(), random)
        } else {
            Id::from_bytes(random)
        }
    }

    /// A node's address.
    #[must_use]
    pub fn address(&self, number: Number) -> SocketAddrV4 {
        SocketAddrV4::new(self.ip(number), self.port(number))
    }

    /// Id and address together.
    #[must_use]
    pub fn contact(&self, number: Number) -> NodeInfo {
        NodeInfo { id: self.id(number), addr: self.address(number) }
    }

    /// Who has this address, there or gone.
    #[must_use]
    pub fn at(&self, address: SocketAddr) -> Option<Number> {
        let SocketAddr::V4(address) = address else { return None };
        let [block, rest @ ..] = address.ip().octets();
        let block = block.checked_sub(FIRST_BLOCK).filter(|block| *block < 64)?;
        let [high, middle, low] = rest;
        let number = unscramble(u32::from_be_bytes([block, high, middle, low]), self.terrain.seed);
        let known = (number as usize) < self.total() && self.port(number) == address.port();
        known.then_some(number)
    }

    /// Lets time pass, to this long since the beginning.
    pub fn set_clock(&mut self, clock: Duration) {
        self.clock = clock;
    }

    /// Whether a node answers at all.
    #[must_use]
    pub fn lives(&self, number: Number) -> bool {
        self.stay(number).is_some()
    }

    /// Which stay of a node this is, counted from the beginning; `None` while it is away.
    pub(crate) fn stay(&self, number: Number) -> Option<u64> {
        let mut dice = self.dice(number, Draw::Life);
        let Some(lifetime) = self.terrain.churn else {
            return (!dice.happens(self.terrain.dead)).then_some(0);
        };
        let session = lifetime.draw(&mut dice).max(Duration::from_secs(60)).as_secs_f64();
        let cycle = session / (1.0 - self.terrain.dead);
        let turns = self.clock.as_secs_f64() / cycle + dice.unit();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a small count"
        )]
        (turns.fract() * cycle < session).then_some(turns as u64)
    }

    /// A node's program.
    #[must_use]
    pub fn program(&self, number: Number) -> Program {
        let share = self.dice(number, Draw::Program).unit();
        let without = self.terrain.without_items;
        // Of those that store items five in six are libtorrent's, as measured shares suggest.
        let rest = (share - without) / (1.0 - without).max(f64::MIN_POSITIVE);
        match rest {
            _ if share < without => Program::Jech,
            _ if rest < 0.06 => Program::Mainline,
            _ if rest < 0.16 => Program::Ours,
            _ => Program::Libtorrent,
        }
    }

    /// Whether a node is a sybil, is busy, has a line that queues.
    pub(crate) fn nature(&self, number: Number) -> [bool; 3] {
        let mut dice = self.dice(number, Draw::Nature);
        [self.terrain.sybils, self.terrain.busy, self.terrain.queueing]
            .map(|share| dice.happens(share))
    }

    /// The `count` nodes closest to `target` of those that pass, closest first: the truth that a lookup is held to.
    #[must_use]
    pub fn closest(
        &self,
        target: &Id,
        count: usize,
        passes: impl Fn(Number) -> bool,
    ) -> Vec<Number> {
        let key = key_of(target);
        for depth in (0..=KEY_BITS).rev() {
            let range = self.sharing(key, depth);
            if range.len() < count && depth > 0 {
                continue;
            }
            let mut found: Vec<Number> =
                range.map(|rank| self.number(rank)).filter(|number| passes(*number)).collect();
            if found.len() >= count || depth == 0 {
                found.sort_by_key(|number| distance(&self.id(*number), target));
                found.truncate(count);
                return found;
            }
        }
        Vec::new()
    }

    /// Some node that lives and is no sybil, by chance.
    ///
    /// # Panics
    /// If there is nobody.
    pub fn anybody(&self, dice: &mut Dice) -> Number {
        let total = self.total() as u64;
        let mut drawn = (0..10_000).map(|_| u32::try_from(dice.below(total)).unwrap_or_default());
        drawn
            .find(|number| self.lives(*number) && !self.nature(*number)[0])
            .expect("somebody lives")
    }

    /// The places of those whose id begins with the first `depth` bits of `key`.
    pub(crate) fn sharing(&self, key: u64, depth: u32) -> Range<usize> {
        let low = if depth == 0 { 0 } else { key >> (KEY_BITS - depth) << (KEY_BITS - depth) };
        let high = low + (1 << (KEY_BITS - depth));
        self.place(low)..self.place(high)
    }

    /// Who is at this place of the order.
    pub(crate) fn number(&self, rank: usize) -> Number {
        u32::try_from(self.sorted[rank] & ((1 << NUMBER_BITS) - 1)).unwrap_or_default()
    }

    /// The first bits of the id at this place of the order.
    pub(crate) fn key(&self, rank: usize) -> u64 {
        self.sorted[rank] >> NUMBER_BITS
    }

    /// The place of the first id that begins with `key` or more.
    fn place(&self, key: u64) -> usize {
        if key >> KEY_BITS > 0 {
            return self.total();
        }
        let wanted = key << NUMBER_BITS;
        let prefix = usize::try_from(wanted >> (64 - self.starts_bits)).unwrap_or(usize::MAX);
        let (begin, end) = (self.starts[prefix] as usize, self.starts[prefix + 1] as usize);
        begin + self.sorted[begin..end].partition_point(|entry| *entry < wanted)
    }

    fn ip(&self, number: Number) -> Ipv4Addr {
        let [block, high, middle, low] = scramble(number, self.terrain.seed).to_be_bytes();
        Ipv4Addr::new(FIRST_BLOCK + block, high, middle, low)
    }

    fn port(&self, number: Number) -> u16 {
        1024 + u16::try_from(self.dice(number, Draw::Port).below(60_000)).unwrap_or_default()
    }

    fn dice(&self, number: Number, draw: Draw) -> Dice {
        Dice::of(&[self.terrain.seed, draw as u64, u64::from(number)])
    }
}

/// The first bits of an id, as entries hold them.
pub(crate) fn key_of(id: &Id) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = id.to_bytes();
    u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> NUMBER_BITS
}

/// How far two ids are apart.
pub(crate) fn distance(left: &Id, right: &Id) -> [u8; 20] {
    let mut distance = left.to_bytes();
    for (byte, other) in distance.iter_mut().zip(right.as_bytes()) {
        *byte ^= other;
    }
    distance
}

/// A permutation of the numbers below 2^30, so that neighbours in number are none in address.
fn scramble(number: u32, seed: u64) -> u32 {
    let (mut left, mut right) = (number >> 15, number & 0x7fff);
    for round in 0..4 {
        (left, right) = (right, left ^ mangle(right, round, seed));
    }
    left << 15 | right
}

fn unscramble(scrambled: u32, seed: u64) -> u32 {
    let (mut left, mut right) = (scrambled >> 15, scrambled & 0x7fff);
    for round in (0..4).rev() {
        (left, right) = (right ^ mangle(left, round, seed), left);
    }
    left << 15 | right
}

fn mangle(half: u32, round: u64, seed: u64) -> u32 {
    let mixed = Dice::of(&[seed, round, u64::from(half)]).next();
    u32::try_from(mixed >> 49).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_leads_back_to_its_node_and_no_other_address_does() {
        let census = Census::new(Terrain { nodes: 2000, dead: 0.5, ..Terrain::default() });
        for number in 0..u32::try_from(census.total()).unwrap() {
            let address = census.address(number);
            assert_eq!(census.at(address.into()), Some(number));
            let neighbour = SocketAddrV4::new(*address.ip(), address.port() ^ 1);
            assert_eq!(census.at(neighbour.into()), None);
        }
        assert_eq!(census.at("8.8.8.8:53".parse().unwrap()), None);
    }

    #[test]
    fn shares_are_what_the_terrain_says() {
        let terrain = Terrain { nodes: 10_000, dead: 0.3, sybils: 0.2, ..Terrain::default() };
        let census = Census::new(terrain);
        let all = 0..u32::try_from(census.total()).unwrap();
        let living = all.clone().filter(|number| census.lives(*number)).count();
        assert!((9_600..10_400).contains(&living), "{living}");
        let sybils = all.clone().filter(|number| census.nature(*number)[0]).count();
        assert!((sybils * 5).abs_diff(census.total()) < census.total() / 10, "{sybils}");
        let jech = all.filter(|number| census.program(*number) == Program::Jech).count();
        assert!((jech * 10).abs_diff(census.total()) < census.total() / 10, "{jech}");
    }

    #[test]
    fn the_closest_are_those_that_a_search_of_everybody_finds() {
        let census = Census::new(Terrain { nodes: 3000, ..Terrain::default() });
        let mut dice = Dice::of(&[5]);
        for _ in 0..50 {
            let mut target = [0; 20];
            target.fill_with(|| u8::try_from(dice.below(256)).unwrap());
            let target = Id::from_bytes(target);
            let mut all: Vec<Number> = (0..u32::try_from(census.total()).unwrap()).collect();
            all.retain(|number| census.lives(*number));
            all.sort_by_key(|number| distance(&census.id(*number), &target));
            assert_eq!(census.closest(&target, 16, |number| census.lives(number)), all[..16]);
        }
    }
}
