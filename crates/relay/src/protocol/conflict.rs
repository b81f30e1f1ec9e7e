//! The three ways in which a publisher can lose against another one.
//! Apart because each has its status, and what to do differs.

use thiserror::Error;

/// Another publisher of the same key was there first. Resolve the most recent packet, merge, and publish again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum Conflict {
    /// 409: there is a more recent packet.
    #[error("there is a more recent packet of this key; resolve it, merge and publish again")]
    NotMostRecent,
    /// 412: the packet that this one should replace is not the present one.
    #[error(
        "the packet to be replaced is not the present one; resolve it, merge and publish again"
    )]
    CasFailed,
    /// 428: another packet of this key is being published right now, and this one does not say which it replaces.
    #[error("another packet of this key is being published; say which packet this one replaces")]
    ConflictRisk,
}

impl Conflict {
    /// The status that tells a publisher.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::NotMostRecent => 409,
            Self::CasFailed => 412,
            Self::ConflictRisk => 428,
        }
    }

    /// What an answer to PUT with this status means, if it is one of the three.
    #[must_use]
    pub const fn from_status(status: u16) -> Option<Self> {
        match status {
            409 => Some(Self::NotMostRecent),
            412 => Some(Self::CasFailed),
            428 => Some(Self::ConflictRisk),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_conflict_has_its_status() {
        for conflict in [Conflict::NotMostRecent, Conflict::CasFailed, Conflict::ConflictRisk] {
            assert_eq!(Conflict::from_status(conflict.status()), Some(conflict));
        }
        assert_eq!(Conflict::from_status(400), None);
    }
}
