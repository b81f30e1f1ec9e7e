//! How often packets are put again, how many copies suffice, and how hard to try.
//!
//! Separate because the figures follow from how long nodes live, which is reasoned out here once.

use std::time::Duration;

/// What a [`Republisher`](super::Republisher) is told before it starts.
///
/// # Where the defaults come from
///
/// A node may forget an item two hours after the last put
/// ([BEP 44](https://www.bittorrent.org/beps/bep_0044.html)), so an item put every hour survives one round
/// that fails. Between rounds copies are lost because nodes leave. Of nodes that stored an item on the public
/// network, 86 % are still there after an hour, and fewer leave the older they are (a Weibull distribution of
/// shape 0.6 and scale 26 hours fits); on a bad day 75 % may be. Of `n` copies all are lost in an hour with
/// the probability
///
/// | copies | 86 % stay | 75 % stay |
/// |---|---|---|
/// | 4 | 4 in 10,000 | 40 in 10,000 |
/// | 8 | 2 in 10 million | 15 in a million |
/// | 16 | none to speak of | 2 in 10 billion |
///
/// A put stores sixteen copies where the network is healthy. [`Self::enough`] is 8, so that a name stays up
/// 99.99 % of the time even when a quarter of all nodes leaves every hour; a put that reached fewer is
/// repeated early. Half-way to the next round a read counts who still has the packet: it asks the eight nodes
/// closest, and when fewer than half of them have it, the round is brought forward.
#[derive(Clone, Debug, PartialEq)]
pub struct RepublishConfig {
    /// How long after a put the packet is put again, at most.
    ///
    /// Longer than an hour leaves no second chance before nodes forget. Default: 1 hour.
    pub interval: Duration,
    /// Which share of the interval may be taken off it at random, so that packets added together drift apart.
    ///
    /// From 0 to 1. Default: 0.1.
    pub jitter: f64,
    /// How many nodes have to acknowledge a put; with fewer it is repeated after a quarter of the interval,
    /// then after twice that, up to the interval. Default: 8.
    pub enough: usize,
    /// Whether to read each packet half-way to its next round, and to put it early when too few nodes have it.
    ///
    /// Costs about a third of the messages of a put. Default: yes.
    pub checks: bool,
    /// How many puts and reads may be under way at once. Default: 32.
    pub concurrency: usize,
    /// How many puts and reads may begin in a second, so that many packets that are due together, after a
    /// restart for instance, are no flood. Default: 100.
    pub rate: u32,
    /// How long to wait after a first failure; each further one doubles it, up to a quarter of the interval.
    ///
    /// A relay that says when to come back is not asked before, nor is anybody else in its place. Default: 30
    /// seconds.
    pub retry: Duration,
    /// How many packets may be kept; further ones are refused. Default: 1,000,000.
    pub capacity: usize,
}

impl Default for RepublishConfig {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(3600),
            jitter: 0.1,
            enough: 8,
            checks: true,
            concurrency: 32,
            rate: 100,
            retry: Duration::from_secs(30),
            capacity: 1_000_000,
        }
    }
}

/// How many nodes a read asks before it ends; fewer than half of them is too few.
const READ: usize = 8;

impl RepublishConfig {
    /// How many of the nodes that a read asks have to have the packet.
    pub(crate) fn enough_read(&self) -> usize {
        self.enough.min(READ).div_ceil(2)
    }

    /// The longest time after which a failure is tried again, and the first after a put that was too thin.
    pub(crate) fn soon(&self) -> Duration {
        self.interval / 4
    }

    /// `first`, doubled for each of the `further` times, and no more than `limit`.
    pub(crate) fn doubled(first: Duration, further: u32, limit: Duration) -> Duration {
        first.saturating_mul(2_u32.saturating_pow(further.min(31))).min(limit)
    }
}
