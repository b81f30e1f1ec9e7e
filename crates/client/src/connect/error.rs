//! Why no connection stands.
//!
//! Separate because the story is told to people, whatever protocol was to be spoken.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use thiserror::Error;

use crate::endpoints::CouldNotResolveEndpoint;

pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// No connection to a name could be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Only `https` is spoken here, since nothing else proves who answers.
    #[error("{0} is not the URL of a host by https")]
    NotHttps(String),
    /// The name has no endpoint that can be used.
    #[error(transparent)]
    NoEndpoint(#[from] CouldNotResolveEndpoint),
    /// The system does not know the addresses of the host, or of the one that a name under a key leads to.
    #[error("the addresses behind {name} cannot be looked up: {source}")]
    Lookup {
        /// The name that was to be reached.
        name: String,
        /// What the system says.
        source: io::Error,
    },
    /// The name has addresses, and none of them let us in.
    #[error("{name} cannot be reached: {}", told(attempts))]
    Unreachable {
        /// The name.
        name: String,
        /// How each address failed, in the order of failing.
        attempts: Vec<FailedAttempt>,
    },
    /// The protocols that were asked for cannot be offered, or this machine's side of the connection is not fit for it.
    #[error("the connection cannot be configured: {0}")]
    Configuration(#[source] BoxError),
}

/// How an address failed.
#[derive(Debug)]
#[non_exhaustive]
pub struct FailedAttempt {
    /// The address.
    pub address: SocketAddr,
    /// The error of connecting, or of the handshake.
    pub error: BoxError,
}

impl fmt::Display for FailedAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.address, self.error)
    }
}

fn told(attempts: &[FailedAttempt]) -> String {
    match attempts {
        [] => "it has no address".to_owned(),
        some => some.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
    }
}
