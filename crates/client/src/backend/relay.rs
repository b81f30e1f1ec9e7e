//! An HTTP relay as a backend.
//!
//! Separate because it is the one place of this crate that talks to `mainstay_relay`.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mainstay_packets::{SignedPacket, Timestamp};
use mainstay_relay::{Conflict, HttpClient, Policy, RelayClient, RelayError, RelayOptions};
use url::Url;

use crate::backend::{Backend, End, Find, Finds, Published, Question, Reach};
use crate::error::{BuildError, ConcurrencyError};
use crate::report::{BackendName, Failure, PublishResult, Source};

/// To publish, a relay first searches and then stores: it gets so many times the time of a resolve.
const PUBLISH_FACTOR: u32 = 2;

/// How much longer than its own timeouts a relay's client may take before it is given up.
const GRACE: Duration = Duration::from_secs(1);

/// A relay that packets are published through.
#[derive(Debug)]
pub(crate) struct RelayBackend {
    relay: RelayClient,
    /// The relay's address without what in it may be secret.
    name: Url,
    patience: Duration,
}

impl RelayBackend {
    /// Over that HTTP client, or one of its own.
    pub(crate) fn new(
        url: &Url,
        timeout: Duration,
        http: Option<HttpClient>,
    ) -> Result<Self, BuildError> {
        let publish_timeout = timeout.saturating_mul(PUBLISH_FACTOR);
        let options =
            RelayOptions::default().resolve_timeout(timeout).publish_timeout(publish_timeout);
        let relay = match http {
            Some(http) => RelayClient::with_http(url, options, http),
            None => RelayClient::new(url, options),
        };
        let relay = relay.map_err(BuildError::Relay)?;
        let mut name = url.clone();
        name.set_query(None);
        // Both fail only for addresses without a host, which no relay has.
        let _ = name.set_username("");
        let _ = name.set_password(None);
        Ok(Self { relay, name, patience: publish_timeout.saturating_add(GRACE) })
    }
}

#[cfg_attr(not(target_family = "wasm"), async_trait)]
#[cfg_attr(target_family = "wasm", async_trait(?Send))]
impl Backend for RelayBackend {
    fn name(&self) -> BackendName {
        BackendName::Relay(self.name.clone())
    }

    fn is_ranked(&self) -> bool {
        true
    }

    fn patience(&self) -> Duration {
        self.patience
    }

    async fn publish(&self, packet: &SignedPacket, cas: Option<Timestamp>) -> Published {
        let result = match self.relay.publish(packet, cas).await {
            Ok(stored) => {
                let nodes = stored.nodes.map(|nodes| usize::try_from(nodes).unwrap_or(usize::MAX));
                PublishResult::Stored { nodes }
            }
            Err(error) => match error.conflict() {
                Some(conflict) => PublishResult::Conflict { conflict: as_ours(conflict) },
                None => PublishResult::Failed(Failure::Relay(Arc::new(error))),
            },
        };
        result.into()
    }

    async fn resolve(&self, question: Question, finds: Finds) -> End {
        let policy = match question.reach {
            Reach::First => Policy::CacheFirst,
            Reach::All => Policy::NetworkOnly,
        };
        // Whatever is at hand, the relay's packet is wanted: to see it again is what keeps it fresh.
        match self.relay.resolve(&question.key, policy, None).await {
            Ok(fetched) => {
                let source = Source::Relay(self.name.clone());
                let last_seen = fetched.last_seen.unwrap_or_else(Timestamp::clock);
                finds.send(Find { packet: fetched.packet, source, last_seen }).await;
                End::Exhausted
            }
            Err(RelayError::NotFound { invalid_seq: Some(seq), .. }) => End::NotAPacket { seq },
            Err(RelayError::NotFound { .. }) => End::Exhausted,
            Err(error) => End::Failed(Failure::Relay(Arc::new(error))),
        }
    }
}

fn as_ours(conflict: Conflict) -> ConcurrencyError {
    match conflict {
        Conflict::NotMostRecent => ConcurrencyError::NotMostRecent { seen: None },
        Conflict::CasFailed => ConcurrencyError::CasFailed { seen: None },
        Conflict::ConflictRisk => ConcurrencyError::ConflictRisk,
    }
}
