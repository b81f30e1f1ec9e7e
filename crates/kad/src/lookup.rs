//! One walk towards a target: whom to ask next, and when the closest nodes have answered.
//! Separate from the table because many walks run over one table, and each ends.

mod candidates;
mod config;
mod outcome;
mod paths;

use crate::{Contact, Id};
use candidates::{Candidate, Candidates, State, place};

pub use config::{LookupConfig, Sparing};
pub use outcome::{Answer, Ending, Outcome, Phase, Responder, Stats};
pub use paths::Paths;

/// An iterative lookup: finds the K live nodes closest to a target by asking ever closer ones.
///
/// It keeps no time. The owner sends, waits and counts the seconds, and says what came of each
/// query: [`responded`](Self::responded), [`stalled`](Self::stalled) when an answer takes longer
/// than usual, [`failed`](Self::failed) when it will not come. After every such call the owner
/// drains [`next`](Self::next) until it gives nobody, then looks at [`phase`](Self::phase).
///
/// ```text
/// while let Some(contact) = lookup.next() { send the query to contact }
/// if let Phase::Settled(_) = lookup.phase() { use lookup.into_outcome() }
/// ```
///
/// The walk ends when the K closest live nodes known have answered and no closer one is in flight
/// or waiting to be asked; or when nobody is left. It always ends, if every query is at last
/// reported: each address is asked once, or [twice](Self::ask_twice) where queries are lost, and
/// [`visits`](LookupConfig::visits) caps the queries. A
/// stalled query holds neither a slot nor the end of the walk, unless nobody else is left; its
/// answer counts as long as the walk goes on. That is where we differ from the paper, which waits:
/// the slowest of K dead nodes would set the time of every lookup. A
/// [patient](LookupConfig::patient) walk does wait, for those who want to miss nobody.
///
/// `T` is what the owner notes with each answer, for Mainline the write token.
#[derive(Debug, Clone)]
pub struct Lookup<C: Contact<N>, const N: usize, T = ()> {
    config: LookupConfig,
    candidates: Candidates<C, N, T>,
    /// Contacts without a known id that were not asked yet.
    unidentified: Vec<C>,
    /// Queries not settled, in the order they were sent. At most `visits`.
    pending: Vec<Pending<C::Address>>,
    phase: Phase,
    stats: Stats,
    twice: bool,
}

/// A query that is neither answered nor failed.
#[derive(Debug, Clone)]
struct Pending<A> {
    address: A,
    /// The candidate that was asked; `None` if its id was not known.
    slot: Option<usize>,
    stalled: bool,
}

impl<C: Contact<N>, const N: usize, T> Lookup<C, N, T> {
    /// A walk to `target` that knows nobody yet: [`add`](Self::add) seeds before the first
    /// [`next`](Self::next).
    pub fn new(target: Id<N>, config: LookupConfig) -> Self {
        let candidates = Candidates::new(target, config.network_size);
        Self {
            config: config.sane(),
            candidates,
            unidentified: Vec::new(),
            pending: Vec::new(),
            phase: Phase::Approaching,
            stats: Stats::default(),
            twice: false,
        }
    }

    /// Never asks this id, and never counts it: our own, which others will name to us.
    #[must_use]
    pub fn excluding(mut self, own: Id<N>) -> Self {
        self.candidates.exclude(own);
        self
    }

    /// Whether a node that stalls is asked a second time, if it still matters then. An answer to
    /// either query counts.
    ///
    /// For networks that lose queries: where nodes are dead it only costs messages. The owner may
    /// change its mind at any time; at first nobody is asked twice.
    pub const fn ask_twice(&mut self, twice: bool) {
        self.twice = twice;
    }

    /// From here on only so many of the closest must have answered; more than before is ignored.
    ///
    /// For a walk that has found what it was to find: who looks for something absent must ask
    /// more widely before it says so.
    pub fn narrow(&mut self, closest: usize) {
        self.config.closest = self.config.closest.min(closest.max(1));
        self.candidates.answered(&self.config);
        self.advance();
    }

    /// Where the walk goes.
    pub const fn target(&self) -> &Id<N> {
        self.candidates.target()
    }

    /// Where it stands. Changes only in [`next`](Self::next) and in reports.
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether the walk has ended.
    pub const fn is_settled(&self) -> bool {
        matches!(self.phase, Phase::Settled(_))
    }

