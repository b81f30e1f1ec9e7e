//! What can go wrong, one error for each operation a caller can retry or report differently.
//!
//! Separate because the async and the blocking client report the same errors.

use std::fmt;
use std::io;

use mainstay_packets::Timestamp;
use thiserror::Error;

use crate::report::{Answer, AnswerOutcome, PublishReport};

/// A client could not be built; the configuration or this machine is to blame.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Both the DHT and the relays are off.
    #[error("neither DHT nor relays are enabled; keep at least one of them")]
    NoNetwork,
    /// Relays are wanted, but the list is empty.
    #[error("the list of relays is empty; name one, or turn relays off with no_relays()")]
    EmptyListOfRelays,
    /// The DHT node could not be started.
    #[cfg(feature = "dht")]
    #[error("cannot start the DHT node")]
    Dht(#[from] mainstay_dht::BuildError),
    /// The HTTP client for relays could not be set up.
    #[cfg(feature = "relays")]
    #[error("cannot set up the relay client")]
    Relay(#[source] mainstay_relay::BuildError),
    /// The threads that carry background work could not be started.
    #[error("cannot start the background runtime")]
    Runtime(#[source] io::Error),
}

/// Somebody else is publishing this key too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConcurrencyError {
    /// Another packet of this key is being published and the caller did not say what it replaces.
    ///
    /// Resolve the most recent packet, carry its records over, and publish with its timestamp as
    /// `cas`.
    #[error("another packet of this key is being published; publish with cas to replace it")]
    ConflictRisk,
    /// A more recent packet than the one to publish exists.
    #[error("a more recent packet of this key exists; resolve it, sign a newer one and retry")]
    NotMostRecent {
        /// The timestamp of the more recent packet, where known.
        seen: Option<Timestamp>,
    },
    /// The packet to replace is not the one named by `cas`.
    #[error("the packet to replace has changed; resolve it, carry its records over and retry")]
    CasFailed {
        /// The timestamp of the packet that stands, where known.
        seen: Option<Timestamp>,
    },
}

impl ConcurrencyError {
    /// The same conflict, naming the packet that stands in the way.
    pub(crate) fn with_seen(self, newer: Option<Timestamp>) -> Self {
        match self {
            Self::ConflictRisk => self,
            Self::NotMostRecent { seen } => Self::NotMostRecent { seen: newer.or(seen) },
            Self::CasFailed { seen } => Self::CasFailed { seen: newer.or(seen) },
        }
    }
}

/// A packet was not published.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum PublishError {
    /// Somebody else is publishing this key too: resolve, merge and try again.
    #[error(transparent)]
    Concurrency(ConcurrencyError),
    /// Backends hold something that forbids it: resolve, merge and try again.
    ///
    /// Others may have stored the packet all the same; the report tells.
    #[error("{conflict} ({report})")]
    Refused {
        /// Which rule forbids it.
        conflict: ConcurrencyError,
        /// What each backend did.
        report: PublishReport,
    },
    /// No backend stored it; the report says why for each. Try again later.
    #[error("no backend stored the packet ({0})")]
    NotStored(PublishReport),
    /// So many publishes are running that another must wait; try again later.
    #[error("too many publishes are running")]
    Busy,
    /// The background task that published died with the process's runtime.
    #[error("publishing was abandoned")]
    Abandoned,
}

impl PublishError {
    /// The conflict with another publisher, if that is what went wrong.
    #[must_use]
    pub fn concurrency(&self) -> Option<ConcurrencyError> {
        match self {
            Self::Concurrency(conflict) | Self::Refused { conflict, .. } => Some(*conflict),
            Self::NotStored(_) | Self::Busy | Self::Abandoned => None,
        }
    }

    /// What each backend did, if any was asked.
    #[must_use]
    pub fn report(&self) -> Option<&PublishReport> {
        match self {
            Self::Refused { report, .. } | Self::NotStored(report) => Some(report),
            Self::Concurrency(_) | Self::Busy | Self::Abandoned => None,
        }
    }
}

/// A key was not resolved.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// The policy forbids asking the network, and memory has no packet.
    #[error("the cache has no packet of this key, and only the cache was asked")]
    NotCached,
    /// Every backend that answered has nothing for this key.
    #[error("no packet of this key is published ({0})")]
    NotFound(Answers),
    /// Only packets older than one seen before were found; the backends are behind, or lie.
    #[error("only packets older than one seen before were found ({answers})")]
    Outdated {
        /// The highest timestamp this client has seen for the key.
        seen: Timestamp,
        /// What each backend answered.
        answers: Answers,
    },
    /// The owner of the key has published something that is not a packet.
    #[error("the value at sequence {seq} is not a packet ({answers})")]
    NotAPacket {
        /// The value's sequence number.
        seq: i64,
        /// What each backend answered.
        answers: Answers,
    },
    /// No backend could be asked: this machine may be offline.
    #[error("no backend answered ({0})")]
    NoAnswer(Answers),
    /// So many lookups are running that another would not help; try again later.
    #[error("too many lookups are running")]
    Busy,
}

impl ResolveError {
    /// What each backend answered; empty if none was asked.
    #[must_use]
    pub fn answers(&self) -> &[Answer] {
        match self {
            Self::NotFound(answers)
            | Self::Outdated { answers, .. }
            | Self::NotAPacket { answers, .. }
            | Self::NoAnswer(answers) => &answers.0,
            Self::NotCached | Self::Busy => &[],
        }
    }

    /// Whether the network was reached and holds no packet of the key.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        match self {
            Self::NotCached | Self::NotFound(_) => true,
            Self::Outdated { .. } | Self::NotAPacket { .. } | Self::NoAnswer(_) | Self::Busy => {
                false
            }
        }
    }

    /// The error that a finished set of fruitless answers amounts to.
    pub(crate) fn from_answers(answers: Vec<Answer>) -> Self {
        let mut newest_invalid = None;
        let mut newest_seen = None;
        let mut someone_answered = false;
        for answer in &answers {
            match &answer.outcome {
                AnswerOutcome::NotAPacket { seq } => {
                    newest_invalid = newest_invalid.max(Some(*seq));
                }
                AnswerOutcome::Outdated { seen, .. } => newest_seen = newest_seen.max(Some(*seen)),
                AnswerOutcome::NotFound | AnswerOutcome::Found { .. } => someone_answered = true,
                AnswerOutcome::Pending
                | AnswerOutcome::NotAsked
                | AnswerOutcome::WrongKey
                | AnswerOutcome::Failed(_) => {}
            }
        }
        let answers = Answers(answers);
        if let Some(seq) = newest_invalid {
            Self::NotAPacket { seq, answers }
        } else if let Some(seen) = newest_seen {
            Self::Outdated { seen, answers }
        } else if someone_answered {
            Self::NotFound(answers)
        } else {
            Self::NoAnswer(answers)
        }
    }
}

/// What each backend answered, as an error carries it.
#[derive(Clone, Debug)]
pub struct Answers(pub(crate) Vec<Answer>);

impl Answers {
    /// One entry a backend.
    #[must_use]
    pub fn as_slice(&self) -> &[Answer] {
        &self.0
    }
}

impl fmt::Display for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, answer) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{answer}")?;
        }
        Ok(())
    }
}
