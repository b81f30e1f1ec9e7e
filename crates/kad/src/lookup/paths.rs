//! Several walks to one target that share no node: who steers one of them does not steer the others.
//! Separate from the walk, which knows nothing of its companions; here is who may be asked by whom.

use std::collections::BTreeMap;

use super::candidates::allows;
use super::{Answer, Ending, Lookup, LookupConfig, Outcome, Phase, Responder, Stats};
use crate::{Contact, Id};

/// A lookup over disjoint paths, as in S/Kademlia: so many [`Lookup`]s to one target, each with its own K
/// closest and its own end, whose outcomes are merged.
///
/// Whoever is asked belongs to the path that asked first, and so do, where the
/// [rules](LookupConfig::one_per_subnet) say so, its host and its subnet: no other path asks there, whoever
/// names it. What a node names goes to its own path alone. A path that was led among liars thus ends there by
/// itself, and what the others find stands beside it. To be asked is what counts, not to be named: liars could
/// otherwise keep honest nodes from all other paths by naming them first.
///
/// Used as a [`Lookup`]. With one path it is that lookup, step by step. With more,
/// - seeds are dealt out by [`provider`](Contact::provider), in turns: all of one provider to one path (one by
///   one where subnets do not count);
/// - [`parallelism`](LookupConfig::parallelism) is shared by the paths that have not ended, and
///   [`visits`](LookupConfig::visits) by all; [`candidates`](LookupConfig::candidates) are remembered by each;
/// - nearly as many times the nodes are asked as there are paths: each looks for K that live;
/// - a crowd at the target is judged in each path and once more when all are merged.
#[derive(Debug, Clone)]
pub struct Paths<C: Contact<N>, const N: usize, T = ()> {
    target: Id<N>,
    /// At least one.
    paths: Vec<Lookup<C, N, T>>,
    config: LookupConfig,
    /// Which path asks next.
    turn: usize,
    /// Among how many paths the parallelism is divided.
    sharing: usize,
    /// Which path the seeds of a provider go to; as many as the owner adds seeds.
    providers: BTreeMap<C::Provider, usize>,
    /// Which path the next seed goes to.
    dealt: usize,
}

impl<C: Contact<N>, const N: usize, T> Paths<C, N, T> {
    /// The most paths there can be. With more, none would have enough seeds and visits of its own.
    pub const MOST: usize = 8;

    /// So many walks to `target`, at least one and at most [`MOST`](Self::MOST), that know nobody yet.
    pub fn new(target: Id<N>, config: LookupConfig, paths: usize) -> Self {
        let paths = paths.clamp(1, Self::MOST);
        let each = LookupConfig {
            parallelism: config.parallelism.div_ceil(paths),
            closing_parallelism: config.closing_parallelism.div_ceil(paths),
            visits: config.visits.div_ceil(paths),
            ..config.clone()
        };
        Self {
            target,
            paths: (0..paths).map(|_| Lookup::new(target, each.clone())).collect(),
            config,
            turn: 0,
            sharing: paths,
            providers: BTreeMap::new(),
            dealt: 0,
        }
    }

    /// As [`Lookup::excluding`].
    #[must_use]
    pub fn excluding(mut self, own: Id<N>) -> Self {
        for path in &mut self.paths {
            path.candidates.exclude(own);
        }
        self
    }

    /// As [`Lookup::ask_twice`].
    pub fn ask_twice(&mut self, twice: bool) {
        self.paths.iter_mut().for_each(|path| path.ask_twice(twice));
    }

    /// As [`Lookup::narrow`], for each path.
    pub fn narrow(&mut self, closest: usize) {
        self.paths.iter_mut().for_each(|path| path.narrow(closest));
    }

    /// As [`Lookup::target`].
    pub const fn target(&self) -> &Id<N> {
        &self.target
    }

    /// Whether all paths have ended.
    pub fn is_settled(&self) -> bool {
        self.paths.iter().all(Lookup::is_settled)
    }

