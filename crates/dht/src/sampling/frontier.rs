//! Whom a walk through the network asks next, and whom not again.
//! Separate from the walk, which sends and waits; here no time passes and nothing is sent.

use std::collections::hash_map::{Entry, RandomState};
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mainstay_dht_proto::RemoteNode;
use mainstay_krpc::Id;

/// The longest that a node may ask to be left alone
/// ([BEP 51](https://www.bittorrent.org/beps/bep_0051.html)).
const LONGEST: Duration = Duration::from_secs(21_600);
/// When somebody who has not answered may be asked again.
const SILENT: Duration = Duration::from_secs(3600);

/// The nodes that wait to be asked, and those that were.
#[derive(Debug)]
pub(super) struct Frontier {
    began: Instant,
    waiting: VecDeque<RemoteNode>,
    /// When an address may be asked again, in seconds since the walk began, by a keyed hash of it.
    asked: HashMap<u64, u32>,
    key: RandomState,
    most_nodes: usize,
    most_waiting: usize,
    /// How many bits any two nodes that were heard of share at most: how far down the network is known.
    depth: usize,
    turn: usize,
}

impl Frontier {
    pub(super) fn new(most_nodes: usize, most_waiting: usize) -> Self {
        Self {
            began: Instant::now(),
            waiting: VecDeque::new(),
            asked: HashMap::new(),
            key: RandomState::new(),
            most_nodes,
            most_waiting: most_waiting.max(1),
            depth: 0,
            turn: 0,
        }
    }

    /// Takes note of a node, unless it waits, was asked, or there is no room. From then on it counts as asked.
    pub(super) fn hear(&mut self, now: Instant, node: RemoteNode) {
        let (hash, second) = (self.hash(node.addr), self.second(now));
        let full = self.asked.len() >= self.most_nodes || self.waiting.len() >= self.most_waiting;
        match self.asked.entry(hash) {
            Entry::Occupied(mut again) => {
                if second < *again.get() || self.waiting.len() >= self.most_waiting {
                    return;
                }
                again.insert(u32::MAX);
            }
            Entry::Vacant(_) if full => return,
            Entry::Vacant(first) => {
                first.insert(u32::MAX);
            }
        }
        if let Some(last) = self.waiting.back() {
            let shared = shared_prefix(&last.id, &node.id);
            self.depth = self.depth.max(shared).min(24);
        }
        self.waiting.push_back(node);
    }

    /// Whom to ask, and about which target.
    ///
    /// A node is asked for somebody who shares so many bits with it and not the next: its table has a bucket for each
    /// such number, and eight of one bucket are what it names. The numbers take turns, so that all buckets of the
    /// network are named by somebody: those far from a node lead everywhere, those near it leave out nobody.
    pub(super) fn next(&mut self, now: Instant) -> Option<(RemoteNode, Id)> {
        let node = self.waiting.pop_front()?;
        let (hash, second) = (self.hash(node.addr), self.second(now));
        self.asked.insert(hash, second.saturating_add(whole_seconds(SILENT)));
        self.turn = self.turn.wrapping_add(1);
        let level = self.turn % (self.depth + 1);
        Some((node, beyond(&node.id, level, rand::random())))
    }

    /// A node has answered, and wants to be left alone for so long.
    pub(super) fn answered(&mut self, node: &RemoteNode, now: Instant, interval: Duration) {
        let again = self.second(now).saturating_add(whole_seconds(interval.min(LONGEST)));
        self.asked.insert(self.hash(node.addr), again);
    }

    fn hash(&self, addr: SocketAddr) -> u64 {
        self.key.hash_one(addr)
    }

    fn second(&self, now: Instant) -> u32 {
        whole_seconds(now.saturating_duration_since(self.began))
    }
}

/// Rounded up, so that nobody is asked early.
fn whole_seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs().saturating_add(1)).unwrap_or(u32::MAX)
}

