//! The nodes of an earlier run, while a new one finds out which of them still live.
//! Apart from the upkeep, because it happens once and is then gone.

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Instant;

use crate::contact::Contact;

/// How many are asked at a time. Of a list nine tenths of which are dead, the first twenty hold a living one in
/// seven cases of eight, and the second twenty follow when the first stall.
const AT_A_TIME: usize = 20;

/// Whom to ask next, and who has not answered yet.
#[derive(Debug)]
pub(crate) struct Waking {
    began: Instant,
    queue: VecDeque<Contact>,
    asked: BTreeSet<SocketAddr>,
}

impl Waking {
    /// `None` if there is nobody to ask.
    pub(crate) fn new(now: Instant, contacts: Vec<Contact>) -> Option<Self> {
        let queue = VecDeque::from(contacts);
        (!queue.is_empty()).then(|| Self { began: now, queue, asked: BTreeSet::new() })
    }

    pub(crate) fn began(&self) -> Instant {
        self.began
    }

    /// The next one to ask, if not too many are expected to answer.
    pub(crate) fn next(&mut self) -> Option<Contact> {
        if self.asked.len() >= AT_A_TIME {
            return None;
        }
        let contact = self.queue.pop_front()?;
        self.asked.insert(contact.addr());
        Some(contact)
    }

    /// One who was asked has answered, or is no longer waited for.
    pub(crate) fn settled(&mut self, addr: SocketAddr) {
        self.asked.remove(&addr);
    }

    /// Whether nobody is left to ask or to wait for.
    pub(crate) fn is_over(&self) -> bool {
        self.queue.is_empty() && self.asked.is_empty()
    }

    /// When the next one may be asked although nothing happens.
    pub(crate) fn due(&self) -> Option<Instant> {
        (self.asked.len() < AT_A_TIME && !self.queue.is_empty()).then_some(self.began)
    }
}
