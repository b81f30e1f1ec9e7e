//! A client of one relay: publishes to it and resolves from it, and believes nothing that it cannot verify.
//! Apart from the protocol because it needs an HTTP library; which one shows in [`HttpClient`] alone.

use std::{fmt, sync::Arc, time::Duration};

use mainstay_keys::PublicKey;
use mainstay_packets::{SignedPacket, Timestamp};
use url::Url;

use crate::protocol::{self, Conflict, Policy, header};

mod error;
mod http;

pub use error::{BuildError, RelayError};
pub use http::HttpClient;
use http::{Answer, Http, Request};

/// A client of one relay.
///
/// Cloning is cheap, and clones share connections. Futures must run within a tokio runtime (in browsers, on the event
/// loop); each may be dropped at any time, which aborts its request. Nothing is retried except where relays are known to
/// answer oddly (see [`resolve`](Self::resolve)), nothing is cached, and nothing is kept between calls.
///
/// The address may have a path: relays of iroh lie under `/pkarr`.
#[derive(Clone)]
pub struct RelayClient(Arc<Relay>);

/// What all clones share.
struct Relay {
    url: Url,
    /// The address without what in it may be secret, as errors and logs show it.
    name: Arc<str>,
    options: RelayOptions,
    http: Http,
}

/// How long a relay may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelayOptions {
    resolve_timeout: Duration,
    publish_timeout: Duration,
}

impl RelayOptions {
    /// How long one request to resolve may take, from connecting to the last byte of the answer.
    ///
    /// The relay's own search in the DHT is part of it. Default: 5 seconds.
    #[must_use]
    pub const fn resolve_timeout(mut self, timeout: Duration) -> Self {
        self.resolve_timeout = timeout;
        self
    }

    /// How long one request to publish may take; the relay searches for nodes and stores the packet meanwhile.
    ///
    /// Default: 10 seconds.
    #[must_use]
    pub const fn publish_timeout(mut self, timeout: Duration) -> Self {
        self.publish_timeout = timeout;
        self
    }
}

impl Default for RelayOptions {
    fn default() -> Self {
        Self { resolve_timeout: Duration::from_secs(5), publish_timeout: Duration::from_secs(10) }
    }
}

/// What a relay says about a packet that it has stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stored {
    /// On how many nodes of the DHT; `None` if it does not say, as older relays do and those without a DHT.
    pub nodes: Option<u32>,
}

/// A packet from a relay, verified under the key that was asked for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Fetched {
    /// The packet.
    pub packet: SignedPacket,
    /// When the relay last saw it on the network, never in the future; `None` if the relay does not say. It is not
    /// signed: a relay can make a packet look fresher than it is, up to now.
    pub last_seen: Option<Timestamp>,
    /// How long HTTP caches may keep the answer, which is how long the relay takes the packet for fresh.
    pub max_age: Option<Duration>,
}

impl RelayClient {
    /// Prepares a client; nothing is sent yet.
    ///
    /// `url` is text or a [`Url`]. TLS trusts the certificate authorities of the web as they were when this version was
    /// built, not those of the machine. Proxies are taken from the environment, except for relays on this machine.
    ///
    /// # Errors
    ///
    /// [`BuildError::Url`] if the address is not one of a relay.
    pub fn new(url: impl AsRef<str>, options: RelayOptions) -> Result<Self, BuildError> {
        let url = protocol::parse_relay_url(url.as_ref())?;
        let http = Http::new(&url)?;
        Ok(Self::over(url, options, http))
    }

    /// As [`Self::new`], over an HTTP client of one's own: its proxies, certificate authorities and headers.
    ///
    /// Redirects and compressed answers are then its matter. What is believed stays the same, and so do the timeouts of
    /// `options` and how much of an answer is read. Clones of one client may serve many relays.
    ///
    /// # Errors
    ///
    /// [`BuildError::Url`] if the address is not one of a relay.
    pub fn with_http(
        url: impl AsRef<str>,
        options: RelayOptions,
        http: HttpClient,
    ) -> Result<Self, BuildError> {
        Ok(Self::over(protocol::parse_relay_url(url.as_ref())?, options, Http::from(http)))
    }

    fn over(url: Url, options: RelayOptions, http: Http) -> Self {
        Self(Arc::new(Relay { name: name(&url), url, options, http }))
    }

