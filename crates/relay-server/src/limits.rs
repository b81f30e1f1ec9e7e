//! How much one client may ask, and how much the relay does at once.
//!
//! Separate from the handlers, which only ask "may this one?".

mod bucket;
mod lookups;
mod source;

use std::time::{Duration, Instant};

use crate::config::RateLimiterConfig;

use bucket::{Allowance, Buckets};
pub(crate) use lookups::Lookups;
pub use source::Peer;
pub(crate) use source::{Source, source_of};

/// How much more than a /64 its /48 may ask: a site has many networks, and an attacker may have a whole site.
const SITE: u32 = 16;

/// What is counted against a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A request.
    Http,
    /// A request for which the DHT is asked.
    Dht,
}

/// The budgets of all clients, in memory of a fixed size.
#[derive(Debug)]
pub(crate) struct RateLimits {
    http: Buckets,
    dht: Buckets,
    since: Instant,
}

/// What a client may do, as the configuration says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowances {
    http: Allowance,
    dht: Allowance,
    enabled: bool,
}

impl Allowances {
    pub(crate) fn new(config: &RateLimiterConfig) -> Self {
        let http = config.burst.unwrap_or(config.quota.default_burst());
        let dht = config.user_dht_burst.unwrap_or(config.user_dht_quota.default_burst());
        Self {
            http: Allowance::new(config.quota.interval(), http),
            dht: Allowance::new(config.user_dht_quota.interval(), dht),
            enabled: config.enabled,
        }
    }

    fn of(&self, kind: Kind) -> Allowance {
        match kind {
            Kind::Http => self.http,
            Kind::Dht => self.dht,
        }
    }
}

impl RateLimits {
    pub(crate) fn new(remembered: usize) -> Self {
        Self {
            http: Buckets::new(remembered),
            dht: Buckets::new(remembered),
            since: Instant::now(),
        }
    }

    /// Takes `cost` from the client's budget, or says in how long there will be enough.
    pub(crate) fn charge(
        &self,
        allowances: &Allowances,
        kind: Kind,
        source: &Source,
        cost: u32,
    ) -> Result<(), Duration> {
        self.visit(allowances, kind, source, cost, true)
    }

    /// Whether there is enough for one, without taking it.
    pub(crate) fn check(
        &self,
        allowances: &Allowances,
        kind: Kind,
        source: &Source,
    ) -> Result<(), Duration> {
        self.visit(allowances, kind, source, 1, false)
    }

    fn visit(
        &self,
        allowances: &Allowances,
        kind: Kind,
        source: &Source,
        cost: u32,
        take: bool,
    ) -> Result<(), Duration> {
        if !allowances.enabled || source.is_exempt() {
            return Ok(());
        }
        let buckets = match kind {
            Kind::Http => &self.http,
            Kind::Dht => &self.dht,
        };
        let (own, now) = (allowances.of(kind), self.since.elapsed());
        if let Some(site) = source.site() {
            let whole = own.times(SITE);
            buckets.visit(whole, site, cost, now, false)?;
            buckets.visit(own, source.prefix(), cost, now, take)?;
            // Two requests at once may both have seen the last of the budget; they owe the difference.
            return buckets.visit(whole, site, cost, now, take).or(Ok(()));
        }
        buckets.visit(own, source.prefix(), cost, now, take)
    }
}
