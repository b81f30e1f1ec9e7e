//! What an operator may set: the configuration file, its defaults, and what is wrong with one.
//!
//! Separate from the server, so that a file can be read, checked and compared without starting anything.

mod client;
mod error;
mod network;
mod quota;
mod unknown;

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::tls::{Certificates, TlsError};

pub use error::ConfigError;
pub use network::{Network, NotANetwork};
pub use quota::{NotAQuota, Quota};

/// Everything a relay can be told, as its configuration file says it.
///
/// The keys are those of pkarr-relay 2.1 and more; [`Config::SAMPLE`] documents each. Every key has a default, and an
/// empty file means all of them.
///
/// ```
/// use mainstay_relay_server::Config;
///
/// assert_eq!(Config::parse(Config::SAMPLE)?, Config::default());
/// let wrong = Config::parse("[http]\nprot = 80\n").unwrap_err();
/// assert_eq!(wrong.to_string(), "line 2: [http] has no key \"prot\"; did you mean \"port\"?");
/// # Ok::<(), mainstay_relay_server::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Config {
    /// Where and how HTTP is served.
    pub http: HttpConfig,
    /// HTTPS beside it.
    pub tls: TlsConfig,
    /// The DHT node.
    pub mainline: MainlineConfig,
    /// What is remembered.
    pub cache: CacheConfig,
    /// How much one client may ask.
    pub rate_limiter: RateLimiterConfig,
    /// The streams of new packets.
    pub watch: WatchConfig,
    /// The numbers for Prometheus.
    pub metrics: MetricsConfig,
    /// The log.
    pub log: LogConfig,
}

/// Where and how HTTP is served; the table `[http]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct HttpConfig {
    /// The TCP port; 0 takes any free one. Default: 6881.
    pub port: u16,
    /// The addresses to listen on. Default: `::`, which is every address of both families.
    pub bind: Vec<IpAddr>,
    /// A Unix socket to listen on as well. Default: none.
    pub unix_socket: Option<PathBuf>,
    /// How many connections there may be at once; further ones take the places of those that only wait, or wait. Default:
    /// 1,024.
    pub max_connections: usize,
    /// How many of them one IPv4 address, or one /64 of IPv6, may have; further ones are closed. Default: 64.
    pub max_connections_per_source: usize,
    /// How long a connection may last before its next answer is its last. Default: 300.
    pub max_connection_age_seconds: u64,
    /// How long the head of a request may take, and how long a connection may idle before one. Default: 10.
    pub head_timeout_seconds: u64,
    /// How long the body of a request may take. Default: 10.
    pub body_timeout_seconds: u64,
    /// How long an answer may wait for a client that does not read. Default: 15.
    pub write_timeout_seconds: u64,
    /// How long requests that run may go on when the server stops. Default: 4.
    pub drain_seconds: u64,
    /// For how many keys the network may be searched at once; requests for further ones get 503. Default: 200.
    pub max_lookups: usize,
    /// How many keys one batch may ask for. Default: 64.
    pub max_batch: usize,
}

/// HTTPS beside HTTP; the table `[tls]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct TlsConfig {
    /// The TCP port. Default: 443.
    pub port: u16,
    /// The chain of certificates, a PEM file. Default: none, and no HTTPS.
    pub certificate: Option<PathBuf>,
    /// The private key, a PEM file. Default: none.
    pub key: Option<PathBuf>,
}

/// The DHT node; the table `[mainline]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct MainlineConfig {
    /// The UDP port. Default: none, which takes 6881, or any free one where that is taken.
    pub port: Option<u16>,
    /// The one address to use. Default: none, which is every address of both families.
    pub bind: Option<IpAddr>,
    /// Whether to use IPv6 where `bind` leaves it open. Default: true.
    pub ipv6: bool,
    /// The public address, where it is known; it decides the node's id (BEP 42). Default: none, ask others.
    pub public_ip: Option<IpAddr>,
    /// Through whom to join, as `host:port`; an empty list joins through nobody. Default: none, the public nodes.
    pub bootstrap: Option<Vec<String>>,
    /// How long one node may stay silent. Default: 2.
    pub request_timeout_seconds: u64,
}

