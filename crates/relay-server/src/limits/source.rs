//! Who asks: the address behind the proxies that are ours, cut to what one client holds.
//!
//! Separate because a mistake here lets everybody be anybody.

use std::net::{IpAddr, Ipv6Addr};

use hyper::HeaderMap;

use crate::config::{ProxyHeader, RateLimiterConfig};

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// An address.
    Ip(IpAddr),
    /// A program on this machine that may open the Unix socket.
    Local,
}

impl From<IpAddr> for Peer {
    fn from(address: IpAddr) -> Self {
        Self::Ip(address.to_canonical())
    }
}

/// Whose budget a request is counted against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    prefix: u128,
    site: Option<u128>,
    exempt: bool,
}

impl Source {
    fn of(address: IpAddr, exempt: bool) -> Self {
        match address.to_canonical() {
            // As it is mapped into IPv6, where no /64 looks like it.
            IpAddr::V4(ip) => Self { prefix: ip.to_ipv6_mapped().to_bits(), site: None, exempt },
            IpAddr::V6(ip) => {
                let [a, b, c, d, ..] = ip.segments();
                // The last segment tells a /48 from the first /64 in it.
                let network = Ipv6Addr::new(a, b, c, d, 0, 0, 0, 64);
                let site = Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 48);
                Self { prefix: network.to_bits(), site: Some(site.to_bits()), exempt }
            }
        }
    }

    /// One IPv4 address, or one /64 of IPv6.
    pub(crate) fn prefix(&self) -> u128 {
        self.prefix
    }

    /// The /48 of an IPv6 address.
    pub(crate) fn site(&self) -> Option<u128> {
        self.site
    }

    /// Whether nothing is counted.
    pub(crate) fn is_exempt(&self) -> bool {
        self.exempt
    }
}

impl From<Peer> for Source {
    fn from(peer: Peer) -> Self {
        match peer {
            Peer::Ip(address) => Self::of(address, false),
            Peer::Local => Self { prefix: 0, site: None, exempt: false },
        }
    }
}

/// Who sent a request that came from `peer`.
///
/// Each of our proxies writes who asked it at the right end of the header, so with `n` of them the client stands `n`
/// from the right, and what stands further left is what the client itself claims. The header counts only where the
/// peer is one of our proxies; a place that holds no address makes the proxy itself the client, whose budget is
/// everybody's: a proxy that is set up wrongly is noticed, not exploited.
pub(crate) fn source_of(config: &RateLimiterConfig, peer: Peer, headers: &HeaderMap) -> Source {
    let is_exempt = |ip: IpAddr| config.exempt.iter().any(|network| network.contains(ip));
    let proxied = config.proxies() > 0 && is_proxy(config, peer);
    if let Some(address) = proxied.then(|| forwarded_for(config, headers)).flatten() {
        return Source::of(address, is_exempt(address));
    }
    match peer {
        Peer::Ip(address) => Source::of(address, is_exempt(address)),
        Peer::Local => Source::from(peer),
    }
}

fn is_proxy(config: &RateLimiterConfig, peer: Peer) -> bool {
    match peer {
        Peer::Ip(ip) => config.proxy_networks.iter().any(|network| network.contains(ip)),
        Peer::Local => true,
    }
}

/// The address that the outermost of our proxies wrote.
fn forwarded_for(config: &RateLimiterConfig, headers: &HeaderMap) -> Option<IpAddr> {
    let (name, read): (_, fn(&str) -> Option<IpAddr>) = match config.proxy_header {
        ProxyHeader::XForwardedFor => ("x-forwarded-for", address),
        ProxyHeader::Forwarded => ("forwarded", forwarded_element),
    };
    // The last header's last entry is the latest; a line that is no text ends the search, since it hides its entries.
    let mut from_the_right = headers.get_all(name).iter().rev().flat_map(|value| {
        let entries: Vec<&str> = value.to_str().map_or(vec![""], |text| text.split(',').collect());
        entries.into_iter().rev()
    });
    read(from_the_right.nth(config.proxies().saturating_sub(1))?)
}

/// The `for=` of one element of `Forwarded`.
fn forwarded_element(element: &str) -> Option<IpAddr> {
    let pairs = element.split(';').filter_map(|pair| pair.trim().split_once('='));
    let mut named = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for"));
    address(named.next()?.1.trim().trim_matches('"'))
}

