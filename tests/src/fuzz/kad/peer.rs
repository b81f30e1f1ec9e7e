//! A contact in a small world, where ids, hosts and subnets meet often.
//! Separate because every model here walks in the same world.

use mainstay_kad::{Contact, Id};

/// A contact with a sixteen-bit id and a byte of host; two hosts share a subnet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Peer {
    pub(super) id: Id<2>,
    pub(super) host: u8,
    pub(super) port: u8,
    pub(super) preferred: bool,
}

impl Peer {
    /// Something to know its answer by.
    pub(super) fn mark(&self) -> u16 {
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
