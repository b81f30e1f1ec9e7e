//! What is stored at nodes, and who asked them how often.
//!
//! Separate because it is the only memory that this internet has.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use mainstay_krpc::Id;
use mainstay_krpc::item::{ImmutableItem, MutableItem};

use super::census::Number;

/// How long an item stays.
const LIFETIME: Duration = Duration::from_secs(2 * 3600);
/// How many visits in [`WINDOW`] libtorrent answers, and how long it then says nothing.
const VISITS: u32 = 50;
const WINDOW: Duration = Duration::from_secs(10);
const BAN: Duration = Duration::from_secs(300);

/// An item at a node.
#[derive(Clone, Debug)]
pub(crate) enum Stored {
    Mutable(MutableItem),
    Immutable(ImmutableItem),
}

/// All that nodes remember.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    /// With the time, and with the stay of the node: who goes forgets.
    items: HashMap<(Number, Id), (Instant, u64, Stored)>,
    peers: HashMap<(Number, Id), Vec<SocketAddr>>,
    visits: HashMap<(Number, IpAddr), Visits>,
}

#[derive(Clone, Copy, Debug)]
struct Visits {
    since: Instant,
    count: u32,
}

impl Shelf {
    pub(crate) fn item(&self, now: Instant, at: Number, stay: u64, target: &Id) -> Option<&Stored> {
        let (since, stayed, stored) = self.items.get(&(at, *target))?;
        let fresh = now.saturating_duration_since(*since) < LIFETIME;
        (fresh && *stayed == stay).then_some(stored)
    }

    pub(crate) fn keep(&mut self, now: Instant, at: Number, stay: u64, target: Id, item: Stored) {
        self.items.insert((at, target), (now, stay, item));
    }

    pub(crate) fn peers(&self, at: Number, info_hash: &Id) -> &[SocketAddr] {
        self.peers.get(&(at, *info_hash)).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn announce(&mut self, at: Number, info_hash: Id, peer: SocketAddr) {
        let peers = self.peers.entry((at, info_hash)).or_default();
        if !peers.contains(&peer) && peers.len() < 50 {
            peers.push(peer);
        }
    }

    /// Whether a libtorrent node answers one more visit of this host.
    pub(crate) fn is_welcome(&mut self, now: Instant, at: Number, from: IpAddr) -> bool {
        let visits = self.visits.entry((at, from)).or_insert(Visits { since: now, count: 0 });
        let passed = now.saturating_duration_since(visits.since);
        if passed > WINDOW && (visits.count <= VISITS || passed > BAN) {
            *visits = Visits { since: now, count: 0 };
        }
        visits.count += 1;
        if visits.count > VISITS {
            visits.since = now;
        }
        visits.count <= VISITS
    }

    /// Items stored, old ones included.
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }
}
