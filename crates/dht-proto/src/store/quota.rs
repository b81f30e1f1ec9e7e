//! How much of a pool one host, one network or one provider fills.
//! Its own type because items and peers are counted alike, and a count that drifts would lock people out.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::StoreConfig;
use crate::scope::{Group, Scope};

/// Entries per host, network and provider; addresses that are not public are not counted, since a private
/// network may well be one host.
#[derive(Debug)]
pub(crate) struct Quota {
    per_host: usize,
    per_network: usize,
    per_provider: usize,
    crowd: usize,
    used: BTreeMap<Group, usize>,
}

impl Quota {
    pub(crate) fn new(config: &StoreConfig, pool: usize) -> Self {
        let share = |parts: usize| (pool / parts.max(1)).max(1);
        Self {
            per_host: share(config.share_per_address),
            per_network: share(config.share_per_network),
            per_provider: share(config.share_per_provider),
            crowd: share(400),
            used: BTreeMap::new(),
        }
    }

    /// The same without a share for providers: half a country may be behind one, and all in one swarm.
    pub(crate) fn of_any_provider(mut self) -> Self {
        self.per_provider = usize::MAX;
        self
    }

    /// Whether one more entry of `ip` fits.
    pub(crate) fn has_room(&self, ip: IpAddr) -> bool {
        let used = |group| self.used.get(&group).copied().unwrap_or(0);
        let caps = [self.per_host, self.per_network, self.per_provider];
        Scope::of_ip(ip) != Scope::Global
            || groups(ip).into_iter().zip(caps).all(|(group, cap)| used(group) < cap)
    }

    /// Whether the provider of `ip` has so much of the pool, a four-hundredth or more, that it must not displace
    /// others.
    pub(crate) fn is_crowd(&self, ip: IpAddr) -> bool {
        let used = self.used.get(&Group::provider(ip)).copied().unwrap_or(0);
        Scope::of_ip(ip) == Scope::Global && used >= self.crowd
    }

    pub(crate) fn add(&mut self, ip: IpAddr) {
        if Scope::of_ip(ip) == Scope::Global {
            for group in groups(ip) {
                *self.used.entry(group).or_default() += 1;
            }
        }
    }

    pub(crate) fn remove(&mut self, ip: IpAddr) {
        if Scope::of_ip(ip) != Scope::Global {
            return;
        }
        for group in groups(ip) {
            if let Some(used) = self.used.get_mut(&group) {
                *used = used.saturating_sub(1);
                if *used == 0 {
                    self.used.remove(&group);
                }
            }
        }
    }
}

fn groups(ip: IpAddr) -> [Group; 3] {
    [Group::host(ip), Group::network(ip), Group::provider(ip)]
}