/// What is remembered; the table `[cache]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct CacheConfig {
    /// The folder of the store. A relative one is taken from the folder of the configuration file. Default: none.
    pub path: Option<PathBuf>,
    /// What keeps the packets. Default: [`Engine::Auto`].
    pub engine: Engine,
    /// How many packets to keep. Default: 100,000.
    pub size: usize,
    /// The least seconds for which a packet counts as fresh. Default: 300.
    pub minimum_ttl: u32,
    /// The most seconds for which a packet counts as fresh. Default: 86,400.
    pub maximum_ttl: u32,
    /// For how many seconds a key that nobody knows is denied from memory. Default: 5.
    pub negative_ttl: u32,
}

/// What keeps the packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Engine {
    /// The store of choice where there is a path, else memory.
    #[default]
    Auto,
    /// Memory: gone when the relay ends.
    Memory,
    /// LMDB, a memory-mapped file.
    Lmdb,
    /// A file store written in safe Rust.
    Disk,
}

/// How much one client may ask; the table `[rate_limiter]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct RateLimiterConfig {
    /// Whether HTTP clients are limited at all. Default: true.
    pub enabled: bool,
    /// Whether one proxy of yours stands in front; the same as `trusted_proxies = 1`. Default: false.
    pub behind_proxy: bool,
    /// How many proxies of yours stand in front. Default: 0.
    pub trusted_proxies: usize,
    /// Which header they write. Default: [`ProxyHeader::XForwardedFor`].
    pub proxy_header: ProxyHeader,
    /// Who may be such a proxy; what others write in the header is ignored. Default: loopback and private networks.
    pub proxy_networks: Vec<Network>,
    /// Who is never limited. Default: nobody.
    pub exempt: Vec<Network>,
    /// Requests of one client. Default: 20 a second.
    pub quota: Quota,
    /// How many requests a client may save up. Default: 200.
    pub burst: Option<u32>,
    /// Requests of one client for which the DHT is asked. Default: 2 a second.
    pub user_dht_quota: Quota,
    /// How many of those a client may save up. Default: 30.
    pub user_dht_burst: Option<u32>,
    /// Answers of our DHT node to one other node that has proven its address: in any one second, the greater of
    /// this and `dht_burst`. Default: 10.
    pub dht_quota: Quota,
    /// See `dht_quota`. Default: 100.
    pub dht_burst: Option<u32>,
    /// How many clients are remembered, 32 bytes each; whoever used least is forgotten first. Default: 65,536.
    pub remembered: usize,
}

/// The header in which a proxy says who asked it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ProxyHeader {
    /// `X-Forwarded-For`: addresses, the latest last.
    #[default]
    XForwardedFor,
    /// `Forwarded` ([RFC 7239](https://www.rfc-editor.org/rfc/rfc7239)): the same with names.
    Forwarded,
}

/// The streams of new packets; the table `[watch]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct WatchConfig {
    /// How many streams there may be; 0 turns them off. Default: 1,000.
    pub max_watches: usize,
    /// How many of them one client may have. Default: 16.
    pub max_watches_per_source: usize,
    /// How many keys all streams together may watch; each is looked up again and again. Default: 1,000.
    pub max_keys: usize,
    /// How many keys one stream may watch. Default: 32.
    pub max_keys_per_watch: usize,
    /// How often a silent stream shows that it lives. Default: 15.
    pub heartbeat_seconds: u64,
    /// How often the network is asked for a watched key. Default: 60.
    pub refresh_seconds: u64,
}

/// The numbers for Prometheus; the table `[metrics]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct MetricsConfig {
    /// Whether `/metrics` is served at all. Default: true.
    pub enabled: bool,
    /// Where to serve it instead of beside the packets. Default: none.
    pub bind: Option<SocketAddr>,
}

