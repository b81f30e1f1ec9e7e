//! `ClientBuilder`: what a client is told before it starts.
//!
//! Separate because defaults, and how settings combine, are decided here alone.

use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "dht")]
use mainstay_dht::{AskOptions, Dht, DhtBuilder};
#[cfg(feature = "relays")]
use mainstay_relay::HttpClient;
#[cfg(feature = "relays")]
use mainstay_relay::protocol::{RelayUrlError as InvalidRelayUrl, parse_relay_url};
#[cfg(feature = "relays")]
use url::Url;

use crate::backend::Backend;
#[cfg(feature = "dht")]
use crate::backend::dht::DhtBackend;
#[cfg(feature = "relays")]
use crate::backend::relay::RelayBackend;
use crate::cache::{Cache, DEFAULT_CACHE_SIZE, InMemoryCache};
use crate::client::Client;
use crate::engine::Engine;
use crate::error::BuildError;
use crate::freshness::Freshness;
use crate::runtime::Background;

/// The relays that a client asks unless told otherwise.
#[cfg(feature = "relays")]
pub const DEFAULT_RELAYS: [&str; 2] = ["https://pkarr.pubky.app", "https://pkarr.pubky.org"];

/// How long a relay may take to answer; it covers the relay's own work in the DHT.
pub const DEFAULT_RELAY_TIMEOUT: Duration = Duration::from_secs(5);

/// How many packets a chain of aliases may lead through.
pub const DEFAULT_MAX_RECURSION_DEPTH: u8 = 7;

/// How long the DHT as a whole may take; its own deadlines end a search well before.
#[cfg(feature = "dht")]
const DHT_PATIENCE: Duration = Duration::from_secs(30);

/// Configures a [`Client`].
///
/// With no setting the client asks the public DHT and the relays of [`DEFAULT_RELAYS`], and keeps
/// [`DEFAULT_CACHE_SIZE`] packets in memory.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct ClientBuilder {
    #[cfg(feature = "dht")]
    dht: Option<DhtBuilder>,
    #[cfg(feature = "dht")]
    dht_deadline: Option<Duration>,
    #[cfg(feature = "relays")]
    relays: Option<Vec<Url>>,
    #[cfg(feature = "relays")]
    relay_timeout: Duration,
    #[cfg(feature = "relays")]
    relay_http: Option<HttpClient>,
    cache_size: usize,
    cache: Option<Arc<dyn Cache>>,
    freshness: Freshness,
    max_recursion_depth: u8,
}

impl Default for ClientBuilder {
    fn default() -> Self {
        Self {
            #[cfg(feature = "dht")]
            dht: Some(Dht::builder()),
            #[cfg(feature = "dht")]
            dht_deadline: None,
            #[cfg(feature = "relays")]
            relays: Some(default_relays()),
            #[cfg(feature = "relays")]
            relay_timeout: DEFAULT_RELAY_TIMEOUT,
            #[cfg(feature = "relays")]
            relay_http: None,
            cache_size: DEFAULT_CACHE_SIZE,
            cache: None,
            freshness: Freshness::default(),
            max_recursion_depth: DEFAULT_MAX_RECURSION_DEPTH,
        }
    }
}

/// Which networks to ask.
impl ClientBuilder {
    /// Asks neither the public DHT nor the default relays: name your own next.
    pub fn no_default_network(self) -> Self {
        self.no_dht().no_relays()
    }

    /// Does without the DHT. A DHT setting after this turns it on again, with no bootstrap address
    /// but those given from then on.
    pub fn no_dht(self) -> Self {
        #[cfg(feature = "dht")]
        return Self { dht: None, ..self };
        #[cfg(not(feature = "dht"))]
        self
    }

    /// Does without relays. Naming relays after this turns them on again, with only those.
    pub fn no_relays(self) -> Self {
        #[cfg(feature = "relays")]
        return Self { relays: None, ..self };
        #[cfg(not(feature = "relays"))]
        self
    }

    /// Changes the settings of the DHT node.
    ///
    /// ```
    /// # use mainstay_client::Client;
    /// let builder = Client::builder().dht(|dht| dht.server_mode(true).port(6881));
    /// ```
    #[cfg(feature = "dht")]
    pub fn dht(mut self, change: impl FnOnce(DhtBuilder) -> DhtBuilder) -> Self {
        let dht = self.dht.take().unwrap_or_else(|| Dht::builder().no_bootstrap());
        self.dht = Some(change(dht));
        self
    }

    /// Joins the DHT through these `host:port` addresses, in place of all others.
    ///
    /// An empty list makes a node that waits for others. Host names are resolved in the background.
    #[cfg(feature = "dht")]
    pub fn bootstrap(self, addresses: &[impl AsRef<str>]) -> Self {
        self.dht(|dht| dht.bootstrap(addresses))
    }

