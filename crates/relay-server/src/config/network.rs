//! A range of addresses as operators write it: `10.0.0.0/8`.
//!
//! Separate because it is a small noun with its own arithmetic.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use serde::Deserialize;
use thiserror::Error;

/// All addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Whether the address lies in it. An IPv4 address in IPv6 clothes counts as the IPv4 address it is.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        if address.is_ipv4() != self.address.is_ipv4() {
            return false;
        }
        let (ours, bits) = widened(self.address, self.bits);
        let (other, _) = widened(address, 0);
        let shift = 128_u32.saturating_sub(bits);
        (ours ^ other).checked_shr(shift).unwrap_or(0) == 0
    }

    /// Loopback and the private networks of both families.
    pub(crate) fn private() -> Vec<Self> {
        let networks =
            ["127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1", "fc00::/7"];
        networks.iter().filter_map(|text| text.parse().ok()).collect()
    }
}

/// The address as 128 bits, and how many of those the prefix has.
fn widened(address: IpAddr, bits: u8) -> (u128, u32) {
    match address {
        IpAddr::V4(ip) => (ip.to_ipv6_mapped().to_bits(), u32::from(bits).saturating_add(96)),
        IpAddr::V6(ip) => (Ipv6Addr::to_bits(ip), bits.into()),
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.trim().parse().map_err(|_| NotANetwork)?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(all), |bits| bits.trim().parse()).map_err(|_| NotANetwork)?;
        if bits > all { Err(NotANetwork) } else { Ok(Self { address, bits }) }
    }
}

impl TryFrom<String> for Network {
    type Error = NotANetwork;

    fn try_from(text: String) -> Result<Self, NotANetwork> {
        text.parse()
    }
}

/// The text is no range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a network; write it as \"10.0.0.0/8\", \"fd00::/8\" or one address")]
pub struct NotANetwork;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_contains_the_addresses_that_begin_as_it_does() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("10.0.0.0/8", "::ffff:10.1.2.3", "::10.1.2.3"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
            ("0.0.0.0/0", "255.1.2.3", "::1"),
            ("::/0", "2001:db8::1", "1.2.3.4"),
            ("fd00::/8", "fdff::1", "fe00::1"),
            ("2001:db8::/127", "2001:db8::1", "2001:db8::2"),
        ] {
            let network: Network = network.parse().unwrap();
            assert!(network.contains(inside.parse().unwrap()), "{network} {inside}");
            assert!(!network.contains(outside.parse().unwrap()), "{network} {outside}");
        }
        assert_eq!(Network::private().len(), 6);
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["", "/8", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/x", "10.0.0.0/-1"] {
            assert_eq!(text.parse::<Network>(), Err(NotANetwork), "{text}");
        }
    }
}
