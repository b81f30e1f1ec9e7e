//! The client as the DNS of reqwest: names under keys by their endpoints, all others by the system.
//!
//! Separate because it is one of two places that know reqwest (feature `reqwest-resolve`).

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use mainstay_packets::dns::TYPE;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::oneshot;

use crate::client::Client;
use crate::endpoints::{Endpoint, Place, Search, lookup};
use crate::runtime::{Background, timeout};

/// How long, once an endpoint is found, to look for more that a connection can fail over to.
const GRACE: Duration = Duration::from_secs(1);

/// How many addresses reqwest is given to try.
const MAX_ADDRESSES: usize = 16;

/// Resolves names under keys by their HTTPS records, and all others as the system does.
///
/// All endpoints' addresses are given, best first; those that are found later than a second after the first are not
/// waited for. reqwest connects to one after the other until a connection stands: it fails over where connecting fails,
/// not where a server answers and then fails. What speaks neither HTTP/1.1 nor another default is left out.
///
/// The port of a record travels with its addresses, and reqwest uses it if the URL names none; a port in the URL, even
/// 443, beats it. So `https://<key>/` reaches the port that the key's owner chose. reqwest asks without saying whether
/// for `http` or `https`; a record's port is one for TLS.
impl Resolve for Client {
    fn resolve(&self, name: Name) -> Resolving {
        let place = Place::of_host(name.as_str());
        let client = self.clone();
        Box::pin(async move {
            let Some(place) = place else {
                let addresses = lookup::addresses(name.as_str().to_owned()).await?;
                let addresses = addresses.into_iter().map(|address| SocketAddr::new(address, 0));
                return Ok(Box::new(addresses) as Addrs);
            };
            #[cfg(feature = "reqwest-builder")]
            crate::reqwest_builder::want_raw_key();
            // With the client's other work, for there are timers; whatever runtime carries reqwest.
            let (sender, receiver) = oneshot::channel();
            Background::shared()?.spawn(async move {
                let _ = sender.send(Reachable::default().search(&client, place).await);
            });
            let addresses = receiver.await??;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The addresses found so far.
#[derive(Default)]
struct Reachable {
    addresses: Vec<SocketAddr>,
    /// Why the last endpoint of which there are none has none.
    failed: Option<io::Error>,
}

impl Reachable {
    async fn search(mut self, client: &Client, place: Place) -> Result<Vec<SocketAddr>, BoxError> {
        let mut search = Search::new(client, place, TYPE::HTTPS);
        while self.addresses.is_empty() {
            let Some(endpoint) = search.next().await else {
                let failed = self.failed.map(BoxError::from);
                return Err(failed.unwrap_or_else(|| search.in_vain().into()));
            };
            self.add(&endpoint).await;
        }
        let more = async {
            while self.addresses.len() < MAX_ADDRESSES
                && let Some(endpoint) = search.next().await
            {
                self.add(&endpoint).await;
            }
        };
        // What is late is done without.
        let _ = timeout(GRACE, more).await;
        self.addresses.truncate(MAX_ADDRESSES);
        Ok(self.addresses)
    }

    async fn add(&mut self, endpoint: &Endpoint) {
        if !speaks_http(endpoint) {
            return;
        }
        match endpoint.to_socket_addrs().await {
            Ok(addresses) => {
                for address in addresses {
                    if !self.addresses.contains(&address) {
                        self.addresses.push(address);
                    }
                }
            }
            Err(error) => self.failed = Some(error),
        }
    }
}

/// Whether HTTP/1.1 is spoken there, which is all that can be asked of every build of reqwest.
fn speaks_http(endpoint: &Endpoint) -> bool {
    !endpoint.no_default_alpn() || endpoint.alpn().any(|id| id == b"http/1.1")
}
