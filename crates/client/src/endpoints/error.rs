//! What a search for endpoints has tried in vain.
//!
//! Separate because the story is told to people, and read by them long after the search.

use std::fmt;

use mainstay_keys::{PublicKey, PublicKeyError};
use thiserror::Error;

use crate::error::ResolveError;

/// A name has no endpoint that can be used.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum CouldNotResolveEndpoint {
    /// The name does not end in a public key: ask DNS for it.
    #[error("the name does not end in a public key")]
    NoKey(#[from] PublicKeyError),
    /// Every way from the name ended without an endpoint.
    #[error("no endpoint for {name}: {tried}")]
    NothingUsable {
        /// The name.
        name: String,
        /// What was tried.
        tried: Attempts,
    },
}

impl CouldNotResolveEndpoint {
    /// What was tried, in the order of trying.
    #[must_use]
    pub fn tried(&self) -> &[Attempt] {
        match self {
            Self::NoKey(_) => &[],
            Self::NothingUsable { tried, .. } => &tried.0,
        }
    }
}

/// What was tried, as an error carries it.
#[derive(Clone, Debug)]
pub struct Attempts(pub(super) Vec<Attempt>);

impl Attempts {
    /// One entry a way that ended without an endpoint; of very many, only the first.
    #[must_use]
    pub fn as_slice(&self) -> &[Attempt] {
        &self.0
    }
}

impl fmt::Display for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, attempt) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{attempt}")?;
        }
        Ok(())
    }
}

/// A way that ended without an endpoint.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// The name at which it ended.
    pub name: String,
    /// Why it ended.
    pub reason: DeadEnd,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.reason)
    }
}

/// Why a way ended without an endpoint.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum DeadEnd {
    /// The packet of a key was not resolved.
    #[error("cannot resolve {key}: {source}")]
    Unresolved {
        /// The key.
        key: PublicKey,
        /// Why not.
        source: ResolveError,
    },
    /// The name has no service record, alias or address.
    #[error("there is no such record, no alias and no address")]
    NoRecords,
    /// A service record is malformed, and the whole set must be left alone; the key's owner has to mend it.
    #[error("a service record is malformed")]
    Malformed,
    /// A record is only for those who understand a parameter that we do not know.
    #[error("the record of priority {priority} demands parameter {key}, which is not understood")]
    UnknownMandatory {
        /// The record's priority.
        priority: u16,
        /// The number of the parameter.
        key: u16,
    },
    /// Parameters of a record contradict each other; the key's owner has to mend it.
    #[error("the parameters of the record of priority {priority} contradict each other")]
    Inconsistent {
        /// The record's priority.
        priority: u16,
    },
    /// The key's owner says that the service is not offered (an alias to `.`).
    #[error("the service is not offered")]
    NotOffered,
    /// The records lead back to a name they came from.
    #[error("the records lead in a circle")]
    Circle,
    /// The records lead through more packets than
    /// [`max_recursion_depth`](crate::ClientBuilder::max_recursion_depth) allows.
    #[error("the records lead through more than {limit} packets")]
    TooDeep {
        /// How many are allowed.
        limit: u8,
    },
    /// The records branch into more packets than one search may ask for.
    #[error("the records branch into more than {limit} packets")]
    TooWide {
        /// How many are allowed.
        limit: usize,
    },
}
