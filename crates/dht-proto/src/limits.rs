//! How many requests strangers may send: one budget per host and one per network.
//! Apart from the server, which is only asked when the budget allows.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::LimitConfig;
use crate::scope::{Group, Scope};

/// The budgets of all who asked lately.
///
/// A budget is one instant: when it will be full again. One that is full is the same as none, so it can be
/// forgotten without loss; when the table overflows, the budget closest to full goes first.
#[derive(Debug)]
pub(crate) struct Limits {
    host: Rate,
    network: Rate,
    remembered: usize,
    full_at: BTreeMap<Group, Instant>,
    order: BTreeSet<(Instant, Group)>,
}

#[derive(Debug, Clone, Copy)]
struct Rate {
    /// What one request costs.
    interval: Duration,
    /// How far in the future `full_at` may lie.
    burst: Duration,
}

impl Rate {
    fn new(per_second: u32, burst: u32) -> Self {
        let interval = Duration::from_secs(1) / per_second.max(1);
        Self { interval, burst: interval * burst.max(1) }
    }
}

impl Limits {
    pub(crate) fn new(config: &LimitConfig) -> Self {
        Self {
            host: Rate::new(config.per_address, config.address_burst),
            network: Rate::new(config.per_network, config.network_burst),
            remembered: config.remembered.max(2),
            full_at: BTreeMap::new(),
            order: BTreeSet::new(),
        }
    }

    /// Whether a request from `from` is within budget; if so, it is charged.
    pub(crate) fn admit(&mut self, now: Instant, from: SocketAddr) -> bool {
        if Scope::of_ip(from.ip()) == Scope::Loopback {
            return true;
        }
        let (host, network) = (Group::host(from.ip()), Group::network(from.ip()));
        let Some(host_full) = self.charged(now, host, self.host) else { return false };
        let Some(network_full) = self.charged(now, network, self.network) else { return false };
        self.set(now, host, host_full);
        self.set(now, network, network_full);
        true
    }

    /// When the budget would be full after one more request, or `None` if there is no room for it.
    fn charged(&self, now: Instant, group: Group, rate: Rate) -> Option<Instant> {
        let full_at = self.full_at.get(&group).map_or(now, |at| (*at).max(now)) + rate.interval;
        (full_at <= now + rate.burst).then_some(full_at)
    }

    fn set(&mut self, now: Instant, group: Group, full_at: Instant) {
        if let Some(old) = self.full_at.insert(group, full_at) {
            self.order.remove(&(old, group));
        }
        self.order.insert((full_at, group));
        while let Some(&(at, group)) = self.order.first()
            && (at <= now || self.order.len() > self.remembered)
        {
            self.order.pop_first();
            self.full_at.remove(&group);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(remembered: usize) -> Limits {
        Limits::new(&LimitConfig {
            per_address: 5,
            address_burst: 10,
            per_network: 20,
            network_burst: 30,
            remembered,
        })
    }

    fn from(last: u8) -> SocketAddr {
        SocketAddr::from(([9, 9, 9, last], 6881))
    }

    fn admitted(limits: &mut Limits, now: Instant, addr: SocketAddr, tries: usize) -> usize {
        (0..tries).filter(|_| limits.admit(now, addr)).count()
    }

    #[test]
    fn one_address_gets_its_burst_and_then_its_rate() {
        let now = crate::testing::start();
        let mut limits = limits(100);
        assert_eq!(admitted(&mut limits, now, from(1), 100), 10);
        assert_eq!(admitted(&mut limits, now + Duration::from_secs(1), from(1), 100), 5);
        assert_eq!(admitted(&mut limits, now + Duration::from_secs(60), from(1), 100), 10);
    }

    #[test]
    fn a_network_of_many_addresses_shares_one_budget() {
        let now = crate::testing::start();
        let mut limits = limits(100);
        let total: usize = (0..20).map(|last| admitted(&mut limits, now, from(last), 10)).sum();
        assert_eq!(total, 30);
    }

    #[test]
    fn a_flood_of_addresses_cannot_grow_the_table() {
        let now = crate::testing::start();
        let mut limits = limits(64);
        for n in 0..10_000_u32 {
            limits.admit(now, SocketAddr::from(((0x0b00_0000 + n * 7919).to_be_bytes(), 6881)));
        }
        assert!(limits.full_at.len() <= 64 && limits.order.len() == limits.full_at.len());
    }

    #[test]
    fn loopback_has_no_limit() {
        let now = crate::testing::start();
        let addr = SocketAddr::from(([127, 0, 0, 1], 6881));
        assert_eq!(admitted(&mut limits(64), now, addr, 1000), 1000);
    }
}
