//! The client that the common options describe.
//!
//! Separate, because every verb that uses the network reads these options the same way.

use std::future::Future;

use mainstay::{BuildError, Client, dht};

use crate::args::Options;
use crate::failure::Failure;

/// A client of the networks asked for.
///
/// Naming a bootstrap node or a relay means those and no others: a private network stays private.
pub(crate) fn client(common: &Options) -> Result<Client, Failure> {
    let named = !common.bootstrap.is_empty() || !common.relay.is_empty();
    let mut builder = Client::builder().request_timeout(common.timeout.min(REQUEST));
    if !common.bootstrap.is_empty() {
        builder = builder.bootstrap(&common.bootstrap);
    }
    if common.no_dht || (named && common.bootstrap.is_empty()) {
        builder = builder.no_dht();
    }
    if !common.relay.is_empty() {
        builder = builder
            .relays(&common.relay)
            .map_err(|error| Failure::input("a relay's address cannot be used", error))?;
    }
    if common.no_relays || (named && common.relay.is_empty()) {
        builder = builder.no_relays();
    }
    builder.build().map_err(unusable)
}

/// Who is to blame that there is no client: the words that were given, or this machine.
fn unusable(error: BuildError) -> Failure {
    match error {
        BuildError::NoNetwork | BuildError::EmptyListOfRelays => {
            Failure::input("these options leave no network to use", error)
        }
        BuildError::Dht(error) => no_node("cannot start the DHT node", error),
        other => Failure::local("cannot start the client", other),
    }
}

/// As [`unusable`], for a node alone: a bootstrap address is somebody's word, a port is this machine's.
pub(crate) fn no_node(what: impl Into<String>, error: dht::BuildError) -> Failure {
    match error {
        dht::BuildError::Bootstrap { .. } => Failure::input("the DHT cannot be joined", error),
        _ => Failure::local(what, error),
    }
}

/// How long one request may take; the whole verb has `--timeout`.
pub(crate) const REQUEST: std::time::Duration = std::time::Duration::from_secs(5);

/// Waits for `work` as long as `--timeout` allows.
pub(crate) async fn within<T>(
    common: &Options,
    what: &str,
    work: impl Future<Output = T>,
) -> Result<T, Failure> {
    tokio::time::timeout(common.timeout, work).await.map_err(|_elapsed| Failure::Network {
        what: format!("{what}: no result within {} seconds", common.timeout.as_secs_f64()),
        source: None,
    })
}
