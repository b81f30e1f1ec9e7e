//! The running server: its sockets, and ways to change it and to stop it without cutting anybody off.
//!
//! Separate from the answers, which know nothing of sockets.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use mainstay_client::Client;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use url::Url;

use crate::config::Config;
#[cfg(unix)]
use crate::connections::SocketFile;
use crate::connections::{Doorman, Limits, Listener};
use crate::reload::{self, Reloaded};
use crate::service::{Door, Relay, RelayService};
use crate::tls::{Certificates, TlsError};

/// How long the last request of a connection may take: longer than any answer of the network.
const LAST_REQUEST: Duration = Duration::from_secs(60);

/// How many connections may wait in the system's queue. What does not fit there is tried again by its system only
/// after seconds, so a crowd that comes at once must fit.
const QUEUE: u32 = 4096;

/// Configures a relay.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is bound or started"]
pub struct RelayServerBuilder {
    client: Client,
    config: Config,
    durable: bool,
    head_timeout: Option<Duration>,
    body_timeout: Option<Duration>,
    drain: Option<Duration>,
}

impl RelayServerBuilder {
    /// Takes over a whole configuration. Default: [`Config::default`].
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Says that the client's cache outlives the process. Then `PUT` is answered with 204 only once that holds the
    /// packet. Default: false.
    pub fn durable_cache(mut self, durable: bool) -> Self {
        self.durable = durable;
        self
    }

    /// Lets every client ask as often as it wants to: for networks of one's own, and tests.
    ///
    /// Also lifts the cap on connections of one source. Default: the limits of [`Config::default`].
    pub fn no_rate_limits(mut self) -> Self {
        self.config.rate_limiter.enabled = false;
        self.config.http.max_connections_per_source = usize::MAX;
        self
    }

    /// How long the body of a request may take to arrive; then the answer is 408. Default: 10 seconds.
    pub fn body_timeout(mut self, patience: Duration) -> Self {
        self.body_timeout = Some(patience);
        self
    }

    /// How long the head of a request may take to arrive, and how long a connection may idle between requests; then
    /// it is closed. Default: 10 seconds.
    pub fn head_timeout(mut self, patience: Duration) -> Self {
        self.head_timeout = Some(patience);
        self
    }

    /// How many connections there may be at once, at least one. Default: 1,024.
    ///
    /// Whoever comes when there are as many takes the place of a connection that waits for a request: of the source with
    /// the most of those, the one that has waited longest. Where all are being answered, it waits.
    ///
    /// Each takes a file descriptor, so a higher number may need a higher limit of open files.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.config.http.max_connections = connections.max(1);
        self
    }

    /// How long requests that run may go on once [`RelayServer::shutdown`] is called. Default: 4 seconds.
    pub fn drain(mut self, patience: Duration) -> Self {
        self.drain = Some(patience);
        self
    }

    /// Listens on `address` alone and serves, as [`Self::start`] does. Port 0 takes any free port.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn bind(mut self, address: SocketAddr) -> io::Result<RelayServer> {
        self.config.http.bind = vec![address.ip()];
        self.config.http.port = address.port();
        self.start().await
    }

    /// Listens where the configuration says and serves, in tasks of the current tokio runtime.
    ///
    /// # Errors
    /// What the system says when an address cannot be had; with a [`TlsError`] inside when the files for HTTPS cannot be
    /// used.
    pub async fn start(self) -> io::Result<RelayServer> {
        let Self { client, config, durable, head_timeout, body_timeout, drain } = self;
        let certificates = Certificates::load(&config.tls)?;
        let (stop, stopped) = watch::channel(false);
        let limits = Limits {
            connections: config.http.max_connections,
            head: head_timeout.unwrap_or(Duration::from_secs(config.http.head_timeout_seconds)),
            write: Duration::from_secs(config.http.write_timeout_seconds),
            lifetime: config.http.max_connection_age(),
            last_request: LAST_REQUEST,
        };
        let drain = drain.unwrap_or(Duration::from_secs(config.http.drain_seconds));
        let (listeners, addresses) = listen(&config, certificates.as_ref())?;
        let relay = Arc::new(Relay::new(client, durable, config, stopped.clone()));
        if let Some(patience) = body_timeout {
            relay.set_body_timeout(patience);
        }
        let doorman = Doorman::new(limits, relay.clone());
        let serving = listeners.into_iter().map(|(listener, door)| {
            let service = RelayService { relay: relay.clone(), door };
            tokio::spawn(doorman.clone().serve(listener, service, stopped.clone()))
        });
        let serving = serving.collect();
        tracing::info!(?addresses, "relay is serving");
        Ok(RelayServer { addresses, stop, serving, drain, relay, certificates })
    }
}

/// What listens, with the paths that it has, and the addresses in the order of [`RelayServer::local_addrs`].
type Opened = (Vec<(Listener, Door)>, Vec<SocketAddr>);

/// Opens everything that the configuration names; what was opened is closed again when something cannot be.
fn listen(config: &Config, certificates: Option<&Arc<Certificates>>) -> io::Result<Opened> {
    let apart = config.metrics.bind.filter(|_| config.metrics.enabled);
    let door = if apart.is_some() { Door::WithoutMetrics } else { Door::Everything };
    let (mut listeners, mut addresses) = (Vec::new(), Vec::new());
    for address in config.http_addresses() {
        let listener = bind(address)?;
        addresses.push(listener.local_addr()?);
        listeners.push((Listener::Http(listener), door));
    }
    if let Some(certificates) = certificates {
        for address in config.tls_addresses() {
            let listener = bind(address)?;
            addresses.push(listener.local_addr()?);
            listeners.push((Listener::Https(listener, certificates.clone()), door));
        }
    }
    if let Some(path) = &config.http.unix_socket {
        listeners.push((unix_socket(path)?, door));
    }
    if let Some(address) = apart {
        let listener = bind(address)?;
        addresses.push(listener.local_addr()?);
        listeners.push((Listener::Http(listener), Door::MetricsOnly));
    }
    Ok((listeners, addresses))
}

