//! What can go wrong between a client and a relay, and who is to blame.
//! Apart from the client because callers that combine several relays decide by these alone.

use std::{error::Error, sync::Arc, time::Duration};

use mainstay_packets::{Timestamp, VerifyError};
use thiserror::Error;

use super::http::{Answer, Failure};
use crate::protocol::{self, Conflict, RelayUrlError, header};

/// How much of a relay's own words an error repeats.
const LONGEST_WORDS: usize = 200;

/// What a relay did instead of doing what it was asked. Every variant names the relay.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RelayError {
    /// No connection came about: it is down, or the network is, or its certificate is not valid.
    #[error("cannot connect to the relay {relay}")]
    Unreachable {
        /// Which relay.
        relay: Arc<str>,
        /// What hindered.
        source: Box<dyn Error + Send + Sync>,
    },
    /// It did not answer in time.
    #[error("the relay {relay} did not answer within {after:?}")]
    Timeout {
        /// Which relay.
        relay: Arc<str>,
        /// How long it had.
        after: Duration,
    },
    /// It points elsewhere too often, or from `https` to `http`.
    #[error("the relay {relay} redirects without end or to an unsafe place")]
    Redirected {
        /// Which relay.
        relay: Arc<str>,
        /// Where the redirects were given up.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The connection broke, or what came is no HTTP.
    #[error("the connection to the relay {relay} broke before its answer was complete")]
    Broken {
        /// Which relay.
        relay: Arc<str>,
        /// How it broke.
        source: Box<dyn Error + Send + Sync>,
    },
    /// It sent more than any packet has; the rest was not read.
    #[error("the relay {relay} sent more than {} bytes, which no packet has", protocol::MAX_BODY)]
    TooLarge {
        /// Which relay.
        relay: Arc<str>,
    },
    /// It sent something that is no packet of the key asked for.
    #[error("the relay {relay} sent no valid packet of this key")]
    Invalid {
        /// Which relay.
        relay: Arc<str>,
        /// What is wrong with it.
        source: VerifyError,
    },
    /// It knows no packet of the key.
    #[error("the relay {relay} has no packet of this key")]
    NotFound {
        /// Which relay.
        relay: Arc<str>,
        /// The sequence number of what the network has instead, if the relay saw something newer that is no packet.
        invalid_seq: Option<i64>,
    },
    /// Its packet is not newer than the one that is known already.
    #[error("the relay {relay} has nothing newer: its packet is of {timestamp}")]
    NothingNewer {
        /// Which relay.
        relay: Arc<str>,
        /// The timestamp of its packet.
        timestamp: Timestamp,
    },
    /// Twice it answered without a packet, as if a condition had been sent.
    #[error("the relay {relay} answered {status} without a packet, twice")]
    Empty {
        /// Which relay.
        relay: Arc<str>,
        /// Its status: 200 or 304.
        status: u16,
    },
    /// Another publisher of the key was faster.
    #[error("conflict at the relay {relay}: {conflict}")]
    Conflict {
        /// Which relay.
        relay: Arc<str>,
        /// Who won how.
        conflict: Conflict,
    },
    /// It will not do this for anybody; asking again changes nothing.
    #[error("the relay {relay} refused with {status}: {words}")]
    Refused {
        /// Which relay.
        relay: Arc<str>,
        /// Its status.
        status: u16,
        /// The beginning of what it says, made printable.
        words: Box<str>,
    },
    /// It has too much to do, or we asked too often.
    #[error("the relay {relay} is busy ({status}); ask again later")]
    Busy {
        /// Which relay.
        relay: Arc<str>,
        /// 429 or 503.
        status: u16,
        /// How long it asks us to wait, at most a day.
        retry_after: Option<Duration>,
    },
    /// It failed, or answered what no relay answers.
    #[error("the relay {relay} failed with {status}: {words}")]
    Failed {
        /// Which relay.
        relay: Arc<str>,
        /// Its status.
        status: u16,
        /// The beginning of what it says, made printable.
        words: Box<str>,
    },
}

