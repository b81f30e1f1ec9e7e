//! The connections: how many there may be at once, and how long each may keep the server waiting.
//!
//! Separate from the answers, because whoever holds a connection open and says nothing never gets one.

mod answers;
mod bell;
mod crowd;
mod pace;
mod patient;
#[cfg(unix)]
mod socket_file;

use std::future::{Future as _, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::config::RateLimiterConfig;
use crate::limits::{Peer, Source};
use crate::service::{Relay, RelayService};
use crate::tls::Certificates;

use answers::Connection;
use bell::Bell;
use crowd::{Crowd, Presence};
use pace::Late;
use patient::Patient;
#[cfg(unix)]
pub(crate) use socket_file::SocketFile;

/// What a connection may send before its first answer, and what it may keep unread: far more than a request has.
const BUFFER: usize = 16 * 1024;
/// How soon to look again for somebody who can make way, where all were being answered.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// How long to wait before the next connection when the system has no room for one.
const NO_ROOM: Duration = Duration::from_millis(200);

/// What connections may cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How many there may be at once; further ones take the places of those that wait for nothing but their clients, or
    /// wait themselves, in the system's queue.
    pub(crate) connections: usize,
    /// How long the head of a request may take, and how long a connection may idle before one.
    pub(crate) head: Duration,
    /// How long an answer may wait for whoever does not read it.
    pub(crate) write: Duration,
    /// How long a connection may last, whatever it does; then its request is the last.
    pub(crate) lifetime: Duration,
    /// How long that last request may take.
    pub(crate) last_request: Duration,
}

/// Who may come in, for all listeners together.
#[derive(Debug)]
pub(crate) struct Doorman {
    limits: Limits,
    room: Arc<Semaphore>,
    crowd: Mutex<Crowd>,
    relay: Arc<Relay>,
}

/// Where connections come from.
#[derive(Debug)]
pub(crate) enum Listener {
    Http(TcpListener),
    Https(TcpListener, Arc<Certificates>),
    #[cfg(unix)]
    Unix(UnixListener, SocketFile),
}

/// A connection, before its first request.
#[derive(Debug)]
enum Stream {
    Http(TcpStream),
    Https(TcpStream, Arc<Certificates>),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Listener {
    async fn accept(&self) -> io::Result<(Stream, Peer)> {
        let tcp = |(stream, peer): (TcpStream, SocketAddr)| {
            // Without it small answers come a little later, no more.
            let _ = stream.set_nodelay(true);
            (stream, Peer::from(peer.ip()))
        };
        match self {
            Self::Http(listener) => {
                let (stream, peer) = tcp(listener.accept().await?);
                Ok((Stream::Http(stream), peer))
            }
            Self::Https(listener, certificates) => {
                let (stream, peer) = tcp(listener.accept().await?);
                Ok((Stream::Https(stream, certificates.clone()), peer))
            }
            #[cfg(unix)]
            Self::Unix(listener, _file) => {
                Ok((Stream::Unix(listener.accept().await?.0), Peer::Local))
            }
        }
    }
}

impl Doorman {
    pub(crate) fn new(limits: Limits, relay: Arc<Relay>) -> Arc<Self> {
        let room = Arc::new(Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS)));
        Arc::new(Self { limits, room, crowd: Mutex::default(), relay })
    }

    /// Serves until told to stop, then lets running requests finish. Dropping it cuts them off.
    pub(crate) async fn serve(
        self: Arc<Self>,
        listener: Listener,
        service: RelayService,
        mut stopped: watch::Receiver<bool>,
    ) {
        let mut running = JoinSet::new();
        let stopping = stopped.clone();
        let mut told = pin!(until(&mut stopped));
        loop {
            let accepted = tokio::select! {
                () = &mut told => break,
                Some(_ended) = running.join_next() => continue,
                accepted = listener.accept() => accepted,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    no_connection(&error).await;
                    continue;
                }
            };
            self.relay.metrics.accepted.fetch_add(1, Relaxed);
            let Some(place) = self.admit(peer) else { continue };
            // Only whoever is at the door waits for room. A listener that nobody comes to holds none, or the last
            // listeners of a small relay would never get any.
            let room = tokio::select! {
                () = &mut told => break,
                room = self.make_room() => room,
            };
            let Some(room) = room else { break };
            self.relay.metrics.open.fetch_add(1, Relaxed);
            let guest = Guest::enter(place, peer, room);
            running.spawn(guest.serve(stream, service.clone(), stopping.clone()));
        }
        // The port is free from here on, also while the last requests run.
        drop(listener);
        while running.join_next().await.is_some() {}
    }

    /// Lets a connection wait for room, unless its source has as many as one may.
    fn admit(self: &Arc<Self>, peer: Peer) -> Option<Place> {
        let settings = self.relay.settings();
        let source = counted(&settings.config.rate_limiter, peer);
        let most = settings.config.http.max_connections_per_source;
        if let Some(source) = source
            && !self.crowd().arrive(source, most)
        {
            self.relay.metrics.turned_away.fetch_add(1, Relaxed);
            return None;
        }
        Some(Place { doorman: self.clone(), source })
    }

    /// Waits for room, and if there is none has somebody make way who waits for nothing but a client.
    async fn make_room(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(room) = self.room.clone().try_acquire_owned() {
            return Some(room);
        }
        loop {
            if self.crowd().make_room() {
                self.relay.metrics.made_way.fetch_add(1, Relaxed);
            }
            match timeout(LOOK_AGAIN, self.room.clone().acquire_owned()).await {
                // The semaphore is never closed.
                Ok(room) => return room.ok(),
                Err(_none_yet) => {}
            }
        }
    }

    fn crowd(&self) -> MutexGuard<'_, Crowd> {
        // No holder leaves it half changed, so what a panic left is sound.
        self.crowd.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The source that a connection counts against; a proxy of ours brings those of many.
