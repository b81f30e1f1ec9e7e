//! A contact in a small world, where ids, hosts and subnets meet often.
//! Separate because every model here walks in the same world.

use mainstay_kad::{Contact, Id};
use proptest::prelude::*;

/// A contact with a sixteen-bit id and a byte of host; two hosts share a subnet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Peer {
    pub(crate) id: Id<2>,
    pub(crate) host: u8,
    pub(crate) port: u8,
    pub(crate) preferred: bool,
}

impl Peer {
    /// Something to know its answer by.
    pub(crate) fn mark(&self) -> u16 {
        u16::from_be_bytes([self.host, self.port])
    }
}

impl Contact<2> for Peer {
    type Address = (u8, u8);
    type Host = u8;
    type Subnet = u8;
    type Provider = u8;

    fn id(&self) -> Id<2> {
        self.id
    }

    fn address(&self) -> (u8, u8) {
        (self.host, self.port)
    }

    fn host(&self) -> u8 {
        self.host
    }

    fn subnet(&self) -> u8 {
        self.host >> 1
    }

    fn provider(&self) -> u8 {
        self.host >> 3
    }

    fn is_preferred(&self) -> bool {
        self.preferred
    }
}

/// Ids that scatter, and ids that crowd at both ends of the space.
pub(crate) fn any_id() -> impl Strategy<Value = Id<2>> {
    prop_oneof![
        any::<[u8; 2]>().prop_map(Id::from),
        (0_u8..16).prop_map(|low| Id::from([0, low])),
        (0_u8..16).prop_map(|low| Id::from([0x80, low])),
    ]
}

pub(crate) fn any_peer() -> impl Strategy<Value = Peer> {
    (any_id(), 0_u8..48, 0_u8..2, any::<bool>()).prop_map(|(id, host, port, preferred)| Peer {
        id,
        host,
        port,
        preferred,
    })
}
