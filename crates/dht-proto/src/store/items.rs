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
mod tests;
