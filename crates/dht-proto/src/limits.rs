//! How much strangers are sent: answers and their bytes, to one host, one network and everybody.
//! Apart from the server, which is only asked when there is budget left and sends only what fits into it.

mod budgets;
mod check;

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use self::budgets::Budgets;
pub use self::check::LimitError;
use crate::LimitConfig;
use crate::scope::Group;

/// The budgets of all strangers.
///
/// A budget is one instant: when it will be full again. An answer moves it by the time in which that answer is earned
/// anew, and is not sent if that leads too far into the future. The table of budgets has a fixed size; see [`Budgets`].
#[derive(Debug)]
pub(crate) struct Limits {
    began: Instant,
    rates: Rates,
    budgets: Budgets,
    total_full_at: u64,
    unproven_full_at: u64,
}

/// What each kind of budget earns.
#[derive(Debug)]
struct Rates {
    host: Rate,
    network: Rate,
    per_reply: [Rate; 2],
    proven_reply: Rate,
    total: Rate,
    unproven_total: Rate,
}

/// What one unit costs, in nanoseconds of waiting.
#[derive(Debug, Clone, Copy)]
struct Rate(u64);

/// How much waiting may be ahead: a budget holds two fifths of what one second allows, and earns three fifths in that
/// second. So no second whatever sees more than is allowed.
const SAVED: u64 = 2_000_000_000 / 3;
/// The cost of one answer where none is allowed.
const NEVER: u64 = u64::MAX;
/// By how much what is written down may have been rounded up: a microsecond for each answer that a budget holds. Less
/// than a byte, or any answer, costs.
const ROUNDING: u64 = 32_000;
/// As how many bytes the shortest answer counts in the budget of everybody: were short ones cheaper, a flood of them
/// would put more budgets in debt than the table has.
const SHORTEST: u64 = 64;

impl Rate {
    /// For at most so many units in any one second.
    fn at_most(units: u32) -> Self {
        Self(5_000_000_000_u64.checked_div(3 * u64::from(units)).unwrap_or(NEVER))
    }

    fn cost(self, units: u64) -> u64 {
        self.0.saturating_mul(units)
    }
}

impl Rates {
    fn new(config: &LimitConfig) -> Self {
        Self {
            host: Rate::at_most(config.bytes_per_address),
            network: Rate::at_most(config.bytes_per_network),
            per_reply: [
                Rate::at_most(config.replies_per_address),
                Rate::at_most(config.replies_per_network),
            ],
            proven_reply: Rate::at_most(config.replies_per_proven_address),
            total: Rate::at_most(config.bytes_in_total),
            unproven_total: Rate::at_most(config.bytes_in_total / 2),
        }
    }
}

impl Limits {
    pub(crate) fn new(config: &LimitConfig, key: [u8; 16], now: Instant) -> Self {
        Self {
            began: now,
            rates: Rates::new(config),
            budgets: Budgets::new(key, config.remembered),
            total_full_at: 0,
            unproven_full_at: 0,
        }
    }

    /// Goes on with other limits. What is lacking in a budget stays so: two thirds of a second at most, whatever it is
    /// earned back in. Only another number of budgets makes all of them full.
    pub(crate) fn set(&mut self, config: &LimitConfig) {
        self.rates = Rates::new(config);
        self.budgets.resize(config.remembered);
    }

    /// Whether there may be room for an answer to `from`: asked before any work is done for it.
    pub(crate) fn has_some(&self, now: Instant, from: SocketAddr, proven: bool) -> bool {
        let now = self.nanos(now);
        let open = |full_at: u64| full_at < now.saturating_add(SAVED);
        // Everybody's is known to the nanosecond, and what the shortest answer costs.
        let pays = |full_at: u64, rate: Rate| {
            full_at.max(now).saturating_add(rate.cost(SHORTEST)) <= now.saturating_add(SAVED)
        };
        pays(self.total_full_at, self.rates.total)
            && (proven || pays(self.unproven_full_at, self.rates.unproven_total))
            && open(self.budgets.find(Group::host(from.ip()), None).full_at)
            && open(self.budgets.find(Group::network(from.ip()), None).full_at)
    }

    /// Charges an answer of so many bytes, if there is room for it everywhere; else it must not be sent.
    pub(crate) fn charge(&mut self, now: Instant, to: IpAddr, bytes: usize, proven: bool) -> bool {
        let (now, bytes) = (self.nanos(now), bytes as u64);
        let after = |full_at: u64, cost: u64| full_at.max(now).saturating_add(cost);
        let least = if proven { [self.rates.proven_reply, Rate(0)] } else { self.rates.per_reply };
        let costs = [self.rates.host, self.rates.network].map(|rate| rate.cost(bytes));
        let host = self.budgets.find(Group::host(to), None);
        let network = self.budgets.find(Group::network(to), Some(&host));
        let places = [host, network];
        let mut charged = [0; 2];
        let latest = now.saturating_add(SAVED);
        let fits = |at: &u64| *at <= latest;
        let parts = charged.iter_mut().zip(places).zip(costs).zip(least);
        for (((charged, place), cost), least) in parts {
            let full_at = place.full_at;
            let (sum, count) = (after(full_at, cost), after(full_at, least.0));
            // One or two answers a second cost more than a budget holds: they are given when it is full.
            let single = full_at <= now && least.0 != NEVER;
            let fits = |at: u64| at <= latest.saturating_add(ROUNDING);
            if !fits(sum) || !(fits(count) || single) {
                return false;
            }
            *charged = sum.max(count);
        }
        let bytes = bytes.max(SHORTEST);
        let total = after(self.total_full_at, self.rates.total.cost(bytes));
        let unproven = after(self.unproven_full_at, self.rates.unproven_total.cost(bytes));
        if !fits(&total) || !(proven || fits(&unproven)) {
            return false;
        }
        for (place, charged) in places.into_iter().zip(charged) {
            self.budgets.put(place, charged);
        }
        self.total_full_at = total;
        if !proven {
            self.unproven_full_at = unproven;
        }
        true
    }

    fn nanos(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.began).as_nanos()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests;
