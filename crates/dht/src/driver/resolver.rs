//! Turns the host names of bootstrap nodes into addresses, in the background and until it works.
//! Separate because names are the only thing here that waits for somebody outside of the DHT.

use std::future::pending;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::debug;

/// The wait after the first failure of a name; doubles up to [`RETRY_MAX`].
const RETRY_MIN: Duration = Duration::from_secs(1);
/// The longest wait between two tries of one name.
const RETRY_MAX: Duration = Duration::from_secs(300);

/// The names that have no address yet, each in a task of its own.
#[derive(Debug)]
pub(crate) struct Resolver {
    names: Vec<Box<str>>,
    tries: JoinSet<Try>,
    found: Vec<SocketAddr>,
    /// Names whose first try is still under way.
    untold: usize,
    ready: bool,
}

/// What came of one try of one name.
#[derive(Debug)]
struct Try {
    name: Box<str>,
    addresses: Vec<SocketAddr>,
    wait: Duration,
    first: bool,
}

impl Resolver {
    pub(crate) fn new(names: Vec<Box<str>>) -> Self {
        Self { untold: names.len(), names, tries: JoinSet::new(), found: Vec::new(), ready: false }
    }

    /// Begins with all names at once. Must run inside a tokio runtime.
    pub(crate) fn start(&mut self) {
        for name in self.names.drain(..) {
            self.tries.spawn(resolve(name, Duration::ZERO));
        }
    }

    /// Completes when [`Resolver::take`] has something to say; never if all names are resolved.
    /// Cancel safe.
    pub(crate) async fn wait(&mut self) {
        while !self.ready {
            let Some(joined) = self.tries.join_next().await else {
                return pending().await;
            };
            // A task that panicked has lost its name; the others go on.
            if let Ok(tried) = joined {
                self.tried(tried);
            }
        }
    }

    /// The addresses found since the last call. An empty list means that all names have been tried
    /// and none has an address so far.
    pub(crate) fn take(&mut self) -> Option<Vec<SocketAddr>> {
        std::mem::take(&mut self.ready).then(|| std::mem::take(&mut self.found))
    }

    fn tried(&mut self, tried: Try) {
        if tried.first {
            self.untold = self.untold.saturating_sub(1);
            self.ready |= self.untold == 0;
        }
        if tried.addresses.is_empty() {
            let wait = (tried.wait * 2).clamp(RETRY_MIN, RETRY_MAX);
            self.tries.spawn(resolve(tried.name, wait));
        } else {
            self.found.extend(tried.addresses);
            self.ready = true;
        }
    }
}

async fn resolve(name: Box<str>, wait: Duration) -> Try {
    sleep(wait).await;
    let addresses = match lookup_host(&*name).await {
        Ok(addresses) => addresses.collect(),
        Err(error) => {
            debug!(%name, %error, "bootstrap name has no address, it will be tried again");
            Vec::new()
        }
    };
    Try { name, addresses, wait, first: wait.is_zero() }
}

#[cfg(test)]
mod tests {
    use super::Resolver;

    #[tokio::test]
    async fn a_name_that_has_an_address_is_told_with_its_port() {
        let mut resolver = Resolver::new(vec!["localhost:4242".into()]);
        assert_eq!(resolver.take(), None);
        resolver.start();
        resolver.wait().await;
        let found = resolver.take().unwrap();
        assert!(!found.is_empty());
        assert!(found.iter().all(|address| address.ip().is_loopback() && address.port() == 4242));
        assert_eq!(resolver.take(), None);
    }

    #[tokio::test]
    async fn names_that_all_fail_are_told_once_as_none() {
        // Without a port they fail before anybody is asked.
        let mut resolver = Resolver::new(vec!["first".into(), "second".into()]);
        resolver.start();
        resolver.wait().await;
        assert_eq!(resolver.take(), Some(Vec::new()));
        assert_eq!(resolver.tries.len(), 2, "both are being tried again");
    }

    #[tokio::test]
    async fn a_failing_name_does_not_hold_up_the_others() {
        let mut resolver = Resolver::new(vec!["first".into(), "localhost:1".into()]);
        resolver.start();
        resolver.wait().await;
        let mut found = resolver.take().unwrap();
        if found.is_empty() {
            resolver.wait().await;
            found = resolver.take().unwrap();
        }
        assert!(!found.is_empty());
    }
}
