//! Who announced which info hash, by address, for 45 minutes
//! ([BEP 5](https://www.bittorrent.org/beps/bep_0005.html)). Apart from items: a set of many small entries.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use mainstay_krpc::Id;

use super::items::{distance, leading_zeros, xor};
use super::quota::Quota;
use super::{Full, Peer, PeerFamily};
use crate::StoreConfig;
use crate::scope::Group;

/// Peers by info hash, the hashes by distance from our id.
///
/// One address is one peer, whatever id announces it. When a swarm is full, the longest silent peer of the
/// network that has most peers in it goes, so that a crowd in one place pushes out itself; when there are too many swarms, of the farthest the one with the fewest peers goes.
#[derive(Debug)]
pub(crate) struct Peers {
    max_hashes: usize,
    max_peers: usize,
    lifetime: Duration,
    home: Id,
    quota: Quota,
    swarms: BTreeMap<[u8; 20], Swarm>,
}

type Swarm = BTreeMap<SocketAddr, Announced>;

#[derive(Debug)]
struct Announced {
    at: Instant,
    seed: bool,
    by: IpAddr,
}

impl Peers {
    pub(crate) fn new(config: &StoreConfig, home: Id) -> Self {
        Self {
            max_hashes: config.info_hashes,
            max_peers: config.peers.max(1),
            lifetime: config.peer_lifetime,
            home,
            quota: Quota::new(config, config.info_hashes).of_any_provider(),
            swarms: BTreeMap::new(),
        }
    }

    pub(crate) fn info_hashes(&self) -> usize {
        self.swarms.len()
    }

    /// Adds or renews `peer`, announced by a message from `from`.
    pub(crate) fn announce(
        &mut self,
        now: Instant,
        info_hash: Id,
        from: IpAddr,
        peer: Peer,
    ) -> Result<(), Full> {
        let Peer { addr: peer, seed } = peer;
        let key = distance(&self.home, &info_hash);
        if let Some(known) = self.swarms.get_mut(&key).and_then(|swarm| swarm.get_mut(&peer)) {
            (known.at, known.seed) = (now, seed);
            return Ok(());
        }
        if !self.quota.has_room(from) {
            return Err(Full);
        }
        if !self.swarms.contains_key(&key) && self.swarms.len() >= self.max_hashes {
            self.make_room(now, &key)?;
        }
        let swarm = self.swarms.entry(key).or_default();
        if swarm.len() >= self.max_peers {
            let victim = victim(swarm);
            if let Some(gone) = victim.and_then(|addr| swarm.remove(&addr)) {
                self.quota.remove(gone.by);
            }
        }
        swarm.insert(peer, Announced { at: now, seed, by: from });
        self.quota.add(from);
        Ok(())
    }

    /// The living peers of one family or both, in order of address.
    pub(crate) fn of(
        &self,
        now: Instant,
        info_hash: &Id,
        family: Option<PeerFamily>,
    ) -> impl Iterator<Item = Peer> {
        self.swarms
            .get(&distance(&self.home, info_hash))
            .into_iter()
            .flatten()
            .filter(move |(addr, peer)| {
                family.is_none_or(|family| PeerFamily::of(**addr) == family)
                    && self.alive(now, peer)
            })
            .map(|(addr, peer)| Peer { addr: *addr, seed: peer.seed })
    }

    /// The info hashes with living peers, in no meaningful order.
    pub(crate) fn hashes(&self, now: Instant) -> impl Iterator<Item = Id> {
        let alive = self
            .swarms
            .iter()
            .filter(move |(_, swarm)| swarm.values().any(|peer| self.alive(now, peer)));
        alive.map(|(key, _)| Id::from_bytes(xor(key, self.home.as_bytes())))
    }

    pub(crate) fn sweep(&mut self, now: Instant) {
        let (lifetime, quota) = (self.lifetime, &mut self.quota);
        self.swarms.retain(|_, swarm| {
            swarm.retain(|_, peer| {
                let alive = now.saturating_duration_since(peer.at) < lifetime;
                if !alive {
                    quota.remove(peer.by);
                }
                alive
            });
            !swarm.is_empty()
        });
    }

    pub(crate) fn move_home(&mut self, home: Id) {
        let change = distance(&self.home, &home);
        let swarms = std::mem::take(&mut self.swarms);
        self.swarms = swarms.into_iter().map(|(key, swarm)| (xor(&key, &change), swarm)).collect();
        self.home = home;
    }

    fn alive(&self, now: Instant, peer: &Announced) -> bool {
        now.saturating_duration_since(peer.at) < self.lifetime
    }

    fn make_room(&mut self, now: Instant, newcomer: &[u8; 20]) -> Result<(), Full> {
        self.sweep(now);
        if self.swarms.len() < self.max_hashes {
            return Ok(());
        }
        let Some((farthest, _)) = self.swarms.last_key_value() else { return Err(Full) };
        if newcomer > farthest {
            return Err(Full);
        }
        let shared = leading_zeros(farthest);
        let victim = self
            .swarms
            .iter()
            .rev()
            .take_while(|(key, _)| leading_zeros(key) == shared)
            .min_by_key(|(_, swarm)| swarm.len())
            .map(|(key, _)| *key);
        for peer in victim.and_then(|key| self.swarms.remove(&key)).into_iter().flatten() {
            self.quota.remove(peer.1.by);
        }
        Ok(())
    }
}

