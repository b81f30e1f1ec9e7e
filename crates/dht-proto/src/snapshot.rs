//! What of a node outlives it: its ids, the best nodes it knew, what it published.
//! Apart from the node, because it is data at rest, and whoever stores it needs no node.

mod read;
mod write;

use std::net::IpAddr;
use std::time::Duration;

use mainstay_krpc::Id;
use mainstay_krpc::item::MutableItem;

use crate::RemoteNode;

pub use read::SnapshotError;

/// How many ids of one family are remembered, each for the address it fits.
pub(crate) const IDENTITIES: usize = 8;

/// What a node needs to start again where it stopped.
///
/// [`Node::snapshot`](crate::Node::snapshot) takes one, [`Node::restore`](crate::Node::restore) starts from it.
/// Tokens are not part of it: they live for minutes, and a node that starts draws a new key.
///
/// The binary form ([`encode`](Self::encode), [`decode`](Self::decode)) has a version, a length and a checksum, and
/// one form only for each snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The time of day at which it was taken, since the UNIX epoch; `None` if that was not known. Kept to the
    /// millisecond.
    pub taken: Option<Duration>,
    /// Our ids in the IPv4 network, the present one first: 8 at most.
    pub ipv4: Vec<Identity>,
    /// Our ids in the IPv6 network, the present one first: 8 at most.
    pub ipv6: Vec<Identity>,
    /// Nodes that answered us, the best first: [`Snapshot::MOST_NODES`] at most.
    pub nodes: Vec<SavedNode>,
    /// Signed items that we stored in the network, the latest last: [`Snapshot::MOST_PUBLISHED`] at most.
    pub published: Vec<MutableItem>,
}

/// An id of ours, and the address it fits ([BEP 42](https://www.bittorrent.org/beps/bep_0042.html)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The id.
    pub id: Id,
    /// Our public address while we had it, where it was known.
    pub address: Option<IpAddr>,
}

/// A node worth asking first next time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SavedNode {
    /// Who and where.
    pub node: RemoteNode,
    /// How long its answers took, on average. Kept to the microsecond, up to an hour.
    pub rtt: Duration,
    /// For how long it had been silent when the snapshot was taken. Kept to the second, up to 136 years.
    pub age: Duration,
}

impl Snapshot {
    /// How many nodes a snapshot holds at most; [`encode`](Self::encode) leaves out those behind.
    pub const MOST_NODES: usize = 2048;
    /// How many published items a snapshot holds at most; [`encode`](Self::encode) leaves out the earliest.
    pub const MOST_PUBLISHED: usize = 1024;
    /// No encoded snapshot is longer, in bytes: about 1.3 MB.
    pub const MOST_BYTES: usize = write::MOST_BYTES;

    /// The binary form.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        write::encode(self)
    }

    /// Reads the binary form. Allocates no more than the input is long, and verifies each published item: 50 to
    /// 100 microseconds apiece.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`], if these are not the bytes that [`encode`](Self::encode) made: set the file aside and start
    /// without it.
    pub fn decode(bytes: &[u8]) -> Result<Self, SnapshotError> {
        read::decode(bytes)
    }
}

#[cfg(test)]
mod tests;
