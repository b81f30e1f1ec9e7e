//! Who was asked and what each answered: the provenance of answers and the outcome of publishing.
//!
//! Separate because results and errors both carry these, and neither should own them.

use std::fmt;
#[cfg(any(feature = "dht", feature = "relays"))]
use std::sync::Arc;
use std::time::Duration;

use mainstay_packets::{SignedPacket, Timestamp};
#[cfg(feature = "relays")]
use mainstay_relay::RelayError;
use thiserror::Error;
use url::Url;

use crate::error::ConcurrencyError;
use crate::ranking::Performance;

/// One of the networks a client speaks to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BackendName {
    /// The Mainline DHT.
    Dht,
    /// An HTTP relay.
    Relay(Url),
}

impl fmt::Display for BackendName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dht => f.write_str("dht"),
            Self::Relay(url) => url.fmt(f),
        }
    }
}

/// Where a resolved packet came from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// This client's cache.
    Cache,
    /// An HTTP relay.
    Relay(Url),
    /// The DHT.
    Dht {
        /// How many nodes are known to have given this very packet.
        nodes: usize,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cache => f.write_str("cache"),
            Self::Relay(url) => url.fmt(f),
            Self::Dht { nodes } => write!(f, "dht ({nodes} nodes)"),
        }
    }
}

/// A resolved packet with its provenance.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Resolution {
    /// The packet, verified.
    pub packet: SignedPacket,
    /// Who gave it.
    pub source: Source,
    /// When a backend last confirmed it.
    pub last_seen: Timestamp,
    /// What each backend asked so far has answered; empty when memory sufficed.
    ///
    /// A backend that disagrees shows here with an older timestamp or with nothing.
    pub answers: Vec<Answer>,
}

impl Resolution {
    /// How long ago a backend last confirmed the packet.
    #[must_use]
    pub fn age(&self) -> Duration {
        Timestamp::clock().saturating_duration_since(self.last_seen)
    }
}

/// What one backend said when asked for a key.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Answer {
    /// Who was asked.
    pub backend: BackendName,
    /// What it said.
    pub outcome: AnswerOutcome,
}

/// What a backend's answer amounts to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AnswerOutcome {
    /// It has not finished yet.
    Pending,
    /// It gave a packet that was accepted.
    Found {
        /// The packet's timestamp.
        timestamp: Timestamp,
    },
    /// It gave only a packet older than one this client has seen before.
    Outdated {
        /// The timestamp of what it gave.
        timestamp: Timestamp,
        /// The highest timestamp seen for this key.
        seen: Timestamp,
    },
    /// The newest value it knows is signed by the key but is not a packet.
    NotAPacket {
        /// The value's sequence number.
        seq: i64,
    },
    /// It gave another key's packet, which was discarded.
    WrongKey,
    /// It has nothing for this key.
    NotFound,
    /// It was not asked: others answered before its turn came, or it has failed too lately.
    NotAsked,
    /// It could not be asked, or its answer could not be used.
    Failed(Failure),
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.backend)?;
        match &self.outcome {
            AnswerOutcome::Pending => f.write_str("not finished"),
            AnswerOutcome::Found { timestamp } => {
                write!(f, "has a packet of {}", timestamp.as_u64())
            }
            AnswerOutcome::Outdated { timestamp, seen } => write!(
                f,
                "has a packet of {}, older than the {} seen before",
                timestamp.as_u64(),
                seen.as_u64(),
            ),
            AnswerOutcome::NotAPacket { seq } => {
                write!(f, "has a value at sequence {seq} that is not a packet")
            }
            AnswerOutcome::WrongKey => f.write_str("gave another key's packet"),
            AnswerOutcome::NotFound => f.write_str("has nothing"),
            AnswerOutcome::NotAsked => f.write_str("not asked"),
            AnswerOutcome::Failed(failure) => write!(f, "{failure}"),
        }
    }
}

/// Why a backend gave no usable answer.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum Failure {
    /// It did not answer in the time the client grants it.
    #[error("no answer within {after:?}")]
    TimedOut {
        /// The time granted.
        after: Duration,
    },
    /// The relay has lately asked us to wait, so it was not asked; nor will it be before that time is over.
    #[error("it asked us to wait, for another {remaining:?}")]
    Waiting {
        /// How much longer.
        remaining: Duration,
    },
    /// The relay refused or could not be reached.
    #[cfg(feature = "relays")]
    #[error(transparent)]
    Relay(Arc<RelayError>),
    /// The DHT lookup failed.
    #[cfg(feature = "dht")]
    #[error(transparent)]
    DhtGet(Arc<mainstay_dht::GetError>),
    /// Storing in the DHT failed.
    #[cfg(feature = "dht")]
    #[error(transparent)]
    DhtPut(Arc<mainstay_dht::PutError>),
    /// The packet's timestamp does not fit the sequence number of a DHT item.
    #[error("the packet's timestamp is too large to be a sequence number")]
    Unrepresentable,
    /// The task that asked it died.
    #[error("the request was abandoned")]
    Abandoned,
}

