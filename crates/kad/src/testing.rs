//! What the tests of this crate share: a contact, a moment, a source of chance, a network of nodes.
//! Only compiled for tests.

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};

use crate::{Contact, Id};

/// A contact with a 32-bit host, whose upper 24 bits are its subnet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Peer {
    pub(crate) id: Id<20>,
    pub(crate) host: u32,
    pub(crate) port: u16,
    pub(crate) preferred: bool,
}

impl Contact<20> for Peer {
    type Address = (u32, u16);
    type Host = u32;
    type Subnet = u32;
    type Provider = u32;

    fn id(&self) -> Id<20> {
        self.id
    }

    fn address(&self) -> (u32, u16) {
        (self.host, self.port)
    }

    fn host(&self) -> u32 {
        self.host
    }

    fn subnet(&self) -> u32 {
        self.host >> 8
    }

    fn provider(&self) -> u32 {
        self.host >> 16
    }

    fn is_preferred(&self) -> bool {
        self.preferred
    }
}

impl Peer {
    /// A peer whose host and subnet nobody else has, as long as `number` is its own.
    pub(crate) fn new(id: Id<20>, number: u32) -> Self {
        Self { id, host: number << 8, port: 1, preferred: true }
    }
}

/// The id whose bits begin with `bits`, a text of 0 and 1, and go on with zeros.
pub(crate) fn id(bits: &str) -> Id<20> {
    bits.bytes().enumerate().fold(Id::ZERO, |id, (at, bit)| id.with_bit(at, bit == b'1'))
}

/// Some moment; the one place where tests read a clock, since an `Instant` cannot be made otherwise.
#[allow(clippy::disallowed_methods, reason = "no test looks at its value")]
pub(crate) fn start() -> Instant {
    Instant::now()
}

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn rng(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

pub(crate) fn random_id(rng: &mut StdRng) -> Id<20> {
    Id::random(|buffer| rng.fill_bytes(buffer))
}

/// Nodes with tables as real ones have them: up to eight nodes from each bucket, chosen at random.
pub(crate) struct Swarm {
    pub(crate) peers: Vec<Peer>,
    known: Vec<Vec<usize>>,
}

impl Swarm {
    pub(crate) fn new(size: u32, rng: &mut StdRng) -> Self {
        let mut ids: Vec<Id<20>> = (0..size).map(|_| random_id(rng)).collect();
        ids.sort_unstable();
        let peers: Vec<Peer> =
            ids.iter().zip(1..).map(|(id, number)| Peer::new(*id, number)).collect();
        let known = peers.iter().map(|peer| table_of(&peers, peer, rng)).collect();
        Self { peers, known }
    }

    pub(crate) fn at(&self, address: (u32, u16)) -> Option<&Peer> {
        let peer = self.peers.get((address.0 >> 8).checked_sub(1)? as usize)?;
        (peer.address() == address).then_some(peer)
    }

    /// The eight closest nodes that the node at this address knows.
    pub(crate) fn answer(&self, address: (u32, u16), target: &Id<20>) -> Vec<Peer> {
        let index = (address.0 >> 8) as usize - 1;
        let mut known: Vec<Peer> = self.known[index].iter().map(|at| self.peers[*at]).collect();
        known.sort_unstable_by(|left, right| target.closer(&left.id, &right.id));
        known.truncate(8);
        known
    }

    /// The nodes closest to the target that there are.
    pub(crate) fn closest(&self, target: &Id<20>, count: usize) -> Vec<Peer> {
        let mut peers = self.peers.clone();
        if count < peers.len() {
            peers.select_nth_unstable_by(count, |left, right| target.closer(&left.id, &right.id));
            peers.truncate(count);
        }
        peers.sort_unstable_by(|left, right| target.closer(&left.id, &right.id));
        peers
    }
}

fn table_of(peers: &[Peer], own: &Peer, rng: &mut StdRng) -> Vec<usize> {
    let mut known = Vec::new();
    let mut others = peers.len() - 1;
    for prefix in 0..Id::<20>::BITS {
        if others == 0 {
            break;
        }
        let low = own
            .id
            .with_bit(prefix, !own.id.bit(prefix))
            .random_with_prefix(prefix + 1, |b| b.fill(0));
        let high = low.random_with_prefix(prefix + 1, |buffer| buffer.fill(0xff));
        let from = peers.partition_point(|peer| peer.id < low);
        let to = peers.partition_point(|peer| peer.id <= high);
        others -= to - from;
        if to - from <= 8 {
            known.extend(from..to);
        } else {
            let mut picked = Vec::new();
            while picked.len() < 8 {
                let at = rng.random_range(from..to);
                if !picked.contains(&at) {
                    picked.push(at);
                }
            }
            known.extend(picked);
        }
    }
    known
}