/// The log; the table `[log]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct LogConfig {
    /// What to log: a level, or directives as `mainstay_dht=debug,info`. Default: `info`.
    pub level: String,
    /// How a line looks. Default: [`LogFormat::Text`].
    pub format: LogFormat,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// How many keys a batch may have at most: their packets take 14 MB as JSON.
const MOST_IN_A_BATCH: usize = 10_000;

/// The most clients that may be remembered: the memory for them is taken at the start.
const MOST_REMEMBERED: usize = 1 << 24;
/// The longest time that may be set, in seconds.
const YEAR: u64 = 31_536_000;

impl Config {
    /// Every key with its meaning and its default, as a file to start from.
    pub const SAMPLE: &'static str = include_str!("config/sample.toml");

    /// Reads a configuration.
    ///
    /// # Errors
    /// [`ConfigError`] names the line, and for a key that does not exist the one that was probably meant.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        unknown::refuse_unknown_keys(text)?;
        let config: Self =
            toml::from_str(text).map_err(|error| ConfigError::value(text, &error))?;
        config.check()?;
        config.check_node()?;
        Ok(config)
    }

    /// Reads a configuration file; relative paths in it are taken from its own folder.
    ///
    /// # Errors
    /// As [`Self::parse`], or what the system says when the file cannot be read.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let mut config = Self::parse(&text)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let paths = [
            &mut config.http.unix_socket,
            &mut config.tls.certificate,
            &mut config.tls.key,
            &mut config.cache.path,
        ];
        for path in paths.into_iter().flatten() {
            *path = folder.join(&*path);
        }
        Ok(config)
    }

    /// Reads the files for HTTPS that the configuration names, as a start or a reload would, and puts them away.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn check_certificate(&self) -> Result<(), TlsError> {
        Certificates::load(&self.tls).map(drop)
    }

    /// Where HTTP is served.
    pub(crate) fn http_addresses(&self) -> Vec<SocketAddr> {
        self.http.bind.iter().map(|ip| SocketAddr::new(*ip, self.http.port)).collect()
    }

    /// Where HTTPS is served, if there is a certificate.
    pub(crate) fn tls_addresses(&self) -> Vec<SocketAddr> {
        let addresses = self.http.bind.iter().map(|ip| SocketAddr::new(*ip, self.tls.port));
        addresses.filter(|_| self.tls.certificate.is_some()).collect()
    }

    /// What no single key can get wrong alone.
    fn check(&self) -> Result<(), ConfigError> {
        let Self { http, cache, tls, .. } = self;
        let rules = [
            (http.max_connections > 0, "[http] max_connections must be at least 1"),
            (
                http.max_connections_per_source > 0,
                "[http] max_connections_per_source must be at least 1",
            ),
            (
                http.max_connection_age_seconds > 0,
                "[http] max_connection_age_seconds must be at least 1",
            ),
            (http.head_timeout_seconds > 0, "[http] head_timeout_seconds must be at least 1"),
            (http.body_timeout_seconds > 0, "[http] body_timeout_seconds must be at least 1"),
            (http.write_timeout_seconds > 0, "[http] write_timeout_seconds must be at least 1"),
            (http.max_lookups > 0, "[http] max_lookups must be at least 1"),
            // The body of a batch may be as long as so many keys take.
            (http.max_batch <= MOST_IN_A_BATCH, "[http] max_batch must be at most 10,000"),
            (
                self.rate_limiter.remembered <= MOST_REMEMBERED,
                "[rate_limiter] remembered must be at most 16,777,216, which take half a GiB",
            ),
            // Clocks cannot add what is much longer.
            (self.longest() <= YEAR, "no time in seconds may be above 31,536,000, a year"),
            (
                !http.bind.is_empty() || http.unix_socket.is_some(),
                "[http] bind is empty and there is no unix_socket: nobody could connect",
            ),
            (
                cache.minimum_ttl <= cache.maximum_ttl,
                "[cache] minimum_ttl must not be above maximum_ttl",
            ),
            (
                cache.size > 0 || cache.path.is_none() || cache.engine == Engine::Memory,
                "[cache] size is 0 and there is a path: a store of nothing; leave the path out",
            ),
            (
                self.mainline.request_timeout_seconds > 0,
                "[mainline] request_timeout_seconds must be at least 1",
            ),
            (
                cache.path.is_some() || !matches!(cache.engine, Engine::Lmdb | Engine::Disk),
                "[cache] this engine needs a path",
            ),
            (
                tls.certificate.is_some() == tls.key.is_some(),
                "[tls] certificate and key go together",
            ),
            (
                self.watch.heartbeat_seconds > 0 && self.watch.refresh_seconds > 0,
                "[watch] heartbeat_seconds and refresh_seconds must be at least 1",
            ),
        ];
        let broken = rules.into_iter().find(|(kept, _)| !kept);
        broken.map_or(Ok(()), |(_, rule)| Err(ConfigError::Rule { rule }))
    }

    /// The longest of all times that something may take.
    fn longest(&self) -> u64 {
        let Self { http, mainline, watch, .. } = self;
        let seconds = [
            http.max_connection_age_seconds,
            http.head_timeout_seconds,
            http.body_timeout_seconds,
            http.write_timeout_seconds,
            http.drain_seconds,
            mainline.request_timeout_seconds,
            watch.heartbeat_seconds,
            watch.refresh_seconds,
        ];
        seconds.into_iter().max().unwrap_or_default()
    }
}

