//! Where the node keeps what it keeps for others: the trait, so that a disk or a policy of one's own can stand behind it.
//! What comes in has been verified and its sender's token checked; a store only decides what stays.

mod items;
mod memory;
mod peers;
mod quota;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use mainstay_krpc::Id;
use mainstay_krpc::item::{ImmutableItem, MutableItem};

pub use self::memory::MemoryStore;

/// Keeps items and peers for strangers. [`MemoryStore`] is the one that a node has by default;
/// [`Node::set_store`](crate::Node::set_store) gives it another.
///
/// The node calls it between two datagrams and waits: an implementation that reads a disk should keep what is asked
/// often in memory. Time comes in with each call and never goes back. An implementation must keep these true:
///
/// - What [`mutable`](Self::mutable) and [`immutable`](Self::immutable) give was put before under the item's own
///   target. The node verifies before it puts, and not again when it reads, so a store that outlives the process must
///   verify what it loads; making a [`MutableItem`] does.
/// - Something that was put or announced is there until it expires, is replaced, or is pushed out for want of room.
///   BEP 44 expects two hours for an item, BEP 5 something below an hour for a peer.
/// - It is bounded. Senders choose targets freely, and addresses cheaply.
///
/// Rules of the protocol (tokens, sequence numbers, `cas`, signatures, sizes) are the node's and are decided before a
/// store is called.
pub trait Store: fmt::Debug + Send {
    /// The item under `target` that has not expired.
    fn mutable(&self, now: Instant, target: &Id) -> Option<MutableItem>;

    /// The value under `target` that has not expired.
    fn immutable(&self, now: Instant, target: &Id) -> Option<ImmutableItem>;

    /// Whether a put of `from` under `target` would find room: asked before a signature is verified, so that a flood
    /// of items for which there is none costs next to nothing. A store that cannot tell says yes.
    fn has_room(&self, now: Instant, from: IpAddr, target: &Id, kind: ItemKind) -> bool {
        let _ = (now, from, target, kind);
        true
    }

    /// Keeps `item` in the place of an older one with its target.
    ///
    /// # Errors
    /// [`Full`], which the sender is told as error 202.
    fn put_mutable(&mut self, now: Instant, from: IpAddr, item: MutableItem) -> Result<(), Full>;

    /// Keeps `item`, or renews it if it is there.
    ///
    /// # Errors
    /// [`Full`].
    fn put_immutable(
        &mut self,
        now: Instant,
        from: IpAddr,
        item: ImmutableItem,
    ) -> Result<(), Full>;

    /// Renews the life of a mutable item that was put again unchanged.
    fn refresh(&mut self, now: Instant, target: &Id);

    /// Keeps a peer, or renews it.
    ///
    /// # Errors
    /// [`Full`].
    fn announce(
        &mut self,
        now: Instant,
        info_hash: Id,
        from: IpAddr,
        peer: Peer,
    ) -> Result<(), Full>;

    /// Shows `visit` the peers of `info_hash` that have not expired, of one family or of both.
    fn peers(
        &self,
        now: Instant,
        info_hash: &Id,
        family: Option<PeerFamily>,
        visit: &mut dyn FnMut(Peer),
    );

    /// Shows `visit` every info hash that has peers which have not expired.
    fn info_hashes(&self, now: Instant, visit: &mut dyn FnMut(Id));

    /// How much there is.
    fn counts(&self) -> StoreCounts;

    /// Tells the node's id, at the start and whenever it changes: what is near it is more likely to be asked of it.
    fn set_home(&mut self, home: Id) {
        let _ = home;
    }

    /// Does what is due, for instance sweeps out what has expired.
    fn handle_timeout(&mut self, now: Instant) {
        let _ = now;
    }

    /// When [`handle_timeout`](Self::handle_timeout) should be called next. After that call it must lie ahead, or the
    /// node does nothing else.
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}

/// There is no room: the pool is full of what is nearer, or the sender's share of it is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the store has no room for this sender's item; it should be put elsewhere")]
pub struct Full;

/// Which of the two kinds of item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemKind {
    /// Signed by a key.
    Mutable,
    /// Named by its hash.
    Immutable,
}

/// Somebody who announced an info hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Where it listens; the address is proven, the port is what it said.
    pub addr: SocketAddr,
    /// Whether it says that it has everything ([BEP 33](https://www.bittorrent.org/beps/bep_0033.html)).
    pub seed: bool,
}

/// Which peers are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerFamily {
    /// Those with an IPv4 address.
    Ipv4,
    /// Those with an IPv6 address.
    Ipv6,
}

impl PeerFamily {
    /// The family of an address.
    #[must_use]
    pub const fn of(addr: SocketAddr) -> Self {
        match addr {
            SocketAddr::V4(_) => Self::Ipv4,
            SocketAddr::V6(_) => Self::Ipv6,
        }
    }
}

/// How much a store holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreCounts {
    /// Items of both kinds.
    pub items: usize,
    /// Info hashes that have peers.
    pub info_hashes: usize,
}
