//! What kind of address a socket address is, and which addresses belong together.
//! One place for the ranges, so that filter, limits, quotas and voters cannot disagree.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::{AddressPolicy, Config};

/// How far an address reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Nobody can be asked there: port 0, unspecified, multicast, reserved, mapped or tunnelled.
    Never,
    /// This host.
    Loopback,
    /// This site: RFC 1918, carrier NAT, link-local, unique local.
    Private,
    /// Anywhere.
    Global,
}

impl Scope {
    pub(crate) fn of(addr: SocketAddr) -> Self {
        if addr.port() == 0 {
            return Self::Never;
        }
        Self::of_ip(addr.ip())
    }

    pub(crate) fn of_ip(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => Self::of_v4(ip),
            IpAddr::V6(ip) => Self::of_v6(ip),
        }
    }

    fn of_v4(ip: Ipv4Addr) -> Self {
        let [a, b, ..] = ip.octets();
        if a == 0 || a >= 224 {
            Self::Never
        } else if ip.is_loopback() {
            Self::Loopback
        } else if ip.is_private() || ip.is_link_local() || (a == 100 && b & 0xc0 == 64) {
            Self::Private
        } else {
            Self::Global
        }
    }

    fn of_v6(ip: Ipv6Addr) -> Self {
        let [a, b, ..] = ip.segments();
        let teredo = a == 0x2001 && b == 0;
        if ip.is_loopback() {
            Self::Loopback
        } else if ip.is_unspecified() || ip.is_multicast() || ip.to_ipv4().is_some() || teredo {
            Self::Never
        } else if ip.is_unicast_link_local() || ip.is_unique_local() {
            Self::Private
        } else {
            Self::Global
        }
    }
}

/// The policy of [`Config::addresses`], decided once for the addresses at hand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Filter {
    local: bool,
}

impl Filter {
    pub(crate) fn new(config: &Config) -> Self {
        let local = match config.addresses {
            AddressPolicy::Any => true,
            AddressPolicy::Public => false,
            AddressPolicy::Auto => {
                let own = [
                    config.ipv4.map(|addr| IpAddr::V4(*addr.ip())),
                    config.ipv6.map(|addr| IpAddr::V6(*addr.ip())),
                ];
                let near =
                    |ip: IpAddr| matches!(Scope::of_ip(ip), Scope::Loopback | Scope::Private);
                (config.bootstrap.is_empty() && !config.more_bootstrap)
                    || own.into_iter().flatten().any(near)
                    || config.bootstrap.iter().any(|addr| near(addr.ip()))
            }
        };
        Self { local }
    }

    /// The filter for what the node at `teller` says: somebody out in the world cannot know our site, and must
    /// not be able to point us at it.
    pub(crate) fn as_told_by(self, teller: SocketAddr) -> Self {
        Self { local: self.local && Scope::of(teller) != Scope::Global }
    }

    /// Whether our site is allowed as the world is: then only addresses that nobody can have are refused.
    pub(crate) fn allows_site(self) -> bool {
        self.local
    }

    /// Whether the node may ask, remember and hand out this address.
    pub(crate) fn allows(self, addr: SocketAddr) -> bool {
        match Scope::of(addr) {
            Scope::Never => false,
            Scope::Loopback | Scope::Private => self.local,
            Scope::Global => true,
        }
    }
}

/// Addresses that one party is taken to control together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Group {
    /// One IPv4 address, a /24 or a /16: the address with the rest masked, and the prefix length.
    V4(u32, u8),
    /// A /64, /48 or /32 of IPv6: the upper half masked, and the prefix length.
    V6(u64, u8),
}

impl Group {
    /// The prefix lengths of a host's group, of IPv4 and of IPv6.
    pub(crate) const HOST: (u8, u8) = (32, 64);
    /// The prefix lengths of a network.
    pub(crate) const NETWORK: (u8, u8) = (24, 48);
    /// The prefix lengths of a provider.
    pub(crate) const PROVIDER: (u8, u8) = (16, 32);

    /// One host: an IPv4 address, an IPv6 /64.
    pub(crate) fn host(ip: IpAddr) -> Self {
        Self::masked(ip, Self::HOST)
    }

    /// One network: an IPv4 /24, an IPv6 /48.
    pub(crate) fn network(ip: IpAddr) -> Self {
        Self::masked(ip, Self::NETWORK)
    }

