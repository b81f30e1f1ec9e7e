//! Where a node is attached: its addresses, its access line, its NAT.
//! Separate because it is given once, when a node joins, and never mixes with what happens after.

use std::net::SocketAddr;

use crate::{Limit, Link};

/// A node in the network, as [`Network::add`](crate::Network::add) named it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node(pub(crate) usize);

impl Node {
    /// Nodes are numbered from 0 in the order they were added.
    pub const fn index(self) -> usize {
        self.0
    }
}

/// A private network behind a NAT, as [`Network::add_site`](crate::Network::add_site) named it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Site(pub(crate) usize);

/// How a node is attached to the network.
#[derive(Debug, Clone)]
pub struct Host {
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) line: Link,
    pub(crate) site: Option<Site>,
    pub(crate) limit: Option<Limit>,
}

impl Host {
    /// A host on the open network at this address.
    pub fn open(address: SocketAddr) -> Self {
        Self { addresses: vec![address], line: Link::default(), site: None, limit: None }
    }

    /// A host inside a site, at an address that only the site's NAT knows.
    pub fn inside(site: Site, address: SocketAddr) -> Self {
        Self { site: Some(site), ..Self::open(address) }
    }

    /// Another address of the same host, for instance of the other family.
    ///
    /// What it sends leaves from its first address of the destination's family.
    #[must_use]
    pub fn and(mut self, address: SocketAddr) -> Self {
        self.addresses.push(address);
        self
    }

    /// Its access line: every packet to or from it passes this link and the network's own.
    #[must_use]
    pub fn line(mut self, line: Link) -> Self {
        self.line = line;
        self
    }

    /// What it takes in from one address; the rest is dropped at its door.
    #[must_use]
    pub const fn limit(mut self, limit: Limit) -> Self {
        self.limit = Some(limit);
        self
    }
}
