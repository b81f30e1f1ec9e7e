//! The second half of a put: storing at the closest nodes that gave a token.
//! Apart from the walk that found them, because it refuses, refills and ends by other rules.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::contact::Contact;
use crate::network::NODES;

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
    /// How many of them, from the closest on, are asked however many have stored: readers look there first.
    owed: usize,
    wanted: usize,
    stages: BTreeMap<SocketAddr, Stage>,
}

impl Storing {
    /// Nobody to store at yet.
    pub(crate) fn new(wanted: usize) -> Self {
        Self { rest: Vec::new(), owed: 0, wanted, stages: BTreeMap::new() }
    }

    /// Somebody who is most likely among the closest, while others are still being looked for.
    pub(crate) fn offer(&mut self, holder: Holder) {
        if self.busy() + self.rest.len() < self.wanted {
            self.rest.push(holder);
        }
    }

    /// All the `holders` there are, in order, the closest first. Of these the first [`NODES`] are asked in any case:
    /// whoever was asked before them may stand farther off than anybody looks.
    pub(crate) fn settle(&mut self, holders: Vec<Holder>) {
        let closest = holders.iter().take(NODES.min(self.wanted));
        let is_new = |holder: &&Holder| !self.stages.contains_key(&holder.contact.addr());
        self.owed = closest.filter(is_new).count();
        self.rest = holders;
        self.rest.retain(|holder| !self.stages.contains_key(&holder.contact.addr()));
        self.rest.reverse();
    }

    /// The next node to store at, counted as asked; `None` if nobody is to be asked at the moment.
    pub(crate) fn next(&mut self) -> Option<Holder> {
        if self.owed == 0 && self.busy() >= self.wanted {
            return None;
        }
        let holder = self.rest.pop()?;
        self.owed = self.owed.saturating_sub(1);
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

    /// Whether nothing more is to be waited for. Stalled requests are waited for until they are lost while fewer
    /// than a [quorum](Self::quorum) have stored: nobody else is left to ask, and each may be a copy.
    pub(crate) fn is_done(&self) -> bool {
        let stored = self.count(Stage::Stored);
        let settled = stored + self.count(Stage::Outdated);
        let safe = settled >= self.quorum() || self.count(Stage::Stalled) == 0;
        self.count(Stage::Waiting) == 0
            && (stored >= self.wanted || (self.rest_is_useless() && safe))
    }

    /// How many copies make a put safe: half of those wanted.
    fn quorum(&self) -> usize {
        self.wanted.div_ceil(2)
    }

    /// How many copies are wanted.
    pub(crate) fn wanted(&self) -> usize {
        self.wanted
    }

    pub(crate) fn asked(&self) -> usize {
        self.stages.len()
    }

    /// How many nodes have stored, may still do so, or have a reason of their own not to.
    fn busy(&self) -> usize {
        self.count(Stage::Waiting) + self.count(Stage::Stored) + self.count(Stage::Outdated)
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
        let mut storing = Storing::new(10);
        for port in [2, 19, 17, 18] {
            storing.offer(holder(port));
        }
        assert_eq!(drain(&mut storing), [18, 17, 19, 2]);
        storing.settle((1..=12).map(holder).collect());
        assert_eq!(drain(&mut storing), [1, 3, 4, 5, 6, 7, 8]);
        storing.report(addr(17), Stage::Failed);
        assert_eq!(drain(&mut storing), [], "ten wait or have stored");
        storing.report(addr(18), Stage::Failed);
        assert_eq!(drain(&mut storing), [9]);
        for port in [1, 2, 3, 4, 5, 6, 7, 8, 9, 19] {
            assert!(!storing.is_done());
            storing.report(addr(port), Stage::Stored);
        }
        assert!(storing.is_done());
    }

    #[test]
    fn the_eight_closest_are_asked_however_many_stored_before_they_were_found() {
        let mut storing = Storing::new(16);
        for port in 101..=120 {
            storing.offer(holder(port));
        }
        assert_eq!(drain(&mut storing).len(), 16, "no more early copies than are wanted");
        for port in 101..=116 {
            storing.report(addr(port), Stage::Stored);
        }
        storing.settle((1..=20).map(holder).collect());
        assert_eq!(drain(&mut storing), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert!(!storing.is_done(), "they are worth waiting for");
        for port in 1..=8 {
            storing.report(addr(port), Stage::Stalled);
        }
        assert_eq!(drain(&mut storing), []);
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

    #[test]
    fn one_copy_of_sixteen_does_not_end_a_put_while_others_may_yet_store() {
        let mut storing = storing(20, 16);
        drain(&mut storing);
        storing.report(addr(1), Stage::Stored);
        for port in 2..=20 {
            storing.report(addr(port), Stage::Stalled);
            drain(&mut storing);
            assert!(!storing.is_done(), "{port} stalls");
        }
        assert_eq!(storing.asked(), 20, "the next closest were asked for each that stalled");
        for port in 2..=7 {
            storing.report(addr(port), Stage::Stored);
            assert!(!storing.is_done(), "{port} copies are fewer than half");
        }
        storing.report(addr(8), Stage::Stored);
        assert!(storing.is_done(), "half of the copies are safe");
    }

    #[test]
    fn a_put_with_too_few_copies_ends_when_nobody_may_store_any_more() {
        let mut storing = storing(4, 16);
        drain(&mut storing);
        storing.report(addr(1), Stage::Stored);
        for port in 2..=4 {
            storing.report(addr(port), Stage::Stalled);
            assert!(!storing.is_done());
        }
        for port in 2..=4 {
            assert!(!storing.is_done());
            storing.report(addr(port), Stage::Failed);
        }
        assert!(storing.is_done());
    }
}