/// An address, with or without a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|rest| Some(rest.split_once(']')?.0));
    let without_port = || text.rsplit_once(':').map(|(host, _port)| host);
    bare.unwrap_or(text).parse().ok().or_else(|| without_port()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn behind(proxies: usize, header: ProxyHeader) -> RateLimiterConfig {
        RateLimiterConfig {
            trusted_proxies: proxies,
            proxy_header: header,
            ..RateLimiterConfig::default()
        }
    }

    fn asked(config: &RateLimiterConfig, peer: &str, lines: &[(&'static str, &str)]) -> Source {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        source_of(config, Peer::from(peer.parse::<IpAddr>().unwrap()), &headers)
    }

    fn client(address: &str) -> Source {
        Source::of(address.parse().unwrap(), false)
    }

    #[test]
    fn the_client_stands_as_far_from_the_right_as_there_are_proxies() {
        for (proxies, lines, expected) in [
            (0, &["198.51.100.9"][..], "10.0.0.1"),
            (1, &["198.51.100.9"], "198.51.100.9"),
            (1, &["203.0.113.66, 198.51.100.9"], "198.51.100.9"),
            (1, &["203.0.113.66", "198.51.100.9"], "198.51.100.9"),
            (2, &["203.0.113.66, 198.51.100.9, 192.0.2.2"], "198.51.100.9"),
            (2, &["203.0.113.66,198.51.100.9", "192.0.2.2"], "198.51.100.9"),
            (1, &["198.51.100.9:4711"], "198.51.100.9"),
            (1, &["[2001:db8::1]:4711"], "2001:db8::1"),
            (1, &["2001:db8::1"], "2001:db8::1"),
            // The proxy answers for what cannot be read.
            (1, &["198.51.100.9, unknown"], "10.0.0.1"),
            (3, &["198.51.100.9, 192.0.2.2"], "10.0.0.1"),
            (1, &[""], "10.0.0.1"),
            (1, &[], "10.0.0.1"),
        ] {
            let config = behind(proxies, ProxyHeader::XForwardedFor);
            let lines: Vec<_> = lines.iter().map(|line| ("x-forwarded-for", *line)).collect();
            assert_eq!(asked(&config, "10.0.0.1", &lines), client(expected), "{lines:?}");
        }
    }

    #[test]
    fn forwarded_is_read_where_it_is_the_header_of_the_proxies() {
        for (line, expected) in [
            ("for=198.51.100.9", "198.51.100.9"),
            ("for=203.0.113.66, For=\"198.51.100.9:80\";proto=https", "198.51.100.9"),
            ("proto=http; for=\"[2001:db8::1]:80\"", "2001:db8::1"),
            ("for=_hidden", "10.0.0.1"),
            ("by=198.51.100.9", "10.0.0.1"),
        ] {
            let config = behind(1, ProxyHeader::Forwarded);
            let lines = [("forwarded", line), ("x-forwarded-for", "192.0.2.99")];
            assert_eq!(asked(&config, "10.0.0.1", &lines), client(expected), "{line}");
        }
    }

    #[test]
    fn a_stranger_cannot_forge_where_it_comes_from() {
        let config = behind(1, ProxyHeader::XForwardedFor);
        for forged in 0..1000 {
            let line = format!("203.0.113.{}, 198.51.100.{}", forged % 250, forged % 251);
            for name in ["x-forwarded-for", "forwarded", "x-real-ip"] {
                let source = asked(&config, "198.18.0.1", &[(name, &line)]);
                assert_eq!(source, client("198.18.0.1"));
            }
        }
    }

    #[test]
    fn a_client_of_ipv6_is_its_network_and_one_of_ipv4_its_address() {
        assert_eq!(client("2001:db8:0:7::1"), client("2001:db8:0:7:ffff::2"));
        assert_ne!(client("2001:db8:0:7::1"), client("2001:db8:0:8::1"));
        assert_eq!(client("2001:db8:0:7::1").site(), client("2001:db8:0:8::1").site());
        assert_ne!(client("192.0.2.1"), client("192.0.2.2"));
        assert_eq!(client("::ffff:192.0.2.1"), client("192.0.2.1"));
        assert_ne!(Some(client("2001:db8::1").prefix()), client("2001:db8::1").site());
    }

    #[test]
    fn no_two_clients_share_a_prefix_and_no_two_sites() {
        let addresses = [
            "::",
            "::1:0:0:0:0",
            "0:0:1::",
            "2001:db8::",
            "2001:db8:0:8000::",
            "2001:db8:8000::",
            "a001:db8::",
            "192.0.2.1",
            "192.0.2.2",
        ];
        let prefixes: BTreeSet<_> =
            addresses.iter().map(|address| client(address).prefix()).collect();
        assert_eq!(prefixes.len(), addresses.len());
        let sites: BTreeSet<_> =
            addresses.iter().filter_map(|address| client(address).site()).collect();
        assert_eq!(sites.len(), 5, "of seven networks two pairs are of one site");
        assert!(prefixes.is_disjoint(&sites));
        assert_eq!(client("192.0.2.1").site(), None);
    }

    #[test]
    fn a_program_on_this_machine_is_a_proxy_and_without_one_a_client_of_its_own() {
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", "198.51.100.9".parse().unwrap());
        let (behind_one, behind_none) =
            (behind(1, ProxyHeader::XForwardedFor), behind(0, ProxyHeader::XForwardedFor));
        assert_eq!(source_of(&behind_one, Peer::Local, &headers), client("198.51.100.9"));
        let local = Source::from(Peer::Local);
        assert_eq!(source_of(&behind_none, Peer::Local, &headers), local);
        assert_eq!(source_of(&behind_one, Peer::Local, &HeaderMap::new()), local);
        assert!(!local.is_exempt());
        assert!(![client("::"), client("0.0.0.0")].map(|c| c.prefix()).contains(&local.prefix()));
    }

    #[test]
    fn who_is_exempt_is_known_behind_a_proxy_too() {
        let mut config = behind(1, ProxyHeader::XForwardedFor);
        config.exempt = vec!["198.51.100.0/24".parse().unwrap()];
        let lines = [("x-forwarded-for", "198.51.100.9")];
        assert!(asked(&config, "10.0.0.1", &lines).is_exempt());
        assert!(!asked(&config, "192.0.2.1", &lines).is_exempt());
    }
}