    /// Joins the DHT through these `host:port` addresses as well as the others.
    #[cfg(feature = "dht")]
    pub fn extra_bootstrap(self, addresses: &[impl AsRef<str>]) -> Self {
        self.dht(|dht| dht.extra_bootstrap(addresses))
    }

    /// Asks these relays, in place of all others.
    ///
    /// # Errors
    /// When one is not an HTTP URL; then nothing has changed.
    #[cfg(feature = "relays")]
    pub fn relays(mut self, urls: &[impl AsRef<str>]) -> Result<Self, InvalidRelayUrl> {
        self.relays = Some(parse_relays(urls)?);
        Ok(self)
    }

    /// Asks these relays as well as the others; one that is listed already is not asked twice.
    ///
    /// # Errors
    /// When one is not an HTTP URL; then nothing has changed.
    #[cfg(feature = "relays")]
    pub fn extra_relays(mut self, urls: &[impl AsRef<str>]) -> Result<Self, InvalidRelayUrl> {
        let extra = parse_relays(urls)?;
        let relays = self.relays.get_or_insert_default();
        for url in extra {
            if !relays.contains(&url) {
                relays.push(url);
            }
        }
        Ok(self)
    }
}

/// What to remember, and for how long.
impl ClientBuilder {
    /// Keeps so many packets in memory; 0 turns the cache off, also one given to [`Self::cache`].
    ///
    /// Default: [`DEFAULT_CACHE_SIZE`].
    pub fn cache_size(mut self, packets: usize) -> Self {
        self.cache_size = packets;
        self
    }

    /// Keeps packets in this cache instead of memory. One of capacity 0 turns the cache off.
    pub fn cache(mut self, cache: Arc<dyn Cache>) -> Self {
        self.cache = Some(cache);
        self
    }

    /// The least time, in seconds, before a cached packet counts as expired, whatever its records
    /// say. Raises a lower maximum. Default: 300.
    pub fn minimum_ttl(mut self, seconds: u32) -> Self {
        self.freshness = self.freshness.with_minimum_ttl(seconds);
        self
    }

    /// The most time, in seconds, before a cached packet counts as expired, whatever its records say.
    /// Lowers a higher minimum. Default: 86,400, a day.
    pub fn maximum_ttl(mut self, seconds: u32) -> Self {
        self.freshness = self.freshness.with_maximum_ttl(seconds);
        self
    }

    /// For how many seconds to believe that a key has no packet, once every backend has said so.
    ///
    /// Saves a busy server from asking the network for every request of an unknown key; a packet
    /// published meanwhile is found that much later. Default: 0, not at all.
    pub fn negative_ttl(mut self, seconds: u32) -> Self {
        self.freshness = self.freshness.with_negative_ttl(seconds);
        self
    }
}

/// How long to wait, and how far to follow.
impl ClientBuilder {
    /// How long a DHT node and a relay may each stay silent: sets both timeouts below.
    pub fn request_timeout(self, patience: Duration) -> Self {
        let builder = self.relay_request_timeout(patience);
        #[cfg(feature = "dht")]
        return builder.dht_request_timeout(patience);
        #[cfg(not(feature = "dht"))]
        builder
    }

    /// How long a DHT node may stay silent before the search goes on without it; a search asks many.
    ///
    /// No effect when the DHT is off. Default: 2 seconds.
    #[cfg(feature = "dht")]
    pub fn dht_request_timeout(mut self, patience: Duration) -> Self {
        self.dht = self.dht.map(|dht| dht.request_timeout(patience));
        self
    }

    /// When a search or a publish in the DHT ends, whatever the network does: with what was found, or stored, by then.
    ///
    /// For those who cannot wait longer and would drop the call: a publish that is dropped does not say how many nodes
    /// took the packet, one that its deadline ends does. The node's own upkeep is not hurried. No effect when the DHT
    /// is off. Default: 20 seconds, or what [`DhtBuilder::deadline`] says.
    #[cfg(feature = "dht")]
    pub fn dht_deadline(mut self, deadline: Duration) -> Self {
        self.dht_deadline = Some(deadline);
        self
    }

    /// How long a relay may take to answer. Default: [`DEFAULT_RELAY_TIMEOUT`].
    #[cfg_attr(not(feature = "relays"), expect(unused_mut, unused_variables, reason = "no relays"))]
    pub fn relay_request_timeout(mut self, patience: Duration) -> Self {
        #[cfg(feature = "relays")]
        {
            self.relay_timeout = patience;
        }
        self
    }

    /// Asks relays over an HTTP client of one's own: its proxies, certificate authorities and headers. Default: one for
    /// each relay, as [`RelayClient::new`](mainstay_relay::RelayClient::new) makes it.
    ///
    /// Redirects and compressed answers are then its matter. What is believed stays the same, and so does how long a
    /// relay may take and how much of an answer is read.
    #[cfg(feature = "relays")]
    pub fn relay_http_client(mut self, http: HttpClient) -> Self {
        self.relay_http = Some(http);
        self
    }