    /// One provider, roughly: an IPv4 /16, an IPv6 /32.
    pub(crate) fn provider(ip: IpAddr) -> Self {
        Self::masked(ip, Self::PROVIDER)
    }

    fn masked(ip: IpAddr, (v4, v6): (u8, u8)) -> Self {
        match ip {
            IpAddr::V4(ip) => Self::V4(ip.to_bits() & (u32::MAX << (32 - v4)), v4),
            IpAddr::V6(ip) => {
                let [a, b, c, d, ..] = ip.segments().map(u64::from);
                let upper = (a << 48) | (b << 32) | (c << 16) | d;
                Self::V6(upper & (u64::MAX << (64 - v6)), v6)
            }
        }
    }
}

/// A node runs one network for each: two tables, two ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Family {
    pub(crate) const BOTH: [Self; 2] = [Self::V4, Self::V6];

    pub(crate) fn of(addr: SocketAddr) -> Self {
        match addr {
            SocketAddr::V4(_) => Self::V4,
            SocketAddr::V6(_) => Self::V6,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(addr: &str) -> Scope {
        Scope::of(addr.parse().unwrap())
    }

    #[test]
    fn addresses_nobody_answers_at_are_never_asked() {
        for addr in [
            "1.2.3.4:0",
            "0.1.2.3:1",
            "224.0.0.1:1",
            "255.255.255.255:1",
            "240.0.0.1:1",
            "[::]:1",
            "[ff02::1]:1",
            "[::ffff:1.2.3.4]:1",
            "[2001:0:1::1]:1",
        ] {
            assert_eq!(scope(addr), Scope::Never, "{addr}");
        }
    }

    #[test]
    fn near_addresses_are_told_from_far_ones() {
        for addr in [
            "10.1.1.1:1",
            "172.31.0.1:1",
            "192.168.1.1:1",
            "169.254.1.1:1",
            "100.64.0.1:1",
            "[fe80::1]:1",
            "[fd00::1]:1",
        ] {
            assert_eq!(scope(addr), Scope::Private, "{addr}");
        }
        assert_eq!(scope("127.9.9.9:1"), Scope::Loopback);
        assert_eq!(scope("[::1]:1"), Scope::Loopback);
        for addr in ["1.2.3.4:1", "172.32.0.1:1", "100.128.0.1:1", "[2001:db8::1]:1"] {
            assert_eq!(scope(addr), Scope::Global, "{addr}");
        }
    }

    #[test]
    fn a_node_that_joins_the_public_network_ignores_loopback_unless_told() {
        let far: SocketAddr = "1.2.3.4:6881".parse().unwrap();
        let near: SocketAddr = "127.0.0.1:6881".parse().unwrap();
        let with = |bootstrap: Vec<SocketAddr>, addresses| {
            Filter::new(&Config { bootstrap, addresses, ..Config::default() })
        };
        assert!(!with(vec![far], AddressPolicy::Auto).allows(near));
        assert!(with(vec![near], AddressPolicy::Auto).allows(near));
        assert!(with(vec![], AddressPolicy::Auto).allows(near));
        assert!(with(vec![far], AddressPolicy::Any).allows(near));
        assert!(!with(vec![near], AddressPolicy::Public).allows(near));
        assert!(with(vec![far], AddressPolicy::Public).allows(far));
    }

    #[test]
    fn what_the_world_says_about_our_site_is_not_believed() {
        let filter = Filter::new(&Config { addresses: AddressPolicy::Any, ..Config::default() });
        let near: SocketAddr = "192.168.1.1:53".parse().unwrap();
        assert!(!filter.as_told_by("1.2.3.4:6881".parse().unwrap()).allows(near));
        assert!(filter.as_told_by("192.168.1.9:6881".parse().unwrap()).allows(near));
        assert!(filter.allows(near));
    }

    #[test]
    fn neighbours_share_a_group_and_strangers_do_not() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(Group::network(ip("1.2.3.4")), Group::network(ip("1.2.3.200")));
        assert_ne!(Group::network(ip("1.2.3.4")), Group::network(ip("1.2.4.4")));
        assert_ne!(Group::host(ip("1.2.3.4")), Group::host(ip("1.2.3.5")));
        assert_eq!(Group::host(ip("2001:db8::1")), Group::host(ip("2001:db8::2")));
        assert_ne!(Group::host(ip("2001:db8::1")), Group::host(ip("2001:db8:0:1::1")));
        assert_eq!(Group::provider(ip("2001:db8:1::1")), Group::provider(ip("2001:db8:2::1")));
    }
}
