//! Another node as tables and lookups see it: the bridge between krpc's ids and addresses and kad's.
//! Kept small, since a node remembers hundreds of them.

use std::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6};

use mainstay_kad as kad;
use mainstay_krpc::{Id, NodeInfo, NodeInfo6, bep42};

use crate::RemoteNode;
use crate::scope::{Family, Group, Scope};

/// Stands for an id that is not known. Nobody has it: a node that claims it is asked without expecting it.
const UNKNOWN: Id = Id::from_bytes([0; 20]);

/// An id at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Contact {
    id: Id,
    endpoint: Endpoint,
    fits: bool,
}

/// A socket address in twenty bytes; the standard one takes thirty-two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Endpoint {
    V4([u8; 4], u16),
    V6([u8; 16], u16),
}

/// Who shares the fate of a contact. On loopback and private networks every endpoint stands for itself:
/// there, many nodes on one host are a test and not an attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Party {
    Group(Group),
    Endpoint(Endpoint),
}

impl Contact {
    pub(crate) fn new(id: Id, addr: SocketAddr) -> Self {
        Self { id, endpoint: Endpoint::from(addr), fits: bep42::is_valid(&id, addr.ip()) }
    }

    /// Somebody whose id nobody knows yet, such as a bootstrap host.
    pub(crate) fn unidentified(addr: SocketAddr) -> Self {
        Self { id: UNKNOWN, endpoint: Endpoint::from(addr), fits: false }
    }

    /// The id it must answer under, unless it is not known.
    pub(crate) fn known_id(&self) -> Option<Id> {
        (self.id != UNKNOWN).then_some(self.id)
    }

    pub(crate) fn key(&self) -> Id {
        self.id
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.endpoint.addr()
    }

    pub(crate) fn family(&self) -> Family {
        match self.endpoint {
            Endpoint::V4(..) => Family::V4,
            Endpoint::V6(..) => Family::V6,
        }
    }

    /// As it is named in `nodes`.
    pub(crate) fn node(&self) -> Option<NodeInfo> {
        match self.endpoint {
            Endpoint::V4(ip, port) => {
                Some(NodeInfo { id: self.id, addr: SocketAddrV4::new(ip.into(), port) })
            }
            Endpoint::V6(..) => None,
        }
    }

    /// As it is named in `nodes6`.
    pub(crate) fn node6(&self) -> Option<NodeInfo6> {
        match self.endpoint {
            Endpoint::V4(..) => None,
            Endpoint::V6(ip, port) => {
                Some(NodeInfo6 { id: self.id, addr: SocketAddrV6::new(ip.into(), port, 0, 0) })
            }
        }
    }

    /// Whether both are of the same group: what comparing their parties says, for a few instructions where they are not.
    /// The addresses of a group have these many first bits in common, of IPv4 and of IPv6.
    #[inline]
    fn shares(&self, other: &Self, (v4, v6): (u8, u8)) -> bool {
        let near = match (&self.endpoint, &other.endpoint) {
            (Endpoint::V4(a, _), Endpoint::V4(b, _)) => {
                (u32::from_be_bytes(*a) ^ u32::from_be_bytes(*b)).leading_zeros() >= u32::from(v4)
            }
            (Endpoint::V6(a, _), Endpoint::V6(b, _)) => {
                let differ = u128::from_be_bytes(*a) ^ u128::from_be_bytes(*b);
                differ.leading_zeros() >= u32::from(v6)
            }
            (Endpoint::V4(..), Endpoint::V6(..)) | (Endpoint::V6(..), Endpoint::V4(..)) => false,
        };
        near && self.stands_with(other)
    }

    /// Whether neighbours count as one. Apart, so that telling strangers apart stays short.
    #[inline(never)]
    fn stands_with(&self, other: &Self) -> bool {
        let is_global = |one: &Self| Scope::of_ip(one.addr().ip()) == Scope::Global;
        self.endpoint == other.endpoint || (is_global(self) && is_global(other))
    }

    fn party(&self, group: fn(IpAddr) -> Group) -> Party {
        let ip = self.addr().ip();
        match Scope::of_ip(ip) {
            Scope::Global => Party::Group(group(ip)),
            Scope::Never | Scope::Loopback | Scope::Private => Party::Endpoint(self.endpoint),
        }
    }
}

impl kad::Contact<20> for Contact {
    type Address = Endpoint;
    type Host = Party;
    type Subnet = Party;
    type Provider = Party;

    fn id(&self) -> kad::Id<20> {
        kad_id(&self.id)
    }