/// An id that shares `level` bits with `id` and differs in the next; the rest is `random`.
fn beyond(id: &Id, level: usize, random: [u8; 20]) -> Id {
    let mut bytes = random;
    for bit in 0..=level.min(159) {
        let (at, mask) = (bit / 8, 0x80_u8 >> (bit % 8));
        let flip = if bit == level { mask } else { 0 };
        if let (Some(byte), Some(own)) = (bytes.get_mut(at), id.as_bytes().get(at)) {
            *byte = (*byte & !mask) | ((own ^ flip) & mask);
        }
    }
    Id::from_bytes(bytes)
}

fn shared_prefix(left: &Id, right: &Id) -> usize {
    let bytes = left.as_bytes().iter().zip(right.as_bytes());
    let equal = bytes.clone().take_while(|(left, right)| left == right).count();
    let rest = bytes.map(|(left, right)| left ^ right).nth(equal);
    equal * 8 + rest.map_or(0, |differs| differs.leading_zeros() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(n: u16) -> RemoteNode {
        let [high, low] = n.to_be_bytes();
        let mut id = [0; 20];
        (id[0], id[1]) = (low, high);
        RemoteNode { id: Id::from_bytes(id), addr: ([60, high, low, 1], 6881).into() }
    }

    fn drained(frontier: &mut Frontier, now: Instant) -> Vec<RemoteNode> {
        std::iter::from_fn(|| frontier.next(now)).map(|(node, _)| node).collect()
    }

    #[test]
    fn nobody_is_asked_twice_before_the_time_it_named_has_passed() {
        let mut frontier = Frontier::new(100, 100);
        let now = frontier.began;
        for _ in 0..3 {
            frontier.hear(now, node(1));
            frontier.hear(now, node(2));
        }
        assert_eq!(drained(&mut frontier, now), [node(1), node(2)]);
        // One answers and names a time; the other is silent.
        frontier.answered(&node(1), now, Duration::from_secs(600));
        for (after, asked) in [(0, vec![]), (599, vec![]), (602, vec![node(1)])] {
            let now = now + Duration::from_secs(after);
            frontier.hear(now, node(1));
            frontier.hear(now, node(2));
            assert_eq!(drained(&mut frontier, now), asked, "after {after} s");
        }
        let now = now + SILENT + Duration::from_secs(2);
        frontier.hear(now, node(2));
        assert_eq!(drained(&mut frontier, now), [node(2)]);
    }

    #[test]
    fn nobody_can_ask_to_be_left_alone_for_ever() {
        let mut frontier = Frontier::new(100, 100);
        let now = frontier.began;
        frontier.hear(now, node(1));
        drained(&mut frontier, now);
        frontier.answered(&node(1), now, Duration::MAX);
        let now = now + LONGEST + Duration::from_secs(2);
        frontier.hear(now, node(1));
        assert_eq!(drained(&mut frontier, now), [node(1)]);
    }

    #[test]
    fn what_others_name_takes_bounded_room() {
        let mut frontier = Frontier::new(150, 20);
        let now = frontier.began;
        let mut asked = 0;
        for n in 0..1000 {
            frontier.hear(now, node(n));
            assert!(frontier.waiting.len() <= 20 && frontier.asked.len() <= 150);
            if n % 30 == 0 {
                asked += drained(&mut frontier, now).len();
            }
        }
        asked += drained(&mut frontier, now).len();
        assert_eq!(asked, 150);
    }

    #[test]
    fn targets_lie_in_every_bucket_of_who_is_asked() {
        let id = Id::from_bytes([0b1010_1010; 20]);
        for level in [0, 1, 7, 8, 30, 159] {
            for random in [[0; 20], [0xff; 20]] {
                assert_eq!(shared_prefix(&beyond(&id, level, random), &id), level);
            }
        }
        assert_eq!(shared_prefix(&id, &id), 160);
    }
}
