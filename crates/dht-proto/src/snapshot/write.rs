//! The binary form of a snapshot, as it is written.
//! Beside the reading, so that the layout stands in one place: see the table.
//!
//! | part | bytes |
//! |---|---|
//! | mark | `89 4D 53 4E 4F 44 45 0A` |
//! | version | 2, big-endian like all numbers: 1 |
//! | length of the body | 4 |
//! | checksum over version, length and body | 8: SipHash-2-4 with a key of zeroes |
//! | body: time | 1 (is it known?), then 8: milliseconds since 1970 |
//! | body: ids of IPv4, then of IPv6 | 1: how many; for each 20, and 1 (is there an address?), then 4 or 16 |
//! | body: nodes | 2: how many; for each 1 (4 or 6), 20, 4 or 16, 2, then 4: µs, and 4: s |
//! | body: items | 2: how many; for each 32, 64, 8, 1 + salt, 2 + value |

use std::hash::Hasher as _;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use mainstay_krpc::item::MutableItem;
use siphasher::sip::SipHasher24;

use super::{IDENTITIES, Identity, SavedNode, Snapshot};

/// The first bytes of the file: not text, and broken by whoever translates ends of lines.
pub(super) const MARK: &[u8; 8] = b"\x89MSNODE\n";
/// The version of this layout.
pub(super) const VERSION: u16 = 1;
/// The bytes before the body.
pub(super) const HEADER: usize = 22;
/// Longer times of answers are kept as this.
pub(super) const LONGEST_RTT: Duration = Duration::from_secs(3600);

const LARGEST_BODY: usize = 9
    + 2 * (1 + IDENTITIES * 37)
    + (2 + Snapshot::MOST_NODES * 47)
    + (2 + Snapshot::MOST_PUBLISHED * (32 + 64 + 8 + 1 + 64 + 2 + 1000));

/// The length of the longest snapshot.
pub(super) const MOST_BYTES: usize = HEADER + LARGEST_BODY;

pub(super) fn encode(snapshot: &Snapshot) -> Vec<u8> {
    let body = body(snapshot);
    let mut out = Vec::with_capacity(HEADER + body.len());
    out.extend_from_slice(MARK);
    out.extend_from_slice(&VERSION.to_be_bytes());
    out.extend_from_slice(&number::<u32>(body.len()).to_be_bytes());
    out.extend_from_slice(&checksum(VERSION, &body).to_be_bytes());
    out.extend_from_slice(&body);
    out
}

/// Tells damage, not malice: whoever can write the file can write the checksum.
pub(super) fn checksum(version: u16, body: &[u8]) -> u64 {
    let mut hasher = SipHasher24::new();
    hasher.write(&version.to_be_bytes());
    hasher.write(&number::<u32>(body.len()).to_be_bytes());
    hasher.write(body);
    hasher.finish()
}

fn body(snapshot: &Snapshot) -> Vec<u8> {
    let mut out = Vec::new();
    match snapshot.taken {
        Some(taken) => {
            out.push(1);
            let millis = u64::try_from(taken.as_millis()).unwrap_or(u64::MAX);
            out.extend_from_slice(&millis.to_be_bytes());
        }
        None => out.push(0),
    }
    for identities in [&snapshot.ipv4, &snapshot.ipv6] {
        let kept = identities.get(..IDENTITIES).unwrap_or(identities);
        out.push(number(kept.len()));
        kept.iter().for_each(|identity| push_identity(&mut out, identity));
    }
    let nodes = snapshot.nodes.get(..Snapshot::MOST_NODES).unwrap_or(&snapshot.nodes);
    out.extend_from_slice(&number::<u16>(nodes.len()).to_be_bytes());
    nodes.iter().for_each(|node| push_node(&mut out, node));
    let first = snapshot.published.len().saturating_sub(Snapshot::MOST_PUBLISHED);
    let published = snapshot.published.get(first..).unwrap_or_default();
    out.extend_from_slice(&number::<u16>(published.len()).to_be_bytes());
    published.iter().for_each(|item| push_item(&mut out, item));
    out
}

fn push_identity(out: &mut Vec<u8>, identity: &Identity) {
    out.extend_from_slice(identity.id.as_bytes());
    match identity.address {
        None => out.push(0),
        Some(IpAddr::V4(ip)) => {
            out.push(4);
            out.extend_from_slice(&ip.octets());
        }
        Some(IpAddr::V6(ip)) => {
            out.push(6);
            out.extend_from_slice(&ip.octets());
        }
    }
}

fn push_node(out: &mut Vec<u8>, saved: &SavedNode) {
    match saved.node.addr {
        SocketAddr::V4(addr) => {
            out.push(4);
            out.extend_from_slice(saved.node.id.as_bytes());
            out.extend_from_slice(&addr.ip().octets());
        }
        SocketAddr::V6(addr) => {
            out.push(6);
            out.extend_from_slice(saved.node.id.as_bytes());
            out.extend_from_slice(&addr.ip().octets());
        }
    }
    out.extend_from_slice(&saved.node.addr.port().to_be_bytes());
    let micros = u32::try_from(saved.rtt.min(LONGEST_RTT).as_micros()).unwrap_or(u32::MAX);
    out.extend_from_slice(&micros.to_be_bytes());
    let age = u32::try_from(saved.age.as_secs()).unwrap_or(u32::MAX);
    out.extend_from_slice(&age.to_be_bytes());
}

fn push_item(out: &mut Vec<u8>, item: &MutableItem) {
    out.extend_from_slice(item.key().as_bytes());
    out.extend_from_slice(&item.signature().to_bytes());
    out.extend_from_slice(&item.seq().to_be_bytes());
    out.push(number(item.salt().len()));
    out.extend_from_slice(item.salt());
    out.extend_from_slice(&number::<u16>(item.value().len()).to_be_bytes());
    out.extend_from_slice(item.value());
}

/// A length, which the caps of a snapshot keep within its field.
fn number<T: TryFrom<usize> + From<u8>>(length: usize) -> T {
    T::try_from(length).unwrap_or_else(|_| T::from(u8::MAX))
}
