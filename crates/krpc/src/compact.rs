//! Nodes and peers in their compact forms of 26, 38, 6 and 18 bytes: apart from messages, which only list them.

mod nodes;
mod peers;
mod samples;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

pub use nodes::{NodeIter, NodeList, Nodes, Nodes6};
pub use peers::{PeerIter, Values};
pub use samples::{SampleIter, Samples};

use crate::Id;

/// An IPv4 node: 26 bytes ([BEP 5](https://www.bittorrent.org/beps/bep_0005.html#contact-encoding)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeInfo {
    /// Its id, as somebody says.
    pub id: Id,
    /// Its address, as somebody says: perhaps port 0, perhaps not even reachable.
    pub addr: SocketAddrV4,
}

/// An IPv6 node: 38 bytes ([BEP 32](https://www.bittorrent.org/beps/bep_0032.html)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeInfo6 {
    /// Its id, as somebody says.
    pub id: Id,
    /// Its address, as somebody says: perhaps port 0, perhaps not even reachable.
    pub addr: SocketAddrV6,
}

/// A node of either family, for what is the same for both. Implemented by [`NodeInfo`] and [`NodeInfo6`] only.
pub trait CompactNode: Copy + PartialEq + std::fmt::Debug + sealed::Sealed {
    /// How many bytes one node takes.
    const LENGTH: usize;

    /// The node written in `bytes`, if they are exactly [`LENGTH`](Self::LENGTH).
    fn read(bytes: &[u8]) -> Option<Self>;

    /// Appends `nodes`, in [`LENGTH`](Self::LENGTH) bytes each.
    fn write_all(nodes: &[Self], out: &mut Vec<u8>);
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::NodeInfo {}
    impl Sealed for super::NodeInfo6 {}
}

impl CompactNode for NodeInfo {
    const LENGTH: usize = 26;

    #[inline]
    fn read(bytes: &[u8]) -> Option<Self> {
        let (id, addr) = bytes.split_first_chunk::<20>()?;
        Some(Self { id: Id::from_bytes(*id), addr: read_v4(addr.try_into().ok()?) })
    }

    #[inline]
    fn write_all(nodes: &[Self], out: &mut Vec<u8>) {
        write_all(nodes, out, |node| -> [u8; 26] {
            join(node.id.as_bytes(), &v4_bytes(node.addr))
        });
    }
}

impl CompactNode for NodeInfo6 {
    const LENGTH: usize = 38;

    #[inline]
    fn read(bytes: &[u8]) -> Option<Self> {
        let (id, addr) = bytes.split_first_chunk::<20>()?;
        Some(Self { id: Id::from_bytes(*id), addr: read_v6(addr.try_into().ok()?) })
    }

    #[inline]
    fn write_all(nodes: &[Self], out: &mut Vec<u8>) {
        write_all(nodes, out, |node| -> [u8; 38] {
            join(node.id.as_bytes(), &v6_bytes(node.addr))
        });
    }
}

/// The peer written in 6 or 18 bytes.
#[must_use]
pub fn read_peer(bytes: &[u8]) -> Option<SocketAddr> {
    match bytes.len() {
        6 => bytes.try_into().ok().map(|bytes| SocketAddr::V4(read_v4(bytes))),
        18 => bytes.try_into().ok().map(|bytes| SocketAddr::V6(read_v6(bytes))),
        _ => None,
    }
}

/// Appends a peer in 6 or 18 bytes.
pub fn write_peer(peer: SocketAddr, out: &mut Vec<u8>) {
    match peer {
        SocketAddr::V4(peer) => out.extend_from_slice(&v4_bytes(peer)),
        SocketAddr::V6(peer) => out.extend_from_slice(&v6_bytes(peer)),
    }
}

fn read_v4(&[a, b, c, d, high, low]: &[u8; 6]) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([high, low]))
}

fn read_v6(bytes: &[u8; 18]) -> SocketAddrV6 {
    let [ip @ .., high, low] = bytes;
    SocketAddrV6::new(Ipv6Addr::from(*ip), u16::from_be_bytes([*high, *low]), 0, 0)
}

fn v4_bytes(addr: SocketAddrV4) -> [u8; 6] {
    join(&addr.ip().octets(), &addr.port().to_be_bytes())
}

fn v6_bytes(addr: SocketAddrV6) -> [u8; 18] {
    join(&addr.ip().octets(), &addr.port().to_be_bytes())
}

/// Appends each of `nodes` in its `N` bytes, after making room for all of them at once.
#[inline]
fn write_all<T, const N: usize>(nodes: &[T], out: &mut Vec<u8>, bytes: impl Fn(&T) -> [u8; N]) {
    let start = out.len();
    out.resize(start + nodes.len() * N, 0);
    let (room, _) = out.get_mut(start..).unwrap_or_default().as_chunks_mut::<N>();
    for (room, node) in room.iter_mut().zip(nodes) {
        *room = bytes(node);
    }
}

/// `head`, then `tail`; `N` is the sum of their lengths.
#[inline]
fn join<const H: usize, const T: usize, const N: usize>(head: &[u8; H], tail: &[u8; T]) -> [u8; N] {
    const { assert!(H + T == N, "both parts fill the whole") };
    let mut joined = [0; N];
    if let Some((first, last)) = joined.split_at_mut_checked(H) {
        first.copy_from_slice(head);
        last.copy_from_slice(tail);
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_walked_by_value_and_by_reference() {
        let ids = [1, 2].map(|byte| Id::from_bytes([byte; 20]));
        let addr = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), 6881);
        let nodes = ids.map(|id| NodeInfo { id, addr });
        let mut raw = Vec::new();
        NodeInfo::write_all(&nodes, &mut raw);
        for list in [NodeList::List(&nodes), NodeList::Raw(&raw), NodeList::Raw(&raw[..52])] {
            assert_eq!((&list).into_iter().collect::<Vec<_>>(), nodes);
            assert_eq!(list.into_iter().collect::<Vec<_>>(), nodes);
        }
        let of_one: Vec<_> = NodeList::<NodeInfo>::Raw(&raw[..51]).into_iter().collect();
        assert_eq!(of_one, nodes[..1], "a broken tail is no node");

        let peers = [SocketAddr::V4(addr)];
        for list in [Values::List(&peers), Values::Joined(&raw[20..26]), Values::Raw(b"")] {
            let walked: Vec<_> = list.into_iter().collect();
            assert_eq!((&list).into_iter().collect::<Vec<_>>(), walked);
            assert_eq!(walked, peers[..usize::from(list != Values::Raw(b""))]);
        }

        let hashes = [[1; 20], [2; 20]].concat();
        for list in [Samples::List(&ids), Samples::Raw(&hashes)] {
            assert_eq!((&list).into_iter().collect::<Vec<_>>(), ids);
            assert_eq!(list.into_iter().collect::<Vec<_>>(), ids);
        }
    }
}
