//! What a stretch of network does to a packet: delay, loss, copies, damage, size limit.
//! Separate because it decides one packet at a time and knows no topology.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, RngExt};

/// A stretch of network. The default is perfect: no delay, no loss.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// One-way delay, drawn once for each pair of hosts and the same both ways.
    pub latency: Latency,
    /// Up to this much is added to each packet anew, evenly; packets closer together than this may
    /// overtake each other.
    pub jitter: Duration,
    /// Share of packets that vanish, 0 to 1.
    pub loss: f64,
    /// Share of packets that arrive twice.
    pub duplication: f64,
    /// Share of packets that arrive with one bit flipped.
    pub corruption: f64,
    /// Payloads above this many bytes vanish. `None`: no limit.
    pub mtu: Option<usize>,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            latency: Latency::Fixed(Duration::ZERO),
            jitter: Duration::ZERO,
            loss: 0.0,
            duplication: 0.0,
            corruption: 0.0,
            mtu: None,
        }
    }
}

impl Link {
    /// A link that only delays.
    pub fn with_latency(latency: Latency) -> Self {
        Self { latency, ..Self::default() }
    }

    pub(crate) fn loses(&self, rng: &mut StdRng) -> bool {
        happens(rng, self.loss)
    }

    pub(crate) fn duplicates(&self, rng: &mut StdRng) -> bool {
        happens(rng, self.duplication)
    }

    pub(crate) fn fits(&self, payload: &[u8]) -> bool {
        self.mtu.is_none_or(|mtu| payload.len() <= mtu)
    }

    /// Flips one bit now and then; true if it did.
    pub(crate) fn corrupts(&self, rng: &mut StdRng, payload: &mut [u8]) -> bool {
        if payload.is_empty() || !happens(rng, self.corruption) {
            return false;
        }
        let at = rng.random_range(0..payload.len());
        payload[at] ^= 1 << rng.random_range(0..8);
        true
    }

    /// How long one packet takes between the hosts that `pair` stands for.
    pub(crate) fn delay(&self, rng: &mut StdRng, pair: u64) -> Duration {
        let jitter = if self.jitter.is_zero() {
            Duration::ZERO
        } else {
            self.jitter.mul_f64(rng.random::<f64>())
        };
        self.latency.of_pair(pair) + jitter
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
    },
}

impl Latency {
    /// The delay of the pair that this random number stands for.
    fn of_pair(self, pair: u64) -> Duration {
        match self {
            Self::Fixed(delay) => delay,
            Self::Uniform(least, most) => least + most.saturating_sub(least).mul_f64(unit(pair)),
            Self::LogNormal { median, sigma } => {
                let first = unit(pair).max(f64::MIN_POSITIVE);
                let second = unit(mix(pair));
                let normal = (-2.0 * first.ln()).sqrt() * (core::f64::consts::TAU * second).cos();
                median.mul_f64((sigma * normal).exp())
            }
        }
    }
}

/// A number in `0.0..1.0` from the upper bits of a random one.
#[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
fn unit(random: u64) -> f64 {
    (random >> 11) as f64 / (1_u64 << 53) as f64
}

/// Scrambles a number; different inputs give unrelated outputs (the finaliser of SplitMix64).
pub(crate) const fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn happens(rng: &mut impl Rng, chance: f64) -> bool {
    chance > 0.0 && rng.random::<f64>() < chance
}