impl Failure {
    /// Whether it is the packet that was refused, and nothing is said about the relay.
    pub(crate) fn is_refusal(&self) -> bool {
        #[cfg(feature = "relays")]
        if let Self::Relay(error) = self {
            return matches!(&**error, RelayError::Refused { .. });
        }
        false
    }

    /// What it says about the relay that failed so.
    pub(crate) fn performance(&self) -> Performance {
        match self {
            #[cfg(feature = "relays")]
            Self::Relay(error) => match &**error {
                RelayError::Busy { retry_after, .. } => {
                    Performance::Busy { retry_after: *retry_after }
                }
                _ => Performance::Failed,
            },
            #[cfg(feature = "dht")]
            Self::DhtGet(_) | Self::DhtPut(_) => Performance::Failed,
            Self::TimedOut { .. } | Self::Abandoned => Performance::Failed,
            // No word of the relay's.
            Self::Waiting { .. } | Self::Unrepresentable => Performance::Alive,
        }
    }
}

/// What a publish did at each backend.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PublishReport {
    /// The timestamp of the packet that was published.
    pub timestamp: Timestamp,
    /// One entry a backend, in the order: DHT, then relays as configured.
    pub outcomes: Vec<PublishOutcome>,
}

impl PublishReport {
    /// How many DHT nodes are known to have stored the packet, through any backend.
    ///
    /// The largest count any backend reported, since they store at the same nodes. A relay that
    /// stored it but gives no count adds nothing.
    #[must_use]
    pub fn stored_nodes(&self) -> usize {
        let counts = self.outcomes.iter().filter_map(|outcome| match &outcome.result {
            PublishResult::Stored { nodes } => *nodes,
            PublishResult::Conflict { .. } | PublishResult::Failed(_) => None,
        });
        counts.max().unwrap_or(0)
    }

    /// Whether no backend has taken the packet with most of those behind it, and some refused it.
    pub(crate) fn is_outvoted(&self) -> bool {
        let mut refused = false;
        for outcome in &self.outcomes {
            match &outcome.result {
                PublishResult::Stored { nodes } if nodes.unwrap_or(1) >= outcome.refused => {
                    return false;
                }
                PublishResult::Stored { .. } | PublishResult::Conflict { .. } => refused = true,
                PublishResult::Failed(_) => {}
            }
        }
        refused
    }

    /// How many backends stored the packet.
    #[must_use]
    pub fn stored_backends(&self) -> usize {
        self.outcomes
            .iter()
            .filter(|outcome| matches!(outcome.result, PublishResult::Stored { .. }))
            .count()
    }
}

impl fmt::Display for PublishReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, outcome) in self.outcomes.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{outcome}")?;
        }
        Ok(())
    }
}

/// What a publish did at one backend.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PublishOutcome {
    /// Who was asked to store.
    pub backend: BackendName,
    /// What came of it.
    pub result: PublishResult,
    /// How many DHT nodes refused the packet for another one that they hold, though enough others stored it.
    pub refused: usize,
}

impl fmt::Display for PublishOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.backend)?;
        match &self.result {
            PublishResult::Stored { nodes: Some(nodes) } if self.refused > 0 => {
                write!(f, "stored at {nodes} nodes, {} hold another packet", self.refused)
            }
            PublishResult::Stored { nodes: Some(nodes) } => write!(f, "stored at {nodes} nodes"),
            PublishResult::Stored { nodes: None } => f.write_str("stored"),
            PublishResult::Conflict { conflict } => write!(f, "{conflict}"),
            PublishResult::Failed(failure) => write!(f, "{failure}"),
        }
    }
}

/// What one backend did with a packet it was asked to store.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum PublishResult {
    /// It stored the packet.
    Stored {
        /// At how many DHT nodes, if it said.
        nodes: Option<usize>,
    },
    /// It holds something that forbids storing the packet.
    Conflict {
        /// Which rule forbids it.
        conflict: ConcurrencyError,
    },
    /// It did not store the packet for another reason.
    Failed(Failure),
}
