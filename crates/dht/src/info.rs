//! What a node shows of itself without being asked: the snapshot behind `Dht::info`.
//! Separate because it is the only memory that the node's task and its handles share.

use std::net::{IpAddr, SocketAddr};
use std::sync::{PoisonError, RwLock};

use mainstay_dht_proto::{Counters, FamilyInfo, Info as NodeInfo};
use mainstay_krpc::Id;
use tokio::sync::watch;

use crate::addresses::Addresses;

/// A look at a node, taken when it last went to sleep.
#[derive(Debug, Clone)]
pub struct Info {
    pub(crate) local: LocalAddrs,
    pub(crate) node: NodeInfo,
    pub(crate) dropped: u64,
    pub(crate) running: bool,
}

/// The addresses that a node listens on, one a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LocalAddrs {
    pub(crate) ipv4: Option<SocketAddr>,
    pub(crate) ipv6: Option<SocketAddr>,
}

impl LocalAddrs {
    /// The IPv4 address, or else the IPv6 one.
    pub(crate) fn first(self) -> SocketAddr {
        self.ipv4.or(self.ipv6).expect("a node is built with one socket at least")
    }

    pub(crate) fn all(self) -> impl Iterator<Item = SocketAddr> {
        self.ipv4.into_iter().chain(self.ipv6)
    }
}

impl Info {
    /// The address that the node listens on: that of IPv4, where it is on.
    pub fn local_addr(&self) -> SocketAddr {
        self.local.first()
    }

    /// The addresses that the node listens on, one for each family that is on.
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        self.local.all().collect()
    }

    /// The node's id: that of IPv4, where it is on. See [`Info::ipv4`] and [`Info::ipv6`] for both.
    pub fn id(&self) -> Id {
        let family = self.node.ipv4.or(self.node.ipv6);
        family.expect("a node is built with one family at least").id
    }

    /// The id, the public address and the table of the IPv4 network, where it is on.
    pub fn ipv4(&self) -> Option<FamilyInfo> {
        self.node.ipv4
    }

    /// The id, the public address and the table of the IPv6 network, where it is on.
    pub fn ipv6(&self) -> Option<FamilyInfo> {
        self.node.ipv6
    }

    /// How others see this node, once enough of them agree: the address of IPv4 before that of IPv6.
    pub fn public_address(&self) -> Option<SocketAddr> {
        self.families().find_map(|family| family.public)
    }

    /// The public IP addresses that are known, one for each family at most.
    pub fn public_ips(&self) -> Vec<IpAddr> {
        self.families().filter_map(|family| family.public).map(|address| address.ip()).collect()
    }

    /// How many nodes the routing tables hold.
    pub fn nodes(&self) -> usize {
        self.families().map(|family| family.nodes).sum()
    }

    /// Whether the node answers others; the opposite is read-only
    /// ([BEP 43](https://www.bittorrent.org/beps/bep_0043.html)).
    pub fn server_mode(&self) -> bool {
        !self.node.read_only
    }

    /// Whether strangers reach this node: hosts that it did not contact lately ask it. `None` until there was time to
    /// tell.
    pub fn reachable(&self) -> Option<bool> {
        self.node.reachable
    }

    /// False while nobody answers any more, so that the uplink must be gone: see
    /// [`NodeEvent::Offline`](crate::NodeEvent::Offline). True before anything was asked.
    pub fn is_online(&self) -> bool {
        !self.node.offline
    }

    /// How many nodes the network seems to have, judged by how dense recent lookups found it: the
    /// larger of both families.
    pub fn network_size(&self) -> Option<u64> {
        self.families().filter_map(|family| family.network_size).max()
    }

    /// How far [`Info::network_size`] may be off: one standard deviation, in nodes.
    ///
    /// It knows of chance alone. A lookup that missed nodes makes the estimate too small, and somebody who
    /// crowds at its target makes it too large.
    pub fn network_size_error(&self) -> Option<u64> {
        let larger = self.families().max_by_key(|family| family.network_size)?;
        larger.network_size_error
    }

    /// Lookups and puts that are running.
    pub fn running(&self) -> usize {
        self.node.asks
    }

    /// Items that the node stores for others.
    pub fn items(&self) -> usize {
        self.node.items
    }

    /// Info hashes for which the node stores peers.
    pub fn info_hashes(&self) -> usize {
        self.node.info_hashes
    }

    /// What came in and went out.
    pub fn counters(&self) -> Counters {
        self.node.counters
    }

    /// Datagrams that the operating system did not take: full buffers, no route, a lost socket.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// False once the node was shut down; the rest then tells its last state.
    pub fn is_running(&self) -> bool {
        self.running
    }

    fn families(&self) -> impl Iterator<Item = FamilyInfo> {
        self.node.ipv4.into_iter().chain(self.node.ipv6)
    }
}

/// How far the first bootstrap is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// Under way.
    Joining,
    /// Settled, successfully or not.
    Settled,
    /// The node is gone.
    Gone,
}

/// What the node's task publishes and its handles read; neither waits for the other.
#[derive(Debug)]
pub(crate) struct Published {
    info: RwLock<Info>,
    contacts: RwLock<Addresses>,
    readiness: watch::Sender<Readiness>,
}

impl Published {
    pub(crate) fn new(info: Info) -> Self {
        Self {
            info: RwLock::new(info),
            contacts: RwLock::new(Addresses::default()),
            readiness: watch::Sender::new(Readiness::Joining),
        }
    }

    pub(crate) fn info(&self) -> Info {
        self.info.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn local(&self) -> LocalAddrs {
        self.info.read().unwrap_or_else(PoisonError::into_inner).local
    }

    pub(crate) fn nodes(&self) -> usize {
        self.info.read().unwrap_or_else(PoisonError::into_inner).nodes()
    }

    pub(crate) fn is_online(&self) -> bool {
        let info = self.info.read().unwrap_or_else(PoisonError::into_inner);
        info.running && info.is_online()
    }

    /// Each of the contacts, the best first.
    pub(crate) fn contacts<T>(&self, each: impl FnMut(SocketAddr) -> T) -> Vec<T> {
        self.contacts.read().unwrap_or_else(PoisonError::into_inner).iter().map(each).collect()
    }

    pub(crate) fn readiness(&self) -> watch::Receiver<Readiness> {
        self.readiness.subscribe()
    }

    pub(crate) fn is_settled(&self) -> bool {
        *self.readiness.borrow() == Readiness::Settled
    }

    pub(crate) fn publish_node(&self, node: NodeInfo, dropped: u64) {
        let mut info = self.info.write().unwrap_or_else(PoisonError::into_inner);
        info.node = node;
        info.dropped = dropped;
    }

    pub(crate) fn publish_contacts(&self, contacts: Addresses) {
        *self.contacts.write().unwrap_or_else(PoisonError::into_inner) = contacts;
    }

    pub(crate) fn settle(&self) {
        self.readiness.send_replace(Readiness::Settled);
    }

    pub(crate) fn close(&self) {
        self.info.write().unwrap_or_else(PoisonError::into_inner).running = false;
        self.readiness.send_replace(Readiness::Gone);
    }
}
