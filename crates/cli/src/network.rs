//! The client that the common options describe.
//!
//! Separate, because every verb that uses the network reads these options the same way.

use std::future::Future;
use std::time::Duration;

use mainstay::{BuildError, Client, dht};

use crate::args::{Options, Verb};
use crate::failure::Failure;

/// A client of the networks asked for.
///
/// Naming a bootstrap node or a relay means those and no others: a private network stays private.
pub(crate) fn client(common: &Options) -> Result<Client, Failure> {
    let named = !common.bootstrap.is_empty() || !common.relay.is_empty();
    let mut builder = Client::builder()
        .request_timeout(common.timeout.min(REQUEST))
        .dht_deadline(before(common.timeout));
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

/// Refuses options that name a network to a verb that has none, or brings its own: whoever gives one means something
/// that will not happen.
pub(crate) fn refuse_meaningless(common: &Options, verb: &Verb) -> Result<(), Failure> {
    let given = [
        ("--bootstrap", !common.bootstrap.is_empty()),
        ("--relay", !common.relay.is_empty()),
        ("--no-dht", common.no_dht),
        ("--no-relays", common.no_relays),
    ];
    let (meaningless, why): (&[&str], _) = match verb {
        Verb::Key(_) | Verb::Sign(_) | Verb::Verify(_) | Verb::Completions(_) => {
            (&["--bootstrap", "--relay", "--no-dht", "--no-relays"], "this verb uses no network")
        }
        Verb::Testnet(_) | Verb::Demo => (
            &["--bootstrap", "--relay", "--no-dht", "--no-relays"],
            "this verb makes a network of its own",
        ),
        Verb::Node(_) => {
            (&["--relay", "--no-dht"], "a node is a node of the DHT, and asks no relay")
        }
        Verb::Dht(_) => {
            (&["--relay", "--no-dht", "--no-relays"], "this verb asks the DHT, and no relay")
        }
        Verb::Relay(_) => (&["--relay"], "a relay asks the DHT, and no other relay"),
        Verb::Publish(_) | Verb::Resolve(_) | Verb::Republish(_) => return Ok(()),
    };
    let Some((option, _)) = given.iter().find(|(name, is)| *is && meaningless.contains(name))
    else {
        return Ok(());
    };
    Err(Failure::BadInput { what: format!("{option} has no meaning here: {why}"), source: None })
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
pub(crate) const REQUEST: Duration = Duration::from_secs(5);

/// When questions to the DHT end so that what they found by then is told before `timeout` gives up on them: a tenth of
/// it earlier, a second at most.
pub(crate) fn before(timeout: Duration) -> Duration {
    timeout.saturating_sub((timeout / 10).min(Duration::from_secs(1)))
}

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