    /// What it has cost up to here.
    pub const fn stats(&self) -> &Stats {
        &self.stats
    }

    /// How many contacts were passed over because more stand near the target than
    /// [`network_size`](LookupConfig::network_size) lets expect: an alarm, unless it is 0.
    pub fn crowded(&self) -> usize {
        self.candidates.crowded()
    }

    /// Queries in flight that were not declared slow: never more than the configured parallelism,
    /// the larger of both and, in the neighbourhood, that of the end once more.
    pub fn in_flight(&self) -> usize {
        self.pending.iter().filter(|query| !query.stalled).count()
    }

    /// A contact to start from, or one that the owner learned of in another way; true if it is
    /// new to the walk. Ignored once settled.
    pub fn add(&mut self, contact: C) -> bool {
        !self.is_settled() && self.candidates.offer(contact, 0, &self.config)
    }

    /// A contact whose id is not known, such as a bootstrap host: its
    /// [`id`](Contact::id) is not looked at.
    ///
    /// It is asked when a slot is free and no candidate needs it, and counts as a node with the id
    /// that it answers under.
    pub fn add_unidentified(&mut self, contact: C) -> bool {
        let fresh = !self.is_settled() && self.candidates.reserve(&contact, &self.config);
        if fresh {
            self.unidentified.push(contact);
        }
        fresh
    }