    /// What all of them have cost up to here; the chain of answers is the longest of any.
    pub fn stats(&self) -> Stats {
        let mut sum = Stats::default();
        for stats in self.paths.iter().map(Lookup::stats) {
            sum.second_queries += stats.second_queries;
            sum.second_answers += stats.second_answers;
            sum.visits += stats.visits;
            sum.answers += stats.answers;
            sum.failures += stats.failures;
            sum.mismatches += stats.mismatches;
            sum.stalls += stats.stalls;
            sum.hops = sum.hops.max(stats.hops);
        }
        sum
    }

    /// As [`Lookup::crowded`]: those passed over on a path, and those who are too many together.
    pub fn crowded(&self) -> usize {
        let alone = self.paths.iter().map(Lookup::crowded).sum();
        if self.paths.len() == 1 {
            return alone;
        }
        let mut all: Vec<_> = self.paths.iter().flat_map(Lookup::responders).collect();
        let size = self.config.network_size;
        alone + merge(&mut all, &self.target, size, |(contact, _)| contact.id())
    }

    /// As [`Lookup::in_flight`], on all paths.
    pub fn in_flight(&self) -> usize {
        self.paths.iter().map(Lookup::in_flight).sum()
    }

    /// How many nodes have answered and count, on all paths.
    pub fn responded_to(&self) -> usize {
        self.paths.iter().map(|path| path.responders().count()).sum()
    }

    /// As [`Lookup::add`], to the path that this contact's provider belongs to.
    pub fn add(&mut self, contact: C) -> bool {
        self.path_for(&contact).is_some_and(|path| path.add(contact))
    }

    /// As [`Lookup::add_unidentified`], to the path that this contact's provider belongs to.
    pub fn add_unidentified(&mut self, contact: C) -> bool {
        self.path_for(&contact).is_some_and(|path| path.add_unidentified(contact))
    }

