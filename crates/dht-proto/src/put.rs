//! The second half of a put: storing at the closest nodes that gave a token.
//! Apart from the walk that found them, because it refuses, refills and ends by other rules.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::contact::Contact;

/// What a node said on the way that matters for storing there.
#[derive(Debug, Clone, Default)]
pub(crate) struct Note {
    /// What it gave to store with.
    pub(crate) token: Option<Box<[u8]>>,
    /// The sequence number of what it holds already.
    pub(crate) holds: Option<i64>,
}

impl Note {
    /// The node as one to store at, if it takes stores.
    pub(crate) fn holder(&self, contact: Contact) -> Option<Holder> {
        Some(Holder { contact, token: self.token.clone()?, holds: self.holds })
    }
}

/// A node to store at.
#[derive(Debug, Clone)]
pub(crate) struct Holder {
    pub(crate) contact: Contact,
    pub(crate) token: Box<[u8]>,
    pub(crate) holds: Option<i64>,
}

/// What became of one store request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Sent.
    Waiting,
    /// Silent for longer than usual; another is asked in its place, its answer still counts.
    Stalled,
    /// Acknowledged.
    Stored,
    /// Refused as out of date. Nobody is asked in its place: it holds another version, so more copies
    /// of ours would only add to the disagreement.
    Outdated,
    /// Refused for another reason, or lost.
    Failed,
}

/// Store requests to the closest holders, and to the next closest for each that fails.
#[derive(Debug)]
pub(crate) struct Storing {
    /// Not asked yet, the farthest first.
    rest: Vec<Holder>,
    wanted: usize,
    stages: BTreeMap<SocketAddr, Stage>,
}

impl Storing {
    /// Nobody to store at yet.
    pub(crate) fn new(wanted: usize) -> Self {
        Self { rest: Vec::new(), wanted, stages: BTreeMap::new() }
    }

    /// Somebody who is all but certainly among the closest, while others are still being looked for. A quarter
    /// of the copies is kept for those who are found last: they are the closest.
    pub(crate) fn offer(&mut self, holder: Holder) {
        if self.stages.len() + self.rest.len() < self.wanted * 3 / 4 {
            self.rest.push(holder);
        }
    }

    /// All the `holders` there are, in order, the closest first.
    pub(crate) fn settle(&mut self, holders: Vec<Holder>) {
        self.rest = holders;
        self.rest.retain(|holder| !self.stages.contains_key(&holder.contact.addr()));
        self.rest.reverse();
    }

    /// The next node to store at, counted as asked; `None` if nobody is to be asked at the moment.
    pub(crate) fn next(&mut self) -> Option<Holder> {
        let busy =
            self.count(Stage::Waiting) + self.count(Stage::Stored) + self.count(Stage::Outdated);
        if busy >= self.wanted {
            return None;
        }
        let holder = self.rest.pop()?;
        self.stages.insert(holder.contact.addr(), Stage::Waiting);
        Some(holder)
    }

    /// Notes what became of the request to `addr`; false if that was known before.
    pub(crate) fn report(&mut self, addr: SocketAddr, stage: Stage) -> bool {
        let Some(old) = self.stages.get_mut(&addr) else { return false };
        let open = matches!(old, Stage::Waiting | Stage::Stalled);
        if open {
            *old = stage;
        }
        open
    }

    /// Whether nothing more is to be waited for. Stalled requests are waited for only while not one
    /// copy is safe.
    pub(crate) fn is_done(&self) -> bool {
        let stored = self.count(Stage::Stored);
        let idle = self.count(Stage::Waiting) == 0 && self.rest_is_useless();
        stored >= self.wanted || (idle && (stored > 0 || self.count(Stage::Stalled) == 0))
    }

    /// How many copies are wanted.
    pub(crate) fn wanted(&self) -> usize {
        self.wanted
    }

    pub(crate) fn asked(&self) -> usize {
        self.stages.len()
    }

    fn rest_is_useless(&self) -> bool {
        self.rest.is_empty()
            || self.count(Stage::Stored) + self.count(Stage::Outdated) >= self.wanted
    }

    fn count(&self, stage: Stage) -> usize {
        self.stages.values().filter(|other| **other == stage).count()
    }
}

#[cfg(test)]
mod tests {
    use mainstay_krpc::Id;

    use super::*;

    fn storing(holders: u16, wanted: usize) -> Storing {
        let mut storing = Storing::new(wanted);
        storing.settle((1..=holders).map(holder).collect());
        storing
    }

    fn holder(port: u16) -> Holder {
        let contact = Contact::new(Id::from_bytes([1; 20]), addr(port));
        Holder { contact, token: Box::default(), holds: None }
    }

    fn addr(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    fn drain(storing: &mut Storing) -> Vec<u16> {
        std::iter::from_fn(|| storing.next()).map(|holder| holder.contact.addr().port()).collect()
    }

    #[test]
    fn the_closest_are_asked_first_and_the_next_for_each_that_fails() {
        let mut storing = storing(5, 3);
        assert_eq!(drain(&mut storing), [1, 2, 3]);
        storing.report(addr(2), Stage::Failed);
        assert_eq!(drain(&mut storing), [4]);
        storing.report(addr(1), Stage::Stalled);
        assert_eq!(drain(&mut storing), [5]);
        for port in [3, 4, 5] {
            storing.report(addr(port), Stage::Stored);
        }
        assert!(storing.is_done());
    }

    #[test]
    fn some_are_asked_early_and_the_closest_for_the_rest() {
        let mut storing = Storing::new(4);
        for port in [2, 9, 7, 8] {
            storing.offer(holder(port));
        }
        assert_eq!(drain(&mut storing), [7, 9, 2]);
        storing.settle((1..=6).map(holder).collect());
        assert_eq!(drain(&mut storing), [1]);
        storing.report(addr(7), Stage::Failed);
        assert_eq!(drain(&mut storing), [3]);
        for port in [1, 2, 3, 9] {
            assert!(!storing.is_done());
            storing.report(addr(port), Stage::Stored);
        }
        assert!(storing.is_done());
    }

    #[test]
    fn a_refusal_as_out_of_date_is_not_answered_with_more_copies() {
        let mut storing = storing(5, 2);
        drain(&mut storing);
        storing.report(addr(1), Stage::Outdated);
        storing.report(addr(2), Stage::Outdated);
        assert_eq!(drain(&mut storing), []);
        assert!(storing.is_done());
    }

    #[test]
    fn a_late_acknowledgement_counts_and_a_second_one_does_not() {
        let mut storing = storing(1, 1);
        drain(&mut storing);
        storing.report(addr(1), Stage::Stalled);
        assert!(!storing.is_done());
        assert!(storing.report(addr(1), Stage::Stored));
        assert!(!storing.report(addr(1), Stage::Stored));
        assert!(storing.is_done());
    }

    #[test]
    fn stalled_nodes_do_not_hold_up_a_put_that_is_safe() {
        let mut storing = storing(3, 3);
        drain(&mut storing);
        storing.report(addr(1), Stage::Stored);
        storing.report(addr(2), Stage::Stored);
        assert!(!storing.is_done());
        storing.report(addr(3), Stage::Stalled);
        assert!(storing.is_done());
    }
}
