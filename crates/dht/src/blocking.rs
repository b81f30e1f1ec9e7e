//! `DhtBlocking`, the handle of a node for threads without an executor.
//! Separate so that the async face stays free of anything that blocks.

use std::net::SocketAddr;

use mainstay_dht_proto::{PutReport, RemoteNode, Samples, Scrape, Snapshot};
use mainstay_keys::PublicKey;
use mainstay_krpc::Id;
use mainstay_krpc::item::{ImmutableItem, MutableItem};

use crate::command::Pong;
use crate::error::{GetError, PingError, PutError};
use crate::event::EventIter;
use crate::handle::Dht;
use crate::info::Info;
use crate::packets::Packet;
use crate::runtime::block_on;
use crate::stream::GetIter;
use crate::trace::TraceIter;

/// A [`Dht`] whose methods block the calling thread. Cloning is cheap.
///
/// Use it from ordinary threads. In async code it holds up a worker of the executor; on a
/// current-thread runtime that also drives the node, or inside a `LocalSet`, it cannot work: there,
/// use [`Dht`].
///
/// ```
/// use mainstay_dht::{Dht, Testnet};
///
/// let testnet = Testnet::blocking(5)?;
/// let dht = Dht::builder().bootstrap(&testnet.bootstrap).bind("127.0.0.1:0".parse()?).build()?;
/// let dht = dht.as_blocking();
///
/// let report = dht.put_immutable(b"hello")?;
/// assert!(dht.get_immutable(report.target)?.is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct DhtBlocking(Dht);

impl DhtBlocking {
    pub(crate) fn new(dht: Dht) -> Self {
        Self(dht)
    }

    /// The same node for async code.
    pub fn as_async(&self) -> Dht {
        self.0.clone()
    }

    /// As [`Dht::get_mutable`], as an iterator.
    pub fn get_mutable(
        &self,
        key: &PublicKey,
        salt: Option<&[u8]>,
        newer_than: Option<i64>,
    ) -> GetIter<MutableItem> {
        GetIter::new(self.0.get_mutable(key, salt, newer_than))
    }

    /// As [`Dht::get_mutable_most_recent`].
    ///
    /// # Errors
    ///
    /// [`GetError`], if nobody could be asked.
    pub fn get_mutable_most_recent(
        &self,
        key: &PublicKey,
        salt: Option<&[u8]>,
    ) -> Result<Option<MutableItem>, GetError> {
        block_on(self.0.get_mutable_most_recent(key, salt))
    }

    /// As [`Dht::put_mutable`].
    ///
    /// # Errors
    ///
    /// [`PutError`], if someone else published, or nothing could be stored now.
    pub fn put_mutable(&self, item: MutableItem, cas: Option<i64>) -> Result<PutReport, PutError> {
        block_on(self.0.put_mutable(item, cas))
    }

    /// As [`Dht::get_immutable`].
    ///
    /// # Errors
    ///
    /// [`GetError`], if nobody could be asked.
    pub fn get_immutable(&self, target: Id) -> Result<Option<ImmutableItem>, GetError> {
        block_on(self.0.get_immutable(target))
    }

    /// As [`Dht::put_immutable`].
    ///
    /// # Errors
    ///
    /// [`PutError`], if the value is too large, or nothing could be stored now.
    pub fn put_immutable(&self, bytes: &[u8]) -> Result<PutReport, PutError> {
        block_on(self.0.put_immutable(bytes))
    }

    /// As [`Dht::put_immutable_item`].
    ///
    /// # Errors
    ///
    /// [`PutError`], if nothing could be stored now.
    pub fn put_immutable_item(&self, item: ImmutableItem) -> Result<PutReport, PutError> {
        block_on(self.0.put_immutable_item(item))
    }

    /// As [`Dht::get_peers`], as an iterator.
    pub fn get_peers(&self, info_hash: Id) -> GetIter<Vec<SocketAddr>> {
        GetIter::new(self.0.get_peers(info_hash))
    }

    /// As [`Dht::get_downloaders`], as an iterator.
    pub fn get_downloaders(&self, info_hash: Id) -> GetIter<Vec<SocketAddr>> {
        GetIter::new(self.0.get_downloaders(info_hash))
    }

    /// As [`Dht::announce_peer`].
    ///
    /// # Errors
    ///
    /// [`PutError`], if no node took the announcement.
    pub fn announce_peer(&self, info_hash: Id, port: Option<u16>) -> Result<PutReport, PutError> {
        block_on(self.0.announce_peer(info_hash, port))
    }

    /// As [`Dht::announce_seed`].
    ///
    /// # Errors
    ///
    /// [`PutError`], if no node took the announcement.
    pub fn announce_seed(&self, info_hash: Id, port: Option<u16>) -> Result<PutReport, PutError> {
        block_on(self.0.announce_seed(info_hash, port))
    }

    /// As [`Dht::ping`].
    ///
    /// # Errors
    ///
    /// [`PingError`], if nobody answered.
    pub fn ping(&self, address: SocketAddr) -> Result<Pong, PingError> {
        block_on(self.0.ping(address))
    }

    /// As [`Dht::find_node`].
    ///
    /// # Errors
    ///
    /// [`GetError`], if nobody could be asked.
    pub fn find_node(&self, target: Id) -> Result<Vec<RemoteNode>, GetError> {
        block_on(self.0.find_node(target))
    }

    /// As [`Dht::scrape`].
    ///
    /// # Errors
    ///
    /// [`GetError`], if nobody could be asked.
    pub fn scrape(&self, info_hash: Id) -> Result<Scrape, GetError> {
        block_on(self.0.scrape(info_hash))
    }

    /// As [`Dht::sample_infohashes`].
    ///
    /// # Errors
    ///
    /// [`GetError`], if nobody could be asked.
    pub fn sample_infohashes(&self, target: Id) -> Result<Vec<Samples>, GetError> {
        block_on(self.0.sample_infohashes(target))
    }

    /// As [`Dht::info`].
    pub fn info(&self) -> Info {
        self.0.info()
    }

    /// As [`Dht::local_addr`].
    pub fn local_addr(&self) -> SocketAddr {
        self.0.local_addr()
    }

    /// As [`Dht::bootstrapped`].
    pub fn bootstrapped(&self) -> bool {
        self.0.bootstrapped()
    }

    /// As [`Dht::ready`].
    pub fn ready(&self) -> bool {
        block_on(self.0.ready())
    }

    /// As [`Dht::to_bootstrap`].
    pub fn to_bootstrap(&self) -> Vec<String> {
        self.0.to_bootstrap()
    }

    /// As [`Dht::local_addrs`].
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        self.0.local_addrs()
    }

    /// As [`Dht::events`], as an iterator.
    pub fn events(&self) -> EventIter {
        EventIter::new(block_on(self.0.events()))
    }

    /// As [`Dht::trace`], as an iterator.
    pub fn trace(&self) -> TraceIter {
        TraceIter::new(block_on(self.0.trace()))
    }

    /// As [`Dht::packets`].
    pub fn packets(&self) -> Vec<Packet> {
        block_on(self.0.packets())
    }

    /// As [`Dht::snapshot`].
    pub fn snapshot(&self) -> Option<Snapshot> {
        block_on(self.0.snapshot())
    }

    /// As [`Dht::published`].
    pub fn published(&self) -> Vec<MutableItem> {
        block_on(self.0.published())
    }

    /// As [`Dht::shutdown`].
    pub fn shutdown(&self) {
        block_on(self.0.shutdown());
    }
}
