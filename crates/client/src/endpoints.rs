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
mod lookup;
mod service;
mod walk;

use futures_util::Stream;
use mainstay_packets::dns::TYPE;

use crate::client::Client;
pub use endpoint::Endpoint;
pub use error::{Attempt, Attempts, CouldNotResolveEndpoint, DeadEnd};
use walk::{Place, Walk};

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
        let walk = Place::parse(name).ok().map(|place| self.walk(place, rtype));
        futures_util::stream::unfold(walk, |walk| async move {
            let mut walk = walk?;
            let endpoint = walk.next().await?;
            Some((endpoint, Some(walk)))
        })
    }

    async fn endpoint(&self, name: &str, rtype: TYPE) -> Result<Endpoint, CouldNotResolveEndpoint> {
        let place = Place::parse(name)?;
        let name = place.to_string();
        let mut walk = self.walk(place, rtype);
        let found = walk.next().await;
        found.ok_or_else(|| CouldNotResolveEndpoint::NothingUsable { name, tried: walk.tried() })
    }

    fn walk(&self, place: Place, rtype: TYPE) -> Walk<Client> {
        Walk::new(self.clone(), place, rtype, self.max_recursion_depth(), rand::random())
    }
}
