//! The reference: every candidate in one unsorted list, and the rules read off it each time.
//! Separate because it must not share a thought with the walk's own code.

use std::collections::BTreeSet;

use mainstay_kad::{Answer, Contact, Ending, Id, Lookup, LookupConfig, Phase};

use crate::fuzz::kad::peer::Peer;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Fresh,
    InFlight,
    Stalled,
    Answered,
}

#[derive(Debug, Clone, Copy)]
struct Candidate {
    peer: Peer,
    state: State,
    /// Whether its id is known.
    identified: bool,
}

/// What the walk should know and do.
#[derive(Debug)]
pub(super) struct Reference {
    target: Id<2>,
    own: Id<2>,
    config: LookupConfig,
    candidates: Vec<Candidate>,
    /// Everybody who was ever asked, by host or by address.
    asked: BTreeSet<(u8, Option<u8>)>,
    visits: usize,
    phase: Phase,
}

impl Reference {
    pub(super) fn new(target: Id<2>, own: Id<2>, config: LookupConfig) -> Self {
        Self {
            target,
            own,
            config,
            candidates: Vec::new(),
            asked: BTreeSet::new(),
            visits: 0,
            phase: Phase::Approaching,
        }
    }

    pub(super) fn is_settled(&self) -> bool {
        matches!(self.phase, Phase::Settled(_))
    }

    /// The n-th query under way, in the order of the list.
    pub(super) fn query(&self, n: usize) -> Option<Peer> {
        let under_way =
            |candidate: &&Candidate| matches!(candidate.state, State::InFlight | State::Stalled);
        self.candidates.iter().filter(under_way).nth(n).map(|candidate| candidate.peer)
    }

    pub(super) fn is_asked(&self, peer: Peer) -> bool {
        (0..).map_while(|n| self.query(n)).any(|query| query.address() == peer.address())
    }

    pub(super) fn add(&mut self, peer: Peer) -> bool {
        !self.is_settled() && self.offer(peer)
    }

    pub(super) fn add_unidentified(&mut self, peer: Peer) -> bool {
        if self.is_settled() || self.is_placed(peer) {
            return false;
        }
        self.candidates.push(Candidate { peer, state: State::Fresh, identified: false });
        true
    }

    pub(super) fn next(&mut self) -> Option<Peer> {
        self.advance();
        let limit = match self.phase {
            Phase::Approaching => self.config.parallelism,
            Phase::Closing => self.config.closing_parallelism,
            Phase::Settled(_) => return None,
        };
        if self.count(State::InFlight) >= limit || self.visits >= self.config.visits {
            return None;
        }
        let relevant = self.relevant();
        let answers = relevant.iter().filter(|peer| self.state(**peer) == State::Answered).count();
        let fresh = relevant.into_iter().find(|peer| self.state(*peer) == State::Fresh);
        let stranger = self
            .candidates
            .iter()
            .find(|candidate| !candidate.identified && candidate.state == State::Fresh);
        let peer = fresh.or(stranger
            .map(|candidate| candidate.peer)
            .filter(|_| answers < self.config.closest))?;
        self.visits += 1;
        self.asked.insert(self.place(peer));
        self.set(peer, State::InFlight);
        Some(peer)
    }

    pub(super) fn responded(&mut self, from: Peer, named: &[Peer]) -> Answer {
        if self.is_settled() {
            return Answer::Late;
        }
        let at = self.candidates.iter().position(|candidate| {
            candidate.peer.address() == from.address()
                && matches!(candidate.state, State::InFlight | State::Stalled)
        });
        let at = at.expect("only queries under way are answered");
        let candidate = self.candidates.remove(at);
        if candidate.identified && candidate.peer.id != from.id {
            self.advance();
            return Answer::Mismatch;
        }
        let subnet = self
            .candidates
            .iter()
            .any(|other| other.identified && other.peer.subnet() == from.subnet());
        let adopted =
            from.id != self.own && !self.has_id(from.id) && !(self.config.one_per_subnet && subnet);
        if candidate.identified || adopted {
            self.candidates.push(Candidate {
                peer: from,
                state: State::Answered,
                identified: true,
            });
        }
        self.forget();
        let mut room = self.config.new_per_answer;
        for peer in named {
            if room > 0 && self.offer(*peer) {
                room -= 1;
            }
        }
        self.advance();
        Answer::Counted
    }

    pub(super) fn failed(&mut self, peer: Peer) {
        if !self.is_settled() || self.is_asked(peer) {
            self.candidates.retain(|candidate| candidate.peer.address() != peer.address());
        }
        self.advance();
    }

    pub(super) fn stalled(&mut self, peer: Peer) {
        let in_flight = |candidate: &Candidate| {
            candidate.peer.address() == peer.address() && candidate.state == State::InFlight
        };
        if !self.is_settled() && self.candidates.iter().any(in_flight) {
            self.set(peer, State::Stalled);
            self.advance();
        }
    }