    /// As [`Lookup::next`]: the paths take turns.
    #[expect(
        clippy::should_implement_trait,
        reason = "None means wait, not the end, so the methods of Iterator would mislead"
    )]
    pub fn next(&mut self) -> Option<C> {
        loop {
            let asked = self.take_turns();
            if asked.is_some() || !self.share() {
                return asked;
            }
        }
    }

    /// As [`Lookup::responded`], on the path that asked.
    pub fn responded(&mut self, from: C, extra: T, closer: impl IntoIterator<Item = C>) -> Answer {
        let unasked = if self.is_settled() { Answer::Late } else { Answer::Unasked };
        match self.asker(&from.address()) {
            Some(path) => path.responded(from, extra, closer),
            None => unasked,
        }
    }

    /// As [`Lookup::failed`], on the path that asked.
    pub fn failed(&mut self, address: &C::Address) {
        if let Some(path) = self.asker(address) {
            path.failed(address);
        }
    }

    /// As [`Lookup::lost`], on the path that asked.
    pub fn lost(&mut self, address: &C::Address) {
        if let Some(path) = self.asker(address) {
            path.lost(address);
        }
    }

    /// As [`Lookup::late`], on the path that asked.
    pub fn late(&mut self, address: &C::Address) {
        if let Some(path) = self.asker(address) {
            path.late(address);
        }
    }

    /// As [`Lookup::stalled`], on the path that asked.
    pub fn stalled(&mut self, address: &C::Address) {
        if let Some(path) = self.asker(address) {
            path.stalled(address);
        }
    }

    /// As [`Lookup::into_outcome`]: everybody who answered on any path, closest first.
    ///
    /// It has [converged](Ending::Converged) if no path was cut short and K answered together: where a network
    /// is too small for K on each, nobody closer is left all the same.
    pub fn into_outcome(mut self) -> Outcome<C, T> {
        if self.paths.len() == 1
            && let Some(only) = self.paths.pop()
        {
            return only.into_outcome();
        }
        let (stats, ending) = (self.stats(), self.ending());
        let wanted = self.paths.iter().map(|path| path.config.closest).max().unwrap_or(1);
        let outcomes = self.paths.into_iter().map(Lookup::into_outcome);
        let mut responders: Vec<Responder<C, T>> =
            outcomes.flat_map(|outcome| outcome.responders).collect();
        merge(&mut responders, &self.target, self.config.network_size, |one| one.contact.id());
        let ending = match ending {
            Ending::Exhausted if responders.len() >= wanted => Ending::Converged,
            Ending::Converged if responders.len() < wanted => Ending::Exhausted,
            ending => ending,
        };
        Outcome { ending, responders, stats }
    }

    /// The worst ending of any path, but that a path was exhausted says little while another converged.
    fn ending(&self) -> Ending {
        let endings = self.paths.iter().map(|path| match path.phase() {
            Phase::Settled(ending) => ending,
            Phase::Approaching | Phase::Closing => Ending::Abandoned,
        });
        let has = |wanted| endings.clone().any(|ending| ending == wanted);
        let worst = [Ending::Abandoned, Ending::VisitsSpent, Ending::Converged];
        worst.into_iter().find(|ending| has(*ending)).unwrap_or(Ending::Exhausted)
    }

    /// Lets the paths ask in turns, and keeps the others from whom one of them asks.
    fn take_turns(&mut self) -> Option<C> {
        let count = self.paths.len();
        for _ in 0..count {
            let at = self.turn;
            self.turn = (at + 1) % count;
            if let Some(contact) = self.paths.get_mut(at).and_then(Lookup::next) {
                let others = self.paths.iter_mut().enumerate().filter(|(other, _)| *other != at);
                others.for_each(|(_, path)| path.leave(&contact));
                return Some(contact);
            }
        }
        None
    }

    /// Gives the share of paths that have ended to those that go on; true if there were any.
    fn share(&mut self) -> bool {
        let live = self.paths.iter().filter(|path| !path.is_settled()).count();
        if live == 0 || live == self.sharing {
            return false;
        }
        self.sharing = live;
        for path in &mut self.paths {
            path.config.parallelism = self.config.parallelism.div_ceil(live).max(1);
            path.config.closing_parallelism = self.config.closing_parallelism.div_ceil(live).max(1);
        }
        true
    }

    /// The path that waits for this address. No two ever do.
    fn asker(&mut self, address: &C::Address) -> Option<&mut Lookup<C, N, T>> {
        self.paths.iter_mut().find(|path| path.awaits(address))
    }

    /// The path a seed goes to; another one if that has ended.
    fn path_for(&mut self, contact: &C) -> Option<&mut Lookup<C, N, T>> {
        let count = self.paths.len();
        if count == 1 {
            return self.paths.first_mut();
        }
        let next = self.dealt % count;
        let at = match self.providers.get(&contact.provider()) {
            Some(at) if self.config.one_per_subnet => *at,
            _ => {
                self.dealt += 1;
                self.providers.insert(contact.provider(), next);
                next
            }
        };
        let mut turns = (at..at + count).map(|at| at % count);
        let at = turns.find(|at| self.paths.get(*at).is_some_and(|path| !path.is_settled()))?;
        self.paths.get_mut(at)
    }
}

/// Sorts what several paths found, closest first, each id once, and passes over who stands in a crowd; says how
/// many those are.
fn merge<R, const N: usize>(
    found: &mut Vec<R>,
    target: &Id<N>,
    network_size: Option<u64>,
    id: impl Fn(&R) -> Id<N>,
) -> usize {
    found.sort_by(|one, other| target.closer(&id(one), &id(other)));
    found.dedup_by_key(|one| id(one));
    let all = found.len();
    let mut closer = 0;
    found.retain(|one| {
        let counts = allows(network_size, closer, target.head() ^ id(one).head());
        closer += usize::from(counts);
        counts
    });
    all - found.len()
}
