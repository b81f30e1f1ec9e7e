//! The running server: its settings, its routes, and a way to stop it without cutting anybody off.
//!
//! Separate from the handlers, which know nothing of sockets.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderName, Method};
use axum::routing::get;
use mainstay_client::Client;
use mainstay_relay::protocol::{HEALTH_PATH, PACKET_PATHS, header};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tower_http::cors::{AllowHeaders, Any, CorsLayer};
use url::Url;

use crate::connections::{self, Limits};
use crate::handlers::{self, Shared};

/// How long a request body may take to arrive.
const DEFAULT_BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// How many connections there may be: below the number of files that systems let a process open unless told otherwise.
const DEFAULT_CONNECTIONS: usize = 800;
/// How long the head of a request may take to arrive, and how long a connection may idle before one.
const DEFAULT_HEAD_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a connection may last; so whoever reads no answers does not hold one for ever.
const LIFETIME: Duration = Duration::from_secs(10 * 60);
/// How long the last request of a connection may take: longer than any answer of the network.
const LAST_REQUEST: Duration = Duration::from_secs(60);
/// How long requests that run may go on once the server is told to stop.
const DEFAULT_DRAIN: Duration = Duration::from_secs(10);
/// How long browsers may remember the answer to a preflight.
const PREFLIGHT_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// Configures a relay.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is bound"]
pub struct RelayServerBuilder {
    client: Client,
    limits: Limits,
    body_timeout: Duration,
    drain: Duration,
}

impl RelayServerBuilder {
    /// How long the body of a request may take to arrive; then the answer is 408. Default: 10 seconds.
    pub fn body_timeout(mut self, patience: Duration) -> Self {
        self.body_timeout = patience;
        self
    }

    /// How long the head of a request may take to arrive, and how long a connection may idle between requests; then
    /// it is closed. Default: 20 seconds.
    pub fn head_timeout(mut self, patience: Duration) -> Self {
        self.limits.head = patience;
        self
    }

    /// How many connections there may be at once, at least one; further ones wait. Default: 800.
    ///
    /// Each takes a file descriptor, so a higher number may need a higher limit of open files.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.limits.connections = connections.max(1);
        self
    }

    /// How long requests that run may go on once [`RelayServer::shutdown`] is called. Default: 10 seconds.
    pub fn drain(mut self, patience: Duration) -> Self {
        self.drain = patience;
        self
    }

    /// Listens on `address` and serves, in a task of the current tokio runtime. Port 0 takes any free port.
    ///
    /// # Errors
    /// What the system says when the address cannot be had.
    pub async fn bind(self, address: SocketAddr) -> io::Result<RelayServer> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let routes = routes(Shared { client: self.client, body_timeout: self.body_timeout });
        let serving = tokio::spawn(connections::serve(listener, routes, self.limits, stopped));
        tracing::info!(%address, "relay is serving");
        Ok(RelayServer { address, stop, serving, drain: self.drain })
    }
}

/// A relay that serves. Dropping it stops it at once; [`RelayServer::shutdown`] lets running requests finish.
pub struct RelayServer {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
    drain: Duration,
}

impl RelayServer {
    /// Starts to configure a relay in front of `client`, whose cache and networks it serves.
    ///
    /// A relay is an answer for those who cannot use the DHT, so the client should use it, and no other relays.
    pub fn builder(client: Client) -> RelayServerBuilder {
        let limits = Limits {
            connections: DEFAULT_CONNECTIONS,
            head: DEFAULT_HEAD_TIMEOUT,
            lifetime: LIFETIME,
            last_request: LAST_REQUEST,
        };
        RelayServerBuilder {
            client,
            limits,
            body_timeout: DEFAULT_BODY_TIMEOUT,
            drain: DEFAULT_DRAIN,
        }
    }

    /// The address that it listens on.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Where to reach it from this host: for a server on all addresses, the loopback one.
    ///
    /// # Panics
    /// Never: an address and a port always make a URL.
    #[must_use]
    pub fn url(&self) -> Url {
        let host = match self.address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            ip => ip,
        };
        let address = SocketAddr::new(host, self.address.port());
        Url::parse(&format!("http://{address}")).expect("an address and a port make a URL")
    }

    /// Takes no new connection, lets running requests finish for as long as the drain time, and ends.
    pub async fn shutdown(mut self) {
        // An error means that the task has ended, which is what is wanted.
        let _ = self.stop.send(true);
        if tokio::time::timeout(self.drain, &mut self.serving).await.is_err() {
            tracing::warn!(drain = ?self.drain, "requests still ran when the drain time was over");
        }
    }
}

impl Drop for RelayServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl fmt::Debug for RelayServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelayServer").field("address", &self.address).finish_non_exhaustive()
    }
}

fn routes(shared: Shared) -> Router {
    let packets = PACKET_PATHS.iter().fold(Router::new(), |router, path| {
        router.route(path, get(handlers::get).put(handlers::put))
    });
    packets
        .route(HEALTH_PATH, get(handlers::health))
        .route("/", get(handlers::index))
        .fallback(handlers::no_such_path)
        .with_state(shared)
        .layer(cors())
}

/// Any page may read and publish: nothing here depends on who asks, and no credentials exist.
///
/// Outermost, so that errors and preflights carry the headers too.
fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::HEAD, Method::PUT, Method::OPTIONS])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(header::EXPOSED.map(HeaderName::from_static))
        .max_age(PREFLIGHT_AGE)
}
