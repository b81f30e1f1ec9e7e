//! The store in memory: items for two hours, peers for 45 minutes, each within caps and quotas.
//! Three pools, each with its own caps, so that a flood of one kind cannot push out another.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use mainstay_krpc::Id;
use mainstay_krpc::item::{ImmutableItem, MutableItem};

use super::items::Items;
use super::peers::Peers;
use super::{Full, ItemKind, Peer, PeerFamily, Store, StoreCounts};
use crate::StoreConfig;

/// How often expired entries are swept out; they are never handed out before that either.
const SWEEP: Duration = Duration::from_secs(300);

/// The store that a node has unless it is given another.
///
/// Bounded by [`StoreConfig`]. When a pool is full, the farthest from our id and longest not renewed goes; no host,
/// network or provider fills more than its share. An item costs about 400 bytes beside its value.
#[derive(Debug)]
pub struct MemoryStore {
    mutable: Items<MutableItem>,
    immutable: Items<ImmutableItem>,
    peers: Peers,
    sweep_at: Option<Instant>,
}

impl MemoryStore {
    /// An empty store with these caps.
    #[must_use]
    pub fn new(config: &StoreConfig) -> Self {
        let home = Id::from_bytes([0; 20]);
        Self {
            mutable: Items::new(config, config.mutable_items, home),
            immutable: Items::new(config, config.immutable_items, home),
            peers: Peers::new(config, home),
            sweep_at: None,
        }
    }

    fn schedule(&mut self, now: Instant) {
        self.sweep_at.get_or_insert(now + SWEEP);
    }
}

impl Store for MemoryStore {
    fn mutable(&self, now: Instant, target: &Id) -> Option<MutableItem> {
        self.mutable.find(now, target).cloned()
    }

    fn immutable(&self, now: Instant, target: &Id) -> Option<ImmutableItem> {
        self.immutable.find(now, target).cloned()
    }

    fn has_room(&self, now: Instant, from: IpAddr, target: &Id, kind: ItemKind) -> bool {
        match kind {
            ItemKind::Mutable => self.mutable.has_room(now, from, target),
            ItemKind::Immutable => self.immutable.has_room(now, from, target),
        }
    }

    fn put_mutable(&mut self, now: Instant, from: IpAddr, item: MutableItem) -> Result<(), Full> {
        self.schedule(now);
        self.mutable.put(now, from, item.target(), item)
    }

    fn put_immutable(
        &mut self,
        now: Instant,
        from: IpAddr,
        item: ImmutableItem,
    ) -> Result<(), Full> {
        self.schedule(now);
        self.immutable.put(now, from, item.target(), item)
    }

    fn refresh(&mut self, now: Instant, target: &Id) {
        self.mutable.refresh(now, target);
    }

    fn announce(
        &mut self,
        now: Instant,
        info_hash: Id,
        from: IpAddr,
        peer: Peer,
    ) -> Result<(), Full> {
        self.schedule(now);
        self.peers.announce(now, info_hash, from, peer)
    }

    fn peers(
        &self,
        now: Instant,
        info_hash: &Id,
        family: Option<PeerFamily>,
        visit: &mut dyn FnMut(Peer),
    ) {
        self.peers.of(now, info_hash, family).for_each(visit);
    }

    fn info_hashes(&self, now: Instant, visit: &mut dyn FnMut(Id)) {
        self.peers.hashes(now).for_each(visit);
    }

    fn counts(&self) -> StoreCounts {
        StoreCounts {
            items: self.mutable.len() + self.immutable.len(),
            info_hashes: self.peers.info_hashes(),
        }
    }

    fn set_home(&mut self, home: Id) {
        self.mutable.move_home(home);
        self.immutable.move_home(home);
        self.peers.move_home(home);
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.sweep_at.is_none_or(|at| now < at) {
            return;
        }
        self.mutable.sweep(now);
        self.immutable.sweep(now);
        self.peers.sweep(now);
        self.sweep_at = (self.counts() != StoreCounts::default()).then_some(now + SWEEP);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.sweep_at
    }
}