    /// How many packets a chain of aliases may lead through, the first counted. Default: 7.
    ///
    /// Limits [`Client::resolve_name`], and each branch of a search for endpoints.
    pub fn max_recursion_depth(mut self, packets: u8) -> Self {
        self.max_recursion_depth = packets;
        self
    }
}

/// Starting.
impl ClientBuilder {
    /// Starts the client.
    ///
    /// Neither waits nor asks a name server, and needs no runtime: the DHT is joined in the background.
    ///
    /// # Errors
    /// [`BuildError`] when no network is left to ask, or this machine cannot start it.
    pub fn build(self) -> Result<Client, BuildError> {
        let background = Background::shared().map_err(BuildError::Runtime)?;
        // The relays first: they cost nothing if what follows fails.
        #[cfg(feature = "relays")]
        let relays = self.start_relays()?;
        #[cfg(feature = "dht")]
        let dht = match &self.dht {
            // Within the background runtime, so that the node runs there as all else does.
            Some(builder) => Some(background.enter(|| builder.clone().build())?),
            None => None,
        };
        let mut backends: Vec<Arc<dyn Backend>> = Vec::new();
        #[cfg(feature = "dht")]
        backends.extend(dht.as_ref().map(|dht| {
            let options = AskOptions { deadline: self.dht_deadline, ..AskOptions::default() };
            backend(DhtBackend::new(dht.with_options(options), DHT_PATIENCE))
        }));
        #[cfg(feature = "relays")]
        backends.extend(relays.into_iter().map(backend));
        if backends.is_empty() {
            return Err(BuildError::NoNetwork);
        }
        let cache = match (self.cache_size, self.cache) {
            (0, _) => None,
            (_, Some(cache)) => Some(cache).filter(|cache| cache.capacity() > 0),
            (packets, None) => Some(Arc::new(InMemoryCache::new(packets)) as Arc<dyn Cache>),
        };
        let engine = Engine::new(backends, cache, self.freshness, background);
        Ok(Client::new(
            engine,
            self.max_recursion_depth,
            #[cfg(feature = "dht")]
            dht,
        ))
    }

    #[cfg(feature = "relays")]
    fn start_relays(&self) -> Result<Vec<RelayBackend>, BuildError> {
        let Some(relays) = &self.relays else {
            return Ok(Vec::new());
        };
        if relays.is_empty() {
            return Err(BuildError::EmptyListOfRelays);
        }
        let http = || self.relay_http.clone();
        relays.iter().map(|url| RelayBackend::new(url, self.relay_timeout, http())).collect()
    }
}

#[cfg(any(feature = "dht", feature = "relays"))]
fn backend(backend: impl Backend) -> Arc<dyn Backend> {
    Arc::new(backend)
}

#[cfg(feature = "relays")]
fn default_relays() -> Vec<Url> {
    let parsed = DEFAULT_RELAYS.iter().map(|url| Url::parse(url));
    parsed.collect::<Result<_, _>>().expect("a test parses these constants")
}

#[cfg(feature = "relays")]
fn parse_relays(urls: &[impl AsRef<str>]) -> Result<Vec<Url>, InvalidRelayUrl> {
    let mut relays = Vec::with_capacity(urls.len());
    for url in urls {
        let url = parse_relay_url(url.as_ref())?;
        if !relays.contains(&url) {
            relays.push(url);
        }
    }
    Ok(relays)
}

#[cfg(all(test, feature = "relays"))]
mod tests {
    use super::{ClientBuilder, DEFAULT_RELAYS};

    fn relays(builder: &ClientBuilder) -> Vec<&str> {
        builder.relays.iter().flatten().map(url::Url::as_str).collect()
    }

    #[test]
    fn without_a_setting_the_default_relays_are_asked() {
        assert_eq!(relays(&ClientBuilder::default()).len(), DEFAULT_RELAYS.len());
    }

    #[test]
    fn extra_relays_extend_what_is_there_and_none_is_asked_twice() {
        let twice = ["https://relay.example.com", "https://relay.example.com/"];
        let extended = ClientBuilder::default().extra_relays(&twice).unwrap();
        assert_eq!(relays(&extended).len(), DEFAULT_RELAYS.len() + 1);
        let again = extended.extra_relays(&DEFAULT_RELAYS).unwrap();
        assert_eq!(relays(&again).len(), DEFAULT_RELAYS.len() + 1);
    }

    #[test]
    fn relays_named_after_they_were_turned_off_are_the_only_ones() {
        let only = ["https://relay.example.com"];
        for builder in [
            ClientBuilder::default().no_relays().extra_relays(&only),
            ClientBuilder::default().no_default_network().extra_relays(&only),
            ClientBuilder::default().relays(&only),
        ] {
            assert_eq!(relays(&builder.unwrap()), ["https://relay.example.com/"]);
        }
    }
}
