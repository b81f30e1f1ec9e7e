//! The client that a configuration describes: a DHT node, a cache, and no relays.
//!
//! Separate because it is where settings meet the crates that obey them.

use std::net::SocketAddr;
use std::time::Duration;

use mainstay_client::dht::{DhtBuilder, LimitConfig};
use mainstay_client::{Client, ClientBuilder};

use super::{Config, ConfigError, Engine};

impl Config {
    /// A client with the DHT node and the cache of this configuration, to be built and given to a relay.
    ///
    /// # Errors
    /// [`ConfigError::Rule`] when this build has no store of the kind that `[cache]` names.
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
        if self.is_durable() {
            return Err(ConfigError::Rule {
                rule: "[cache] this build keeps packets in memory only",
            });
        }
        Ok(builder)
    }

    /// Whether packets outlive the process.
    #[must_use]
    pub fn is_durable(&self) -> bool {
        match self.cache.engine {
            Engine::Auto => self.cache.path.is_some(),
            Engine::Memory => false,
            Engine::Lmdb | Engine::Disk => true,
        }
    }

    fn node(&self, mut node: DhtBuilder) -> DhtBuilder {
        let (mainline, limiter) = (&self.mainline, &self.rate_limiter);
        let burst = limiter.dht_burst.unwrap_or(limiter.dht_quota.default_burst());
        let most = limiter.dht_quota.per_whole_second().max(burst);
        let limits = LimitConfig::default();
        node = node.server_mode(true).limits(LimitConfig {
            replies_per_proven_address: most,
            replies_per_address: most.min(limits.replies_per_address),
            ..limits
        });
        if let Some(address) = mainline.bind {
            node = node.bind(SocketAddr::new(address, mainline.port.unwrap_or(0)));
        } else if let Some(port) = mainline.port {
            node = node.port(port);
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
