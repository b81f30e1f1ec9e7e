//! What a node must be to live in the network.
//! Separate because it is the one thing that users of the crate implement.

use std::net::SocketAddr;
use std::time::Instant;

/// A node that does no I/O of its own.
///
/// After each call that takes `&mut self` and a time, the network drains
/// [`poll_transmit`](Self::poll_transmit) and asks [`poll_timeout`](Self::poll_timeout) again.
pub trait Machine {
    /// A datagram arrived from `from`, as the node sees it (through its NAT, if any).
    fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]);

    /// The deadline given by [`poll_timeout`](Self::poll_timeout) has come.
    fn handle_timeout(&mut self, now: Instant);

    /// The next datagram to send, until there is none.
    fn poll_transmit(&mut self) -> Option<Datagram>;

    /// When to call [`handle_timeout`](Self::handle_timeout) next, if ever.
    fn poll_timeout(&mut self) -> Option<Instant>;

    /// A datagram to this address met a closed port. Only called if the network
    /// [reports it](crate::Network::set_unreachable_reports). Default: ignored.
    fn handle_unreachable(&mut self, now: Instant, to: SocketAddr) {
        let _ = (now, to);
    }
}

/// A datagram to be sent. Its source is the sender's address of the same family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram {
    /// Where it goes.
    pub to: SocketAddr,
    /// What it says.
    pub payload: Vec<u8>,
}
