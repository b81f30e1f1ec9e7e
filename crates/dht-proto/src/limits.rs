//! How much strangers may ask for: requests and bytes of answers, for one host, one network and everybody.
//! Apart from the server, which is only asked when the budget allows.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::LimitConfig;
use crate::scope::{Group, Scope};

/// For how long a budget of bytes can be saved up.
const SAVED_BYTES: Duration = Duration::from_secs(4);

/// The budgets of all who asked lately.
///
/// Requests are counted when they come. Bytes are charged after the answer, when its size is known, so one
/// answer may overdraw a budget and the next waits: what a forged sender can have sent to a victim stays
/// within the budget and one answer more.
#[derive(Debug)]
pub(crate) struct Limits {
    requests: Budgets,
    bytes: Budgets,
    total: Rate,
    /// When the budget of bytes for everybody is full again.
    total_full_at: Option<Instant>,
}

/// Budgets of one kind, by host and by network.
///
/// A budget is one instant: when it will be full again. One that is full is the same as none, so it can be
/// forgotten without loss; when the table overflows, the budget closest to full goes first.
#[derive(Debug)]
struct Budgets {
    host: Rate,
    network: Rate,
    remembered: usize,
    full_at: BTreeMap<Group, Instant>,
    order: BTreeSet<(Instant, Group)>,
}

#[derive(Debug, Clone, Copy)]
struct Rate {
    /// What one unit costs.
    interval: Duration,
    /// How far in the future `full_at` may lie.
    burst: Duration,
}

impl Rate {
    fn new(per_second: u32, burst: u32) -> Self {
        let interval = Duration::from_secs(1) / per_second.max(1);
        Self { interval, burst: interval * burst.max(1) }
    }

    fn of_bytes(per_second: u32) -> Self {
        Self { interval: Duration::from_secs(1) / per_second.max(1), burst: SAVED_BYTES }
    }
}

impl Limits {
    pub(crate) fn new(config: &LimitConfig) -> Self {
        let host = Rate::new(config.per_address, config.address_burst);
        let network = Rate::new(config.per_network, config.network_burst);
        let host_bytes = Rate::of_bytes(config.bytes_per_address);
        let network_bytes = Rate::of_bytes(config.bytes_per_network);
        Self {
            requests: Budgets::new(host, network, config.remembered),
            bytes: Budgets::new(host_bytes, network_bytes, config.remembered),
            total: Rate::of_bytes(config.bytes_in_total),
            total_full_at: None,
        }
    }

    /// Whether a request from `from` is within all budgets; if so, it is charged.
    pub(crate) fn admit(&mut self, now: Instant, from: SocketAddr) -> bool {
        if is_exempt(from) {
            return true;
        }
        let spent = self.total_full_at.is_some_and(|at| at >= now + self.total.burst);
        !spent && self.bytes.has_some(now, from) && self.requests.charge_within(now, from)
    }

    /// Charges the bytes that a request from `from` was answered with.
    pub(crate) fn answered(&mut self, now: Instant, from: SocketAddr, bytes: u64) {
        if bytes == 0 || is_exempt(from) {
            return;
        }
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.bytes.charge(now, from, bytes);
        let full_at = self.total_full_at.map_or(now, |at| at.max(now));
        self.total_full_at = Some(full_at + self.total.interval * bytes);
    }
}

/// This host is not a stranger, and cannot be forged from outside.
fn is_exempt(from: SocketAddr) -> bool {
    Scope::of_ip(from.ip()) == Scope::Loopback
}

impl Budgets {
    fn new(host: Rate, network: Rate, remembered: usize) -> Self {
        let (full_at, order) = (BTreeMap::new(), BTreeSet::new());
        Self { host, network, remembered: remembered.max(2), full_at, order }
    }

    fn of(&self, from: SocketAddr) -> [(Group, Rate); 2] {
        [(Group::host(from.ip()), self.host), (Group::network(from.ip()), self.network)]
    }

    /// Whether no budget is used up.
    fn has_some(&self, now: Instant, from: SocketAddr) -> bool {
        self.of(from).iter().all(|(group, rate)| {
            self.full_at.get(group).is_none_or(|full_at| *full_at < now + rate.burst)
        })
    }

    /// Charges one unit, if there is room for it everywhere.
    fn charge_within(&mut self, now: Instant, from: SocketAddr) -> bool {
        let within = self
            .of(from)
            .iter()
            .all(|(group, rate)| self.charged(now, *group, *rate, 1) <= now + rate.burst);
        if within {
            self.charge(now, from, 1);
        }
        within
    }

    fn charge(&mut self, now: Instant, from: SocketAddr, units: u32) {
        for (group, rate) in self.of(from) {
            self.set(now, group, self.charged(now, group, rate, units));
        }
    }

    /// When the budget would be full after so many more units.
    fn charged(&self, now: Instant, group: Group, rate: Rate, units: u32) -> Instant {
        self.full_at.get(&group).map_or(now, |at| (*at).max(now)) + rate.interval * units
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
            bytes_per_address: 1000,
            bytes_per_network: 2000,
            bytes_in_total: 5000,
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
            let sender = SocketAddr::from(((0x0b00_0000 + n * 7919).to_be_bytes(), 6881));
            limits.admit(now, sender);
            limits.answered(now, sender, 1);
        }
        for budgets in [&limits.requests, &limits.bytes] {
            assert!(budgets.full_at.len() <= 64 && budgets.order.len() == budgets.full_at.len());
        }
    }

    /// Asks often for `answer` bytes a time over ten seconds; how many bytes that got.
    fn gained(limits: &mut Limits, senders: &[SocketAddr], answer: u64) -> u64 {
        let now = crate::testing::start();
        let mut bytes = 0;
        for tenth in 0..100 {
            let at = now + Duration::from_millis(100 * tenth);
            for sender in senders {
                if limits.admit(at, *sender) {
                    limits.answered(at, *sender, answer);
                    bytes += answer;
                }
            }
        }
        bytes
    }

    #[test]
    fn what_a_forged_sender_has_sent_to_its_victim_is_bounded_in_bytes() {
        // Four seconds' worth saved up, ten seconds, and one answer.
        let bytes = gained(&mut limits(100), &[from(1)], 1400);
        assert!((12_000..=4000 + 10_000 + 1400).contains(&bytes), "{bytes}");
        let network: Vec<_> = (1..=9).map(from).collect();
        let bytes = gained(&mut limits(100), &network, 1400);
        assert!((24_000..=8000 + 20_000 + 1400).contains(&bytes), "{bytes}");
        let world: Vec<_> = (1..=50).map(|n| SocketAddr::from(([n, 9, 9, 9], 6881))).collect();
        let bytes = gained(&mut limits(1000), &world, 1400);
        assert!((60_000..=20_000 + 50_000 + 1400).contains(&bytes), "{bytes}");
    }

    #[test]
    fn loopback_has_no_limit() {
        let now = crate::testing::start();
        let addr = SocketAddr::from(([127, 0, 0, 1], 6881));
        assert_eq!(admitted(&mut limits(64), now, addr, 1000), 1000);
    }
}
