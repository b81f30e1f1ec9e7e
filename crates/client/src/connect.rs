//! Connections to the services that names lead to, for programs that bring their own protocol stack.
//!
//! Separate from the endpoints because whoever connects fails over too: from address to address and from record to
//! record, up to the end of the handshake, so that an endpoint whose server is dead or holds the wrong key costs no more
//! than the next one's start.
//!
//! | feature | brings |
//! |---|---|
//! | `hyper-connector` | [`HttpsConnector`], a connector for the client of hyper-util |
//! | `quinn-connector` | [`Client::connect_quic`] and [`quic_server_config`], QUIC by quinn |
//!
//! Both need a tokio runtime with its timers and its sockets, as hyper-util and quinn with tokio do.

mod error;
#[cfg(feature = "hyper-connector")]
mod hyper;
#[cfg(feature = "quinn-connector")]
mod quinn;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream, FuturesUnordered};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

use crate::client::Client;
use crate::endpoints::{Endpoint, Place, Search, lookup};

pub use self::error::{ConnectError, FailedAttempt};
#[cfg(feature = "hyper-connector")]
pub use self::hyper::{HttpsConnector, HttpsStream};
#[cfg(feature = "quinn-connector")]
pub use self::quinn::quic_server_config;

use error::BoxError;

/// How long one address has for all of its handshakes.
const PATIENCE: Duration = Duration::from_secs(10);

/// After how long the next address is tried beside those that have not answered yet, as RFC 8305 (section 5) has it.
const STAGGER: Duration = Duration::from_millis(250);

/// How many addresses are tried for one connection.
const MAX_ADDRESSES: usize = 32;

/// Connects to the first endpoint of a name under a key that lets us.
///
/// Endpoints come best first; each address has [`STAGGER`] for itself, then the next is tried beside it. A port that is
/// given beats the records'.
async fn to_place<T, F>(
    client: &Client,
    place: Place,
    rtype: mainstay_packets::dns::TYPE,
    is_spoken: impl Fn(&Endpoint) -> bool + Send + Sync + 'static,
    port: Option<u16>,
    attempt: impl Fn(SocketAddr) -> F,
) -> Result<T, ConnectError>
where
    F: Future<Output = Result<T, BoxError>>,
{
    let name = place.to_string();
    let (why, none) = oneshot::channel();
    let search = Search::new(client, place, rtype);
    let addresses = addresses(search, name.clone(), is_spoken, why);
    let addresses = addresses.map(|address| {
        let port = port.unwrap_or(if address.port() == 0 { 443 } else { address.port() });
        SocketAddr::new(address.ip(), port)
    });
    match first_of(addresses, attempt).await {
        Ok(connection) => Ok(connection),
        Err(attempts) if attempts.is_empty() => Err(match none.await {
            Ok(why) => why,
            Err(_) => ConnectError::Unreachable { name, attempts },
        }),
        Err(attempts) => Err(ConnectError::Unreachable { name, attempts }),
    }
}

/// The addresses that a search comes by, found as they are asked for; at its end, why there may have been none.
fn addresses(
    search: Search,
    name: String,
    is_spoken: impl Fn(&Endpoint) -> bool + Send + Sync + 'static,
    why: oneshot::Sender<ConnectError>,
) -> BoxStream<'static, SocketAddr> {
    let known = Arc::new((is_spoken, name));
    let found = stream::unfold((search, None, why), move |(mut search, mut unknown, why)| {
        let known = known.clone();
        async move {
            let (is_spoken, name) = &*known;
            while let Some(endpoint) = search.next().await {
                if !is_spoken(&endpoint) {
                    continue;
                }
                match endpoint.to_socket_addrs().await {
                    Ok(addresses) => {
                        return Some((stream::iter(addresses), (search, unknown, why)));
                    }
                    Err(error) => unknown = Some(error),
                }
            }
            let _ = why.send(match unknown {
                Some(source) => ConnectError::Lookup { name: name.clone(), source },
                None => search.in_vain().into(),
            });
            None
        }
    });
    found.flatten().boxed()
}

/// Connects to a host of the web, whose addresses the system knows.
#[cfg(feature = "hyper-connector")]
async fn to_host<T, F>(
    host: &str,
    port: u16,
    attempt: impl Fn(SocketAddr) -> F,
) -> Result<T, ConnectError>
where
    F: Future<Output = Result<T, BoxError>>,
{
    let name = host.to_owned();
    let addresses = match lookup::addresses(name.clone()).await {
        Ok(addresses) => addresses.into_iter().map(|address| SocketAddr::new(address, port)),
        Err(source) => return Err(ConnectError::Lookup { name, source }),
    };
    let outcome = first_of(stream::iter(addresses), attempt).await;
    outcome.map_err(|attempts| ConnectError::Unreachable { name, attempts })
}

/// The first connection to any of these addresses, or how each failed.
async fn first_of<T, F>(
    addresses: impl stream::Stream<Item = SocketAddr>,
    attempt: impl Fn(SocketAddr) -> F,
) -> Result<T, Vec<FailedAttempt>>
where
    F: Future<Output = Result<T, BoxError>>,
{
    let mut addresses = pin!(addresses.take(MAX_ADDRESSES));
    let mut running = FuturesUnordered::new();
    let mut failed = Vec::new();
    let mut tried = Vec::new();
    let (mut has_more, mut may_start) = (true, true);
    let mut pause = pin!(sleep(STAGGER));
    loop {
        tokio::select! {
            biased;
            Some(outcome) = running.next() => match outcome {
                Ok(connection) => return Ok(connection),
                Err(failure) => {
                    failed.push(failure);
                    may_start = true;
                }
            },
            address = addresses.next(), if has_more && may_start => match address {
                Some(address) if tried.contains(&address) => {}
                Some(address) => {
                    tried.push(address);
                    running.push(patiently(address, attempt(address)));
                    may_start = false;
                    pause.as_mut().reset(Instant::now() + STAGGER);
                }
                None => has_more = false,
            },
            () = &mut pause, if has_more && !may_start => may_start = true,
            else => return Err(failed),
        }
    }
}

async fn patiently<T>(
    address: SocketAddr,
    attempt: impl Future<Output = Result<T, BoxError>>,
) -> Result<T, FailedAttempt> {
    let outcome = timeout(PATIENCE, attempt).await;
    let outcome = outcome.unwrap_or_else(|_| Err(io(std::io::ErrorKind::TimedOut.into())));
    outcome.map_err(|error| FailedAttempt { address, error })
}

fn io(error: std::io::Error) -> BoxError {
    error.into()
}

#[cfg(test)]
mod tests;