/// Listens on a TCP address. On a system without IPv6, every address of both families is every address of IPv4.
fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let any = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), address.port());
    match listener(address) {
        Err(error) if address == any && error.kind() != io::ErrorKind::AddrInUse => {
            tracing::info!(%error, "no IPv6 here; listening on IPv4 alone");
            listener(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port()))
        }
        bound => bound.map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}"))),
    }
}

fn listener(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // So that a port can be had again at once after a restart. On Windows it would let others share the port.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(QUEUE)
}

/// Listens on a Unix socket, in place of one that nobody listens on any more. Whatever else is there stays.
#[cfg(unix)]
fn unix_socket(path: &Path) -> io::Result<Listener> {
    use std::os::unix::fs::FileTypeExt as _;
    use std::os::unix::net::UnixStream;
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    // A plain file refuses connections just as a socket that was left behind does.
    let abandoned = is_socket
        && UnixStream::connect(path)
            .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    if abandoned {
        std::fs::remove_file(path)?;
    }
    let listener = tokio::net::UnixListener::bind(path)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
    Ok(Listener::Unix(listener, SocketFile::of(path)?))
}

#[cfg(not(unix))]
fn unix_socket(path: &Path) -> io::Result<Listener> {
    let what = format!("{}: this system has no Unix sockets", path.display());
    Err(io::Error::new(io::ErrorKind::Unsupported, what))
}

/// A relay that serves. Dropping it stops it at once; [`RelayServer::shutdown`] lets running requests finish.
pub struct RelayServer {
    addresses: Vec<SocketAddr>,
    stop: watch::Sender<bool>,
    serving: Vec<JoinHandle<()>>,
    drain: Duration,
    relay: Arc<Relay>,
    certificates: Option<Arc<Certificates>>,
}

impl RelayServer {
    /// Starts to configure a relay in front of `client`, whose cache and networks it serves.
    ///
    /// A relay is an answer for those who cannot use the DHT, so the client should use it, and no other relays.
    pub fn builder(client: Client) -> RelayServerBuilder {
        RelayServerBuilder {
            client,
            config: Config::default(),
            durable: false,
            head_timeout: None,
            body_timeout: None,
            drain: None,
        }
    }

    /// The first address that it listens on; port 0 where it listens on a Unix socket alone.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        let none = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0);
        self.addresses.first().copied().unwrap_or(none)
    }

    /// All addresses that it listens on: HTTP first, then HTTPS, then the numbers.
    #[must_use]
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where to reach it from this host: for a server on all addresses, the loopback one.
    ///
    /// # Panics
    /// Never: an address and a port always make a URL.
    #[must_use]
    pub fn url(&self) -> Url {
        let address = self.local_addr();
        let host = match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            // A socket on every address of both families is reached through either.
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            ip => ip,
        };
        let address = SocketAddr::new(host, address.port());
        Url::parse(&format!("http://{address}")).expect("an address and a port make a URL")
    }

    /// The relay without its sockets: the same caches, limits and numbers.
    #[must_use]
    pub fn service(&self) -> RelayService {
        RelayService { relay: self.relay.clone(), door: Door::Everything }
    }

    /// Takes over what may change of a new configuration, and reads the files for HTTPS again.
    ///
    /// Running requests end as they began. What may not change stays as it is, and is named in the answer.
    ///
    /// # Errors
    /// When the files for HTTPS cannot be used; then nothing has changed.
    pub fn reload(&self, config: Config) -> Result<Reloaded, TlsError> {
        if let Some(certificates) = &self.certificates {
            certificates.reload(&config.tls)?;
        }
        let running = self.relay.settings();
        let (config, reloaded) = reload::merge(&running.config, config);
        self.limit_node(&running.config, &config);
        self.relay.set(config);
        self.relay.metrics.reloads.fetch_add(1, Relaxed);
        Ok(reloaded)
    }

    /// Tells the DHT node what it may send, if that has changed: the node may have limits that its owner gave it elsewhere.
    fn limit_node(&self, running: &Config, new: &Config) {
        let of = |config: &Config| (config.rate_limiter.dht_quota, config.rate_limiter.dht_burst);
        if of(running) == of(new) {
            return;
        }
        if let Some(dht) = self.relay.client.dht()
            && let Err(error) = dht.set_limits(new.node_limits(dht.limits()))
        {
            tracing::warn!(%error, "the limits of the DHT node stay as they were");
        }
    }

    /// Takes no new connection, lets running requests finish for as long as the drain time, and ends.
    pub async fn shutdown(mut self) {
        // An error means that the tasks have ended, which is what is wanted.
        let _ = self.stop.send(true);
        let serving = &mut self.serving;
        let all = async {
            for task in serving {
                let _ = task.await;
            }
        };
        if tokio::time::timeout(self.drain, all).await.is_err() {
            tracing::warn!(drain = ?self.drain, "requests still ran when the drain time was over");
        }
    }
}

impl Drop for RelayServer {
    fn drop(&mut self) {
        for task in &self.serving {
            task.abort();
        }
    }
}

impl fmt::Debug for RelayServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelayServer").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}
