//! How much of a pool one host or one network fills.
//! Its own type because items and peers are counted alike, and a count that drifts would lock people out.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::StoreConfig;
use crate::scope::{Group, Scope};

/// Entries per host and per network; addresses that are not public are not counted, since a private
/// network may well be one host.
#[derive(Debug)]
pub(crate) struct Quota {
    per_host: usize,
    per_network: usize,
    used: BTreeMap<Group, usize>,
}

impl Quota {
    pub(crate) fn new(config: &StoreConfig, pool: usize) -> Self {
        let share = |parts: usize| (pool / parts.max(1)).max(1);
        Self {
            per_host: share(config.share_per_address),
            per_network: share(config.share_per_network),
            used: BTreeMap::new(),
        }
    }

    /// Whether one more entry of `ip` fits.
    pub(crate) fn has_room(&self, ip: IpAddr) -> bool {
        let used = |group| self.used.get(&group).copied().unwrap_or(0);
        Scope::of_ip(ip) != Scope::Global
            || (used(Group::host(ip)) < self.per_host
                && used(Group::network(ip)) < self.per_network)
    }

    pub(crate) fn add(&mut self, ip: IpAddr) {
        if Scope::of_ip(ip) == Scope::Global {
            for group in [Group::host(ip), Group::network(ip)] {
                *self.used.entry(group).or_default() += 1;
            }
        }
    }

    pub(crate) fn remove(&mut self, ip: IpAddr) {
        if Scope::of_ip(ip) != Scope::Global {
            return;
        }
        for group in [Group::host(ip), Group::network(ip)] {
            if let Some(used) = self.used.get_mut(&group) {
                *used = used.saturating_sub(1);
                if *used == 0 {
                    self.used.remove(&group);
                }
            }
        }
    }
}
