//! What a stretch of network does to a packet: delay, loss, copies, damage, size limits.
//! Separate because it decides one packet at a time and knows no topology.

use std::time::{Duration, Instant};

use crate::dice::{Dice, mix, unit};

/// A stretch of network. The default is perfect: no delay, no loss.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// One-way delay, drawn once for each pair of hosts and the same both ways.
    pub latency: Latency,
    /// Up to this much is added to each packet anew, evenly; packets closer together than this may
    /// overtake each other.
    pub jitter: Duration,
    /// Share of packets that vanish, 0 to 1, each for itself.
    pub loss: f64,
    /// Times in which packets vanish together.
    pub bursts: Option<Bursts>,
    /// Share of packets that arrive twice.
    pub duplication: f64,
    /// Share of packets that arrive with one bit flipped.
    pub corruption: f64,
    /// Payloads above this many bytes vanish. `None`: no limit.
    pub mtu: Option<usize>,
    /// Large payloads vanish now and then, as fragments do. `None`: they do not.
    pub fragments: Option<Fragments>,
    /// What the sending end can carry; only looked at on access lines. `None`: anything.
    pub uplink: Option<Uplink>,
}

/// Loss in bursts: a channel that is good or bad by turns (Gilbert and Elliott), its chance to change
/// depending on the time since the last packet.
///
/// An access line has one channel for each direction, the network's own link one for each pair of hosts and
/// direction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bursts {
    /// How long it stays good, on average.
    pub good: Duration,
    /// How long it stays bad, on average.
    pub bad: Duration,
    /// Share of packets lost while it is bad.
    pub loss: f64,
}

/// Payloads that travel in several pieces, and are lost with any of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fragments {
    /// Payloads above this many bytes are cut up.
    pub above: usize,
    /// Share of those that vanish.
    pub loss: f64,
}

/// A line that sends one packet after the other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Uplink {
    /// How fast.
    pub bytes_per_second: f64,
    /// How long a packet waits for its turn at most; a later one vanishes.
    pub queue: Duration,
}

/// Where the channel of a [`Bursts`] stands.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Channel {
    /// Whether it was bad, and when that was seen. `None`: never looked at.
    seen: Option<(bool, Instant)>,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            latency: Latency::Fixed(Duration::ZERO),
            jitter: Duration::ZERO,
            loss: 0.0,
            bursts: None,
            duplication: 0.0,
            corruption: 0.0,
            mtu: None,
            fragments: None,
            uplink: None,
        }
    }
}

impl Link {
    /// A link that only delays.
    pub fn with_latency(latency: Latency) -> Self {
        Self { latency, ..Self::default() }
    }

    pub(crate) fn loses(&self, now: Instant, channel: &mut Channel, dice: &mut Dice) -> bool {
        let in_burst = self
            .bursts
            .is_some_and(|bursts| channel.is_bad(now, &bursts, dice) && dice.happens(bursts.loss));
        in_burst || dice.happens(self.loss)
    }

    pub(crate) fn duplicates(&self, dice: &mut Dice) -> bool {
        dice.happens(self.duplication)
    }

    pub(crate) fn fits(&self, payload: &[u8], dice: &mut Dice) -> bool {
        self.mtu.is_none_or(|mtu| payload.len() <= mtu)
            && !self.fragments.is_some_and(|fragments| {
                payload.len() > fragments.above && dice.happens(fragments.loss)
            })
    }

    /// Flips one bit now and then; true if it did.
    pub(crate) fn corrupts(&self, dice: &mut Dice, payload: &mut [u8]) -> bool {
        if payload.is_empty() || !dice.happens(self.corruption) {
            return false;
        }
        let bit = dice.below(payload.len() as u64 * 8);
        let at = usize::try_from(bit / 8).unwrap_or_default();
        payload[at] ^= 1 << (bit % 8);
        true
    }

    /// How long one packet takes between the hosts that `pair` stands for.
    pub(crate) fn delay(&self, dice: &mut Dice, pair: u64) -> Duration {
        self.latency.of_pair(pair) + dice.up_to(self.jitter)
    }
}

impl Channel {
    /// Whether it is bad now: by the exact law of a two-state chain in continuous time.
    fn is_bad(&mut self, now: Instant, bursts: &Bursts, dice: &mut Dice) -> bool {
        let (good, bad) = (bursts.good.as_secs_f64(), bursts.bad.as_secs_f64());
        if good + bad <= 0.0 {
            return false;
        }
        let usual = bad / (good + bad);
        let chance = match self.seen {
            None => usual,
            Some((was_bad, then)) => {
                let time = now.saturating_duration_since(then).as_secs_f64();
                let memory = (-time * (1.0 / good + 1.0 / bad)).exp();
                usual + (f64::from(u8::from(was_bad)) - usual) * memory
            }
        };
        let is_bad = dice.unit() < chance;
        self.seen = Some((is_bad, now));
        is_bad
    }
}

/// How one-way delays are spread over pairs of hosts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Latency {
    /// The same for every pair.
    Fixed(Duration),
    /// Even between the two.
    Uniform(Duration, Duration),
    /// Log-normal, as on the internet: half the pairs are below `median`, few are far above.
    LogNormal {
        /// Half of all pairs are faster.
        median: Duration,
        /// Spread of the logarithm; 0.6 resembles measured internet paths.
        sigma: f64,
        /// No pair is faster.
        least: Duration,
    },
}

impl Latency {
    /// The delay of the pair that this random number stands for.
    pub(crate) fn of_pair(self, pair: u64) -> Duration {
        match self {
            Self::Fixed(delay) => delay,
            Self::Uniform(least, most) => least + most.saturating_sub(least).mul_f64(unit(pair)),
            Self::LogNormal { median, sigma, least } => {
                let first = unit(pair).max(f64::MIN_POSITIVE);
                let second = unit(mix(pair));
                let normal = (-2.0 * first.ln()).sqrt() * (core::f64::consts::TAU * second).cos();
                median.mul_f64((sigma * normal).exp()).max(least)
            }
        }
    }
}