    /// The next contact to ask, counted as in flight; `None` if there is nobody to ask at the
    /// moment. Ask again after each report. May settle the walk.
    #[expect(
        clippy::should_implement_trait,
        reason = "None means wait, not the end, so the methods of Iterator would mislead"
    )]
    pub fn next(&mut self) -> Option<C> {
        self.advance();
        if self.is_settled() || self.stats.visits >= self.config.visits {
            return None;
        }
        let (contact, slot) = self.take_fresh()?;
        self.stats.visits += 1;
        self.pending.push(Pending { address: contact.address(), slot, stalled: false });
        Some(contact)
    }

    /// A node answered, under the id and from the address that `from` says, naming `closer` nodes.
    ///
    /// Hand in `closer` already freed of what the owner would never send to. At most
    /// [`new_per_answer`](LookupConfig::new_per_answer) of it are taken. An answer under another
    /// id than the one asked is discarded whole: a node that goes by several ids would otherwise
    /// be wherever it likes.
    pub fn responded(&mut self, from: C, extra: T, closer: impl IntoIterator<Item = C>) -> Answer {
        if self.is_settled() {
            return Answer::Late;
        }
        let Some(query) = self.take_pending(&from.address()) else {
            return Answer::Unasked;
        };
        let depth = match query.slot {
            Some(slot) => {
                let Some(candidate) = self
                    .candidates
                    .get_mut(slot)
                    .filter(|candidate| candidate.contact.id() == from.id())
                else {
                    self.candidates.fail(slot);
                    self.stats.mismatches += 1;
                    self.advance();
                    return Answer::Mismatch;
                };
                candidate.contact = from;
                self.stats.second_answers += usize::from(candidate.twice);
                candidate.state = State::Answered(extra);
                candidate.depth + 1
            }
            None => {
                self.candidates.adopt(from, extra, &self.config);
                1
            }
        };
        self.candidates.answered(&self.config);
        self.stats.answers += 1;
        self.stats.hops = self.stats.hops.max(depth);
        let mut room = self.config.new_per_answer;
        for contact in closer {
            if room == 0 {
                break;
            }
            room -= usize::from(self.candidates.offer(contact, depth, &self.config));
        }
        self.advance();
        Answer::Counted
    }

    /// The query to this address will not be answered: it timed out, was refused, or could not be
    /// sent. The address is not asked again. Unknown addresses are ignored.
    pub fn failed(&mut self, address: &C::Address) {
        if self.is_settled() {
            return;
        }
        if let Some(query) = self.take_pending(address) {
            if let Some(slot) = query.slot {
                self.candidates.fail(slot);
            }
            self.stats.failures += 1;
            self.advance();
        }
    }

    /// A query to this address timed out. As [`failed`](Self::failed), unless a
    /// [second](Self::ask_twice) one is in flight or due.
    pub fn lost(&mut self, address: &C::Address) {
        let Some(at) = self.pending.iter().position(|query| query.address == *address) else {
            return;
        };
        let due = self.pending[at].slot.and_then(|slot| self.candidates.get(slot));
        let due = due.is_some_and(|candidate| matches!(candidate.state, State::Again));
        let another = self.pending.iter().filter(|query| query.address == *address).count() > 1;
        if self.is_settled() || !(due || another) {
            return self.failed(address);
        }
        self.pending.remove(at);
        self.stats.failures += 1;
        self.advance();
    }

    /// The query to this address takes longer than most, though not so long that it
    /// [stalls](Self::stalled): it keeps its slot, but a [sparing](LookupConfig::sparing) walk no
    /// longer counts on its answer and asks another in its place. Other walks do not care.
    pub fn late(&mut self, address: &C::Address) {
        if self.is_settled() {
            return;
        }
        let mut queries = self.pending.iter();
        let query = queries.find(|query| query.address == *address && !query.stalled);
        if let Some(slot) = query.and_then(|query| query.slot)
            && let Some(candidate) = self.candidates.get_mut(slot)
            && matches!(candidate.state, State::InFlight)
        {
            candidate.state = State::Late;
        }
    }

    /// The query to this address takes longer than usual: its slot is free for another, its answer
    /// still counts. Say [`failed`](Self::failed) in the end if it does not come.
    pub fn stalled(&mut self, address: &C::Address) {
        if self.is_settled() {
            return;
        }
        let mut queries = self.pending.iter_mut();
        let query = queries.find(|query| query.address == *address && !query.stalled);
        if let Some(query) = query {
            query.stalled = true;
            if let Some(slot) = query.slot
                && let Some(candidate) = self.candidates.get_mut(slot)
            {
                let again = self.twice && !candidate.twice;
                candidate.state = if again { State::Again } else { State::Stalled };
            }
            self.stats.stalls += 1;
            self.advance();
        }
    }

    /// The nodes that have answered, closest first; grows and changes until the walk is settled.
    pub fn responders(&self) -> impl Iterator<Item = (&C, &T)> {
        self.candidates.iter().filter_map(|(_, candidate)| match &candidate.state {
            State::Answered(extra) => Some((&candidate.contact, extra)),
            State::Fresh | State::InFlight | State::Late | State::Stalled | State::Again => None,
        })
    }

    /// Ends the walk, wherever it stands, and says what came of it.
    pub fn into_outcome(self) -> Outcome<C, T> {
        let ending = match self.phase {
            Phase::Settled(ending) => ending,
            Phase::Approaching | Phase::Closing => Ending::Abandoned,
        };
        let responders =
            self.candidates.into_sorted().filter_map(|candidate| match candidate.state {
                State::Answered(extra) => Some(Responder { contact: candidate.contact, extra }),
                State::Fresh | State::InFlight | State::Late | State::Stalled | State::Again => {
                    None
                }
            });
        Outcome { ending, responders: responders.collect(), stats: self.stats }
    }

    /// Whether a query to this address is neither answered nor failed.
    fn awaits(&self, address: &C::Address) -> bool {
        self.pending.iter().any(|query| query.address == *address)
    }

    /// Leaves a contact, and whoever shares its host or subnet where those count, to another path.
    fn leave(&mut self, contact: &C) {
        self.candidates.leave(contact, &self.config);
        let theirs = place(contact, &self.config);
        self.unidentified.retain(|other| place(other, &self.config) != theirs);
    }

    /// Whether one more query may be sent, to the candidate at `slot` or else to an unidentified one.
    ///
    /// In the neighbourhood only the queries to it count: those of the approach that are still in
    /// flight were sent to whoever was known then, and must not hold up the end.
    fn has_room(&self, slot: Option<usize>) -> bool {
        let arrived = self.phase == Phase::Closing || self.has_arrived();
        let limit = if arrived { self.config.closing_parallelism } else { self.config.parallelism };
        let candidate = slot.and_then(|slot| self.candidates.get(slot));
        if !arrived || !candidate.is_some_and(|candidate| self.is_near(candidate)) {
            return self.in_flight() < limit && !(arrived && self.spares_scouts());
        }
        let asked = |candidate: &Candidate<C, T>| {
            matches!(candidate.state, State::InFlight | State::Late) && self.is_near(candidate)
        };
        self.candidates.iter().filter(|(_, candidate)| asked(candidate)).count() < limit
    }

    /// How the walk spares messages where it stands: not before it has arrived, and not in a crowd,
    /// whose members say what they like.
    fn sparing(&self) -> Option<&Sparing> {
        let sparing = self.config.sparing.as_ref()?;
        let arrived = self.phase == Phase::Closing || self.has_arrived();
        (arrived && self.crowded() == 0).then_some(sparing)
    }

    /// Whether enough queries are under way to do without those who stand outside the neighbourhood.
    fn spares_scouts(&self) -> bool {
        let known = self.config.near > 0.0;
        self.sparing().filter(|_| known).is_some_and(|sparing| {
            let asked = |candidate: &Candidate<C, T>| matches!(candidate.state, State::InFlight);
            self.candidates.iter().filter(|(_, candidate)| asked(candidate)).count()
                >= sparing.scouts
        })
    }

    /// Whether somebody needs to be asked, behind so many who have answered and so many who may do so in time.
    fn is_needed(&self, answered: usize, asked: usize) -> bool {
        self.sparing().is_none_or(|sparing| {
            let expected = answered as f64 + asked as f64 * sparing.answering;
            expected < self.config.closest as f64
        })
    }

    /// Whether the closest candidate that is not slow stands in the neighbourhood of the target.
    fn has_arrived(&self) -> bool {
        let slow = |candidate: &Candidate<C, T>| matches!(candidate.state, State::Stalled);
        let closest = self.candidates.iter().find(|(_, candidate)| !slow(candidate));
        closest.is_some_and(|(_, closest)| self.is_near(closest))
    }

    fn is_near(&self, candidate: &Candidate<C, T>) -> bool {
        self.target().distance(&candidate.contact.id()).fraction() < self.config.near
    }

    /// The closest candidate that has not been asked and matters, or else an unidentified one.
    fn take_fresh(&mut self) -> Option<(C, Option<usize>)> {
        let (mut answered, mut asked) = (0, 0);
        let mut fresh = None;
        for (slot, candidate) in self.candidates.iter() {
            match candidate.state {
                State::Fresh | State::Again => {
                    fresh = Some(slot);
                    break;
                }
                State::Answered(_) => answered += 1,
                State::InFlight => asked += 1,
                State::Late | State::Stalled => {}
            }
            if answered >= self.config.closest {
                break;
            }
        }
        if let Some(slot) = fresh {
            if !self.has_room(Some(slot)) || !self.is_needed(answered, asked) {
                return None;
            }
            let candidate = self.candidates.get_mut(slot)?;
            candidate.twice = matches!(candidate.state, State::Again);
            self.stats.second_queries += usize::from(candidate.twice);
            candidate.state = State::InFlight;
            return Some((candidate.contact.clone(), Some(slot)));
        }
        if self.unidentified.is_empty() || answered >= self.config.closest || !self.has_room(None) {
            return None;
        }
        Some((self.unidentified.remove(0), None))
    }

    /// Takes the query to this address, or both if it was asked twice.
    fn take_pending(&mut self, address: &C::Address) -> Option<Pending<C::Address>> {
        let at = self.pending.iter().position(|query| query.address == *address)?;
        let query = self.pending.remove(at);
        self.pending.retain(|query| query.address != *address);
        Some(query)
    }

    /// Brings the phase up to date with what is known.
    fn advance(&mut self) {
        if self.is_settled() {
            return;
        }
        let mut answered = 0;
        let mut waiting = false;
        let mut first_live_answered = None;
        for (_, candidate) in self.candidates.iter() {
            let live = match candidate.state {
                State::Stalled if !self.config.patient => continue,
                State::Answered(_) => true,
                State::Fresh | State::InFlight | State::Late | State::Again | State::Stalled => {
                    false
                }
            };
            first_live_answered.get_or_insert(live);
            waiting |= !live;
            answered += usize::from(live);
            if answered >= self.config.closest {
                break;
            }
        }
        let spent = self.stats.visits >= self.config.visits;
        let nobody_left = self.pending.is_empty() && !waiting && self.unidentified.is_empty();
        self.phase = if answered >= self.config.closest && !waiting {
            Phase::Settled(Ending::Converged)
        } else if nobody_left {
            Phase::Settled(Ending::Exhausted)
        } else if spent && self.in_flight() == 0 {
            Phase::Settled(Ending::VisitsSpent)
        } else if first_live_answered == Some(true) {
            Phase::Closing
        } else {
            Phase::Approaching
        };
    }
}

#[cfg(test)]
mod tests;
