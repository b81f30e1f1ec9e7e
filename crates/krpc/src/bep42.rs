//! Node ids that fit an address (BEP 42): apart from ids, because only nodes on the open internet need them.

use std::net::IpAddr;

use crate::Id;

/// The id that a node at `ip` should have, made from random bytes.
///
/// The first 21 bits come from the address and three bits of `random`, all else is `random`
/// ([BEP 42](https://www.bittorrent.org/beps/bep_0042.html)). The prose of the BEP speaks of 64-bit numbers throughout;
/// an IPv4 address is hashed as exactly four bytes, as its test vectors and all implementations do.
#[must_use]
pub fn id_for(ip: IpAddr, random: [u8; 20]) -> Id {
    let [_, _, third, rest @ .., last] = random;
    let [first, second, prefix_end, _] = prefix(ip, last);
    let mut bytes = [0; 20];
    let parts = [&[first, second, prefix_end & 0xf8 | third & 0x07][..], &rest, &[last]];
    for (byte, part) in bytes.iter_mut().zip(parts.into_iter().flatten()) {
        *byte = *part;
    }
    Id::from_bytes(bytes)
}

/// Whether a node at `ip` may have `id`: the two fit, or the address [is exempt](is_exempt).
#[must_use]
pub fn is_valid(id: &Id, ip: IpAddr) -> bool {
    is_exempt(ip) || fits(id, ip)
}

/// Whether the first 21 bits of `id` are those that BEP 42 demands at `ip`, exempt or not.
#[must_use]
pub fn fits(id: &Id, ip: IpAddr) -> bool {
    let [first, second, third, .., last] = *id.as_bytes();
    let [a, b, c, _] = prefix(ip, last);
    first == a && second == b && third & 0xf8 == c & 0xf8
}

/// Whether nodes at `ip` may have any id: who is there is not on the open internet.
///
/// BEP 42 names 10/8, 172.16/12, 192.168/16, 169.254/16 and 127/8. It names no IPv6 addresses; we exempt the same kinds
/// as libtorrent: loopback, link-local `fe80::/10` and unique local `fc00::/7`.
#[must_use]
pub fn is_exempt(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_private() || ip.is_link_local() || ip.is_loopback(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unicast_link_local() || ip.is_unique_local(),
    }
}

/// The hash whose first 21 bits an id at `ip` begins with, when its last byte is `last`.
fn prefix(ip: IpAddr, last: u8) -> [u8; 4] {
    let random = last & 0x07;
    let hash = match ip.to_canonical() {
        IpAddr::V4(ip) => {
            crc32c::crc32c(&(ip.to_bits() & 0x030f_3fff | u32::from(random) << 29).to_be_bytes())
        }
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            let high =
                [a, b, c, d].into_iter().fold(0_u64, |high, part| high << 16 | u64::from(part));
            crc32c::crc32c(&(high & 0x0103_070f_1f3f_7fff | u64::from(random) << 61).to_be_bytes())
        }
    };
    hash.to_be_bytes()
}
