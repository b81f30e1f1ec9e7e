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

#[cfg(test)]
mod tests {
    use mainstay_krpc::Id;

    use super::*;

    fn contact(n: u8) -> Contact {
        Contact::new(Id::from_bytes([n; 20]), ([60, n, 1, 1], 6881).into())
    }

    fn waking(now: Instant, count: u8) -> Waking {
        Waking::new(now, (0..count).map(contact).collect()).unwrap()
    }

    fn asked(waking: &mut Waking, now: Instant) -> Vec<SocketAddr> {
        std::iter::from_fn(|| waking.next(now)).map(|contact| contact.addr()).collect()
    }

    #[test]
    fn twenty_are_asked_at_a_time_and_each_that_settles_makes_room_for_the_next() {
        let now = crate::testing::start();
        let mut waking = waking(now, 21);
        assert_eq!(waking.due(), Some(now));
        let first: Vec<_> = (0..20).map(|n| contact(n).addr()).collect();
        assert_eq!(asked(&mut waking, now), first);
        assert_eq!(waking.due(), None, "answers and stalls wake it");
        waking.settled(contact(3).addr());
        assert_eq!(waking.due(), Some(now));
        assert_eq!(asked(&mut waking, now), [contact(20).addr()]);
        for n in 0..20 {
            assert!(!waking.is_over(), "somebody is still waited for");
            waking.settled(contact(n).addr());
        }
        waking.settled(contact(20).addr());
        assert!(waking.is_over() && waking.is_first_pass());
    }

    #[test]
    fn after_silence_all_are_asked_in_turn_ever_more_seldom() {
        let now = crate::testing::start();
        let mut waking = waking(now, 30);
        while !waking.is_over() {
            for addr in asked(&mut waking, now) {
                waking.settled(addr);
            }
        }
        waking.try_again(now);
        let (mut at, mut waits, mut turns) = (now, Vec::new(), Vec::new());
        for _ in 0..8 {
            let due = waking.due().unwrap();
            assert_eq!(asked(&mut waking, due - Duration::from_millis(1)), [], "too early");
            let again = asked(&mut waking, due);
            assert_eq!(again.len(), AT_A_TIME);
            turns.push(again[0]);
            waits.push((due - at).as_secs());
            at = due;
            // Nobody answers, and it is told so again and again.
            waking.try_again(at);
        }
        assert_eq!(waits, [2, 4, 8, 16, 32, 60, 60, 60]);
        let first = |n| contact(n).addr();
        assert_eq!(turns[..4], [first(0), first(20), first(10), first(0)]);
        assert!(!waking.is_first_pass());
    }

    #[test]
    fn who_knew_nobody_has_nobody_to_wake() {
        assert!(Waking::new(crate::testing::start(), Vec::new()).is_none());
    }
}
