//! `ClientBlocking`: the client for threads without an executor.
//!
//! Separate because its methods block, and no async code should find them by accident.

#[cfg(feature = "dht")]
use mainstay_dht::Dht;
use mainstay_keys::{Keypair, PublicKey};
use mainstay_packets::dns::TYPE;
use mainstay_packets::{SignedPacket, SignedPacketBuilder, Timestamp};

use crate::cache::Cache;
use crate::client::Client;
use crate::error::{PublishError, ResolveError};
use crate::freshness::Policy;
use crate::names::{NameAnswer, ResolveNameError};
use crate::report::{PublishReport, Resolution};
use crate::resolve_stream::ResolveIter;
use crate::runtime::block_on;
use crate::update::{CurrentZone, EditError, UpdateError, Updated};

/// A [`Client`] whose methods block the calling thread; from [`Client::as_blocking`].
///
/// It needs no runtime, and calling it inside one neither panics nor deadlocks, since the work is done
/// by the client's own threads; but it holds up the other tasks of the thread it is called on.
///
/// ```
/// use mainstay_client::{Client, Keypair};
///
/// # #[cfg(feature = "dht")] {
/// let client = Client::builder().no_relays().bootstrap(&[] as &[&str]).build()?.as_blocking();
/// assert_eq!(client.resolve(&Keypair::random().public_key()), None);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ClientBlocking {
    client: Client,
}

impl ClientBlocking {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// See [`Client::publish`].
    ///
    /// # Errors
    /// As [`Client::publish`].
    pub fn publish(
        &self,
        packet: &SignedPacket,
        cas: Option<Timestamp>,
    ) -> Result<(), PublishError> {
        block_on(self.client.publish(packet, cas))
    }

    /// See [`Client::publish_report`].
    ///
    /// # Errors
    /// As [`Client::publish_report`].
    pub fn publish_report(
        &self,
        packet: &SignedPacket,
        cas: Option<Timestamp>,
    ) -> Result<PublishReport, PublishError> {
        block_on(self.client.publish_report(packet, cas))
    }

    /// See [`Client::update`].
    ///
    /// # Errors
    /// As [`Client::update`].
    pub fn update(
        &self,
        keypair: &Keypair,
        edit: impl FnMut(&CurrentZone) -> Result<SignedPacketBuilder, EditError>,
    ) -> Result<Updated, UpdateError> {
        block_on(self.client.update(keypair, edit))
    }

    /// See [`Client::resolve_stream`]; each step waits for the next better answer.
    #[must_use]
    pub fn resolve_iter(&self, key: &PublicKey) -> ResolveIter {
        ResolveIter::new(self.client.resolve_stream(key))
    }

    /// See [`Client::resolve`].
    #[must_use]
    pub fn resolve(&self, key: &PublicKey) -> Option<SignedPacket> {
        block_on(self.client.resolve(key))
    }

    /// See [`Client::resolve_most_recent`].
    #[must_use]
    pub fn resolve_most_recent(&self, key: &PublicKey) -> Option<SignedPacket> {
        block_on(self.client.resolve_most_recent(key))
    }

    /// See [`Client::resolve_with`].
    ///
    /// # Errors
    /// As [`Client::resolve_with`].
    pub fn resolve_with(
        &self,
        key: &PublicKey,
        policy: Policy,
    ) -> Result<Resolution, ResolveError> {
        block_on(self.client.resolve_with(key, policy))
    }

    /// See [`Client::resolve_name`].
    ///
    /// # Errors
    /// As [`Client::resolve_name`].
    pub fn resolve_name(
        &self,
        name: &str,
        rtype: Option<TYPE>,
        policy: Policy,
    ) -> Result<NameAnswer, ResolveNameError> {
        block_on(self.client.resolve_name(name, rtype, policy))
    }

    /// See [`Client::cache`].
    #[must_use]
    pub fn cache(&self) -> Option<&dyn Cache> {
        self.client.cache()
    }

    /// See [`Client::dht`].
    #[cfg(feature = "dht")]
    #[must_use]
    pub fn dht(&self) -> Option<Dht> {
        self.client.dht()
    }
}