fn counted(config: &RateLimiterConfig, peer: Peer) -> Option<u128> {
    let Peer::Ip(address) = peer else { return None };
    let is_in = |networks: &[crate::config::Network]| {
        networks.iter().any(|network| network.contains(address))
    };
    let free = is_in(&config.exempt) || (config.proxies() > 0 && is_in(&config.proxy_networks));
    (!free).then(|| Source::from(peer).prefix())
}

/// A connection's share of what its source may have. Dropping it gives that back.
struct Place {
    doorman: Arc<Doorman>,
    source: Option<u128>,
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(source) = self.source {
            self.doorman.crowd().depart(source);
        }
    }
}

/// A connection that was let in. Dropping it makes room.
struct Guest {
    place: Place,
    peer: Peer,
    presence: Arc<Presence>,
    _room: OwnedSemaphorePermit,
}

impl Drop for Guest {
    fn drop(&mut self) {
        if let Some(source) = self.place.source {
            self.place.doorman.crowd().leave(source, &self.presence);
        }
        self.place.doorman.relay.metrics.open.fetch_sub(1, Relaxed);
    }
}

impl Guest {
    fn enter(place: Place, peer: Peer, room: OwnedSemaphorePermit) -> Self {
        let presence = Presence::begin();
        if let Some(source) = place.source {
            place.doorman.crowd().enter(source, presence.clone());
        }
        Self { place, peer, presence, _room: room }
    }

    async fn serve(self, stream: Stream, service: RelayService, stopped: watch::Receiver<bool>) {
        match stream {
            Stream::Http(stream) => self.answer(stream, service, stopped).await,
            #[cfg(unix)]
            Stream::Unix(stream) => self.answer(stream, service, stopped).await,
            // Boxed so that connections without TLS do not pay for the space that it needs.
            Stream::Https(stream, certificates) => {
                Box::pin(self.answer_secured(stream, &certificates, service, stopped)).await;
            }
        }
    }

    async fn answer_secured(
        &self,
        stream: TcpStream,
        certificates: &Certificates,
        service: RelayService,
        stopped: watch::Receiver<bool>,
    ) {
        let secured = certificates.acceptor().accept(stream);
        let secured = tokio::select! {
            secured = timeout(self.place.doorman.limits.head, secured) => secured,
            () = self.presence.asked_to_leave() => return,
        };
        // The first head has as much time as it has without TLS.
        self.presence.pace.answered();
        match secured {
            Ok(Ok(stream)) => self.answer(stream, service, stopped).await,
            Ok(Err(error)) => tracing::trace!(%error, "a TLS handshake failed"),
            Err(_late) => tracing::trace!("a TLS handshake took too long"),
        }
    }

    /// Answers the requests of one connection, one after the other.
    async fn answer<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        service: RelayService,
        mut stopped: watch::Receiver<bool>,
    ) {
        let limits = self.place.doorman.limits;
        let presence = self.presence.clone();
        let connection = Arc::new(Connection { service, peer: self.peer, presence });
        let pace = &self.presence.pace;
        let answers = service_fn(|request| answers::answer(connection.clone(), request));
        let served = http1::Builder::new()
            // How long a head may take is watched by our own clock, which is not set anew for every request.
            .header_read_timeout(None)
            .max_buf_size(BUFFER)
            .serve_connection(TokioIo::new(Patient::new(stream, limits.write)), answers);
        let (mut served, mut bell) = (pin!(served), Bell::new());
        let mut over = pin!(async {
            tokio::select! {
                () = until(&mut stopped) => Over::Last,
                late = pace.late(limits.head, limits.lifetime) => match late {
                    Late::Head => Over::Now,
                    Late::Lifetime => Over::Last,
                },
                () = self.presence.asked_to_leave() => Over::Now,
            }
        });
        let ended = poll_fn(|context| match served.as_mut().poll(context) {
            Poll::Ready(ended) => Poll::Ready(Ok(ended)),
            Poll::Pending => bell.poll(over.as_mut(), context).map(Err),
        });
        match ended.await {
            Ok(ended) => return ended_with(ended),
            Err(Over::Now) => return tracing::trace!("no request arrived in time"),
            Err(Over::Last) => {}
        }
        served.as_mut().graceful_shutdown();
        // Whoever has begun a request may finish it.
        let last = async {
            tokio::select! {
                ended = &mut served => ended_with(ended),
                _late = pace.late(limits.head, limits.last_request) => {}
            }
        };
        last.await;
    }
}

/// Why a connection comes to its end before its client ends it.
enum Over {
    /// A head did not arrive in time, or others need the room.
    Now,
    /// Its time is over, or the relay's: what runs may end, and nothing follows.
    Last,
}

/// Clients that break off or send nonsense are their own concern; whoever debugs one sees it.
fn ended_with(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::trace!(%error, "a connection ended early");
    }
}

async fn until(stopped: &mut watch::Receiver<bool>) {
    // An error means that the server was dropped, which stops it too.
    let _ = stopped.wait_for(|stop| *stop).await;
}

/// A peer that is gone already costs nothing; a system that is out of descriptors gets time to find some.
async fn no_connection(error: &io::Error) {
    let peers = [
        io::ErrorKind::ConnectionAborted,
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::ConnectionRefused,
    ];
    if !peers.contains(&error.kind()) {
        tracing::warn!(%error, "cannot take connections; is the limit of open files too low?");
        sleep(NO_ROOM).await;
    }
}
