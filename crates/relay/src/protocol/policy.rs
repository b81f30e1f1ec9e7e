//! How far a relay may go for an answer: the query parameter `policy`.
//! Apart because its three values are spelled exactly one way on the wire.

use std::{fmt, str::FromStr};

use thiserror::Error;

/// How far a relay may go for an answer.
///
/// Relays before version 1 know no policies and behave between the first two: they answer from their cache, even what
/// is old, and otherwise ask the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Policy {
    /// Only what the relay has at hand, however old.
    CacheOnly,
    /// What the relay has at hand if it is fresh, else the first answer of the network. What a relay assumes.
    #[default]
    CacheFirst,
    /// The most recent that the network has, whatever is at hand.
    NetworkOnly,
}

impl Policy {
    /// The name of the query parameter.
    pub const PARAMETER: &'static str = "policy";

    /// All of them.
    pub const ALL: [Self; 3] = [Self::CacheOnly, Self::CacheFirst, Self::NetworkOnly];

    /// The value on the wire; case matters.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CacheOnly => "CacheOnly",
            Self::CacheFirst => "CacheFirst",
            Self::NetworkOnly => "NetworkOnly",
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Policy {
    type Err = UnknownPolicy;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|policy| policy.as_str() == text).ok_or(UnknownPolicy)
    }
}

/// The query names a policy that there is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("unknown policy; there are CacheOnly, CacheFirst and NetworkOnly")]
pub struct UnknownPolicy;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_spelled_exactly_one_way() {
        for policy in Policy::ALL {
            assert_eq!(policy.to_string().parse(), Ok(policy));
        }
        for wrong in ["", "cachefirst", "CACHEFIRST", "CacheFirst ", "cache_first"] {
            assert_eq!(wrong.parse::<Policy>(), Err(UnknownPolicy));
        }
        assert_eq!(Policy::default().as_str(), "CacheFirst");
    }
}
