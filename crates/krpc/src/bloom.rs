//! The Bloom filters of scrapes (BEP 33): apart from responses, which only carry their 256 bytes.

use std::fmt;
use std::net::IpAddr;

use sha1::{Digest, Sha1};

/// How many bits a filter has.
const BITS: u16 = 2048;

/// How many bits an address sets.
const HASHES: f64 = 2.0;

/// A set of addresses in 256 bytes that can be counted and merged, but not listed
/// ([BEP 33](https://www.bittorrent.org/beps/bep_0033.html)).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Bloom([u8; 256]);

impl Bloom {
    /// How many bytes a filter has.
    pub const LENGTH: usize = 256;

    /// The set of no addresses.
    #[must_use]
    pub const fn new() -> Self {
        Self([0; Self::LENGTH])
    }

    /// The set that these bytes stand for; all are one.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// The bytes to send.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// Adds an address; again is as once. An IPv4 address in IPv6 clothes counts as IPv4.
    pub fn insert(&mut self, ip: IpAddr) {
        let [a, b, c, d, ..]: [u8; 20] = match ip.to_canonical() {
            IpAddr::V4(ip) => Sha1::digest(ip.octets()),
            IpAddr::V6(ip) => Sha1::digest(ip.octets()),
        }
        .into();
        for index in [u16::from_le_bytes([a, b]) % BITS, u16::from_le_bytes([c, d]) % BITS] {
            if let Some(byte) = self.0.get_mut(usize::from(index / 8)) {
                *byte |= 1 << (index % 8);
            }
        }
    }

    /// Adds all addresses of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (byte, more) in self.0.iter_mut().zip(other.0) {
            *byte |= more;
        }
    }

    /// About how many addresses were added: 0 to some 6,000, beyond which a filter is full and says no more.
    #[must_use]
    pub fn estimate(&self) -> f64 {
        let bits = f64::from(BITS);
        let zeros: u32 = self.0.iter().map(|byte| byte.count_zeros()).sum();
        let zeros = f64::from(zeros).min(bits - 1.0).max(1.0);
        (zeros / bits).ln() / (HASHES * (1.0 - 1.0 / bits).ln())
    }
}

impl Default for Bloom {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Bloom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bloom(about {:.0})", self.estimate())
    }
}
