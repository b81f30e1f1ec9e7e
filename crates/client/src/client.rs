//! `Client`: the handle that programs hold, in the words of the integration guide.
//!
//! Separate from the engine so that the public face can be read on one page.

use std::fmt;
use std::sync::Arc;

#[cfg(feature = "dht")]
use mainstay_dht::Dht;
use mainstay_keys::PublicKey;
use mainstay_packets::{SignedPacket, Timestamp};

#[cfg(not(target_family = "wasm"))]
use crate::blocking::ClientBlocking;
use crate::builder::ClientBuilder;
use crate::cache::{Cache, Cached};
use crate::engine::Engine;
use crate::error::{PublishError, ResolveError};
use crate::freshness::{Freshness, Policy};
use crate::publishing::Publishes;
use crate::report::{PublishReport, Resolution};
#[cfg(all(feature = "tls", not(target_family = "wasm")))]
use crate::tls::expected::ExpectedKeys;

/// Publishes and resolves signed packets over the DHT and relays, with a cache in between.
///
/// Cloning is cheap and gives another handle of the same client. Its futures may be awaited on any
/// executor and from any thread: the work itself is done by background threads that all clients of
/// a process share, and goes on when a future is dropped.
///
/// ```
/// use mainstay_client::{Client, Keypair, SignedPacket};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # #[cfg(feature = "dht")] {
/// let testnet = mainstay_client::dht::Testnet::new(5).await?;
/// let client = Client::builder()
///     .no_default_network()
///     .bootstrap(&testnet.bootstrap)
///     .build()?;
///
/// let keypair = Keypair::random();
/// let packet = SignedPacket::builder()
///     .txt("greeting".try_into()?, "hello".try_into()?, 300)
///     .sign(&keypair)?;
/// client.publish(&packet, None).await?;
/// assert_eq!(client.resolve(&keypair.public_key()).await, Some(packet));
/// # }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    engine: Arc<Engine>,
    max_recursion_depth: u8,
    #[cfg(feature = "dht")]
    dht: Option<Dht>,
    #[cfg(all(feature = "tls", not(target_family = "wasm")))]
    expected: ExpectedKeys,
}

impl Client {
    pub(crate) fn new(
        engine: Engine,
        max_recursion_depth: u8,
        #[cfg(feature = "dht")] dht: Option<Dht>,
    ) -> Self {
        Self {
            engine: Arc::new(engine),
            max_recursion_depth,
            #[cfg(feature = "dht")]
            dht,
            #[cfg(all(feature = "tls", not(target_family = "wasm")))]
            expected: ExpectedKeys::default(),
        }
    }

    /// Starts to configure a client.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// The same client for threads without an executor. Not in browsers, which must not block.
    #[cfg(not(target_family = "wasm"))]
    #[must_use]
    pub fn as_blocking(&self) -> ClientBlocking {
        ClientBlocking::new(self.clone())
    }
}

/// Publishing.
impl Client {
    /// Publishes a packet through every backend, in place of the packet of timestamp `cas`, if given; 0 stands for
    /// none, and lets only the first packet of a key through.
    ///
    /// Succeeds when a backend has stored it and none knows a newer packet. Without `cas` it replaces
    /// whatever older packet there is; pass the timestamp of the packet that yours was made from to
    /// lose no update of another publisher, or let [`Self::update`] do all of it. Publishing the same packet again is a republish, and
    /// always allowed.
    ///
    /// Waits for every backend, each until its deadline, since any of them may know of a rival. A
    /// compare-and-swap is as strong as who is asked: relays of pkarr since version 1 ignore it and refuse only
    /// packets older than theirs, and DHT nodes decide each for itself.
    ///
    /// Dropping the future stops the waiting, not the publishing. The cache changes only once the
    /// packet is stored.
    ///
    /// # Errors
    /// [`PublishError::concurrency`] tells that another publisher was faster: resolve the most recent
    /// packet, carry its records over, retry. Otherwise no backend stored the packet.
    pub async fn publish(
        &self,
        packet: &SignedPacket,
        cas: Option<Timestamp>,
    ) -> Result<(), PublishError> {
        self.publish_report(packet, cas).await.map(|_report| ())
    }

