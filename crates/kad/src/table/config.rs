//! How large a table grows and how patient it is.
//! Separate because owners write these numbers and nothing else of the table.

use std::time::Duration;

/// The limits of a [`Table`](crate::Table).
///
/// What a stranger can make the table grow is bounded by
/// `(bucket capacity + spares) × buckets`; there are at most as many buckets as bits in an id, and
/// in a network of n nodes about log2(n / bucket size) of them hold anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableConfig {
    /// Entries in a bucket below the [wide levels](Self::wide_levels): Kademlia's K.
    ///
    /// Raising it costs pings and memory, and makes lookups start closer. At least 1 is used
    /// whatever is written here. Default: 8.
    pub bucket_size: usize,
    /// Capacities of the first buckets, the ones that cover most of the space.
    ///
    /// Half of all lookups begin in bucket 0, a quarter in bucket 1: with more entries there they
    /// begin several bits closer to their target and save a round trip. Levels narrower than
    /// [`bucket_size`](Self::bucket_size) get that size. Default: 128, 64, 32, 16.
    pub wide_levels: Vec<usize>,
    /// Contacts that wait beside each bucket for a place in it.
    ///
    /// When the spares are full a confirmed newcomer pushes out the spare that was only heard of
    /// and waits longest, or else the longest waiting one; a newcomer only heard of is refused.
    /// Default: 8.
    pub spares: usize,
    /// Unanswered queries in a row after which an entry goes even if nobody can take its place.
    ///
    /// With a confirmed spare at hand one is enough. High, so that a lost uplink does not empty
    /// the table. Default: 20.
    pub max_failures: u8,
    /// How long an entry may give no sign of life before it should be pinged. Default: 15 minutes.
    pub questionable_after: Duration,
    /// How long a bucket may go without change before a lookup should refresh it.
    /// Default: 15 minutes.
    pub refresh_after: Duration,
    /// How long to wait for an answer, or before the next try, once a contact was asked.
    ///
    /// [`next_to_ping`](crate::Table::next_to_ping) names no contact twice within this time.
    /// Default: 1 minute.
    pub retry_after: Duration,
    /// At most one entry per [`Host`](crate::Contact::Host) in the table. Off for test networks
    /// on one machine. Default: true.
    pub one_per_host: bool,
    /// At most one entry per [`Subnet`](crate::Contact::Subnet) in a bucket. Off for test
    /// networks and for overlays inside one site. Default: true.
    pub one_per_subnet: bool,
    /// The most entries of one [`Provider`](crate::Contact::Provider), in hundredths of the table.
    ///
    /// A newcomer above that is refused unless an entry of its provider has failed and makes way.
    /// Counted when somebody enters: when others leave later, nobody goes for it. 100 or more
    /// turns the rule off. Default: 10.
    pub provider_percent: u8,
    /// Entries that a provider may have however small the table is; at least 1 is used.
    ///
    /// A young table, or one of a network inside one site, has few providers. Default: 8.
    pub provider_floor: usize,
}

impl Default for TableConfig {
    fn default() -> Self {
        Self {
            bucket_size: 8,
            wide_levels: vec![128, 64, 32, 16],
            spares: 8,
            max_failures: 20,
            questionable_after: Duration::from_secs(15 * 60),
            refresh_after: Duration::from_secs(15 * 60),
            retry_after: Duration::from_secs(60),
            one_per_host: true,
            one_per_subnet: true,
            provider_percent: 10,
            provider_floor: 8,
        }
    }
}

impl TableConfig {
    /// The defaults without the rules on hosts, subnets and providers: for a network on one machine.
    pub fn loopback() -> Self {
        Self {
            one_per_host: false,
            one_per_subnet: false,
            provider_percent: 100,
            ..Self::default()
        }
    }

    /// How many entries of a table of `entries` may be of one provider.
    pub(super) fn provider_share(&self, entries: usize) -> usize {
        if self.provider_percent >= 100 {
            return usize::MAX;
        }
        let share = entries.saturating_mul(usize::from(self.provider_percent)) / 100;
        share.max(self.provider_floor).max(1)
    }

    pub(super) fn capacity(&self, bucket: usize) -> usize {
        let size = self.bucket_size.max(1);
        self.wide_levels.get(bucket).map_or(size, |wide| size.max(*wide))
    }
}