/// Who leaves a full swarm.
fn victim(swarm: &Swarm) -> Option<SocketAddr> {
    let mut crowds: BTreeMap<Group, usize> = BTreeMap::new();
    for addr in swarm.keys() {
        *crowds.entry(Group::network(addr.ip())).or_default() += 1;
    }
    let crowd = |addr: &SocketAddr| crowds.get(&Group::network(addr.ip())).copied();
    let order = |addr: &SocketAddr, peer: &Announced| (Reverse(crowd(addr)), peer.at);
    swarm.iter().min_by_key(|(addr, peer)| order(addr, peer)).map(|(addr, _)| *addr)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: Id = Id::from_bytes([5; 20]);

    fn peers(info_hashes: usize, peers: usize) -> Peers {
        let config = StoreConfig { info_hashes, peers, ..StoreConfig::default() };
        Peers::new(&config, Id::from_bytes([0; 20]))
    }

    fn addr(host: u8, port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, host], port))
    }

    fn peer(host: u8, seed: bool) -> Peer {
        Peer { addr: addr(host, 80), seed }
    }

    fn listed(peers: &Peers, now: Instant) -> Vec<SocketAddr> {
        peers.of(now, &HASH, Some(PeerFamily::Ipv4)).map(|peer| peer.addr).collect()
    }

    #[test]
    fn one_address_is_one_peer_however_often_it_announces() {
        let now = crate::testing::start();
        let mut peers = peers(10, 10);
        for seed in [false, true, true] {
            peers.announce(now, HASH, addr(1, 9).ip(), peer(1, seed)).unwrap();
        }
        let all: Vec<_> = peers.of(now, &HASH, Some(PeerFamily::Ipv4)).collect();
        assert_eq!(all, [Peer { addr: addr(1, 80), seed: true }]);
        assert_eq!(peers.of(now, &HASH, Some(PeerFamily::Ipv6)).count(), 0);
        assert_eq!(peers.of(now, &HASH, None).count(), 1);
    }

    #[test]
    fn a_peer_is_forgotten_after_forty_five_minutes_of_silence() {
        let now = crate::testing::start();
        let mut peers = peers(10, 10);
        peers.announce(now, HASH, addr(1, 9).ip(), peer(1, false)).unwrap();
        let minutes = |n: u64| now + Duration::from_secs(60 * n);
        peers.announce(minutes(30), HASH, addr(2, 9).ip(), peer(2, false)).unwrap();
        assert_eq!(listed(&peers, minutes(44)).len(), 2);
        assert_eq!(listed(&peers, minutes(45)), [addr(2, 80)]);
        peers.sweep(minutes(75));
        assert_eq!(peers.info_hashes(), 0);
    }

    #[test]
    fn a_full_swarm_loses_its_longest_silent_peer() {
        let now = crate::testing::start();
        let mut peers = peers(10, 3);
        for n in 1..=3 {
            let at = now + Duration::from_secs(u64::from(n));
            peers.announce(at, HASH, addr(n, 9).ip(), peer(n, false)).unwrap();
        }
        let later = now + Duration::from_secs(10);
        peers.announce(later, HASH, addr(1, 9).ip(), peer(1, false)).unwrap();
        peers.announce(later, HASH, addr(4, 9).ip(), peer(4, false)).unwrap();
        assert_eq!(listed(&peers, later), [addr(1, 80), addr(3, 80), addr(4, 80)]);
    }

    #[test]
    fn a_crowd_in_one_network_pushes_out_itself_and_no_others() {
        let now = crate::testing::start();
        let mut peers = peers(4000, 10);
        let at = |second: u8| now + Duration::from_secs(second.into());
        let honest: Vec<_> = (1..=5).map(|n| SocketAddr::from(([60, n, 1, 1], 80))).collect();
        for addr in &honest {
            peers.announce(now, HASH, addr.ip(), Peer { addr: *addr, seed: false }).unwrap();
        }
        for n in 1..=100 {
            let addr = SocketAddr::from(([66, 6, 6, n], 80));
            let _ = peers.announce(at(n), HASH, addr.ip(), Peer { addr, seed: false });
        }
        let listed = listed(&peers, at(100));
        assert_eq!(listed.len(), 10);
        assert!(honest.iter().all(|addr| listed.contains(addr)), "{listed:?}");
    }

    #[test]
    fn the_number_of_info_hashes_is_capped_and_near_ones_stay() {
        let now = crate::testing::start();
        let mut peers = peers(50, 3);
        for n in 0..=255_u8 {
            let _ = peers.announce(now, Id::from_bytes([n; 20]), addr(1, 9).ip(), peer(1, false));
        }
        assert_eq!(peers.info_hashes(), 50);
        let mut kept: Vec<_> = peers.hashes(now).map(|id| id.as_bytes()[0]).collect();
        kept.sort_unstable();
        assert_eq!(kept, (0..50).collect::<Vec<_>>());
    }
}
