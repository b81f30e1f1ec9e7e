//! The least time in which a value can be got: an oracle asks in the place of the node.
//!
//! Separate from the trials, which ask real nodes: the oracle sends nothing. It knows who lives, loses no packet,
//! and works out from the same census, the same ways and the same tables when the first answer with the value is
//! there. What a node takes beyond that is its own doing; the rest is that of the internet.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::net::SocketAddr;
use std::time::Duration;

use mainstay_krpc::Id;
use mainstay_sim::Dice;

use super::census::distance;
use super::{Internet, Number, World};

/// How many of the nodes that a reader remembers the oracle begins with: all, in practice.
const REMEMBERED: usize = 8192;
/// What an oracle's draws are made with, beside the seed.
const FLOOR: u64 = 0x0066_6c6f_6f72;
/// Each way adds up to this, as in the world.
const JITTER: Duration = Duration::from_millis(4);

/// What nobody can be quicker than, for one get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Floor {
    /// One exchange with the quickest of those that hold the value: for who knows them beforehand.
    pub holders: Duration,
    /// From what the reader remembers, with everybody alive asked at once that it knows or that is named.
    pub everybody: Duration,
    /// How many that asked.
    pub asked: usize,
    /// From the same, the closest first and so many in flight as the node has, none of them silent or busy.
    pub in_flight: Duration,
}

/// One oracle before one internet.
struct Oracle<'a> {
    world: &'a World,
    internet: &'a Internet,
    home: SocketAddr,
    target: Id,
    dice: Dice,
}

/// How an oracle asks.
#[derive(Clone, Copy)]
struct Manner {
    /// How many are asked at once.
    width: usize,
    /// Whether those that take half a second and more are left out.
    spares_the_busy: bool,
}

impl Floor {
    /// For a get of `target` by this guest now, with `width` in flight; `None` if nobody alive has the value, or
    /// nobody can lead to it.
    #[must_use]
    pub fn of(world: &World, guest: usize, target: Id, width: usize) -> Option<Self> {
        let internet = world.internet.as_ref()?.borrow();
        let seed = internet.census().terrain().seed;
        let [.., tail] = *target.as_bytes().as_chunks::<4>().0 else { return None };
        let dice = Dice::of(&[seed, FLOOR, u64::from(u32::from_be_bytes(tail))]);
        let home = super::address(guest);
        let mut oracle = Oracle { world, internet: &internet, home, target, dice };
        let known = world.node(guest).remembered(world.net.now(), &target, REMEMBERED);
        let known: Vec<Number> =
            known.into_iter().filter_map(|node| internet.census().at(node.addr)).collect();
        let all = Manner { width: usize::MAX, spares_the_busy: false };
        let (everybody, asked) = oracle.search(&known, all)?;
        let (in_flight, _) = oracle.search(&known, Manner { width, spares_the_busy: true })?;
        Some(Self { holders: oracle.holders()?, everybody, asked, in_flight })
    }
}

impl Oracle<'_> {
    /// One exchange with the quickest of the holders, who are among the closest.
    fn holders(&mut self) -> Option<Duration> {
        let census = self.internet.census();
        let near = census.closest(&self.target, 64, |number| census.lives(number));
        let holders: Vec<Number> = near.into_iter().filter(|number| self.holds(*number)).collect();
        holders.into_iter().map(|number| self.exchange(number)).min()
    }

    /// When the first answer with the value comes to who begins with these, and how many have been asked by then.
    fn search(&mut self, known: &[Number], manner: Manner) -> Option<(Duration, usize)> {
        let mut now = Duration::ZERO;
        let mut asked = 0;
        let mut met = BTreeSet::new();
        let mut waiting = BTreeMap::new();
        let mut in_flight = BinaryHeap::new();
        self.meet(known, manner, &mut met, &mut waiting);
        loop {
            while in_flight.len() < manner.width
                && let Some((_, number)) = waiting.pop_first()
            {
                asked += 1;
                in_flight.push(Reverse((now + self.exchange(number), number)));
            }
            let Reverse((at, number)) = in_flight.pop()?;
            if self.holds(number) {
                return Some((at, asked));
            }
            now = at;
            let census = self.internet.census();
            let named = census.known_to(number, &self.target, census.program(number).names());
            self.meet(&named, manner, &mut met, &mut waiting);
        }
    }

    /// Those of these that are new and worth asking wait for their turn.
    fn meet(
        &self,
        named: &[Number],
        manner: Manner,
        met: &mut BTreeSet<Number>,
        waiting: &mut BTreeMap<[u8; 20], Number>,
    ) {
        let census = self.internet.census();
        for number in named {
            let [_, busy, _] = census.nature(*number);
            if met.insert(*number) && census.lives(*number) && !(busy && manner.spares_the_busy) {
                waiting.insert(distance(&census.id(*number), &self.target), *number);
            }
        }
    }

    fn holds(&self, number: Number) -> bool {
        self.internet.holds(self.world.net.now(), number, &self.target)
    }

    /// From a query to its answer.
    fn exchange(&mut self, number: Number) -> Duration {
        let address = self.internet.census().address(number).into();
        let ways = self.world.net.delay(self.home, address) * 2;
        let jitter = self.dice.up_to(JITTER) + self.dice.up_to(JITTER);
        ways + jitter + self.internet.pause(number, &mut self.dice)
    }
}
