//! Chance: every draw is a function of the seed and of what it is drawn for, never of what was drawn before.
//! Separate because that is what keeps a run the same when a host is added to it.

use std::hash::{BuildHasher, Hasher};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// A stream of random numbers for one purpose.
///
/// Two streams made from different words are unrelated; the same words give the same stream. That is why a packet
/// between two hosts meets the same luck whether or not a third host talks beside them.
#[derive(Debug, Clone, Copy)]
pub struct Dice(u64);

impl Dice {
    /// The stream that these words stand for. Begin with a seed, go on with what the draw is for.
    #[must_use]
    pub fn of(words: &[u64]) -> Self {
        Self(words.iter().fold(0, |state, word| mix(state ^ word)))
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number in `0.0..1.0`.
    pub const fn unit(&mut self) -> f64 {
        unit(self.next())
    }

    /// True this share of times. Draws nothing when that is never.
    pub fn happens(&mut self, share: f64) -> bool {
        share > 0.0 && self.unit() < share
    }

    /// A number below `bound`, or 0 when there is none.
    pub const fn below(&mut self, bound: u64) -> u64 {
        ((self.next() as u128 * bound as u128) >> 64) as u64
    }

    /// A duration between none and `most`, evenly.
    pub fn up_to(&mut self, most: Duration) -> Duration {
        if most.is_zero() { most } else { most.mul_f64(self.unit()) }
    }

    /// A duration whose like are exponential with this mean, as the time between independent events is.
    pub fn exponential(&mut self, mean: Duration) -> Duration {
        mean.mul_f64(-(1.0 - self.unit()).ln())
    }
}

/// A number in `0.0..1.0` from the upper bits of a random one.
#[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
pub(crate) const fn unit(random: u64) -> f64 {
    (random >> 11) as f64 / (1_u64 << 53) as f64
}

/// Scrambles a number; different inputs give unrelated outputs (the finaliser of SplitMix64).
pub(crate) const fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A number that stands for an address, port included.
pub(crate) fn address_word(address: SocketAddr) -> u64 {
    match address.ip() {
        IpAddr::V4(ip) => mix(u64::from(ip.to_bits()) << 16 | u64::from(address.port())),
        IpAddr::V6(ip) => {
            let segments = ip.segments().map(u64::from);
            segments.iter().fold(u64::from(address.port()), |sum, segment| mix(sum ^ segment))
        }
    }
}

/// Hashes the keys of maps that nobody iterates over: fast, and the same in every run.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Mixing;

impl BuildHasher for Mixing {
    type Hasher = Mixed;

    fn build_hasher(&self) -> Mixed {
        Mixed(0)
    }
}

#[derive(Debug)]
pub(crate) struct Mixed(u64);

impl Hasher for Mixed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, number: u8) {
        self.write_u64(u64::from(number));
    }

    fn write_u16(&mut self, number: u16) {
        self.write_u64(u64::from(number));
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = mix(self.0 ^ number);
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn write_isize(&mut self, number: isize) {
        self.write_u64(number.cast_unsigned() as u64);
    }
}
