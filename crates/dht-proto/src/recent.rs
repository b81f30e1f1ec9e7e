//! Which addresses something happened to lately: in bounded room, whoever they are and however many.
//! Its own type because proof of an address and contact with it are remembered alike.

use std::hash::Hasher as _;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use siphasher::sip::SipHasher13;

use crate::scope::Scope;

/// How many addresses are remembered. Each has one place, so a later one may displace an earlier.
const PLACES: usize = 256;

/// Addresses and when each was noted last.
///
/// Nothing is kept before the first is noted. This host's own addresses never are: they need no memory.
#[derive(Debug)]
pub(crate) struct Recent {
    key: [u8; 16],
    places: Vec<Option<(u64, Instant)>>,
}

impl Recent {
    /// `key` decides who displaces whom, so that nobody outside can choose.
    pub(crate) fn new(key: [u8; 16]) -> Self {
        Self { key, places: Vec::new() }
    }

    pub(crate) fn note(&mut self, now: Instant, ip: IpAddr) {
        if Scope::of_ip(ip) == Scope::Loopback {
            return;
        }
        if self.places.is_empty() {
            self.places.resize(PLACES, None);
        }
        let tag = hash(&self.key, ip);
        if let Some(place) = self.places.get_mut(place(tag)) {
            *place = Some((tag, now));
        }
    }

    /// Whether `ip` was noted within so much time.
    pub(crate) fn has(&self, now: Instant, ip: IpAddr, within: Duration) -> bool {
        if self.places.is_empty() {
            return false;
        }
        let tag = hash(&self.key, ip);
        let noted = self.places.get(place(tag)).copied().flatten();
        noted.is_some_and(|(other, at)| other == tag && now.saturating_duration_since(at) < within)
    }
}

fn place(tag: u64) -> usize {
    usize::try_from(tag % PLACES as u64).unwrap_or(0)
}

fn hash(key: &[u8; 16], ip: IpAddr) -> u64 {
    let mut hasher = SipHasher13::new_with_key(key);
    match ip {
        IpAddr::V4(ip) => hasher.write(&ip.octets()),
        IpAddr::V6(ip) => hasher.write(&ip.octets()),
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WITHIN: Duration = Duration::from_secs(600);

    #[test]
    fn an_address_is_remembered_for_a_while_and_no_other_is_taken_for_it() {
        let now = crate::testing::start();
        let mut recent = Recent::new([1; 16]);
        let ip = |last: u8| IpAddr::from([60, 1, 1, last]);
        assert!(!recent.has(now, ip(1), WITHIN));
        recent.note(now, ip(1));
        assert!(recent.has(now + WITHIN - Duration::from_secs(1), ip(1), WITHIN));
        assert!(!recent.has(now + WITHIN, ip(1), WITHIN));
        assert!((2..=255).all(|last| !recent.has(now, ip(last), WITHIN)));
    }

    #[test]
    fn few_addresses_hardly_displace_each_other() {
        let now = crate::testing::start();
        let mut recent = Recent::new([1; 16]);
        let ips = (0..32).map(|last| IpAddr::from([60, 1, 1, last]));
        ips.clone().for_each(|ip| recent.note(now, ip));
        assert!(ips.filter(|ip| recent.has(now, *ip, WITHIN)).count() >= 26);
    }

    #[test]
    fn any_number_of_addresses_takes_the_same_room() {
        let now = crate::testing::start();
        let mut recent = Recent::new([1; 16]);
        for n in 0..10_000_u32 {
            recent.note(now, IpAddr::from((0x0b00_0000 + n).to_be_bytes()));
        }
        assert_eq!(recent.places.len(), PLACES);
    }

    #[test]
    fn this_host_takes_no_room() {
        let now = crate::testing::start();
        let mut recent = Recent::new([1; 16]);
        recent.note(now, IpAddr::from([127, 0, 0, 1]));
        assert!(recent.places.is_empty());
    }
}
