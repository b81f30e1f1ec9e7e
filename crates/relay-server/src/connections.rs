//! The connections: how many there may be at once, and how long each may keep the server waiting.
//!
//! Separate from the routes, because whoever holds a connection open and says nothing never reaches one.

use std::io;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// What a connection may send before its first answer, and what it may keep unread: far more than a request has.
const BUFFER: usize = 32 * 1024;
/// How long to wait before the next connection when the system has no room for one.
const NO_ROOM: Duration = Duration::from_millis(200);

/// What connections may cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How many there may be at once; further ones wait in the system's queue.
    pub(crate) connections: usize,
    /// How long the head of a request may take, and how long a connection may idle before one.
    pub(crate) head: Duration,
    /// How long a connection may last, whatever it does; then its request is the last.
    pub(crate) lifetime: Duration,
    /// How long that last request may take.
    pub(crate) last_request: Duration,
}

/// Serves until told to stop, then lets running requests finish. Dropping it cuts them off.
pub(crate) async fn serve(
    listener: TcpListener,
    routes: Router,
    limits: Limits,
    mut stopped: watch::Receiver<bool>,
) {
    let mut running = JoinSet::new();
    let stopping = stopped.clone();
    let mut told = pin!(until(&mut stopped));
    loop {
        tokio::select! {
            () = &mut told => break,
            Some(_ended) = running.join_next() => {}
            accepted = listener.accept(), if running.len() < limits.connections => match accepted {
                Ok((stream, _)) => {
                    running.spawn(connection(stream, routes.clone(), limits, stopping.clone()));
                }
                Err(error) => no_connection(&error).await,
            },
        }
    }
    // The port is free from here on, also while the last requests run.
    drop(listener);
    while running.join_next().await.is_some() {}
}

/// Answers the requests of one connection, one after the other.
async fn connection(
    stream: TcpStream,
    routes: Router,
    limits: Limits,
    mut stopped: watch::Receiver<bool>,
) {
    // Without it small answers come a little later, no more.
    let _ = stream.set_nodelay(true);
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
    let mut served = pin!(served);
    tokio::select! {
        ended = &mut served => return ended_with(ended),
        () = until(&mut stopped) => {}
        () = sleep(limits.lifetime) => {}
    }
    served.as_mut().graceful_shutdown();
    if let Ok(ended) = timeout(limits.last_request, served).await {
        ended_with(ended);
    }
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