    /// What must hold between any two steps.
    pub(super) fn check(&self, walk: &Lookup<Peer, 2, u16>) {
        assert_eq!(walk.phase(), self.phase);
        assert_eq!(walk.stats().visits, self.visits);
        assert!(walk.in_flight() <= self.config.closing_parallelism);
        let mut expected: Vec<Peer> = self
            .candidates
            .iter()
            .filter(|one| one.state == State::Answered)
            .map(|one| one.peer)
            .collect();
        expected.sort_unstable_by(|left, right| self.target.closer(&left.id, &right.id));
        let found: Vec<Peer> = walk.responders().map(|(peer, _)| *peer).collect();
        assert_eq!(found, expected);
        for (peer, mark) in walk.responders() {
            assert!(*mark == peer.mark(), "the note of another answer");
        }
    }

    fn offer(&mut self, peer: Peer) -> bool {
        let subnet = |other: &Candidate| other.identified && other.peer.subnet() == peer.subnet();
        let refused = peer.id == self.own
            || self.has_id(peer.id)
            || self.is_beyond(peer)
            || (self.config.one_per_subnet && self.candidates.iter().any(subnet))
            || self.is_placed(peer);
        if !refused {
            self.candidates.push(Candidate { peer, state: State::Fresh, identified: true });
        }
        !refused
    }

    /// Whether the host (or address) is a candidate or was ever asked.
    fn is_placed(&self, peer: Peer) -> bool {
        let place = self.place(peer);
        self.asked.contains(&place)
            || self.candidates.iter().any(|other| self.place(other.peer) == place)
    }

    fn place(&self, peer: Peer) -> (u8, Option<u8>) {
        (peer.host, (!self.config.one_per_host).then_some(peer.port))
    }

    fn has_id(&self, id: Id<2>) -> bool {
        self.candidates.iter().any(|candidate| candidate.identified && candidate.peer.id == id)
    }

    /// Whether K closer ones have answered.
    fn is_beyond(&self, peer: Peer) -> bool {
        let closer = |other: &&Candidate| {
            other.state == State::Answered && self.target.closer(&other.peer.id, &peer.id).is_lt()
        };
        self.candidates.iter().filter(closer).count() >= self.config.closest
    }

    fn forget(&mut self) {
        let old = self.candidates.clone();
        let keep = |candidate: &Candidate| {
            candidate.state != State::Fresh
                || !candidate.identified
                || !self.is_beyond(candidate.peer)
        };
        self.candidates = old.into_iter().filter(keep).collect();
    }

    /// Identified candidates, closest first, up to the K-th answer.
    fn relevant(&self) -> Vec<Peer> {
        let mut sorted: Vec<&Candidate> =
            self.candidates.iter().filter(|candidate| candidate.identified).collect();
        sorted.sort_unstable_by(|left, right| self.target.closer(&left.peer.id, &right.peer.id));
        let mut answers = 0;
        let upto = |candidate: &&Candidate| {
            let wanted = answers < self.config.closest;
            answers += usize::from(candidate.state == State::Answered);
            wanted
        };
        sorted.into_iter().take_while(upto).map(|candidate| candidate.peer).collect()
    }

    fn state(&self, peer: Peer) -> State {
        let found =
            self.candidates.iter().find(|candidate| candidate.peer == peer && candidate.identified);
        found.expect("it is among the candidates").state
    }

    fn set(&mut self, peer: Peer, state: State) {
        let found =
            self.candidates.iter_mut().find(|candidate| candidate.peer.address() == peer.address());
        found.expect("it is among the candidates").state = state;
    }

    fn count(&self, state: State) -> usize {
        self.candidates.iter().filter(|candidate| candidate.state == state).count()
    }

    fn advance(&mut self) {
        if self.is_settled() {
            return;
        }
        let states: Vec<State> = self.relevant().into_iter().map(|peer| self.state(peer)).collect();
        let pending = states.iter().any(|state| matches!(state, State::Fresh | State::InFlight));
        let answers = states.iter().filter(|state| **state == State::Answered).count();
        let first = states.iter().find(|state| **state != State::Stalled);
        let anybody = self.candidates.iter().any(|candidate| candidate.state != State::Answered);
        self.phase = if answers >= self.config.closest && !pending {
            Phase::Settled(Ending::Converged)
        } else if !anybody {
            Phase::Settled(Ending::Exhausted)
        } else if self.visits >= self.config.visits && self.count(State::InFlight) == 0 {
            Phase::Settled(Ending::VisitsSpent)
        } else if first == Some(&State::Answered) {
            Phase::Closing
        } else {
            Phase::Approaching
        };
    }
}
