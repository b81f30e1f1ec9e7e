//! `Endpoint`: one place where a service can be reached.
//!
//! Separate from the search because programs keep endpoints after it is over.

use std::io;
use std::net::{IpAddr, SocketAddr};

use mainstay_keys::PublicKey;

use super::lookup;
use super::service::{self, Service};

/// A place where a service can be reached, and the key that its server must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub(super) public_key: PublicKey,
    pub(super) host: Host,
    pub(super) target: String,
    /// The record that leads here; none where a name has only addresses.
    pub(super) service: Option<Service>,
}

/// Whose word the addresses are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Host {
    /// A key has signed them.
    Signed(Vec<IpAddr>),
    /// DNS has to be asked.
    Domain(String),
}

impl Endpoint {
    /// Where the record leads: a name without the dot at its end, or `.` for the name that has the record.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The name to look up in DNS, if the addresses are not signed by a key.
    #[must_use]
    pub fn domain(&self) -> Option<&str> {
        match &self.host {
            Host::Domain(domain) => Some(domain),
            Host::Signed(_) => None,
        }
    }

    /// The port, if a record names one; otherwise it is that of the scheme, 443 for HTTPS.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.service.as_ref()?.port()
    }

    /// The key that the server must hold: that of the packet which has the addresses, or leads to the domain.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.public_key
    }

    /// The addresses that a key has signed, without asking DNS: A and AAAA records, else the hints of the record that
    /// leads here.
    #[must_use]
    pub fn addresses(&self) -> &[IpAddr] {
        match &self.host {
            Host::Signed(addresses) => addresses,
            Host::Domain(_) => &[],
        }
    }

    /// The addresses that the record suggests for the time until DNS answers (`ipv4hint`, `ipv6hint`).
    pub fn ip_hints(&self) -> impl Iterator<Item = IpAddr> {
        self.service.iter().flat_map(Service::hints)
    }

    /// How early the record wants to be tried, lower being earlier. None for an endpoint without a record: addresses of
    /// a name, or what an alias leads to.
    #[must_use]
    pub fn priority(&self) -> Option<u16> {
        self.service.as_ref().map(|service| service.priority)
    }

    /// The protocols that the record lists, as they stand in TLS: `h2`, `h3`.
    ///
    /// Beside them the default of the scheme is spoken (`http/1.1` for HTTPS), unless [`Self::no_default_alpn`].
    pub fn alpn(&self) -> impl Iterator<Item = &[u8]> {
        self.service.iter().flat_map(Service::alpn)
    }

    /// Whether nothing is spoken here but what [`Self::alpn`] lists.
    #[must_use]
    pub fn no_default_alpn(&self) -> bool {
        self.param(service::NO_DEFAULT_ALPN).is_some()
    }

    /// The value of a parameter by its number
    /// ([RFC 9460, section 14.3.2](https://www.rfc-editor.org/rfc/rfc9460#section-14.3.2)), in its wire form.
    #[must_use]
    pub fn param(&self, key: u16) -> Option<&[u8]> {
        self.service.as_ref()?.param(key)
    }

    /// All parameters in ascending order of their numbers.
    pub fn params(&self) -> impl Iterator<Item = (u16, &[u8])> {
        let params = self.service.iter().flat_map(|service| &service.params);
        params.map(|(key, value)| (*key, value.as_slice()))
    }

    /// The addresses to connect to, with the port or 0 where there is none.
    ///
    /// Answers at once if a key has signed the addresses. Otherwise the system looks the domain up, on a thread of this
    /// crate, so that no task is held up and any executor will do; where that fails, the hints of the record are given.
    ///
    /// # Errors
    /// When the domain cannot be looked up and there are no hints. In browsers, which have no look-up, that is always.
    pub async fn to_socket_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        let port = self.port().unwrap_or_default();
        let with_port = |address| SocketAddr::new(address, port);
        let domain = match &self.host {
            Host::Signed(addresses) => {
                return Ok(addresses.iter().copied().map(with_port).collect());
            }
            Host::Domain(domain) => domain,
        };
        match lookup::addresses(domain.clone()).await {
            Ok(addresses) if !addresses.is_empty() => {
                Ok(addresses.into_iter().map(with_port).collect())
            }
            failed => {
                let hints: Vec<_> = self.ip_hints().map(with_port).collect();
                if hints.is_empty() {
                    failed?;
                    return Err(io::ErrorKind::NotFound.into());
                }
                Ok(hints)
            }
        }
    }
}
