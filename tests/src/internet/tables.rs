//! Whom a node knows: its buckets, worked out from the seed when somebody asks.
//!
//! Separate from the answers, because a table of a node that nobody asks again need not be kept.

use std::ops::Range;

use mainstay_krpc::Id;
use mainstay_sim::Dice;

use super::census::{Census, KEY_BITS, Number, Program, key_of};

/// The share of its nearest neighbours that a node knows of.
const NEIGHBOURS_KNOWN: f64 = 0.95;
/// What draws for tables are made with, beside the seed.
const TABLE: u64 = 0x0074_6162_6c65;

impl Census {
    /// The `count` contacts closest to `target` in the table of `owner`, closest first; gone ones among them in
    /// their share.
    ///
    /// Each bucket holds some of those who share so many bits with the owner, all of them where there are few. It
    /// is the same bucket each time.
    #[must_use]
    pub fn known_to(&self, owner: Number, target: &Id, count: usize) -> Vec<Number> {
        let (own, goal) = (key_of(&self.id(owner)), key_of(target));
        let shared = (own ^ goal).leading_zeros().saturating_sub(64 - KEY_BITS).min(KEY_BITS - 1);
        let mut found = Found { goal, ranks: Vec::with_capacity(128) };
        // All of the target's bucket is closer than what lies beyond it, and that closer than the buckets before.
        self.bucket(owner, own, shared, &mut found);
        if found.ranks.len() < count {
            for depth in shared + 1..KEY_BITS {
                if self.sharing(own, depth).len() <= 1 {
                    break;
                }
                self.bucket(owner, own, depth, &mut found);
            }
        }
        for depth in (0..shared).rev() {
            if found.ranks.len() >= count {
                break;
            }
            self.bucket(owner, own, depth, &mut found);
        }
        let mut ranks = found.ranks;
        ranks.sort_unstable();
        ranks.into_iter().take(count).map(|(_, rank)| self.number(rank)).collect()
    }

    /// Those of the owner's table that share exactly `depth` bits with it.
    fn bucket(&self, owner: Number, own: u64, depth: u32, found: &mut Found) {
        let range = self.sharing(own ^ 1 << (KEY_BITS - 1 - depth), depth + 1);
        let room = room(self.program(owner), depth);
        let mut dice = Dice::of(&[self.terrain().seed, TABLE, u64::from(owner), u64::from(depth)]);
        if range.len() <= room {
            for rank in range {
                if dice.happens(NEIGHBOURS_KNOWN) {
                    found.push(self, rank);
                }
            }
            return;
        }
        let Range { start, end } = range;
        let population = (end - start) as u64;
        let spreads = matches!(self.program(owner), Program::Libtorrent | Program::Ours);
        for slot in 0..room as u64 {
            // Who spreads its bucket over the range has one of each part of it.
            let offset = if spreads {
                (slot * population + dice.below(population)) / room as u64
            } else {
                dice.below(population)
            };
            found.push(self, start + usize::try_from(offset).unwrap_or_default());
        }
        found.ranks.dedup();
    }
}

/// Places of the order with their distance to the goal.
struct Found {
    goal: u64,
    ranks: Vec<(u64, usize)>,
}

impl Found {
    fn push(&mut self, census: &Census, rank: usize) {
        let entry = (census.key(rank) ^ self.goal, rank);
        if !self.ranks.contains(&entry) {
            self.ranks.push(entry);
        }
    }
}

/// How many a bucket holds.
const fn room(program: Program, depth: u32) -> usize {
    match (program, depth) {
        (Program::Mainline, _) => 20,
        (Program::Libtorrent | Program::Ours, 0) => 128,
        (Program::Libtorrent | Program::Ours, 1) => 64,
        (Program::Libtorrent | Program::Ours, 2) => 32,
        (Program::Libtorrent | Program::Ours, 3) => 16,
        (Program::Jech | Program::Libtorrent | Program::Ours, _) => 8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::internet::Terrain;
    use crate::internet::census::distance;

    fn shared(census: &Census, left: Number, right: Number) -> u32 {
        let bytes = distance(&census.id(left), &census.id(right));
        u128::from_be_bytes(*bytes.first_chunk().unwrap()).leading_zeros()
    }

    #[test]
    fn a_table_says_the_same_each_time_and_never_names_its_owner() {
        let census = Census::new(Terrain { nodes: 5000, ..Terrain::default() });
        let own = census.id(7);
        let known = census.known_to(7, &own, 8);
        assert_eq!(known, census.known_to(7, &own, 8));
        assert_eq!(known.len(), 8);
        assert!(!known.contains(&7));
    }

    #[test]
    fn each_step_gains_at_least_the_bits_of_a_bucket() {
        let census = Census::new(Terrain { nodes: 20_000, ..Terrain::default() });
        let target = census.id(99);
        let mut gained = 0;
        for owner in 0..200 {
            let before = shared(&census, owner, 99);
            let mut known = census.known_to(owner, &target, 8);
            known.retain(|number| *number != 99);
            let after = known.iter().map(|number| shared(&census, *number, 99)).max().unwrap();
            assert!(after > before || before > 10, "from {before} to {after}");
            gained += after.saturating_sub(before);
        }
        // One bit for the bucket and three for the closest of eight in it; more in the wide ones.
        assert!((4 * 200..9 * 200).contains(&gained), "{gained}");
    }

    #[test]
    fn gone_contacts_are_named_in_their_share() {
        let census = Census::new(Terrain { nodes: 20_000, dead: 0.4, ..Terrain::default() });
        let named: Vec<Number> = (0..400)
            .flat_map(|owner| census.known_to(owner, &census.id(owner + 1000), 8))
            .collect();
        let gone = named.iter().filter(|number| !census.lives(**number)).count();
        assert!(
            (gone * 10).abs_diff(named.len() * 4) < named.len() / 2,
            "{gone} of {}",
            named.len()
        );
    }
}
