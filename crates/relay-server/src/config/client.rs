//! The client that a configuration describes: a DHT node, a cache, and no relays.
//!
//! Separate because it is where settings meet the crates that obey them.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mainstay_client::dht::{DEFAULT_PORT, Dht, DhtBuilder, LimitConfig};
use mainstay_client::{Cache, Client, ClientBuilder};

use super::{CacheConfig, Config, ConfigError, Engine};

/// What a packet of the largest size takes on disk, with what orders them.
#[cfg(any(feature = "disk-cache", feature = "lmdb-cache"))]
const BYTES_A_PACKET: u64 = 1536;

impl Config {
    /// A client with the DHT node and the cache of this configuration, to be built and given to a relay.
    ///
    /// Blocks while it opens a store on disk.
    ///
    /// # Errors
    /// [`ConfigError::Store`] when the store cannot be opened, [`ConfigError::Rule`] when this build has none of the
    /// kind that `[cache]` names.
    pub fn client(&self) -> Result<ClientBuilder, ConfigError> {
        let patience = Duration::from_secs(self.mainline.request_timeout_seconds);
        let builder = Client::builder()
            .no_relays()
            .cache_size(self.cache.size)
            .minimum_ttl(self.cache.minimum_ttl)
            .maximum_ttl(self.cache.maximum_ttl)
            .negative_ttl(self.cache.negative_ttl)
            .dht(|node| self.node(node))
            .dht_request_timeout(patience);
        Ok(match self.store()? {
            Some(store) => builder.cache(store),
            None => builder,
        })
    }

    /// The store on disk, if there is to be one.
    fn store(&self) -> Result<Option<Arc<dyn Cache>>, ConfigError> {
        let CacheConfig { path, engine, .. } = &self.cache;
        let Some(folder) = path.as_ref().filter(|_| self.is_durable()) else { return Ok(None) };
        std::fs::create_dir_all(folder)
            .map_err(|source| ConfigError::Folder { path: folder.clone(), source })?;
        let is_lmdb = match engine {
            Engine::Lmdb => true,
            Engine::Auto => !cfg!(feature = "disk-cache"),
            Engine::Disk | Engine::Memory => false,
        };
        let store = if is_lmdb { self.open_lmdb(folder) } else { self.open_disk(folder) };
        store.map(Some)
    }

    #[cfg(feature = "disk-cache")]
    fn open_disk(&self, folder: &Path) -> Result<Arc<dyn Cache>, ConfigError> {
        let path = folder.join("packets.redb");
        let opened = mainstay_client::DiskCache::open_with(&path, &self.store_options());
        Ok(Arc::new(opened.map_err(|source| ConfigError::Store { path, source })?))
    }

    #[cfg(not(feature = "disk-cache"))]
    fn open_disk(&self, _folder: &Path) -> Result<Arc<dyn Cache>, ConfigError> {
        Err(ConfigError::Rule { rule: "[cache] this build has no engine \"disk\"" })
    }

    /// In the folder within the folder that pkarr-relay has its cache in, so that it is found.
    #[cfg(feature = "lmdb-cache")]
    fn open_lmdb(&self, folder: &Path) -> Result<Arc<dyn Cache>, ConfigError> {
        let path = folder.join("pkarr-cache");
        let opened = mainstay_client::LmdbCache::open_with(&path, &self.store_options());
        Ok(Arc::new(opened.map_err(|source| ConfigError::Store { path, source })?))
    }

    #[cfg(not(feature = "lmdb-cache"))]
    fn open_lmdb(&self, _folder: &Path) -> Result<Arc<dyn Cache>, ConfigError> {
        Err(ConfigError::Rule { rule: "[cache] this build has no engine \"lmdb\"" })
    }

    #[cfg(any(feature = "disk-cache", feature = "lmdb-cache"))]
    fn store_options(&self) -> mainstay_client::CacheOptions {
        mainstay_client::CacheOptions::default()
            .packets(self.cache.size)
            .bytes(BYTES_A_PACKET.saturating_mul(self.cache.size as u64))
    }

    /// Whether packets outlive the process; a store of no packets keeps none.
    #[must_use]
    pub fn is_durable(&self) -> bool {
        let is_on_disk = match self.cache.engine {
            Engine::Auto => self.cache.path.is_some(),
            Engine::Memory => false,
            Engine::Lmdb | Engine::Disk => true,
        };
        is_on_disk && self.cache.size > 0
    }

    /// Whether the DHT node would be refused whatever machine it is to run on.
    pub(super) fn check_node(&self) -> Result<(), ConfigError> {
        self.node(Dht::builder()).check().map_err(ConfigError::Node)
    }

    /// What the DHT node may send to strangers: `limits`, with what this configuration says of them.
    pub(crate) fn node_limits(&self, limits: LimitConfig) -> LimitConfig {
        let limiter = &self.rate_limiter;
        let burst = limiter.dht_burst.unwrap_or(limiter.dht_quota.default_burst());
        let most = limiter.dht_quota.per_whole_second().max(burst);
        LimitConfig {
            replies_per_proven_address: most,
            replies_per_address: most.min(LimitConfig::default().replies_per_address),
            ..limits
        }
    }

    fn node(&self, mut node: DhtBuilder) -> DhtBuilder {
        let mainline = &self.mainline;
        node = node.server_mode(true).limits(self.node_limits(LimitConfig::default()));
        if let Some(address) = mainline.bind {
            node = node.bind(SocketAddr::new(address, mainline.port.unwrap_or(0)));
        } else if let Some(port) = mainline.port {
            node = node.port(port);
        }
        if mainline.port.is_none() {
            node = node.prefer_port(DEFAULT_PORT);
        }
        if mainline.bind.is_none() && !mainline.ipv6 {
            node = node.no_ipv6();
        }
        if let Some(address) = mainline.public_ip {
            node = node.public_ip(address);
        }
        match mainline.bootstrap.as_deref() {
            Some([]) => node.no_bootstrap(),
            Some(addresses) => node.bootstrap(addresses),
            None => node,
        }
    }
}