impl RelayError {
    /// Which relay it was: its address without user, password and query.
    #[must_use]
    pub fn relay(&self) -> &str {
        match self {
            Self::Unreachable { relay, .. }
            | Self::Timeout { relay, .. }
            | Self::Redirected { relay, .. }
            | Self::Broken { relay, .. }
            | Self::TooLarge { relay }
            | Self::Invalid { relay, .. }
            | Self::NotFound { relay, .. }
            | Self::NothingNewer { relay, .. }
            | Self::Empty { relay, .. }
            | Self::Conflict { relay, .. }
            | Self::Refused { relay, .. }
            | Self::Busy { relay, .. }
            | Self::Failed { relay, .. } => relay,
        }
    }

    /// Whether the very same request may go well a little later: the relay was busy or failing, or the network was.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::Broken { .. }
            | Self::Busy { .. } => true,
            Self::Failed { status, .. } => *status >= 500,
            Self::Redirected { .. }
            | Self::TooLarge { .. }
            | Self::Invalid { .. }
            | Self::NotFound { .. }
            | Self::NothingNewer { .. }
            | Self::Empty { .. }
            | Self::Conflict { .. }
            | Self::Refused { .. } => false,
        }
    }

    /// How long the relay asks us to wait, if it does.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// The conflict, if this is one.
    #[must_use]
    pub const fn conflict(&self) -> Option<Conflict> {
        match self {
            Self::Conflict { conflict, .. } => Some(*conflict),
            _ => None,
        }
    }

    pub(super) fn of_failure(relay: &Arc<str>, after: Duration, failure: Failure) -> Self {
        let relay = relay.clone();
        match failure {
            Failure::Timeout => Self::Timeout { relay, after },
            Failure::Connect(source) => Self::Unreachable { relay, source },
            Failure::Redirect(source) => Self::Redirected { relay, source },
            Failure::Broken(source) => Self::Broken { relay, source },
        }
    }

    /// What a status means that means neither success nor anything particular to the request.
    pub(super) fn of_answer(relay: &Arc<str>, answer: &Answer) -> Self {
        let (relay, status) = (relay.clone(), answer.status);
        match status {
            429 | 503 => {
                let value = answer.text(header::RETRY_AFTER);
                let now = Timestamp::clock().to_system_time();
                let retry_after = value.and_then(|value| protocol::retry_after(value, now));
                Self::Busy { relay, status, retry_after }
            }
            400..=499 => Self::Refused { relay, status, words: words(&answer.body) },
            _ => Self::Failed { relay, status, words: words(&answer.body) },
        }
    }
}

/// The beginning of a text from a stranger, without what would move a cursor or hide something.
fn words(body: &[u8]) -> Box<str> {
    String::from_utf8_lossy(body)
        .trim()
        .chars()
        .map(|c| if c.is_control() || is_format(c) { ' ' } else { c })
        .take(LONGEST_WORDS)
        .collect()
}

/// Marks that change the direction of text or have no width.
const fn is_format(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Why there is no client for a relay.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The address is not one of a relay.
    #[error(transparent)]
    Url(#[from] RelayUrlError),
    /// The HTTP library could not be prepared; most likely a proxy in the environment is malformed.
    #[error("cannot prepare HTTP; check the proxy settings of the environment")]
    Http {
        /// What it said.
        source: Box<dyn Error + Send + Sync>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relays_words_are_cut_and_cannot_draw_on_a_terminal() {
        assert_eq!(&*words(b"  not\x1b[2Ja\r\nk\x00ey \n"), "not [2Ja  k ey");
        assert_eq!(&*words("safe\u{202e}gpj".as_bytes()), "safe gpj");
        assert_eq!(words(&[0xff; 1000]).chars().count(), LONGEST_WORDS);
        assert_eq!(&*words(b""), "");
    }
}
