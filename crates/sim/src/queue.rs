//! What will happen, in order of time.
//! Separate because the order must not depend on anything but time and arrival.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::time::Instant;

use crate::Node;

/// Something that will happen.
#[derive(Debug)]
pub(crate) enum Event {
    /// A packet reaches its destination address.
    Arrive {
        sent: Instant,
        from: SocketAddr,
        to: SocketAddr,
        sender: Option<Node>,
        payload: Vec<u8>,
    },
    /// A node's deadline.
    Wake(Node),
    /// A node comes or goes.
    Turn(Node),
    /// A node learns that nobody listens at an address.
    Unreachable { node: Node, to: SocketAddr },
}

/// Events by time; those of one moment in the order they were scheduled.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Reverse<Scheduled>>,
    scheduled: u64,
}

#[derive(Debug)]
struct Scheduled {
    at: Instant,
    order: u64,
    event: Event,
}

impl Queue {
    pub(crate) fn push(&mut self, at: Instant, event: Event) {
        self.heap.push(Reverse(Scheduled { at, order: self.scheduled, event }));
        self.scheduled += 1;
    }

    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse(scheduled)| scheduled.at)
    }

    pub(crate) fn pop(&mut self) -> Option<(Instant, Event)> {
        self.heap.pop().map(|Reverse(scheduled)| (scheduled.at, scheduled.event))
    }
}

impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Scheduled {}
