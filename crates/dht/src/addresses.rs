//! A list of addresses as it is published: seven bytes for most of them, where the standard type takes thirty-two.
//! Separate because every node of a process keeps such a list and hardly anybody reads it.

use std::net::SocketAddr;

/// Addresses in the order in which they came.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Addresses(Box<[u8]>);

/// Before an address of IPv4: four bytes and a port follow.
const V4: u8 = 4;
/// Before an address of IPv6: sixteen bytes and a port follow.
const V6: u8 = 6;

impl Addresses {
    pub(crate) fn iter(&self) -> impl Iterator<Item = SocketAddr> {
        let mut rest = &*self.0;
        std::iter::from_fn(move || take(&mut rest))
    }
}

impl FromIterator<SocketAddr> for Addresses {
    /// Flow labels and scopes of IPv6 are left out: no message of the DHT carries them.
    fn from_iter<I: IntoIterator<Item = SocketAddr>>(addresses: I) -> Self {
        let mut bytes = Vec::new();
        for address in addresses {
            match address {
                SocketAddr::V4(address) => {
                    bytes.push(V4);
                    bytes.extend(address.ip().octets());
                }
                SocketAddr::V6(address) => {
                    bytes.push(V6);
                    bytes.extend(address.ip().octets());
                }
            }
            bytes.extend(address.port().to_be_bytes());
        }
        Self(bytes.into())
    }
}

fn take(rest: &mut &[u8]) -> Option<SocketAddr> {
    let (kind, after) = rest.split_first()?;
    let (address, after) = if *kind == V4 {
        let (ip, after) = after.split_first_chunk::<4>()?;
        let (port, after) = after.split_first_chunk()?;
        (SocketAddr::from((*ip, u16::from_be_bytes(*port))), after)
    } else {
        let (ip, after) = after.split_first_chunk::<16>()?;
        let (port, after) = after.split_first_chunk()?;
        (SocketAddr::from((*ip, u16::from_be_bytes(*port))), after)
    };
    *rest = after;
    Some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_both_families_come_back_in_their_order_and_take_little_room() {
        let addresses: Vec<SocketAddr> =
            ["1.2.3.4:6881", "[2001:db8::7]:1", "255.255.255.255:65535", "[::1]:0", "0.0.0.0:80"]
                .iter()
                .filter_map(|text| text.parse().ok())
                .collect();
        assert_eq!(addresses.len(), 5);
        let list: Addresses = addresses.iter().copied().collect();
        assert_eq!(list.iter().collect::<Vec<_>>(), addresses);
        assert_eq!(list.0.len(), 3 * 7 + 2 * 19);
        assert_eq!(Addresses::default().iter().next(), None);
    }
}
