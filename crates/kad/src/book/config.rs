//! How large a contact book grows and what it thinks of age.
//! Separate because owners write these numbers and nothing else of the book.

use std::time::Duration;

use super::cell::Limits;

/// Entries of a full cell. Small enough to be scanned for every answer, large enough to choose from.
const CELL: usize = 16;
/// A cell's number has at most this many bits, which allows a million entries.
const MOST_BITS: u32 = 16;

/// The limits of a [`Book`](crate::Book).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookConfig {
    /// The most contacts remembered. 0 switches the book off. Default: 4,096, with Mainline's
    /// contacts about 220 kB once it is full.
    pub capacity: usize,
    /// How long an answer, or being named, vouches for a contact. Default: 1 hour: in that time
    /// about three in ten nodes of the public network leave.
    pub fresh_for: Duration,
    /// At most one entry per [`Subnet`](crate::Contact::Subnet) in a cell. Default: true.
    pub one_per_subnet: bool,
    /// The most entries of one [`Provider`](crate::Contact::Provider) in a cell of sixteen, and so
    /// sixteen times less than the share of the book that one provider can hold. At least 1 is
    /// used. Default: 1.
    pub per_provider: usize,
}

impl Default for BookConfig {
    fn default() -> Self {
        Self {
            capacity: 4096,
            fresh_for: Duration::from_secs(3600),
            one_per_subnet: true,
            per_provider: 1,
        }
    }
}

impl BookConfig {
    /// The defaults without the rules on subnets and providers: for a network on one machine.
    pub fn loopback() -> Self {
        Self { one_per_subnet: false, per_provider: usize::MAX, ..Self::default() }
    }

    /// How often the cells may be cut in two before they would hold more than the capacity.
    pub(super) fn most_bits<const N: usize>(&self) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "an id has a few hundred bits")]
        let id = (N * 8) as u32;
        (self.capacity / CELL).checked_ilog2().unwrap_or(0).min(MOST_BITS).min(id)
    }

    pub(super) fn cell(&self) -> Limits {
        Limits {
            size: self.capacity.min(CELL),
            one_per_subnet: self.one_per_subnet,
            per_provider: self.per_provider.max(1),
        }
    }
}