    /// As [`Self::publish`], and tells what each backend did.
    ///
    /// # Errors
    /// As [`Self::publish`]; [`PublishError::report`] tells what each backend did.
    pub async fn publish_report(
        &self,
        packet: &SignedPacket,
        cas: Option<Timestamp>,
    ) -> Result<PublishReport, PublishError> {
        Publishes::publish(&self.engine, packet, cas).await
    }
}

/// Resolving.
impl Client {
    /// The packet of a key: from the cache at once, even if it has expired (then it is refreshed in
    /// the background), else the first good answer of the network.
    ///
    /// `None` stands for any failure; [`Self::resolve_with`] and [`Policy::StaleWhileRevalidate`] give
    /// the same answer with its reasons.
    pub async fn resolve(&self, key: &PublicKey) -> Option<SignedPacket> {
        let resolved = self.resolve_with(key, Policy::StaleWhileRevalidate).await;
        resolved.ok().map(|resolution| resolution.packet)
    }

    /// The newest packet of a key that the whole network and the cache have.
    ///
    /// Waits for every backend; use it before you change a packet. `None` stands for any failure;
    /// [`Self::resolve_with`] and [`Policy::MostRecent`] give the same answer with its reasons.
    pub async fn resolve_most_recent(&self, key: &PublicKey) -> Option<SignedPacket> {
        let resolved = self.resolve_with(key, Policy::MostRecent).await;
        resolved.ok().map(|resolution| resolution.packet)
    }

    /// The packet of a key as the policy says, and where it came from.
    ///
    /// Those who ask for one key at the same time share one lookup, which goes on when a caller drops
    /// the future. No packet is given that is older than one this client has seen before.
    ///
    /// # Errors
    /// [`ResolveError`] says what was asked and what each backend answered.
    pub async fn resolve_with(
        &self,
        key: &PublicKey,
        policy: Policy,
    ) -> Result<Resolution, ResolveError> {
        if let Some(resolution) = self.engine.at_hand(key, policy) {
            return Ok(resolution);
        }
        // Boxed so that a hit in memory does not pay for the space that a lookup needs.
        Box::pin(self.engine.clone().resolve(*key, policy)).await
    }
}

/// What the client is made of.
impl Client {
    /// The cache, unless it is off.
    #[must_use]
    pub fn cache(&self) -> Option<&dyn Cache> {
        self.engine.cache.as_deref()
    }

    /// The packet that the cache has of this key, fresh or not, if it can tell without waiting.
    ///
    /// Nothing where it would have to wait, too: then [`Self::resolve_with`] and [`Policy::CacheOnly`] have the answer.
    /// What is given has been checked as every answer of this client: it is of this key, was not signed hours ahead of
    /// the clock, and is not older than one that this client has handed out.
    #[must_use]
    pub fn peek(&self, key: &PublicKey) -> Option<Cached> {
        self.engine.peek(key, Timestamp::clock())
    }

    /// The rule by which cached packets expire.
    #[must_use]
    pub fn freshness(&self) -> Freshness {
        self.engine.freshness
    }

    /// The DHT node, unless the DHT is off.
    #[cfg(feature = "dht")]
    #[must_use]
    pub fn dht(&self) -> Option<Dht> {
        self.dht.clone()
    }

    /// How many packets a chain of aliases may lead through; see
    /// [`ClientBuilder::max_recursion_depth`].
    #[must_use]
    pub fn max_recursion_depth(&self) -> u8 {
        self.max_recursion_depth
    }

    /// What all clones share.
    pub(crate) fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Whose servers names under keys have lately been resolved to.
    #[cfg(all(feature = "tls", not(target_family = "wasm")))]
    pub(crate) fn expected_keys(&self) -> &ExpectedKeys {
        &self.expected
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let backends: Vec<_> = self.engine.backends.iter().map(|backend| backend.name()).collect();
        f.debug_struct("Client")
            .field("backends", &backends)
            .field("cache", &self.engine.cache)
            .field("freshness", &self.engine.freshness)
            .finish_non_exhaustive()
    }
}
