//! What the table and the lookup need to know about another node.
//! Separate because it is the only door through which addresses come in, and kad never opens it.

use core::fmt::Debug;

use crate::Id;

/// Another node: who it is and where it is reached.
///
/// kad knows no sockets. The owner says what an address is, and which addresses belong together:
/// a [`Host`](Self::Host) is one machine (for Mainline: one IP address), a
/// [`Subnet`](Self::Subnet) one party that got many addresses at once (for Mainline: a /24, or a
/// /48 of IPv6), a [`Provider`](Self::Provider) a network that parties get theirs from (a /16, or
/// a /32 of IPv6). Table, book and lookup count how many contacts share one, so that a single
/// party cannot fill any of them with names of its own.
///
/// Contacts are cloned when they are handed out; keep them small and cheap to clone.
pub trait Contact<const N: usize>: Clone {
    /// Where a datagram to this node goes. Two contacts with one address are the same endpoint.
    type Address: Clone + Ord + Debug;
    /// The machine behind the address; finer than a subnet, coarser than an address.
    type Host: Clone + Ord + Debug;
    /// The network that the host belongs to.
    type Subnet: Clone + Ord + Debug;
    /// The larger network that the subnet was cut from.
    type Provider: Clone + Ord + Debug;

    /// The id that the node claims.
    fn id(&self) -> Id<N>;

    /// Where it is reached.
    fn address(&self) -> Self::Address;

    /// The machine behind the address.
    fn host(&self) -> Self::Host;

    /// The network behind the host.
    fn subnet(&self) -> Self::Subnet;

    /// The larger network around the subnet.
    fn provider(&self) -> Self::Provider;

    /// Whether both are on one [`host`](Self::host), which is what it says by default.
    ///
    /// Every newcomer is compared with all entries of the table: override this, and the two below, where telling two apart is
    /// cheaper than naming both. It must say the same.
    fn shares_host(&self, other: &Self) -> bool {
        self.host() == other.host()
    }

    /// Whether both are of one [`subnet`](Self::subnet), which is what it says by default.
    fn shares_subnet(&self, other: &Self) -> bool {
        self.subnet() == other.subnet()
    }

    /// Whether both are of one [`provider`](Self::provider), which is what it says by default.
    fn shares_provider(&self, other: &Self) -> bool {
        self.provider() == other.provider()
    }

    /// Whether this contact is worth more than others of its kind: for Mainline, whether its id
    /// fits its address ([BEP 42](https://www.bittorrent.org/beps/bep_0042.html)).
    ///
    /// In a full bucket a preferred contact takes the place of one that is not. Default: true,
    /// which means no preference at all.
    fn is_preferred(&self) -> bool {
        true
    }
}
