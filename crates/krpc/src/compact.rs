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

    /// Appends this node.
    fn write(&self, out: &mut Vec<u8>);
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
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.id.as_bytes());
        write_v4(self.addr, out);
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
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.id.as_bytes());
        write_v6(self.addr, out);
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
        SocketAddr::V4(peer) => write_v4(peer, out),
        SocketAddr::V6(peer) => write_v6(peer, out),
    }
}

fn read_v4(&[a, b, c, d, high, low]: &[u8; 6]) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([high, low]))
}

fn read_v6(bytes: &[u8; 18]) -> SocketAddrV6 {
    let [ip @ .., high, low] = bytes;
    SocketAddrV6::new(Ipv6Addr::from(*ip), u16::from_be_bytes([*high, *low]), 0, 0)
}

fn write_v4(addr: SocketAddrV4, out: &mut Vec<u8>) {
    out.extend_from_slice(&addr.ip().octets());
    out.extend_from_slice(&addr.port().to_be_bytes());
}

fn write_v6(addr: SocketAddrV6, out: &mut Vec<u8>) {
    out.extend_from_slice(&addr.ip().octets());
    out.extend_from_slice(&addr.port().to_be_bytes());
}
