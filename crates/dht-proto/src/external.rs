//! What others say our address is, and when to believe them
//! ([BEP 42](https://www.bittorrent.org/beps/bep_0042.html)). Apart from the table, which only learns the verdict.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::scope::{Group, Scope};

/// How many providers must agree. One provider (a /16, or a /32 of IPv6) has one vote, its latest.
pub(crate) const VOTERS: usize = 6;
/// How old a vote may be.
const WINDOW: Duration = Duration::from_secs(600);
/// How many votes are kept; the oldest goes.
const KEPT: usize = 32;
/// How often the verdict may change: an id that follows every rumour is no id.
const HOLD: Duration = Duration::from_secs(3600);

/// The votes of late and the address believed.
#[derive(Debug)]
pub(crate) struct External {
    votes: BTreeMap<Group, (Instant, SocketAddr)>,
    verdict: Option<(Instant, SocketAddr)>,
    fixed: bool,
}

impl External {
    /// With `known`, the address is given and no vote is heard.
    pub(crate) fn new(now: Instant, known: Option<SocketAddr>) -> Self {
        Self {
            votes: BTreeMap::new(),
            verdict: known.map(|addr| (now, addr)),
            fixed: known.is_some(),
        }
    }

    /// The address believed, if any.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.verdict.map(|(_, addr)| addr)
    }

    /// Counts what `voter` says in an answer to a request of ours; gives the new address when the verdict
    /// changes.
    ///
    /// Voters on our own host or site see another address of ours than the world does, and an address
    /// that is not public needs no fitting id; neither counts.
    pub(crate) fn vote(
        &mut self,
        now: Instant,
        voter: IpAddr,
        seen: SocketAddr,
    ) -> Option<SocketAddr> {
        let public = |ip| Scope::of_ip(ip) == Scope::Global;
        let same_family = voter.is_ipv4() == seen.is_ipv4();
        if self.fixed || !same_family || !public(voter) || !public(seen.ip()) {
            return None;
        }
        self.votes.insert(Group::provider(voter), (now, seen));
        self.forget(now);
        if self.verdict.is_some_and(|(_, addr)| addr.ip() == seen.ip()) {
            return None;
        }
        let (leader, count) = self.leader()?;
        // Two thirds of the votes: a third of liars who agree with each other cannot win.
        if count < VOTERS || count * 3 < self.votes.len() * 2 {
            return None;
        }
        match self.verdict {
            Some((_, addr)) if addr.ip() == leader.ip() => None,
            Some((since, _)) if now.saturating_duration_since(since) < HOLD => None,
            Some(_) | None => {
                self.verdict = Some((now, leader));
                Some(leader)
            }
        }
    }

    fn forget(&mut self, now: Instant) {
        self.votes.retain(|_, (at, _)| now.saturating_duration_since(*at) <= WINDOW);
        while self.votes.len() > KEPT {
            let oldest = self.votes.iter().min_by_key(|(group, (at, _))| (*at, **group));
            let Some(group) = oldest.map(|(group, _)| *group) else { return };
            self.votes.remove(&group);
        }
    }

    /// The host most voters named, the port as last heard with it, and its votes.
    fn leader(&self) -> Option<(SocketAddr, usize)> {
        let mut count: BTreeMap<IpAddr, (usize, Instant, SocketAddr)> = BTreeMap::new();
        for (at, addr) in self.votes.values() {
            let entry = count.entry(addr.ip()).or_insert((0, *at, *addr));
            entry.0 += 1;
            if *at >= entry.1 {
                (entry.1, entry.2) = (*at, *addr);
            }
        }
        let best = count.values().max_by_key(|(votes, at, _)| (*votes, *at))?;
        Some((best.2, best.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(last: u8) -> SocketAddr {
        SocketAddr::from(([80, 1, 1, last], 7000))
    }

    fn voter(provider: u8, host: u8) -> IpAddr {
        IpAddr::from([60, provider, 1, host])
    }

    #[test]
    fn enough_providers_convince_and_one_provider_does_not() {
        let now = crate::testing::start();
        let mut external = External::new(now, None);
        for host in 0..100 {
            assert_eq!(external.vote(now, voter(1, host), seen(1)), None);
        }
        for provider in 2..6 {
            assert_eq!(external.vote(now, voter(provider, 1), seen(1)), None);
        }
        assert_eq!(external.vote(now, voter(6, 1), seen(1)), Some(seen(1)));
        assert_eq!(external.address(), Some(seen(1)));
    }

    #[test]
    fn a_third_of_liars_who_agree_cannot_move_us() {
        let now = crate::testing::start();
        let mut external = External::new(now, None);
        for provider in 0..100_u8 {
            let lie = provider % 10 < 3;
            let at = now + Duration::from_secs(u64::from(provider));
            let verdict = external.vote(at, voter(provider, 1), seen(if lie { 66 } else { 1 }));
            assert_ne!(verdict, Some(seen(66)));
        }
        assert_eq!(external.address(), Some(seen(1)));
    }

    #[test]
    fn the_verdict_changes_at_most_once_an_hour() {
        let now = crate::testing::start();
        let mut external = External::new(now, None);
        let all = |external: &mut External, at, address| {
            (0..40).filter_map(|provider| external.vote(at, voter(provider, 1), address)).last()
        };
        assert_eq!(all(&mut external, now, seen(1)), Some(seen(1)));
        assert_eq!(all(&mut external, now + Duration::from_secs(1800), seen(2)), None);
        assert_eq!(all(&mut external, now + HOLD, seen(2)), Some(seen(2)));
    }

    #[test]
    fn old_votes_and_near_voters_do_not_count() {
        let now = crate::testing::start();
        let mut external = External::new(now, None);
        for provider in 0..5 {
            external.vote(now, voter(provider, 1), seen(1));
        }
        let later = now + WINDOW + Duration::from_secs(1);
        assert_eq!(external.vote(later, voter(5, 1), seen(1)), None);
        for host in 0..40 {
            assert_eq!(external.vote(later, IpAddr::from([10, host, 1, 1]), seen(2)), None);
        }
        assert_eq!(external.votes.len(), 1);
    }

    #[test]
    fn a_given_address_is_not_voted_on() {
        let now = crate::testing::start();
        let mut external = External::new(now, Some(seen(9)));
        for provider in 0..40 {
            assert_eq!(external.vote(now, voter(provider, 1), seen(1)), None);
        }
        assert_eq!(external.address(), Some(seen(9)));
    }

    #[test]
    fn two_thirds_of_the_votes_are_enough_and_less_is_not() {
        for (liars, convinced) in [(3, true), (4, false)] {
            let now = crate::testing::start();
            let mut external = External::new(now, None);
            for provider in 0..liars {
                external.vote(now, voter(provider, 1), seen(66));
            }
            let honest =
                (100..106).filter_map(|provider| external.vote(now, voter(provider, 1), seen(1)));
            assert_eq!(honest.count() == 1, convinced, "{liars} liars");
        }
    }

    #[test]
    fn a_liar_who_changes_nothing_is_no_news_however_old_the_verdict() {
        let now = crate::testing::start();
        let mut external = External::new(now, None);
        let all = |external: &mut External, at| {
            (0..30).filter_map(|provider| external.vote(at, voter(provider, 1), seen(1))).count()
        };
        assert_eq!(all(&mut external, now), 1);
        assert_eq!(all(&mut external, now + HOLD), 0);
        assert_eq!(external.vote(now + HOLD * 2, voter(99, 1), seen(66)), None);
        assert_eq!(all(&mut external, now + HOLD * 2), 0);
        assert_eq!(external.vote(now + HOLD * 2, voter(99, 1), seen(66)), None);
        assert_eq!(external.address(), Some(seen(1)));
    }

    #[test]
    fn only_a_public_address_of_the_voters_own_family_can_be_voted_for() {
        let now = crate::testing::start();
        let mut external = External::new(now, None);
        let v6: SocketAddr = "[2a00::1]:7000".parse().unwrap();
        for provider in 0..40 {
            for seen in [v6, SocketAddr::from(([192, 168, 1, 1], 7000))] {
                assert_eq!(external.vote(now, voter(provider, 1), seen), None);
            }
        }
        assert!(external.votes.is_empty());
    }

    #[test]
    fn the_port_is_the_one_that_was_seen_last_and_a_new_one_is_no_news() {
        let now = crate::testing::start();
        let at = |second: u8| now + Duration::from_secs(second.into());
        let mut external = External::new(now, None);
        let on = |port| SocketAddr::from(([80, 1, 1, 1], port));
        // The voters are kept in another order than they voted in.
        for (second, provider) in (0..5).zip([50, 40, 30, 20, 10]) {
            assert_eq!(external.vote(at(second), voter(provider, 1), on(second.into())), None);
        }
        assert_eq!(external.vote(at(9), voter(15, 1), on(9)), Some(on(9)));
        assert_eq!(external.vote(at(10), voter(5, 1), on(10)), None);
    }

    #[test]
    fn of_many_votes_the_latest_thirty_two_are_kept_and_each_for_ten_minutes() {
        let now = crate::testing::start();
        let mut external = External::new(now, None);
        for provider in 0..100 {
            let at = now + Duration::from_secs(u64::from(provider));
            external.vote(at, voter(provider, 1), seen(1));
        }
        assert_eq!(external.votes.len(), KEPT);
        assert!(!external.votes.contains_key(&Group::provider(voter(67, 1))));
        assert!(external.votes.contains_key(&Group::provider(voter(68, 1))));
        external.vote(now + Duration::from_secs(68) + WINDOW, voter(200, 1), seen(1));
        assert!(external.votes.contains_key(&Group::provider(voter(69, 1))));
        external.vote(now + Duration::from_secs(99) + WINDOW, voter(200, 1), seen(1));
        assert_eq!(external.votes.len(), 2, "the one of ten minutes ago, and the new one");
    }
}
