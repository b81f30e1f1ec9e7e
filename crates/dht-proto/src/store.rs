//! What the node keeps for others: items for two hours, peers for 45 minutes, each within caps and quotas.
//! Verification is done before; here it is only decided what stays.

mod items;
mod peers;
mod quota;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mainstay_krpc::Id;
use mainstay_krpc::item::{ImmutableItem, MutableItem};

pub(crate) use self::items::Full;
use self::items::Items;
use self::peers::Peers;
use crate::StoreConfig;

/// How often expired entries are swept out; they are never handed out before that either.
const SWEEP: Duration = Duration::from_secs(300);

/// Three pools, each with its own caps, so that a flood of one kind cannot push out another.
#[derive(Debug)]
pub(crate) struct Store {
    mutable: Items<MutableItem>,
    immutable: Items<ImmutableItem>,
    peers: Peers,
    sweep_at: Option<Instant>,
}

impl Store {
    pub(crate) fn new(config: &StoreConfig, home: Id) -> Self {
        Self {
            mutable: Items::new(config, config.mutable_items, home),
            immutable: Items::new(config, config.immutable_items, home),
            peers: Peers::new(config, home),
            sweep_at: None,
        }
    }

    pub(crate) fn mutable(&self, now: Instant, target: &Id) -> Option<&MutableItem> {
        self.mutable.find(now, target)
    }

    pub(crate) fn immutable(&self, now: Instant, target: &Id) -> Option<&ImmutableItem> {
        self.immutable.find(now, target)
    }

    pub(crate) fn put_mutable(
        &mut self,
        now: Instant,
        from: SocketAddr,
        item: MutableItem,
    ) -> Result<(), Full> {
        self.schedule(now);
        self.mutable.put(now, from, item.target(), item)
    }

    pub(crate) fn put_immutable(
        &mut self,
        now: Instant,
        from: SocketAddr,
        item: ImmutableItem,
    ) -> Result<(), Full> {
        self.schedule(now);
        self.immutable.put(now, from, item.target(), item)
    }

    /// Renews the life of an item that was put again unchanged.
    pub(crate) fn refresh_mutable(&mut self, now: Instant, target: &Id) {
        self.mutable.refresh(now, target);
    }

    pub(crate) fn announce(
        &mut self,
        now: Instant,
        info_hash: Id,
        from: SocketAddr,
        peer: SocketAddr,
        seed: bool,
    ) -> Result<(), Full> {
        self.schedule(now);
        self.peers.announce(now, info_hash, from, peer, seed)
    }

    pub(crate) fn peers(&self) -> &Peers {
        &self.peers
    }

    /// How many items there are.
    pub(crate) fn items(&self) -> usize {
        self.mutable.len() + self.immutable.len()
    }

    /// Follows a change of our id: what is far is judged anew.
    pub(crate) fn move_home(&mut self, home: Id) {
        self.mutable.move_home(home);
        self.immutable.move_home(home);
        self.peers.move_home(home);
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.sweep_at.is_none_or(|at| now < at) {
            return;
        }
        self.mutable.sweep(now);
        self.immutable.sweep(now);
        self.peers.sweep(now);
        let empty = self.items() == 0 && self.peers.info_hashes() == 0;
        self.sweep_at = (!empty).then_some(now + SWEEP);
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.sweep_at
    }

    fn schedule(&mut self, now: Instant) {
        self.sweep_at.get_or_insert(now + SWEEP);
    }
}
