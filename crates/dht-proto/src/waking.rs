//! The nodes of an earlier run, while a new one finds out which of them still live.
//! Apart from the upkeep, because it ends as soon as somebody has answered.

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::contact::Contact;

/// How many are asked at a time. Of a list nine tenths of which are dead, the first twenty hold a living one in
/// seven cases of eight, and the second twenty follow when the first stall.
const AT_A_TIME: usize = 20;
/// The wait before some are asked again after all were silent; doubles up to [`LONGEST_RETRY`].
const RETRY: Duration = Duration::from_secs(2);
/// The longest wait.
const LONGEST_RETRY: Duration = Duration::from_secs(60);

/// Whom to ask next, and who has not answered yet.
#[derive(Debug)]
pub(crate) struct Waking {
    began: Instant,
    contacts: Vec<Contact>,
    /// How many of the contacts were asked, over all passes.
    turn: usize,
    queue: VecDeque<Contact>,
    asked: BTreeSet<SocketAddr>,
    pass: Pass,
}

/// Everybody is asked → nobody answered: a few are asked now and then.
#[derive(Debug, Clone, Copy)]
enum Pass {
    First,
    Again { at: Instant, wait: Duration },
}

impl Waking {
    /// `None` if there is nobody to ask.
    pub(crate) fn new(now: Instant, contacts: Vec<Contact>) -> Option<Self> {
        let queue = VecDeque::from(contacts.clone());
        let (turn, asked, pass) = (0, BTreeSet::new(), Pass::First);
        (!queue.is_empty()).then_some(Self { began: now, contacts, turn, queue, asked, pass })
    }

    pub(crate) fn began(&self) -> Instant {
        self.began
    }

    /// Whether not everybody has been asked yet.
    pub(crate) fn is_first_pass(&self) -> bool {
        matches!(self.pass, Pass::First)
    }

    /// The next one to ask, if not too many are expected to answer.
    pub(crate) fn next(&mut self, now: Instant) -> Option<Contact> {
        if let Pass::Again { at, wait } = self.pass
            && now >= at
        {
            self.refill(now, wait);
        }
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

    /// Everybody was silent: that may be our own fault, so some will be asked again.
    pub(crate) fn try_again(&mut self, now: Instant) {
        if self.is_first_pass() {
            self.pass = Pass::Again { at: now + RETRY, wait: RETRY * 2 };
        }
    }

    /// When the next one may be asked although nothing happens.
    pub(crate) fn due(&self) -> Option<Instant> {
        let free = self.asked.len() < AT_A_TIME && !self.queue.is_empty();
        match self.pass {
            _ if free => Some(self.began),
            Pass::First => None,
            Pass::Again { at, .. } => Some(at),
        }
    }

    fn refill(&mut self, now: Instant, wait: Duration) {
        let from = self.turn;
        let around = self.contacts.iter().cycle().skip(from % self.contacts.len().max(1));
        self.queue = around.take(AT_A_TIME.min(self.contacts.len())).copied().collect();
        self.asked.clear();
        self.turn = from.wrapping_add(AT_A_TIME);
        self.pass = Pass::Again { at: now + wait, wait: (wait * 2).min(LONGEST_RETRY) };
    }
}