    fn address(&self) -> Endpoint {
        self.endpoint
    }

    fn host(&self) -> Party {
        self.party(Group::host)
    }

    fn subnet(&self) -> Party {
        self.party(Group::network)
    }

    fn provider(&self) -> Party {
        self.party(Group::provider)
    }

    #[inline]
    fn shares_host(&self, other: &Self) -> bool {
        self.shares(other, Group::HOST)
    }

    #[inline]
    fn shares_subnet(&self, other: &Self) -> bool {
        self.shares(other, Group::NETWORK)
    }

    #[inline]
    fn shares_provider(&self, other: &Self) -> bool {
        self.shares(other, Group::PROVIDER)
    }

    fn is_preferred(&self) -> bool {
        self.fits
    }
}

impl Endpoint {
    pub(crate) fn addr(self) -> SocketAddr {
        match self {
            Self::V4(ip, port) => SocketAddr::from((ip, port)),
            Self::V6(ip, port) => SocketAddr::from((ip, port)),
        }
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(addr: SocketAddr) -> Self {
        match addr {
            SocketAddr::V4(addr) => Self::V4(addr.ip().octets(), addr.port()),
            SocketAddr::V6(addr) => Self::V6(addr.ip().octets(), addr.port()),
        }
    }
}

impl From<NodeInfo> for Contact {
    fn from(node: NodeInfo) -> Self {
        Self::new(node.id, SocketAddr::V4(node.addr))
    }
}

impl From<NodeInfo6> for Contact {
    fn from(node: NodeInfo6) -> Self {
        Self::new(node.id, SocketAddr::V6(node.addr))
    }
}

impl From<&Contact> for RemoteNode {
    fn from(contact: &Contact) -> Self {
        Self { id: contact.key(), addr: contact.addr() }
    }
}

/// krpc's id as kad's.
pub(crate) fn kad_id(id: &Id) -> kad::Id<20> {
    kad::Id::from_bytes(id.to_bytes())
}

#[cfg(test)]
mod tests {
    use mainstay_kad::Contact as _;

    use super::*;

    fn contact(addr: &str) -> Contact {
        Contact::new(Id::from_bytes([1; 20]), addr.parse().unwrap())
    }

    #[test]
    fn an_address_survives_being_made_small() {
        for addr in ["1.2.3.4:5", "[2001:db8::7]:9"] {
            assert_eq!(contact(addr).addr(), addr.parse().unwrap());
        }
        assert!(size_of::<Contact>() <= 44);
    }

    #[test]
    fn nodes_of_one_network_are_one_party_unless_it_is_this_host() {
        assert_eq!(contact("1.2.3.4:5").host(), contact("1.2.3.4:6").host());
        assert_eq!(contact("1.2.3.4:5").subnet(), contact("1.2.3.9:5").subnet());
        assert_ne!(contact("127.0.0.1:5").host(), contact("127.0.0.1:6").host());
        assert_ne!(contact("127.0.0.1:5").subnet(), contact("127.0.0.1:6").subnet());
        assert_ne!(contact("10.0.0.1:5").subnet(), contact("10.0.0.2:5").subnet());
    }

    #[test]
    fn two_share_what_comparing_their_parties_says() {
        let all = [
            "1.2.3.4:5",
            "1.2.3.4:6",
            "1.2.3.9:5",
            "1.2.9.4:5",
            "1.9.3.4:5",
            "127.0.0.1:5",
            "127.0.0.1:6",
            "10.0.0.1:5",
            "10.0.0.2:5",
            "172.15.0.1:5",
            "172.16.0.1:5",
            "[::1]:5",
            "[::1]:6",
            "[::2]:5",
            "[0:0:1::2]:5",
            "[2001:db8::1]:5",
            "[2001:db8::1]:6",
            "[2001:db8::2]:5",
            "[2001:db8:0:1::1]:5",
            "[2001:db8:1::1]:5",
            "[2001:db9::1]:5",
            "[fd00::1]:5",
            "[fd00::2]:5",
        ]
        .map(contact);
        for one in &all {
            for other in &all {
                let pair = (one.addr(), other.addr());
                assert_eq!(one.shares_host(other), one.host() == other.host(), "{pair:?}");
                assert_eq!(one.shares_subnet(other), one.subnet() == other.subnet(), "{pair:?}");
                let provider = one.provider() == other.provider();
                assert_eq!(one.shares_provider(other), provider, "{pair:?}");
            }
        }
    }
}
