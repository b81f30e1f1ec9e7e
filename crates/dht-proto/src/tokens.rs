//! Write tokens: a stranger may store only from an address it can receive at, and only under the target it asked for.
//! Nothing is remembered per stranger; a token is a keyed hash that only this node can make.

use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use mainstay_krpc::Id;
use siphasher::sip::SipHasher24;

/// How long one epoch lasts. A token is good in its own epoch and the next, so for 5 to 10 minutes, as
/// [BEP 5](https://www.bittorrent.org/beps/bep_0005.html) asks.
const EPOCH: Duration = Duration::from_secs(300);

/// A token on the wire. Eight bytes: short enough for every client, long enough not to be guessed.
pub(crate) type Token = [u8; 8];

/// Makes and checks tokens.
pub(crate) struct Tokens {
    key: [u8; 16],
    began: Instant,
}

impl Tokens {
    pub(crate) fn new(key: [u8; 16], now: Instant) -> Self {
        Self { key, began: now }
    }

    /// The token `ip` needs to store under `target`.
    pub(crate) fn issue(&self, now: Instant, ip: IpAddr, target: &Id) -> Token {
        self.mac(self.epoch(now), ip, target).to_be_bytes()
    }

    /// Whether `token` was issued to `ip` for `target` in this epoch or the one before.
    ///
    /// A token is compared as one word, so the time tells nothing about how much of a guess was right.
    pub(crate) fn accepts(&self, now: Instant, ip: IpAddr, target: &Id, token: &[u8]) -> bool {
        let Ok(token) = <Token>::try_from(token) else { return false };
        let token = u64::from_be_bytes(token);
        let epoch = self.epoch(now);
        let is_of = |epoch| self.mac(epoch, ip, target) == token;
        is_of(epoch) || is_of(epoch.wrapping_sub(1))
    }

    fn epoch(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.began).as_secs() / EPOCH.as_secs()
    }

    /// In one piece, which takes half as long as bit by bit.
    fn mac(&self, epoch: u64, ip: IpAddr, target: &Id) -> u64 {
        let hasher = SipHasher24::new_with_key(&self.key);
        match ip {
            IpAddr::V4(ip) => hasher.hash(&joined::<32>(&ip.octets(), target, epoch)),
            IpAddr::V6(ip) => hasher.hash(&joined::<44>(&ip.octets(), target, epoch)),
        }
    }
}

/// All that a token depends on; `LENGTH` is that of the address and 28.
fn joined<const LENGTH: usize>(ip: &[u8], target: &Id, epoch: u64) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    let parts = [ip, target.as_bytes(), &epoch.to_be_bytes()];
    let mut rest = &mut bytes[..];
    for part in parts {
        let Some((place, after)) = rest.split_at_mut_checked(part.len()) else { break };
        place.copy_from_slice(part);
        rest = after;
    }
    bytes
}

impl fmt::Debug for Tokens {
    /// Without the key: who reads our logs must not be able to make our tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(1, 2, 3, 4));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(1, 2, 3, 5));

    fn start() -> Instant {
        crate::testing::start()
    }

    #[test]
    fn a_token_opens_its_own_target_for_its_own_address_only() {
        let now = start();
        let tokens = Tokens::new([7; 16], now);
        let target = Id::from_bytes([1; 20]);
        let token = tokens.issue(now, IP, &target);
        assert!(tokens.accepts(now, IP, &target, &token));
        assert!(!tokens.accepts(now, OTHER, &target, &token));
        assert!(!tokens.accepts(now, IP, &Id::from_bytes([2; 20]), &token));
        assert!(!Tokens::new([8; 16], now).accepts(now, IP, &target, &token));
        assert!(!tokens.accepts(now, IP, &target, &token[..7]));
        assert!(!tokens.accepts(now, IP, &target, b""));
    }

    #[test]
    fn every_bit_of_a_token_counts() {
        let now = start();
        let tokens = Tokens::new([7; 16], now);
        let target = Id::from_bytes([1; 20]);
        let token = tokens.issue(now, IP, &target);
        for bit in 0..64 {
            let mut guess = token;
            guess[bit / 8] ^= 1 << (bit % 8);
            assert!(!tokens.accepts(now, IP, &target, &guess), "bit {bit}");
        }
        assert!(!tokens.accepts(now, IP, &target, &[&token[..], &[0]].concat()));
    }

    #[test]
    fn an_address_of_ipv6_counts_whole_and_is_never_taken_for_one_of_ipv4() {
        let now = start();
        let tokens = Tokens::new([7; 16], now);
        let (target, other) = (Id::from_bytes([1; 20]), Id::from_bytes([2; 20]));
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let own = ip("2001:db8::1");
        let token = tokens.issue(now, own, &target);
        assert!(tokens.accepts(now, own, &target, &token));
        assert!(!tokens.accepts(now, own, &other, &token));
        assert!(!tokens.accepts(now + 2 * EPOCH, own, &target, &token));
        for stranger in ["2001:db8::2", "2001:db8::1:0:0:1", "3001:db8::1", "1.2.3.4"] {
            assert!(!tokens.accepts(now, ip(stranger), &target, &token), "{stranger}");
        }
        let of_ipv4 = tokens.issue(now, IP, &target);
        assert!(!tokens.accepts(now, ip("::ffff:1.2.3.4"), &target, &of_ipv4));
    }

    #[test]
    fn the_key_is_not_printed() {
        let tokens = Tokens::new([77; 16], start());
        assert!(!format!("{tokens:?}").contains("77"));
    }

    #[test]
    fn a_token_lives_between_five_and_ten_minutes() {
        let began = start();
        let tokens = Tokens::new([7; 16], began);
        let target = Id::from_bytes([1; 20]);
        let issued = began + EPOCH - Duration::from_secs(1);
        let token = tokens.issue(issued, IP, &target);
        assert!(tokens.accepts(issued + EPOCH, IP, &target, &token));
        assert!(!tokens.accepts(issued + EPOCH + Duration::from_secs(1), IP, &target, &token));
    }

    #[test]
    fn whenever_a_token_is_issued_it_is_good_for_five_minutes_and_for_ten_at_most() {
        let began = start();
        let tokens = Tokens::new([7; 16], began);
        let target = Id::from_bytes([1; 20]);
        for issued in (0..1200).step_by(7) {
            let issued = began + Duration::from_secs(issued);
            let token = tokens.issue(issued, IP, &target);
            let good =
                |age: u64| tokens.accepts(issued + Duration::from_secs(age), IP, &target, &token);
            assert!((0..=300).step_by(5).all(good), "{issued:?}");
            assert!(!(600..7200).step_by(5).any(good), "{issued:?}");
        }
    }

    #[test]
    fn tokens_of_two_addresses_tell_nothing_about_a_third() {
        // A linear checksum would make the tokens of a, b, c and a^b^c cancel out.
        let now = start();
        let tokens = Tokens::new([9; 16], now);
        let target = Id::from_bytes([1; 20]);
        let word = |last: u8| {
            u64::from_be_bytes(tokens.issue(now, IpAddr::from([10, 0, 0, last]), &target))
        };
        for (a, b, c) in [(1, 2, 4), (8, 16, 32), (3, 5, 9)] {
            assert_ne!(word(a) ^ word(b) ^ word(c), word(a ^ b ^ c));
        }
    }
}