    /// The relay's address.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.0.url
    }

    /// Asks the relay to store a packet and to publish it where it publishes.
    ///
    /// With `cas`, only if the packet that the relay has carries that timestamp. Relays between version 1 and ours ignore
    /// the condition; they refuse only a packet that is older than theirs.
    ///
    /// # Errors
    ///
    /// [`RelayError::Conflict`] if another publisher was faster; [`RelayError::is_retryable`] tells what may go well a
    /// little later.
    pub async fn publish(
        &self,
        packet: &SignedPacket,
        cas: Option<Timestamp>,
    ) -> Result<Stored, RelayError> {
        let relay = &*self.0;
        let key = packet.public_key();
        let answer = relay
            .ask(Request::Put {
                url: protocol::packet_url(&relay.url, &key, None),
                payload: packet.to_relay_payload(),
                if_match: cas.map(protocol::if_match),
                timeout: relay.options.publish_timeout,
            })
            .await?;
        tracing::debug!(
            relay = &*relay.name,
            key = key.short(),
            status = answer.status,
            "published"
        );
        relay.stored(&answer)
    }

    /// Fetches the packet of a key.
    ///
    /// With `newer_than`, only a packet with a later timestamp counts. No condition is ever sent to the relay: old ones
    /// answer it with an empty body, browsers ask for permission first, and a packet is a kilobyte at most. An answer that
    /// is empty or "not modified" all the same is asked for once more, past all caches.
    ///
    /// # Errors
    ///
    /// [`RelayError::NotFound`] and [`RelayError::NothingNewer`] if there is nothing; the other errors say what the relay
    /// did.
    pub async fn resolve(
        &self,
        key: &PublicKey,
        policy: Policy,
        newer_than: Option<Timestamp>,
    ) -> Result<Fetched, RelayError> {
        let relay = &*self.0;
        let request = |bypass_caches| Request::Get {
            url: protocol::packet_url(&relay.url, key, Some(policy)),
            bypass_caches,
            timeout: relay.options.resolve_timeout,
        };
        let mut answer = relay.ask(request(policy == Policy::NetworkOnly)).await?;
        if answer.is_odd() {
            tracing::debug!(
                relay = &*relay.name,
                status = answer.status,
                "no packet in the answer"
            );
            answer = relay.ask(request(true)).await?;
        }
        tracing::debug!(
            relay = &*relay.name,
            key = key.short(),
            status = answer.status,
            "resolved"
        );
        relay.fetched(key, answer, newer_than)
    }
}

impl Relay {
    async fn ask(&self, request: Request) -> Result<Answer, RelayError> {
        let timeout = request.timeout();
        let answer = self.http.send(request).await;
        answer.map_err(|failure| RelayError::of_failure(&self.name, timeout, failure))
    }

    fn stored(&self, answer: &Answer) -> Result<Stored, RelayError> {
        // After a redirect that turned the request into a GET, 200 would mean that a packet was fetched.
        let stored = match answer.status {
            204 => true,
            200..=202 => !answer.redirected,
            _ => false,
        };
        if stored {
            let nodes = answer.number(header::STORED_NODES).and_then(|nodes| nodes.try_into().ok());
            return Ok(Stored { nodes });
        }
        Err(match Conflict::from_status(answer.status) {
            Some(conflict) => RelayError::Conflict { relay: self.name.clone(), conflict },
            None => RelayError::of_answer(&self.name, answer),
        })
    }

    fn fetched(
        &self,
        key: &PublicKey,
        answer: Answer,
        newer_than: Option<Timestamp>,
    ) -> Result<Fetched, RelayError> {
        let relay = || self.name.clone();
        match answer.status {
            200 if answer.cut => return Err(RelayError::TooLarge { relay: relay() }),
            200 | 304 if answer.is_odd() => {
                return Err(RelayError::Empty { relay: relay(), status: answer.status });
            }
            200 => {}
            404 => {
                let invalid_seq = answer.text(header::INVALID_SEQ).and_then(|seq| seq.parse().ok());
                return Err(RelayError::NotFound { relay: relay(), invalid_seq });
            }
            _ => return Err(RelayError::of_answer(&self.name, &answer)),
        }
        let packet = SignedPacket::from_relay_payload(key, &answer.body)
            .map_err(|source| RelayError::Invalid { relay: relay(), source })?;
        let timestamp = packet.timestamp();
        if newer_than.is_some_and(|known| timestamp <= known) {
            return Err(RelayError::NothingNewer { relay: relay(), timestamp });
        }
        let last_seen = protocol::last_seen(
            answer.text(header::MEMENTO_DATETIME),
            answer.text(header::AGE),
            Timestamp::clock(),
        );
        let max_age = answer.text(header::CACHE_CONTROL).and_then(protocol::max_age);
        Ok(Fetched { packet, last_seen, max_age })
    }
}

impl Answer {
    /// Whether the answer to an unconditional GET is one that only a fault explains: no body, or "not modified".
    fn is_odd(&self) -> bool {
        self.status == 304 || (self.status == 200 && self.body.is_empty() && !self.cut)
    }

    fn number(&self, name: &str) -> Option<u64> {
        protocol::decimal(self.text(name)?)
    }
}

/// User, password and query of an address may be secret; the rest names the relay.
fn name(url: &Url) -> Arc<str> {
    let mut bare = url.clone();
    bare.set_query(None);
    // Both fail only for addresses without a host, which `parse_relay_url` refuses.
    let _ = bare.set_username("");
    let _ = bare.set_password(None);
    bare.as_str().trim_end_matches('/').into()
}

impl fmt::Debug for RelayClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelayClient")
            .field("relay", &self.0.name)
            .field("options", &self.0.options)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
