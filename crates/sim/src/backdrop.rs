//! Hosts by the million that exist only while they are spoken to.
//! Separate because they are one object and not nodes: nobody can hold ten million machines.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Everybody who has an address and is no node: asked for each packet that goes to none.
///
/// It only ever answers, so it needs no deadline: what it has to say later it says with
/// [`Reply::after`]. To look at it during a run, share it: `Rc<RefCell<B>>` is a backdrop too.
pub trait Backdrop {
    /// Whether somebody has this address, up or not. Must not change during a run.
    fn owns(&self, address: SocketAddr) -> bool;

    /// A datagram came to somebody it owns. What is to be said goes into `replies`, which is empty.
    fn handle_datagram(
        &mut self,
        now: Instant,
        from: SocketAddr,
        to: SocketAddr,
        datagram: &[u8],
        replies: &mut Vec<Reply>,
    );
}

/// What somebody of a [`Backdrop`] sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Who sends, or claims to.
    pub from: SocketAddr,
    /// Where it goes.
    pub to: SocketAddr,
    /// What it says.
    pub payload: Vec<u8>,
    /// How long its sender thinks before it sends.
    pub after: Duration,
}

impl<B: Backdrop> Backdrop for Rc<RefCell<B>> {
    fn owns(&self, address: SocketAddr) -> bool {
        self.borrow().owns(address)
    }

    fn handle_datagram(
        &mut self,
        now: Instant,
        from: SocketAddr,
        to: SocketAddr,
        datagram: &[u8],
        replies: &mut Vec<Reply>,
    ) {
        self.borrow_mut().handle_datagram(now, from, to, datagram, replies);
    }
}
