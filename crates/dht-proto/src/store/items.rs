//! One pool of BEP 44 items, ordered by distance from our id.
//! Generic over the kind of item, because both kinds live, expire and are pushed out by the same rule.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use mainstay_krpc::Id;

use super::Full;
use super::quota::Quota;
use crate::StoreConfig;
use crate::scope::Group;

/// Items by their distance from our id.
///
/// When the pool is full, the oldest of the farthest goes: of the entries that share as few leading bits
/// with our id as the farthest does, the one whose last put is longest ago. A provider that already has a
/// four-hundredth of a full pool (five of 2,000) only pushes out itself.
#[derive(Debug)]
pub(crate) struct Items<T> {
    capacity: usize,
    lifetime: Duration,
    home: Id,
    quota: Quota,
    entries: BTreeMap<[u8; 20], Entry<T>>,
    /// Nothing that is there was put before this; so it need not be looked through for what has expired.
    oldest: Option<Instant>,
}

#[derive(Debug)]
struct Entry<T> {
    item: T,
    by: IpAddr,
    put_at: Instant,
}

impl<T> Items<T> {
    pub(crate) fn new(config: &StoreConfig, capacity: usize, home: Id) -> Self {
        Self {
            capacity,
            lifetime: config.item_lifetime,
            home,
            quota: Quota::new(config, capacity),
            entries: BTreeMap::new(),
            oldest: None,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn find(&self, now: Instant, target: &Id) -> Option<&T> {
        let entry = self.entries.get(&distance(&self.home, target))?;
        self.alive(now, entry).then_some(&entry.item)
    }

    /// Whether [`put`](Self::put) would find room.
    pub(crate) fn has_room(&self, now: Instant, by: IpAddr, target: &Id) -> bool {
        let key = distance(&self.home, target);
        if self.entries.contains_key(&key) {
            return true;
        }
        let expired = || {
            self.may_have_expired(now) && !self.entries.values().all(|entry| self.alive(now, entry))
        };
        let farther = || self.may_go(by).next().is_some_and(|(farthest, _)| key <= *farthest);
        self.quota.has_room(by) && (self.entries.len() < self.capacity || farther() || expired())
    }

    pub(crate) fn put(
        &mut self,
        now: Instant,
        by: IpAddr,
        target: Id,
        item: T,
    ) -> Result<(), Full> {
        let key = distance(&self.home, &target);
        if let Some(entry) = self.entries.get_mut(&key) {
            // Whoever put it first keeps paying for it: a re-put from elsewhere must not move the debt.
            (entry.item, entry.put_at) = (item, now);
            return Ok(());
        }
        if !self.quota.has_room(by) {
            return Err(Full);
        }
        if self.entries.len() >= self.capacity {
            self.make_room(now, by, &key)?;
        }
        self.quota.add(by);
        self.oldest = Some(self.oldest.map_or(now, |oldest| oldest.min(now)));
        self.entries.insert(key, Entry { item, by, put_at: now });
        Ok(())
    }

    pub(crate) fn refresh(&mut self, now: Instant, target: &Id) {
        if let Some(entry) = self.entries.get_mut(&distance(&self.home, target)) {
            entry.put_at = now;
        }
    }

    pub(crate) fn sweep(&mut self, now: Instant) {
        let (lifetime, quota) = (self.lifetime, &mut self.quota);
        let mut oldest: Option<Instant> = None;
        self.entries.retain(|_, entry| {
            let alive = now.saturating_duration_since(entry.put_at) < lifetime;
            if alive {
                oldest = Some(oldest.map_or(entry.put_at, |oldest| oldest.min(entry.put_at)));
            } else {
                quota.remove(entry.by);
            }
            alive
        });
        self.oldest = oldest;
    }

    pub(crate) fn move_home(&mut self, home: Id) {
        let change = distance(&self.home, &home);
        let entries = std::mem::take(&mut self.entries);
        self.entries =
            entries.into_iter().map(|(key, entry)| (xor(&key, &change), entry)).collect();
        self.home = home;
    }

    fn alive(&self, now: Instant, entry: &Entry<T>) -> bool {
        now.saturating_duration_since(entry.put_at) < self.lifetime
    }

    fn may_have_expired(&self, now: Instant) -> bool {
        let passed = self.oldest.map(|oldest| now.saturating_duration_since(oldest));
        passed.is_some_and(|passed| passed >= self.lifetime)
    }

    /// Takes out what has expired, or else whom a newcomer may displace.
    fn make_room(&mut self, now: Instant, by: IpAddr, newcomer: &[u8; 20]) -> Result<(), Full> {
        if self.may_have_expired(now) {
            self.sweep(now);
        }
        if self.entries.len() < self.capacity {
            return Ok(());
        }
        let mut candidates = self.may_go(by).peekable();
        let Some((farthest, _)) = candidates.peek() else { return Err(Full) };
        if newcomer > *farthest {
            return Err(Full);
        }
        let shared = leading_zeros(farthest);
        let victim = candidates
            .take_while(|(key, _)| leading_zeros(key) == shared)
            .min_by_key(|(_, entry)| entry.put_at)
            .map(|(key, _)| *key);
        if let Some(entry) = victim.and_then(|key| self.entries.remove(&key)) {
            self.quota.remove(entry.by);
        }
        Ok(())
    }

    /// Whom something that `by` puts may displace, the farthest first. A crowd makes room among its own, so that one
    /// provider costs the others next to nothing.
    fn may_go(&self, by: IpAddr) -> impl Iterator<Item = (&[u8; 20], &Entry<T>)> {
        let crowd = self.quota.is_crowd(by).then(|| Group::provider(by));
        let may_go =
            move |entry: &Entry<T>| crowd.is_none_or(|crowd| Group::provider(entry.by) == crowd);
        self.entries.iter().rev().filter(move |(_, entry)| may_go(entry))
    }
}

pub(super) fn distance(home: &Id, target: &Id) -> [u8; 20] {
    xor(home.as_bytes(), target.as_bytes())
}

pub(super) fn xor(a: &[u8; 20], b: &[u8; 20]) -> [u8; 20] {
    let mut out = *a;
    for (byte, other) in out.iter_mut().zip(b) {
        *byte ^= other;
    }
    out
}

pub(super) fn leading_zeros(distance: &[u8; 20]) -> u32 {
    let mut bits = 0;
    for byte in distance {
        bits += byte.leading_zeros();
        if *byte != 0 {
            break;
        }
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIME: Duration = Duration::from_secs(7200);

    fn pool(capacity: usize) -> Items<u32> {
        Items::new(&StoreConfig::default(), capacity, Id::from_bytes([0; 20]))
    }

    fn near() -> IpAddr {
        IpAddr::from([127, 0, 0, 1])
    }

    fn id(first: u8, last: u8) -> Id {
        let mut bytes = [0; 20];
        (bytes[0], bytes[19]) = (first, last);
        Id::from_bytes(bytes)
    }

    #[test]
    fn an_item_lives_two_hours_after_its_last_put() {
        let now = crate::testing::start();
        let mut pool = pool(10);
        pool.put(now, near(), id(1, 1), 5).unwrap();
        let later = now + LIFETIME - Duration::from_secs(1);
        assert_eq!(pool.find(later, &id(1, 1)), Some(&5));
        pool.refresh(later, &id(1, 1));
        assert_eq!(pool.find(now + LIFETIME, &id(1, 1)), Some(&5));
        assert_eq!(pool.find(later + LIFETIME, &id(1, 1)), None);
        pool.sweep(later + LIFETIME);
        assert_eq!(pool.len(), 0);
    }

    #[test]
    fn the_oldest_of_the_farthest_makes_room() {
        let now = crate::testing::start();
        let at = |secs| now + Duration::from_secs(secs);
        let mut pool = pool(4);
        for (second, target) in
            [(1, id(1, 0)), (2, id(0xc0, 0)), (3, id(0xf0, 0)), (0, id(0x02, 0))]
        {
            pool.put(at(second), near(), target, 0).unwrap();
        }
        pool.put(at(9), near(), id(3, 0), 1).unwrap();
        assert!(pool.find(at(9), &id(0xc0, 0)).is_none());
        for kept in [id(1, 0), id(0xf0, 0), id(2, 0), id(3, 0)] {
            assert!(pool.find(at(9), &kept).is_some(), "{kept:?}");
        }
    }

    #[test]
    fn a_full_pool_refuses_what_is_farther_than_all_it_has() {
        let now = crate::testing::start();
        let mut pool = pool(2);
        pool.put(now, near(), id(1, 0), 0).unwrap();
        pool.put(now, near(), id(2, 0), 0).unwrap();
        assert_eq!(pool.put(now, near(), id(0xff, 0), 0), Err(Full));
        assert_eq!(pool.len(), 2);
    }

    #[test]
    fn one_address_fills_a_hundredth_and_one_network_a_twentieth() {
        let now = crate::testing::start();
        let mut pool = pool(1000);
        let mut stored = 0;
        for host in 0..20_u8 {
            let from = IpAddr::from([9, 9, 9, host]);
            let mine = (0..50).filter(|n| pool.put(now, from, id(host, *n), 0).is_ok()).count();
            assert!(mine <= 10);
            stored += mine;
        }
        assert_eq!(stored, 50);
        assert!(pool.put(now, IpAddr::from([9, 9, 8, 1]), id(99, 9), 0).is_ok());
    }

    #[test]
    fn a_flood_from_one_provider_leaves_most_of_the_pool_to_others() {
        let now = crate::testing::start();
        let mut pool = pool(100);
        let honest = |n: u8| IpAddr::from([60, n, 1, 1]);
        let victims: Vec<_> = (0..70).map(|n| id(0xf0, n)).collect();
        for (n, victim) in (0..).zip(&victims) {
            pool.put(now, honest(n), *victim, 0).unwrap();
        }
        let later = now + Duration::from_secs(60);
        for n in 0..100_000_u32 {
            let [_, net, first, last] = (n * 167).to_be_bytes();
            let from = IpAddr::from([66, 6, last, net]);
            let _ = pool.put(later, from, id(last, first), 0);
        }
        assert_eq!(pool.len(), 90);
        assert!(victims.iter().all(|victim| pool.find(later, victim).is_some()));
    }

    #[test]
    fn even_a_full_pool_loses_a_four_hundredth_at_most_to_one_provider() {
        let now = crate::testing::start();
        let mut pool = pool(1000);
        let victim = |n: u32| {
            let [_, _, high, low] = n.to_be_bytes();
            let mut bytes = [0; 20];
            (bytes[0], bytes[18], bytes[19]) = (0xf0, high, low);
            (Id::from_bytes(bytes), IpAddr::from([60 + high, low, 1, 1]))
        };
        for n in 0..1000 {
            let (target, by) = victim(n);
            pool.put(now, by, target, 0).unwrap();
        }
        let later = now + Duration::from_secs(60);
        for n in 0..20_000_u32 {
            let [_, net, first, last] = (n * 167).to_be_bytes();
            // Next to our id, where nobody else's are.
            let _ = pool.put(later, IpAddr::from([66, 6, last, net]), id(0, first ^ last), 0);
        }
        let left = (0..1000).filter(|n| pool.find(later, &victim(*n).0).is_some()).count();
        assert!((997..1000).contains(&left), "{left}");
        assert_eq!(pool.len(), 1000);
    }

    #[test]
    fn what_is_said_to_have_room_has_room_and_nothing_else() {
        // An address has two places, a provider five; so there are crowds, full shares, expiry and all distances.
        let config = StoreConfig { share_per_address: 5, ..StoreConfig::default() };
        let mut draw = 1_u64;
        let mut next = |bound: u64| {
            draw = draw
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (draw >> 33) % bound
        };
        let (mut refused, mut accepted) = (0, 0);
        for _ in 0..50 {
            let mut pool = Items::new(&config, 25, Id::from_bytes([0; 20]));
            let mut now = crate::testing::start();
            for _ in 0..200 {
                now += Duration::from_secs(next(240));
                let [net, host, first, last] =
                    [next(9), next(3), next(256), next(4)].map(|n| n as u8);
                let (by, target) = (IpAddr::from([60 + net / 3, net, 1, host]), id(first, last));
                if next(5) == 0 {
                    pool.refresh(now, &target);
                }
                let said = pool.has_room(now, by, &target);
                let stored = pool.put(now, by, target, 0).is_ok();
                assert_eq!(said, stored, "{by} puts {target:?}");
                if stored { accepted += 1 } else { refused += 1 }
            }
        }
        assert!(refused > 100 && accepted > 100, "{refused} refused, {accepted} accepted");
    }

    #[test]
    fn a_share_is_given_back_when_the_item_goes() {
        let now = crate::testing::start();
        let mut pool = pool(100);
        let from = IpAddr::from([9, 9, 9, 9]);
        pool.put(now, from, id(1, 1), 0).unwrap();
        assert_eq!(pool.put(now, from, id(1, 2), 0), Err(Full));
        assert!(pool.put(now, from, id(1, 1), 1).is_ok());
        pool.sweep(now + LIFETIME);
        assert!(pool.put(now + LIFETIME, from, id(1, 2), 0).is_ok());
    }

    #[test]
    fn items_are_found_after_our_id_changed() {
        let now = crate::testing::start();
        let mut pool = pool(10);
        for n in 0..10 {
            pool.put(now, near(), id(n, n), u32::from(n)).unwrap();
        }
        pool.move_home(id(0xaa, 0x55));
        for n in 0..10 {
            assert_eq!(pool.find(now, &id(n, n)), Some(&u32::from(n)));
        }
    }
}
