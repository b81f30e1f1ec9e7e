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

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use hyper::HeaderMap;

    use super::*;

    /// So many requests and searches saved up, and one more of each an hour: none while a test runs.
    fn config(http: u32, dht: u32) -> RateLimiterConfig {
        let hourly = "1r/h".parse().unwrap();
        RateLimiterConfig {
            enabled: true,
            quota: hourly,
            burst: Some(http),
            user_dht_quota: hourly,
            user_dht_burst: Some(dht),
            ..RateLimiterConfig::default()
        }
    }

    fn client(config: &RateLimiterConfig, address: &str) -> Source {
        let peer = Peer::from(address.parse::<IpAddr>().unwrap());
        source_of(config, peer, &HeaderMap::new())
    }

    /// How many of a hundred are granted, one after the other.
    fn granted(limits: &RateLimits, config: &RateLimiterConfig, kind: Kind, who: &str) -> usize {
        let (allowances, source) = (Allowances::new(config), client(config, who));
        (0..100).filter(|_| limits.charge(&allowances, kind, &source, 1).is_ok()).count()
    }

    #[test]
    fn each_client_has_a_budget_of_requests_and_one_of_searches() {
        let (limits, config) = (RateLimits::new(1024), config(5, 3));
        for who in ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8:0:1::1"] {
            assert_eq!(granted(&limits, &config, Kind::Http, who), 5, "{who}");
            assert_eq!(granted(&limits, &config, Kind::Dht, who), 3, "{who}");
        }
    }

    #[test]
    fn a_refusal_says_how_long_to_wait_and_asking_costs_nothing() {
        let (limits, config) = (RateLimits::new(1024), config(2, 2));
        let (allowances, source) = (Allowances::new(&config), client(&config, "192.0.2.1"));
        for _ in 0..10 {
            assert_eq!(limits.check(&allowances, Kind::Dht, &source), Ok(()));
        }
        assert_eq!(limits.charge(&allowances, Kind::Dht, &source, 2), Ok(()));
        let wait = limits.check(&allowances, Kind::Dht, &source).unwrap_err();
        assert!(wait > Duration::from_secs(3000) && wait <= Duration::from_secs(3600), "{wait:?}");
        let wait = limits.charge(&allowances, Kind::Dht, &source, 2).unwrap_err();
        assert!(wait > Duration::from_secs(6600) && wait <= Duration::from_secs(7200), "{wait:?}");
    }

    #[test]
    fn a_site_has_sixteen_times_what_a_network_in_it_has() {
        let (limits, config) = (RateLimits::new(1024), config(2, 2));
        let of_network = |site: u16, network: u16| {
            let who = format!("2001:db8:{site:x}:{network:x}::1");
            granted(&limits, &config, Kind::Http, &who)
        };
        assert!((0..16).all(|network| of_network(1, network) == 2));
        assert_eq!(of_network(1, 16), 0, "the site has nothing left");
        assert_eq!(of_network(2, 0), 2, "its neighbour has");
        let ipv4 = |n| granted(&limits, &config, Kind::Http, &format!("192.0.2.{n}"));
        assert!((0..40).all(|n| ipv4(n) == 2), "a network of IPv4 is no site");
    }

    #[test]
    fn nobody_is_counted_who_is_exempt_or_where_nothing_is_limited() {
        let mut config = config(2, 2);
        config.exempt = vec!["198.51.100.0/24".parse().unwrap()];
        let limits = RateLimits::new(1024);
        assert_eq!(granted(&limits, &config, Kind::Http, "198.51.100.9"), 100);
        assert_eq!(granted(&limits, &config, Kind::Http, "192.0.2.1"), 2);
        config.enabled = false;
        assert_eq!(granted(&limits, &config, Kind::Http, "192.0.2.1"), 100);
    }
}