impl HttpConfig {
    pub(crate) fn max_connection_age(&self) -> Duration {
        Duration::from_secs(self.max_connection_age_seconds)
    }
}

impl RateLimiterConfig {
    /// How many addresses from the right are our own proxies'.
    pub(crate) fn proxies(&self) -> usize {
        self.trusted_proxies.max(usize::from(self.behind_proxy))
    }
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            port: 6881,
            bind: vec![IpAddr::V6(Ipv6Addr::UNSPECIFIED)],
            unix_socket: None,
            max_connections: 1024,
            max_connections_per_source: 64,
            max_connection_age_seconds: 300,
            head_timeout_seconds: 10,
            body_timeout_seconds: 10,
            write_timeout_seconds: 15,
            drain_seconds: 4,
            max_lookups: 200,
            max_batch: 64,
        }
    }
}

impl Default for TlsConfig {
    fn default() -> Self {
        Self { port: 443, certificate: None, key: None }
    }
}

impl Default for MainlineConfig {
    fn default() -> Self {
        Self {
            port: None,
            bind: None,
            ipv6: true,
            public_ip: None,
            bootstrap: None,
            request_timeout_seconds: 2,
        }
    }
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self {
            path: None,
            engine: Engine::Auto,
            size: 100_000,
            minimum_ttl: 300,
            maximum_ttl: 86_400,
            negative_ttl: 5,
        }
    }
}

impl Default for RateLimiterConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            behind_proxy: false,
            trusted_proxies: 0,
            proxy_header: ProxyHeader::XForwardedFor,
            proxy_networks: Network::private(),
            exempt: Vec::new(),
            quota: Quota::per_second(20),
            burst: Some(200),
            user_dht_quota: Quota::per_second(2),
            user_dht_burst: Some(30),
            dht_quota: Quota::per_second(10),
            dht_burst: Some(100),
            remembered: 65_536,
        }
    }
}

impl Default for WatchConfig {
    fn default() -> Self {
        Self {
            max_watches: 1000,
            max_watches_per_source: 16,
            max_keys: 1000,
            max_keys_per_watch: 32,
            heartbeat_seconds: 15,
            refresh_seconds: 60,
        }
    }
}

impl Default for MetricsConfig {
    fn default() -> Self {
        Self { enabled: true, bind: None }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Text }
    }
}

#[cfg(test)]
mod tests;
