//! Endpoints: from a name under a key to places where its service can be reached, by SVCB and HTTPS records
//! ([RFC 9460](https://www.rfc-editor.org/rfc/rfc9460)).
//!
//! Separate because a client resolves packets; what service records in them mean is decided here, and only for those
//! who want them (feature `endpoints`).
//!
//! # Where we differ from RFC 9460
//!
//! * A record in ServiceMode whose target lies under another key delegates to that key: if the target has service
//!   records of its own, they are followed in its place. The zones of pkarr do so.
//! * A target in DNS is asked for addresses, never for service records.
//! * When the records of a name, or of an alias's target, lead nowhere, the addresses of that name come last.

mod endpoint;
mod error;
pub(crate) mod lookup;
mod service;
mod walk;

use futures_util::Stream;
use mainstay_packets::dns::TYPE;

use crate::client::Client;
pub use endpoint::Endpoint;
pub use error::{Attempt, Attempts, CouldNotResolveEndpoint, DeadEnd};
pub(crate) use walk::Place;
use walk::Walk;

/// Endpoints (feature `endpoints`).
impl Client {
    /// The endpoints that the HTTPS records of a name lead to, best first.
    ///
    /// Records are followed as the stream is polled, so that an endpoint which is not needed costs nothing: through
    /// aliases, targets under other keys and CNAMEs, up to
    /// [`max_recursion_depth`](crate::ClientBuilder::max_recursion_depth) packets deep on each branch. Records of equal
    /// priority come in random order. A branch that fails is passed over. A name without such records has its addresses
    /// as its one endpoint.
    ///
    /// Takes what people paste, as [`Self::resolve_name`] does. For a port other than 443 ask for
    /// `_<port>._https.<name>` ([section 9.1](https://www.rfc-editor.org/rfc/rfc9460#section-9.1)). A name that does not
    /// end in a key has no endpoints here; [`Self::resolve_https_endpoint`] says so.
    pub fn resolve_https_endpoints(&self, name: &str) -> impl Stream<Item = Endpoint> + use<> {
        self.endpoints(name, TYPE::HTTPS)
    }

    /// As [`Self::resolve_https_endpoints`], by SVCB records. The name has the prefix of the service:
    /// `_8080._foo.<name>` ([section 2.3](https://www.rfc-editor.org/rfc/rfc9460#section-2.3)).
    pub fn resolve_svcb_endpoints(&self, name: &str) -> impl Stream<Item = Endpoint> + use<> {
        self.endpoints(name, TYPE::SVCB)
    }

    /// The first of [`Self::resolve_https_endpoints`].
    ///
    /// # Errors
    /// [`CouldNotResolveEndpoint`] says what was tried.
    pub async fn resolve_https_endpoint(
        &self,
        name: &str,
    ) -> Result<Endpoint, CouldNotResolveEndpoint> {
        self.endpoint(name, TYPE::HTTPS).await
    }

    /// The first of [`Self::resolve_svcb_endpoints`].
    ///
    /// # Errors
    /// [`CouldNotResolveEndpoint`] says what was tried.
    pub async fn resolve_svcb_endpoint(
        &self,
        name: &str,
    ) -> Result<Endpoint, CouldNotResolveEndpoint> {
        self.endpoint(name, TYPE::SVCB).await
    }

    fn endpoints(&self, name: &str, rtype: TYPE) -> impl Stream<Item = Endpoint> + use<> {
        let search = Place::parse(name).ok().map(|place| Search::new(self, place, rtype));
        futures_util::stream::unfold(search, |search| async move {
            let mut search = search?;
            let endpoint = search.next().await?;
            Some((endpoint, Some(search)))
        })
    }

    async fn endpoint(&self, name: &str, rtype: TYPE) -> Result<Endpoint, CouldNotResolveEndpoint> {
        let mut search = Search::new(self, Place::parse(name)?, rtype);
        let found = search.next().await;
        found.ok_or_else(|| search.in_vain())
    }
}

/// A client's search, which notes for handshakes to come whose keys it finds.
pub(crate) struct Search {
    place: Place,
    walk: Walk<Client>,
    #[cfg(all(feature = "tls", not(target_family = "wasm")))]
    expected: crate::tls::expected::ExpectedKeys,
}

impl Search {
    pub(crate) fn new(client: &Client, place: Place, rtype: TYPE) -> Self {
        let depth = client.max_recursion_depth();
        Self {
            walk: Walk::new(client.clone(), place.clone(), rtype, depth, rand::random()),
            place,
            #[cfg(all(feature = "tls", not(target_family = "wasm")))]
            expected: client.expected_keys().clone(),
        }
    }

    /// The next endpoint, unless all ways have been tried.
    pub(crate) async fn next(&mut self) -> Option<Endpoint> {
        let endpoint = self.walk.next().await?;
        #[cfg(all(feature = "tls", not(target_family = "wasm")))]
        if endpoint.public_key() != self.place.key() {
            let now = std::time::Instant::now();
            self.expected.expect(&self.place.host(), endpoint.public_key(), now);
        }
        Some(endpoint)
    }

    /// The error of a search that found nothing.
    pub(crate) fn in_vain(self) -> CouldNotResolveEndpoint {
        let name = self.place.to_string();
        CouldNotResolveEndpoint::NothingUsable { name, tried: self.walk.tried() }
    }
}
